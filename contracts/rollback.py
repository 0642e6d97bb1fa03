"""After a merge (runbook §6.3, §8; P11): probes, observations, the rollback and what it proves."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from pydantic import AwareDatetime, Field

from contracts.artifact import ArtifactRef, Contract
from contracts.handover import RunRef
from contracts.merging import Health, ProbeResult
from contracts.verdict import Verdict


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


class Aftercare(Contract):
    """Query ``aftercare`` of Control: what later runs must know."""

    merges: tuple[MergeRecord, ...] = ()
    hardening: tuple[HardeningTask, ...] = ()
    quarantined: tuple[Quarantined, ...] = ()
    review_due: str = ""
    """The incident a person must review before the mode rises above DRY_RUN."""
