"""Operators' messages to Control and Installation, and what these show of themselves."""

from __future__ import annotations

from typing import Literal

from pydantic import AwareDatetime, Field

from contracts.admission import RunRecord
from contracts.artifact import Contract
from contracts.clearance import SettleRequest, WriteRecord
from contracts.modes import Mode, PauseStyle, TargetStatus
from contracts.verdict import Verdict


class Answer(Contract):
    """The answer to any operator update: accepted, or refused with the reason (P14)."""

    accepted: bool
    verdict: Verdict
    epoch: int


class PauseRequest(Contract):
    """The payload of the ``pause`` signal when it can be read; the pause holds even if it cannot (P1)."""

    style: PauseStyle = PauseStyle.CHECKPOINT
    reason: str = ""
    actor: str = "unknown"
    review_on: str | None = None
    """ISO date by which a person looks at this pause again."""


class ResumeRequest(Contract):
    """A person's statement that the cause is gone (runbook §7)."""

    expected_epoch: int
    """The epoch the person saw; a newer pause makes this resume void."""
    cause: str = Field(min_length=3, max_length=4000)
    evidence: str = Field(min_length=3, max_length=4000)
    actor: str = Field(min_length=1, max_length=200)


class ModeRequest(Contract):
    """A person sets the mode. Lowering always works; raising above PR_ONLY must be earned."""

    expected_epoch: int
    mode: Mode
    reason: str = Field(min_length=3, max_length=4000)
    actor: str = Field(min_length=1, max_length=200)


class IncidentReport(Contract):
    """An incident trigger (runbook §6): opens an incident in Control's books; idempotent by id."""

    incident: str
    run_id: str
    trigger: Literal["policy_violation"]
    reason: str


class IncidentRecord(Contract):
    """One open incident in Control's books."""

    incident: str
    run_id: str
    trigger: str
    reason: str
    opened_at: AwareDatetime
    commanded_by: str = ""
    """The person who ordered its repair while paused; empty: nobody did."""


class InstallationFacts(Contract):
    """What a Control learns from the Installation."""

    epoch: int
    status: TargetStatus
    ready: bool
    """False while the Installation itself is finding out which targets exist; ask again."""
    fresh: bool
    """True when this target was never registered before: its Control may open itself."""
    reason: str = ""
    reap_seconds: int = 60
    first_mode: Mode = Mode.PR_ONLY


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


class StatusView(Contract):
    """Query ``status`` of Control: everything ``pause --wait`` needs, in one answer."""

    target: str
    status: TargetStatus
    mode: Mode
    epoch: int
    installation_epoch: int
    quiescent: bool
    """PAUSED and no write in flight."""
    writes_in_flight: int
    pauses: tuple[PauseRecord, ...]
    ladder: Ladder | None
    active: tuple[RunRecord, ...]
    queued: tuple[RunRecord, ...]
    recent: tuple[RunRecord, ...]
    writes: tuple[WriteRecord, ...]
    why: Verdict
    incidents: tuple[IncidentRecord, ...] = ()
    log_head: str = ""
    """Hash of the target's audit log, held in the Temporal history (P10)."""


class RunCheckup(Contract):
    """What Control asks the server and the remote about (reaping)."""

    target: str
    runs: tuple[RunRecord, ...]
    writes: tuple[WriteRecord, ...]
    """Past their deadline, unsettled."""


class RunFinding(Contract):
    """What the server says about one run."""

    run_id: str
    open: bool
    status: str
    workflow_run_id: str


class CheckupResult(Contract):
    """What was found; settled writes were looked up on the remote."""

    runs: tuple[RunFinding, ...]
    settled: tuple[SettleRequest, ...]
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
