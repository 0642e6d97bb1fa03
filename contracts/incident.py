"""Incidents (runbook §6, §12): triggers, the report's parts, what ``Incident`` and its steps hand over."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from pydantic import AwareDatetime, Field

from contracts.admission import RunRecord
from contracts.artifact import ArtifactRef, Contract
from contracts.audit import AuditEvent
from contracts.handover import RunRef
from contracts.rollback import RollbackTag
from contracts.verdict import Verdict


class Trigger(StrEnum):
    """What goes wrong; `policies/after/incident.py` says what is done about it."""

    POLICY_VIOLATION = "policy_violation"
    """Runbook §6.1."""
    CI_GATE_FAILURE = "ci_gate_failure"
    """Runbook §6.2."""
    REGRESSION = "regression"
    """Runbook §6.3."""
    BUDGET_EXHAUSTED = "budget_exhausted"
    """Runbook §6.4."""
    REPEATED_FAILURES = "repeated_failures"
    """Policy: repeated run failures escalate."""
    UNCERTAIN_COMPLIANCE = "uncertain_compliance"
    """Policy: uncertain compliance (licences) escalates."""


CRITICAL = frozenset({Trigger.POLICY_VIOLATION, Trigger.REGRESSION})
"""An incident of these takes away what was earned."""


class Response(StrEnum):
    """One idempotent step of an answer to a trigger."""

    PAUSE_ALL = "pause_all"
    PAUSE_TARGET = "pause_target"
    OPEN_INCIDENT = "open_incident"
    """Books first; Control then starts the ``Incident`` workflow: evidence bundle and ticket."""
    MARK_ESCALATED = "mark_escalated"
    REJECT_RELEASE = "reject_release"
    ATTACH_DETAILS = "attach_details"
    QUEUE_REMEDIATION = "queue_remediation"
    MODE_DRY_RUN = "mode_dry_run"
    ROLL_BACK = "roll_back"
    STOP_NEW_RUNS = "stop_new_runs"
    REPORT_BUDGET = "report_budget"
    ALERT = "alert"


def incident_id(run_id: str, trigger: Trigger) -> str:
    """``INC-<run id>-<trigger>``: capitals, so that it is never taken for a run's id."""
    return f"INC-{run_id}-{trigger.value.replace('_', '-')}"


class IncidentReport(Contract):
    """A trigger happened: opens an incident in Control's books; idempotent by ``incident``."""

    incident: str = Field(pattern=r"^INC-[A-Za-z0-9._-]{1,190}$")
    """See ``incident_id``."""
    run_id: str
    trigger: Trigger
    reason: str
    runs: tuple[str, ...] = ()
    """More runs it is about, besides ``run_id``."""
    ordered_by: str = ""
    """The person whose word the reason is; empty: it was measured."""


class IncidentState(StrEnum):
    """Where an incident is."""

    OPEN = "open"
    CLOSED = "closed"
    """All seven parts are there; the prevention may still be due."""


class IncidentRecord(Contract):
    """One incident in Control's books, until it is closed and its prevention is done."""

    incident: str
    run_id: str
    trigger: str
    reason: str
    opened_at: AwareDatetime
    runs: tuple[str, ...] = ()
    """More runs it is about, besides ``run_id``."""
    ordered_by: str = ""
    """The person whose word the reason is; empty: it was measured."""
    commanded_by: str = ""
    """The person who ordered its repair while paused; empty: nobody did."""
    commanded_epoch: int = 0
    """The epoch that person saw: a newer pause needs a new command (P1)."""
    rollback: RollbackTag | None = None
    """How its rollback ended (runbook §8)."""
    tagged: bool = True
    """Whether its ``Incident`` workflow heard of the rollback's end."""
    started: bool = False
    """Whether its ``Incident`` workflow was started."""
    state: IncidentState = IncidentState.OPEN
    owner: str = ""
    due_on: str = ""
    """ISO date by which the prevention is due."""
    overdue: bool = False
    """Shown in status; blocks a higher mode."""


class IncidentNews(Contract):
    """What an ``Incident`` workflow tells Control's books: the whole record, so that books that lost it learn it."""

    record: IncidentRecord
    done: bool = False
    """Closed and its prevention done: the books may forget it."""


class HumanFacts(Contract):
    """Update ``edit``: what only a person knows. None leaves a part as it is."""

    actor: str = Field(min_length=1, max_length=200)
    impact: str | None = Field(default=None, min_length=3, max_length=4000)
    root_cause: str | None = Field(default=None, min_length=3, max_length=4000)
    remediation: str | None = Field(default=None, min_length=3, max_length=4000)
    prevention: str | None = Field(default=None, min_length=3, max_length=4000)
    owner: str | None = Field(default=None, min_length=1, max_length=200)
    due_on: str | None = Field(default=None, pattern=r"^\d{4}-\d{2}-\d{2}$")


