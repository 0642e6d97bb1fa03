"""Operators' messages to Control and Installation, and what these show of themselves."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, Field, StringConstraints, model_validator

from contracts.admission import RunRecord
from contracts.artifact import Contract
from contracts.budget import BookedBefore, BudgetView
from contracts.clearance import SettleRequest, WriteRecord
from contracts.grant import Grant
from contracts.incident import IncidentRecord
from contracts.modes import Mode, PauseStyle, TargetStatus
from contracts.rollback import FollowUpInput, MergeRecord
from contracts.source import SourceRecord
from contracts.task import TaskType
from contracts.terms import ControlTerms, from_before
from contracts.verdict import Verdict

Statement = Annotated[str, StringConstraints(strip_whitespace=True, min_length=3, max_length=4000)]
"""What a person states for the record; blanks are no statement."""
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]


class Answer(Contract):
    """The answer to any operator update: accepted, or refused with the reason (P14)."""

    accepted: bool
    verdict: Verdict
    epoch: int

    @classmethod
    def of(cls, verdict: Verdict, epoch: int) -> Answer:
        """Accepted where the verdict allows; else its reason is the answer."""
        return cls(accepted=verdict.allowed, verdict=verdict, epoch=epoch)


class PauseRequest(Contract):
    """The payload of the ``pause`` signal when it can be read; the pause holds even if it cannot (P1)."""

    style: PauseStyle = PauseStyle.CHECKPOINT
    reason: str = ""
    actor: str = "unknown"
    review_on: str | None = None
    """ISO date by which a person looks at this pause again; what is none is quoted in the record and left out."""


class ResumeRequest(Contract):
    """A person's statement that the cause is gone (runbook §7)."""

    expected_epoch: int
    """The epoch the person saw; a newer pause makes this resume void."""
    cause: Statement
    evidence: Statement
    actor: Name


class ModeRequest(Contract):
    """A person sets the mode. Lowering always works; raising above PR_ONLY needs what the policy says, too.

    SELECTIVE_AUTO is an override for a while: kinds of task that have not earned it merge by themselves all the same.
    """

    expected_epoch: int
    mode: Mode
    reason: Statement
    actor: Name
    maximum: Mode = Mode.PR_ONLY
    """The target's ``modes.maximum``, as the sender's policy folder says; left out, nothing above PR_ONLY."""
    probes: int = Field(default=0, ge=0)
    """How many probes the target has: without one nothing merges by itself."""
    override_days: float = Field(default=30, ge=0, le=365)
    """SELECTIVE_AUTO only: how long the override lasts; 0: only what has been earned merges by itself."""
    override_types: tuple[TaskType, ...] = ()
    """Kinds of task that it is for; empty: all."""


class ModeOverride(Contract):
    """A person's word that stands in for what has not been earned, while the mode is SELECTIVE_AUTO."""

    actor: str
    reason: str
    at: AwareDatetime
    until: AwareDatetime
    task_types: tuple[TaskType, ...] = ()
    """Empty: all."""


class LeftBefore(Contract):
    """From the audit logs: what an earlier Control knew of merges, their rollbacks and follow-ups."""

    merges: tuple[MergeRecord, ...] = ()
    """The oldest first."""
    follows: tuple[FollowUpInput, ...] = ()
    """Nobody is known to have followed these to their end."""
    review_due: str = ""
    """The incident that a person has not reviewed yet."""
    sources: tuple[SourceRecord, ...] = ()
    """Those that are lowered."""


class InstallationFacts(Contract):
    """What a Control learns from the Installation."""

    epoch: int
    status: TargetStatus
    ready: bool
    """False while the Installation itself is finding out which targets exist; ask again."""
    fresh: bool
    """True when this target was never registered before: its Control may open itself."""
    reason: str = ""
    terms: ControlTerms = ControlTerms()
    """Nothing said, no budget either: the policy cannot be read."""
    booked: BookedBefore = BookedBefore()
    """From the target's audit log: what an earlier Control booked in periods that may still be present."""
    in_flight: tuple[WriteRecord, ...] = ()
    """From the audit logs: writes that an earlier Control let begin, and nobody is known to have settled."""
    left: LeftBefore = LeftBefore()

    @model_validator(mode="before")
    @classmethod
    def _from_before(cls, raw: Any) -> Any:
        return from_before(raw)


class RegisterRequest(Contract):
    """A Control makes itself known before its first admission."""

    target: str
    chain: str
    """The Control's run id at its birth: another one of a known target starts PAUSED."""


