"""After a merge (runbook §6.3, §8; P11): probes, observations, the rollback and what it proves."""

from enum import StrEnum
from typing import Literal

from pydantic import AwareDatetime, Field

from contracts.artifact import ArtifactRef, Contract
from contracts.handover import RunRef
from contracts.merging import Health, ProbeResult
from contracts.modes import WriteAction
from contracts.verdict import Fact, Verdict


class Observation(Contract):
    """Required checks and probes on one commit of the base."""

    commit: str
    health: Health
    """RED if anything is red; else UNKNOWN if anything is; else GREEN."""
    failing: tuple[str, ...] = ()
    """Names of red checks and probes."""
    unknown: tuple[str, ...] = ()
    healthy: tuple[str, ...] = ()
    probes: tuple[ProbeResult, ...] = ()
    holds_merge: bool = True
    """Whether the commit's history holds our merge; False: the base was moved back or replaced."""
    evidence: ArtifactRef | None = None
    """``<place>/observation-<n>.json`` with every check's result."""


EVERYTHING = "everything"
"""In ``Observation.unknown``: nothing could be found out at all."""


class Culprit(StrEnum):
    """Whose a confirmed red is."""

    OURS = "regression"
    BEFORE_US = "red before us"
    SOMEONE_ELSE = "someone else's"
    UNKNOWN = "unknown"


class Merged(Contract):
    """A merge of a change of ours, as Control and ``FollowUp`` know it."""

    run: RunRef
    merge_sha: str
    """The merge commit."""
    parent_sha: str
    """The base it was merged into: the baseline a rollback restores."""
    tree_sha: str = ""
    """Tree of the merge commit: what was checked, and what was read back."""
    head_sha: str
    task_id: str
    pull_request: int
    merged_at: AwareDatetime
    by: str = ""
    """The person who merged it; empty: this system did."""


WAITING = "waiting for a person"
"""State of a follow-up whose pull request is open."""


class FollowUpView(Contract):
    """Query ``view`` of a ``FollowUp``."""

    run_id: str
    state: str
    """``waiting for a person``, ``observing``, ``confirming``, ``attributing``, ``ended``."""
    outcome: str = ""
    """``merged by …``, ``closed``, ``healthy``, ``regression``, ``red before us``, ``unknown`` …"""
    pull_looks: int = 0
    """How often it has looked at the open pull request."""
    observations: tuple[Observation, ...] = ()
    """The latest, at most ten."""
    verdict: Verdict | None = None


US = "us"
NOBODY_NAMED = "a person whom the forge does not name"
"""Who ended a pull request, where it was no person; where nothing says which."""


ROLLED_BACK = "ROLLED BACK"
"""In lists: whoever merged it, the base is without it again."""


def became(state: str, who: str) -> str:
    """The one wording, in lists and books, of what a person made of a pull request."""
    return f"{state.upper()} by {who}"


class FollowUpEnd(Contract):
    """``FollowUp`` tells Control how it ended (update ``followed_up``); also its result."""

    run_id: str
    outcome: str
    reason: str
    who: str = ""
    at: AwareDatetime | None = None
    """When a person merged or closed the pull request."""
    became: str = ""
    """What they made of it, for lists: ``MERGED by ann``, ``CLOSED by bob``; empty: nobody did anything."""


class Regression(Contract):
    """A merge of ours broke the base, confirmed and attributed (update ``regression`` of Control)."""

    merged: Merged
    reason: str
    failing: tuple[str, ...]


class RollbackRequest(Contract):
    """A person orders a rollback (update ``roll_back`` of Control)."""

    run_id: str
    reason: str = Field(min_length=3, max_length=4000)
    actor: str = Field(min_length=1, max_length=200)


class RollbackCaps(Contract):
    """Blast caps, as the latest admission's policy said."""

    reverts_per_day: int = 2
    culprit_hours: float = 72
    quarantine_days: int = 30


class RollbackInput(Contract):
    """Input of ``Rollback``."""

    merged: Merged
    incident: str
    reason: str
    commanded_by: str = ""
    """The person who ordered it; empty: a confirmed regression did."""


class Idea(Contract):
    """What a task was about."""

    task_id: str
    title: str
    tool: str
    rule: str
    paths: tuple[str, ...]


class RollbackOutcome(StrEnum):
    """How a rollback ended."""

    RESTORED = "restored"
    """The tree is exactly what P11 says, and health was confirmed."""
    ESCALATED = "escalated"
    """A conflict, a moved history, health not confirmed in time: a person goes on."""
    RUNNING = "running"
    """Only in the query's answer: it has not ended."""


class RollbackTag(Contract):
    """What a rollback puts on its incident (runbook §8)."""

    outcome: Literal[RollbackOutcome.RESTORED, RollbackOutcome.ESCALATED]
    reason: str
    seconds: float
    """From its start to confirmed health, or to the escalation."""
    impact: str
    revert_sha: str = ""
    restored_tree: str = ""


class RollbackResult(Contract):
    """What ``Rollback`` returns; also tagged onto the incident (runbook §8)."""

    run_id: str
    incident: str
    outcome: RollbackOutcome
    reason: str
    revert_sha: str = ""
    expected_tree: str = ""
    """Computed before anything was written."""
    restored_tree: str = ""
    """Read back from the remote."""
    seconds: float = 0
    impact: str = ""
    observations: tuple[Observation, ...] = ()
    """The latest, at most ten."""
    idea: Idea | None = None
    audit_head: str = ""


class RollbackStage(StrEnum):
    """Where a merge's one rollback is."""

    NONE = "none"
    DUE = "due"
    RUNNING = "running"
    RESTORED = "restored"
    ESCALATED = "escalated"


class MergeRecord(Contract):
    """A merge of ours in Control's books, with its rollback."""

    merged: Merged
    stage: RollbackStage = RollbackStage.NONE
    incident: str = ""
    reason: str = ""
    commanded_by: str = ""
    begun_at: AwareDatetime | None = None
    result: RollbackTag | None = None


class Unsaid(Contract):
    """We merged a pull request, or undid one, and did not live to say so on it."""

    record: MergeRecord
    revert_sha: str = ""
    """What undid it, as the settled write says; empty: it was merged by itself."""


class FollowUpInput(Contract):
    """Input of ``FollowUp``: a merge of ours, or a pull request that waits for a person."""

    run: RunRef
    task_id: str
    pull_request: int
    merged: Merged | None = None
    rolls_back: str = ""
    """Of a rollback that was escalated with its pull request open: the run it undoes; ``run`` is the rollback's."""
    unsaid: Unsaid | None = None
    """What is said on a pull request first, because whoever was to say it had ended by force."""


class HardeningTask(Contract):
    """What a regression leaves to be done (runbook §8): seen in ``candidate_tasks.json`` until its incident is done."""

    incident: str
    run_id: str
    title: str
    idea: Idea
    at: AwareDatetime


class Quarantined(Contract):
    """An idea that is not proposed again for a while."""

    idea: Idea
    reason: str
    until: AwareDatetime


class TargetMemory(Contract):
    """Query ``aftercare`` of Control: what later runs must know."""

    merges: tuple[MergeRecord, ...] = ()
    hardening: tuple[HardeningTask, ...] = ()
    quarantined: tuple[Quarantined, ...] = ()
    review_due: str = ""
    """The incident a person must review before the mode rises above DRY_RUN."""


Aftercare = TargetMemory
"""Its name until 2026-11, by which scripts of operators still ask Control for it."""


# What the steps of ``FollowUp`` and ``Rollback`` are given, and what they hand back.


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
