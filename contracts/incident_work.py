"""What the ``Incident`` workflow and its steps hand to each other, and the manifest of its evidence."""

from typing import Literal

from pydantic import AwareDatetime

from contracts.admission import RunRecord
from contracts.artifact import ArtifactRef, Contract
from contracts.audit import AuditEvent
from contracts.handover import RunRef
from contracts.incident import (
    CitedFact,
    CloseRequest,
    HumanFacts,
    IncidentNews,
    IncidentRecord,
    IncidentReport,
    NamedPull,
    PostIncidentReport,
)
from contracts.verdict import Verdict


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