class CloseRequest(Contract):
    """Update ``close`` (the report is complete) and ``prevented`` (the prevention is done)."""

    actor: str = Field(min_length=1, max_length=200)
    reason: str = Field(min_length=3, max_length=4000)


class CitedFact(Contract):
    """A fact of the report, with the audit record that proves it."""

    at: AwareDatetime
    text: str
    log: str
    """For example ``run/demo-2026-11-23-pr-1``."""
    record: str
    """Hash of the record."""


PARTS: dict[str, tuple[str, ...]] = {
    "incident id and time": ("incident", "opened_at"),
    "trigger": ("trigger", "trigger_reason"),
    "impact": ("impact",),
    "root cause": ("root_cause",),
    "immediate remediation": ("remediation",),
    "long-term prevention": ("prevention",),
    "owner and due date": ("owner", "due_on"),
}
"""Runbook §12, in its order: each part and the fields that make it."""
HUMAN = ("impact", "root_cause", "remediation", "prevention", "owner", "due_on")


class NamedPull(Contract):
    """A pull request of ours that an incident is about."""

    number: int
    url: str


class PostIncidentReport(Contract):
    """``post_incident_report.json``: the seven parts of runbook §12."""

    schema_version: Literal[1] = 1
    revision: int = 0
    """Raised by every change."""
    incident: str
    opened_at: AwareDatetime
    target: str
    run_id: str
    trigger: Trigger
    trigger_reason: str
    ordered_by: str = ""
    """The person whose word the reason is: then nothing was measured. Empty: it was."""
    impact: str = ""
    root_cause: str = ""
    """A person's; never filled in by the system."""
    remediation: str = ""
    """Immediate; a person's word."""
    proposed_remediation: str = ""
    """What the system did at once, for a person to confirm; counts for nothing until one states ``remediation``."""
    prevention: str = ""
    """Long-term."""
    owner: str = ""
    due_on: str = ""
    timeline: tuple[CitedFact, ...] = ()
    """As of the last time it was written."""
    evidence: ArtifactRef | None = None
    ticket: str = ""
    pull_request: NamedPull | None = None
    """Of its run, as the forge showed it; None: there is none, or it could not be asked yet."""
    rollback_pull_request: NamedPull | None = None
    """The one that undoes it."""
    rollback: RollbackTag | None = None
    """Duration and impact of the rollback, if there was one (runbook §8)."""
    state: IncidentState = IncidentState.OPEN
    edited_by: tuple[str, ...] = ()
    closed_by: str = ""
    closed_at: AwareDatetime | None = None
    closed_because: str = ""
    prevention_done_by: str = ""
    prevention_done_at: AwareDatetime | None = None
    prevention_evidence: str = ""

    @classmethod
    def begun(cls, target: str, record: IncidentRecord) -> PostIncidentReport:
        """With nothing of what only a person knows."""
        return cls(
            incident=record.incident,
            opened_at=record.opened_at,
            target=target,
            run_id=record.run_id,
            trigger=Trigger(record.trigger),
            trigger_reason=record.reason,
            ordered_by=record.ordered_by,
            rollback=record.rollback,
        )

    @property
    def empty_parts(self) -> tuple[str, ...]:
        """The parts of §12 that are still empty, in their order."""
        return tuple(part for part, fields in PARTS.items() if not all(getattr(self, field) for field in fields))

    @property
    def opened_as(self) -> str:
        """What opened it, in words that go before a run's id: a person's reason is no measured regression."""
        by_whom = f"Rollback ordered by {self.ordered_by} of"
        return by_whom if self.ordered_by else f"{self.trigger.value.replace('_', ' ').capitalize()} in"

    def raised(self, **changes: object) -> PostIncidentReport:
        """With these changes, as the next revision."""
        return self.model_copy(update={**changes, "revision": self.revision + 1})

    def taking_over(self, kept: PostIncidentReport | None) -> PostIncidentReport:
        """What an earlier ``Incident`` of this id wrote down is not lost by a reset or a termination.

        What was said since then wins; what only the kept report says is taken from it.
        """
        ours = self.raised(rollback=kept.rollback) if kept and kept.rollback and not self.rollback else self
        if kept is None or kept.incident != ours.incident:
            return ours
        closing = ("ticket", "closed_by", "closed_at", "closed_because")
        names = (*HUMAN, *closing, "prevention_done_by", "prevention_done_at", "prevention_evidence")
        found = {name: getattr(ours, name) or getattr(kept, name) for name in names}
        people = tuple(dict.fromkeys((*kept.edited_by, *ours.edited_by)))
        state = IncidentState.CLOSED if found["closed_by"] else IncidentState.OPEN
        merged = ours.model_copy(update={**found, "edited_by": people, "state": state})
        return merged.model_copy(update={"revision": max(ours.revision, kept.revision) + 1})


