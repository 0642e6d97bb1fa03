"""Merge and revert: the base branch moves on by one commit of ours, by compare-and-swap, never by force (P4, P11)."""

from pathlib import Path

from adapters.effects.order import EffectOrder
from adapters.git.environment import ClosedGit
from adapters.git.merging import first_parent, is_ancestor
from adapters.git.remotes import advance_base, remote_heads
from contracts.effect import EffectResult

UNSEEN_STATUS = 3
"""The child's exit status when the base is at a commit the mirror lacks: fetch it, then look again."""


class Unseen(Exception):
    """Whether the base holds our commit cannot be told before the mirror is up to date."""


def land(order: EffectOrder, seconds: float) -> EffectResult:
    """Look, move the base from ``expected_old`` to ``head_sha``, look again.

    Done already when the base's history holds the commit, wherever people moved it since. Refused when the base is
    elsewhere, when the commit is no child of ``expected_old``, or does not hold the checked tree.

    Raises:
        Unseen: the base is at a commit the mirror lacks.
    """
    effect = order.effect
    git = ClosedGit(Path(order.mirror), inherit=True)
    if reason := unfit(git, order):
        return EffectResult(done=False, refused=reason)
    now = remote_heads(git, order.remote).get(effect.branch, "")
    if holds(git, now, effect.head_sha):
        return landed(git, order, adopted=True)
    if now != effect.expected_old:
        return EffectResult(done=False, refused=moved(order, now), result=now)
    if order.look_only:
        return EffectResult(done=False, result=now)
    pushed = advance_base(git, order.remote, effect.branch, effect.head_sha, effect.expected_old, seconds)
    after = remote_heads(git, order.remote).get(effect.branch, "")
    if holds(git, after, effect.head_sha):
        return landed(git, order, adopted=False)
    if after != effect.expected_old:
        return EffectResult(done=False, refused=moved(order, after), result=after)
    refused = f"the remote refused the push: {pushed.reason}"
    # Who may move the base is a question for a person's merge; who may not even come in is not.
    return EffectResult(done=False, refused=refused, obstacle=pushed.forbidden, result=after)


def unfit(git: ClosedGit, order: EffectOrder) -> str:
    """Why this commit may never be what the base moves to; empty when it may."""
    effect = order.effect
    if not effect.branch or effect.branch != effect.base_branch:
        return f"{effect.branch!r} is not the base branch {effect.base_branch!r}"
    if effect.expected_old != effect.base_sha:
        return f"the base was checked at {effect.base_sha}, not at {effect.expected_old or 'nothing'}"
    git.run("cat-file", "-e", f"{effect.head_sha}^{{commit}}")
    parent = first_parent(git, effect.head_sha)
    if parent != effect.expected_old:
        return f"{effect.head_sha} is a child of {parent or 'nothing'}, not of {effect.expected_old}"
    tree = _tree(git, effect.head_sha)
    return "" if tree == effect.tree_sha else f"its tree is {tree}, the checked one {effect.tree_sha or 'not named'}"


def holds(git: ClosedGit, now: str, commit: str) -> bool:
    """Whether the base at ``now`` (empty: not there) has the commit in its history.

    Raises:
        Unseen: the mirror lacks ``now``.
    """
    if now in {"", commit}:
        return bool(now)
    if git.run("cat-file", "-e", f"{now}^{{commit}}", accept=(0, 1, 128)).code:
        raise Unseen(f"the base is at {now}, which the mirror lacks")
    return is_ancestor(git, commit, now)


def landed(git: ClosedGit, order: EffectOrder, *, adopted: bool) -> EffectResult:
    """The base holds our commit: that, and its tree as our own git reads it."""
    commit = order.effect.head_sha
    return EffectResult(done=True, adopted=adopted, result=commit, tree_sha=_tree(git, commit))


def _tree(git: ClosedGit, commit: str) -> str:
    return git.run("rev-parse", "--verify", f"{commit}^{{tree}}").text


def moved(order: EffectOrder, found: str) -> str:
    """The refusal when the base is not where the commit was made for."""
    effect = order.effect
    return f"the base {effect.branch} is at {found or 'nothing'}, not at {effect.expected_old}: someone moved it"