class InstallationNotice(Contract):
    """What the Installation tells each Control; the highest epoch wins."""

    epoch: int
    status: TargetStatus
    style: PauseStyle = PauseStyle.CHECKPOINT
    reason: str = ""
    actor: str = ""
    cause: str = ""
    evidence: str = ""


class PauseRecord(Contract):
    """Who paused, why, until when (runbook §7)."""

    scope: Literal["target", "installation", "start"]
    style: PauseStyle
    reason: str
    actor: str
    at: AwareDatetime
    epoch: int
    review_on: str | None = None
    raw: str = ""
    """What the signal carried when it could not be read as a PauseRequest."""


class Ladder(Contract):
    """The resume in progress (P2)."""

    cause: str
    evidence: str
    actor: str
    epoch: int
    began_at: AwareDatetime
    smoke_workflow_id: str
    smoke_run_id: str = ""
    reviews: str = ""
    """The incident this person reviewed (runbook §6.3); any other that is due keeps the mode at DRY_RUN."""


class StatusView(Contract):
    """Query ``status`` of Control: everything ``pause --wait`` needs, in one answer."""

    target: str
    status: TargetStatus
    mode: Mode
    epoch: int
    installation_epoch: int
    quiescent: bool
    """Registered, PAUSED, and neither a write nor an exchange with a model in flight, begun by whichever Control."""
    writes_in_flight: int
    pauses: tuple[PauseRecord, ...]
    ladder: Ladder | None
    active: tuple[RunRecord, ...]
    queued: tuple[RunRecord, ...]
    recent: tuple[RunRecord, ...]
    writes: tuple[WriteRecord, ...]
    why: Verdict
    exchanges: tuple[str, ...] = ()
    """Keys of the exchanges with a model that are under way."""
    incidents: tuple[IncidentRecord, ...] = ()
    budget: BudgetView | None = None
    incidents_done: tuple[str, ...] = ()
    """Ids of those whose prevention is done, the latest ones."""
    rollbacks: tuple[MergeRecord, ...] = ()
    """Due and running ones."""
    review_due: str = ""
    """The incident a person must review before the mode rises above DRY_RUN (runbook §6.3)."""
    grants: tuple[Grant, ...] = ()
    """Given, not taken, not voided by a newer pause; each until its ``expiresAt``."""
    override: ModeOverride | None = None
    """In force, or over: each until its ``until``."""
    earned: dict[str, str] | None = None
    """As ``ControlTerms.earned``."""
    log_head: str = ""
    """Hash of the target's audit log, held in the Temporal history (P10)."""
    registered: bool = True
    """Whether the Installation knows this Control; before, nothing is admitted and nothing can be resumed."""


class RunCheckup(Contract):
    """What Control asks the server and the remote about (reaping)."""

    target: str
    runs: tuple[RunRecord, ...]
    writes: tuple[WriteRecord, ...]
    """Past their deadline, unsettled."""
    followed: dict[str, str] = {}
    """Run id to the workflow id of its ``FollowUp``, which should be open."""


class RunFinding(Contract):
    """What the server says about one run."""

    run_id: str
    open: bool
    status: str
    workflow_run_id: str
    audit_head: str = ""
    """Of a run that was lost: its end is in its log, and its report was made."""
    report_sha256: str = ""


class CheckupResult(Contract):
    """What was found; settled writes were looked up on the remote."""

    runs: tuple[RunFinding, ...]
    settled: tuple[SettleRequest, ...]
    follow_ups: tuple[RunFinding, ...] = ()
    unknown: tuple[str, ...] = ()
    """What could not be found out this time, with the reason; looked at again later."""


class TargetView(Contract):
    """One target as the Installation knows it."""

    name: str
    chain: str
    registered_at: AwareDatetime


class InstallationView(Contract):
    """Query ``status`` of the Installation."""

    status: TargetStatus
    epoch: int
    targets: tuple[TargetView, ...]
    pause: PauseRecord | None
    why: Verdict
    ready: bool = True
    """False while it is finding out which targets existed before it: so long its list says nothing."""


# The day by which a person looks at a pause again (runbook §7).


def read_review_date(value: object) -> str | None:
    """The ISO date, or None for what is none. Never raises: a bad date must not cost a pause (P1)."""
    if not isinstance(value, str):
        return None
    try:
        return date.fromisoformat(value.strip()[:32]).isoformat()
    except ValueError:
        return None


def overdue(review_on: str | None, today: date) -> bool:
    """Whether that day is over. The day itself still is in time."""
    known = read_review_date(review_on)
    return known is not None and date.fromisoformat(known) < today
