"""How a step talks to Control: ask, settle, report. The only place where clearances come from."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from contracts.admission import AdmitAnswer, AdmitRequest, FinishRequest
from contracts.budget import ReserveAnswer, ReserveRequest, RunCost, SettleCost
from contracts.clearance import SettleRequest, WriteAnswer, WriteRequest
from contracts.control import Answer, InstallationFacts, PauseRequest, RegisterRequest
from contracts.incident import IncidentNews, IncidentReport
from contracts.remediation import Remediation
from contracts.rollback import Aftercare, FollowUpEnd, Merged, Regression, RollbackResult


class ControlUnavailable(Exception):
    """Control could not be asked (no server, no worker). Retried; never means yes."""


@dataclass(frozen=True)
class RunSight:
    """What the server says about a run's workflow."""

    open: bool
    status: str
    workflow_run_id: str
    closed_at: datetime | None = None


class ControlDesk(Protocol):
    """Conversations with ``control`` and ``control/<target>``."""

    def register(self, request: RegisterRequest) -> InstallationFacts:
        """Make a Control known to the Installation and learn its status."""

    def admit(self, target: str, request: AdmitRequest) -> AdmitAnswer:
        """May this run start?"""

    def begin_write(self, target: str, request: WriteRequest) -> WriteAnswer:
        """May this effect happen now?"""

    def settle_write(self, target: str, request: SettleRequest) -> Answer:
        """It happened, or it did not."""

    def reserve(self, target: str, request: ReserveRequest) -> ReserveAnswer:
        """May this step cost up to so much?"""

    def settle_cost(self, target: str, report: SettleCost) -> Answer:
        """What it really cost."""

    def run_cost(self, target: str, run_id: str) -> RunCost | None:
        """What a run has cost so far, as booked; None when Control has no record of it."""

    def finish(self, target: str, request: FinishRequest) -> Answer:
        """The run ended."""

    def knows_incident(self, target: str, incident: str) -> bool:
        """Whether an open Control has the incident in its books, or had it and is done with it. No Control: False."""

    def pause_all(self, request: PauseRequest) -> None:
        """The brake for every target."""

    def pause_target(self, target: str, request: PauseRequest) -> None:
        """The brake for one target."""

    def is_paused(self, target: str) -> bool:
        """Whether no run of the target may begin a write now; a Control that is gone comes back paused."""

    def report(self, target: str, report: IncidentReport) -> Answer:
        """Open the incident in Control's books; whoever reports paused first. Idempotent."""

    def refresh_incident(self, target: str, incident: str) -> None:
        """The logs say more than its kept report. One that has ended is no error."""

    def incident_news(self, target: str, news: IncidentNews) -> Answer:
        """What became of an incident. Idempotent."""

    def backlog(self, target: str) -> tuple[Remediation, ...]:
        """The target's remediations, ended ones too (runbook §6.2)."""

    def aftercare(self, target: str) -> Aftercare:
        """Merges, hardening tasks, quarantined ideas; nothing when no Control is open."""

    def merged(self, target: str, merged: Merged) -> Answer:
        """A merge of ours is on the base. Idempotent."""

    def regression(self, target: str, found: Regression) -> Answer:
        """A merge of ours broke the base (runbook §6.3). Idempotent."""

    def rolled_back(self, target: str, result: RollbackResult) -> Answer:
        """How a rollback ended (runbook §8). Idempotent."""

    def followed_up(self, target: str, end: FollowUpEnd) -> Answer:
        """How a merge or a pull request fared."""

    def sync_schedule(self, target: str, *, paused: bool, reason: str) -> str:
        """Pause the target's Schedule with the target, or let it go on if it was paused so; what was done.

        No Schedule, and one that a person paused, are left as they are.
        """

    def look(self, workflow_id: str) -> RunSight | None:
        """Describe a run; None when the server knows no such workflow."""

    def history(self, workflow_id: str, workflow_run_id: str) -> bytes:
        """A run's Temporal history as JSON, for the archive."""