class IncidentView(Contract):
    """Query ``view`` of an ``Incident``."""

    report: PostIncidentReport
    missing: tuple[str, ...]
    """Parts of §12 that are still empty."""
    overdue: bool
    address: str = ""
    """Where evidence and report are."""
    audit_head: str = ""
    """Hash of the incident's last audit record, held in the Temporal history (P10)."""
    waiting_for: str = ""
    """What could not be done yet, and is tried again; empty when everything is recorded."""


class EvidenceEntry(Contract):
    """One file of the evidence bundle."""

    name: str
    """Path inside the bundle, for example ``runs/<runId>/change.diff``."""
    sha256: str
    size: int
    """Length in bytes."""


class EvidenceManifest(Contract):
    """``manifest.json``, also the first file of ``evidence.tar``."""

    schema_version: Literal[1] = 1
    incident: str
    target: str
    runs: tuple[str, ...]
    entries: tuple[EvidenceEntry, ...]
    missing: tuple[str, ...] = ()
    """What could not be collected, and why (P13): said, not hidden."""


class RespondInput(Contract):
    """A run's verdict escalated (runbook §6.1)."""

    run: RunRef
    report: IncidentReport | None = None
    """None: the step tells the trigger by the rules. Of a run that began before it did: told already (P15)."""
    verdict: Verdict
    artifacts: tuple[ArtifactRef, ...]


class RespondOutput(Contract):
    """Which responses were given, in order."""

    given: tuple[str, ...]
    audit_head: str


class IncidentBook(Contract):
    """Everything an ``Incident`` knows: handed on at continue-as-new."""

    report: PostIncidentReport
    written: int = -1
    """The revision that report artifacts and audit log show."""
    events: tuple[AuditEvent, ...] = ()
    """For the audit log, not yet written."""
    ticket_closed: bool = False
    due_at: AwareDatetime | None = None
    """The end of the day ``due_on`` in the target's time zone."""
    overdue: bool = False
    told: IncidentNews | None = None
    """What Control's books were told last."""
    audit_head: str = ""
    address: str = ""


class IncidentStart(Contract):
    """Input of the ``Incident`` workflow."""

    target: str
    record: IncidentRecord
    runs: tuple[RunRecord, ...] = ()
    """The runs it is about, as Control's books knew them."""
    book: IncidentBook | None = None
    """Of the workflow run before this one."""


class Collected(Contract):
    """What was collected."""

    evidence: ArtifactRef
    timeline: tuple[CitedFact, ...]
    kept: PostIncidentReport | None
    """The report an earlier ``Incident`` under this id left behind (reset or terminated by hand)."""
    address: str
    audit_head: str


class TicketInput(Contract):
    """Open or close the incident's ticket."""

    target: str
    report: PostIncidentReport
    news: IncidentNews


class TicketOutput(Contract):
    """The ticket's number on the forge."""

    ticket: str
    audit_head: str


class WriteReportInput(Contract):
    """The report as it is now, and what happened since it was written last."""

    target: str
    report: PostIncidentReport
    events: tuple[AuditEvent, ...]
    now: AwareDatetime
    start: IncidentStart | None = None
    """What it is about: its logs are read again for the timeline. None: of an ``Incident`` before that (P15)."""


class ReportWritten(Contract):
    """Where the audit log ends now, when the prevention is due, and the timeline as it was written."""

    audit_head: str
    due_at: AwareDatetime | None
    timeline: tuple[CitedFact, ...] | None = None
    """None: the report was written with the timeline it came with."""
    proposed: str | None = None
    """The remediation that the system knows. None: of an ``Incident`` before it was asked here (P15)."""
    pull_request: NamedPull | None = None
    rollback_pull_request: NamedPull | None = None
    """As it was written with them; None: not known, or of an ``Incident`` before they were looked for."""


class StatementInput(Contract):
    """What a person says, and the report it is said of."""

    report: PostIncidentReport
    facts: HumanFacts | None = None
    """Of ``edit``."""
    asked: CloseRequest | None = None
    """Of ``close`` and ``prevented``."""
    closing: bool = False
    """``close``, not ``prevented``."""
    now: AwareDatetime


class StatementJudged(Contract):
    """What becomes of it: the report as it was where the verdict is a refusal."""

    report: PostIncidentReport
    verdict: Verdict
