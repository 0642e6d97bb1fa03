"""What the steps of ``FollowUp`` and ``Rollback`` are given, and what they hand back."""

from __future__ import annotations

from typing import Literal

from pydantic import AwareDatetime

from contracts.artifact import Contract
from contracts.handover import RunRef
from contracts.modes import WriteAction
from contracts.rollback import (
    Culprit,
    FollowUpEnd,
    Idea,
    Merged,
    Observation,
    RollbackInput,
    RollbackResult,
)
from contracts.verdict import Fact, Verdict


class FollowUpTerms(Contract):
    """What the policy that the run was pinned to says about what comes after it."""

    observation_minutes: float
    every_minutes: float
    confirmations: int
    """So many looks at our merge and at its parent, in turn, must agree before it is ours."""
    poll_first_minutes: float
    poll_most_minutes: float


class ObserveInput(Contract):
    """One look at one commit; an empty ``commit`` is the base's head."""

    run: RunRef
    place: str
    """Id under which the evidence is kept: the run's or the rollback's."""
    number: int
    """Counts the looks of this place, so that each keeps its evidence."""
    commit: str = ""
    merge_sha: str = ""


class PullLook(Contract):
    """What became of a pull request of ours, as far as the forge knows."""

    state: Literal["open", "merged", "closed"]
    who: str = ""
    """Who merged or closed it; empty: the forge does not say."""
    at: AwareDatetime | None = None
    merged: Merged | None = None


class HealthTerms(Contract):
    """When the baseline's health counts as restored."""

    in_a_row: int
    every_seconds: int
    maximum_minutes: float
    """The task contract's."""
    base_moves: int


class RevertWords(Contract):
    """The messages of a rollback's commits, so that whoever makes them anew makes the same ones."""

    revert: str
    landing: str
    """Of the merge of its pull request."""


class PrepareInput(Contract):
    """Compute a revert on the base as it is now."""

    given: RollbackInput
    number: int
    """Counted from 0: more than one when the base moved meanwhile."""
    revert_onto: str = ""
    """``revert_pr``: the base for which the revert on the branch was made, by the first plan."""
    words: RevertWords | None = None
    """The first plan's, with ``revert_onto``; None there: it was made before they said anything."""


class RevertPlan(Contract):
    """What will be written, and the tree it must lead to, known before any write (P11)."""

    problem: str = ""
    """Why a person must go on; empty: the plan holds."""
    strategy: Literal["revert_pr", "revert_commit"] = "revert_commit"
    branch: str = ""
    base_branch: str = ""
    onto: str = ""
    """The base it was computed on."""
    revert_sha: str = ""
    revert_onto: str = ""
    """The base ``revert_sha`` is a child of."""
    words: RevertWords | None = None
    pull_branch: str = ""
    """On a forge that merges pull requests, with ``revert_pr``: the branch whose pull request lands it."""
    landing_sha: str = ""
    """What the base moves to: the revert itself, or the merge of its pull request. Empty: nothing is left to undo."""
    expected_tree: str = ""
    baseline: bool = False
    """Nobody else committed since our merge: the expected tree is the baseline's."""
    health: HealthTerms | None = None
    idea: Idea | None = None
    audit_head: str = ""


class AttributeInput(Contract):
    """Looks to be judged: is the red confirmed, and whose is it?"""

    run: RunRef
    first: Observation
    """At the base's head, red."""
    again: Observation
    """The same commit once more."""
    ours: tuple[Observation, ...] = ()
    """Looks at our merge, taken in turn with ``parents``; empty: only whether the red is confirmed."""
    parents: tuple[Observation, ...] = ()
    looks: tuple[Observation, ...] = ()
    """All so far: what was red and green on one commit is flaky."""


class Attribution(Contract):
    """The answer."""

    failing: tuple[str, ...]
    """Confirmed; empty: it did not come back."""
    verdict: Verdict | None = None
    culprit: Culprit = Culprit.UNKNOWN


class RepairInput(Contract):
    """One write of a rollback."""

    given: RollbackInput
    plan: RevertPlan
    action: WriteAction
    number: int
    tip: str = ""
    """For the push that shows the landing commit on the pull request: where its branch is now."""


class RepairResult(Contract):
    """How it ended."""

    done: bool
    verdict: Verdict
    moved: bool = False
    """Not done because the base is not where the plan was made: plan again."""
    result: str = ""
    restored_tree: str = ""
    """Read back from the remote, for the write that moves the base."""
    plan: RevertPlan | None = None
    """Of the opened pull request: the plan again, whose landing commit now names it. None: as it was."""
    audit_head: str = ""


class RollbackNote(Contract):
    """An event for the rollback's audit log."""

    given: RollbackInput
    key: str
    event: str
    facts: dict[str, Fact] = {}


class SightInput(Contract):
    """Which workflow to look at."""

    workflow_id: str


class WorkflowSight(Contract):
    """What the server says about it."""

    open: bool
    status: str


class TellFollowedUpInput(Contract):
    """How a merge or a pull request fared, for Control's books."""

    target: str
    end: FollowUpEnd


class TellRolledBackInput(Contract):
    """How a rollback ended, for Control's books."""

    target: str
    result: RollbackResult
