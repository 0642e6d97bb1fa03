"""One outside effect, complete: what the effect's own child process is told to do."""

from pydantic import AwareDatetime

from contracts.artifact import Contract
from contracts.modes import WriteAction, WriteClass
from contracts.pull_request import PullRequest


class Clearance(Contract):
    """Permission for one effect, once. Only Control makes these; the forge port demands one."""

    key: str
    attempt: str
    action: WriteAction
    write_class: WriteClass
    branch: str
    head_sha: str
    base_sha: str
    policy_digest: str
    epoch: int
    seconds: int
    deadline: AwareDatetime
    """Control's clock: after this another attempt may begin."""


class Effect(Contract):
    """A write on a forge or a shared branch. Look, then act, under ``run_key`` (P7)."""

    action: WriteAction
    run_key: str
    """``run_id/step``."""
    run_id: str
    task_id: str
    branch: str
    base_branch: str
    head_sha: str
    base_sha: str
    expected_old: str = ""
    """For a push: what the remote branch must point at; empty means it must not exist.

    For a merge or a revert: the first parent of ``head_sha``, where the base branch must still be.
    """
    tree_sha: str = ""
    """For a merge or a revert: the tree that was checked; ``head_sha`` must hold exactly it (P4, P11)."""
    pull_branch: str = ""
    """For a merge or a revert on a forge that merges pull requests: the branch whose pull request lands it.

    Empty: the base branch is moved by git. A local forge always does that.
    """
    record_key: str = ""
    """What is updated or closed: the run key under which the pull request or ticket was opened. Empty: ``run_key``."""
    commit_message: str = ""
    """For a forge that makes the merge commit itself; what git pushes has its own."""
    number: int = 0
    """For a comment or a head: the pull request. For an update of a ticket: the one it was, should its mark be gone."""
    title: str = ""
    body: str = ""
    head: str = ""
    """What the text begins with from now on, between hidden lines; every other word of it stays as it is.

    On an update of a pull request it is all that is written, and ``number`` says where, in whatever state.
    """
    links: tuple[int, ...] = ()
    """Our own pull requests which the text names as ``pull request #7``: there alone a forge may make a link of it."""
    addresses: tuple[str, ...] = ()
    """Our own web addresses: a link to one of exactly these stays one."""


class EffectResult(Contract):
    """What the remote showed after (or instead of) acting."""

    done: bool
    adopted: bool = False
    """Found done by an earlier attempt."""
    refused: str = ""
    """Why the remote's state forbids the effect (expected refusal); empty otherwise."""
    obstacle: bool = False
    """The refusal is about us (token, right, address, protection, quota), and not about the change."""
    result: str = ""
    """The branch head or the pull request's number, as read back."""
    tree_sha: str = ""
    """For a merge or a revert that is done: the tree of our commit, read back after the remote held it."""
    pull_request: PullRequest | None = None
