"""Which branches of ours have served their purpose: those may go, and no other, never one of somebody else."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from contracts.pull_request import PullRequest
from policies.run.strangers import OURS

_CANARY = f"{OURS}canary/"
_SHORT = 8
"""Hex digits of the commit at the end of a canary's name."""


def canary_branch(run_id: str, commit: str) -> str:
    """The branch that shows a run's merge result to the canary."""
    return f"{_CANARY}{run_id}-{commit[:_SHORT]}"


def canary_of(branch: str) -> str:
    """The run whose canary a branch is; empty: it is none."""
    return branch.removeprefix(_CANARY)[: -_SHORT - 1] if branch.startswith(_CANARY) else ""


@dataclass(frozen=True)
class Served:
    """A branch that may go, at the commit we put there, and why."""

    branch: str
    head_sha: str
    run_id: str
    """Whose it was."""
    why: str


def served(
    pulls: tuple[PullRequest, ...],
    heads: Mapping[str, str],
    ours: AbstractSet[str],
    busy: AbstractSet[str],
    ended: AbstractSet[str],
) -> tuple[Served, ...]:
    """In the order of their names.

    Args:
        pulls: all of ours, newest first.
        heads: the remote's branches.
        ours: commits that our audit logs say we put there: a branch that stands elsewhere is somebody's.
        busy: branches that a run which goes on writes to.
        ended: runs that have ended.
    """
    found = []
    for branch, head in sorted(heads.items()):
        if not branch.startswith(OURS) or head not in ours or branch in busy:
            continue
        mine = [pull for pull in pulls if pull.branch == branch]
        run_id = canary_of(branch)
        if run_id and run_id in ended:
            found.append(Served(branch, head, run_id, f"the canary of {run_id} is over"))
        elif mine and all(pull.state != "open" for pull in mine):
            last = mine[0]
            found.append(Served(branch, head, last.run_id, f"pull request {last.number} is {last.state}"))
    return tuple(found)
