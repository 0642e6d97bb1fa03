"""How a step talks to Control: ask, settle, report. The only place where clearances come from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from contracts.admission import AdmitAnswer, AdmitRequest, FinishRequest
from contracts.clearance import SettleRequest, WriteAnswer, WriteRequest
from contracts.control import Answer, IncidentReport, InstallationFacts, RegisterRequest


class ControlUnavailable(Exception):
    """Control could not be asked (no server, no worker). Retried; never means yes."""


@dataclass(frozen=True)
class RunSight:
    """What the server says about a run's workflow."""

    open: bool
    status: str
    workflow_run_id: str


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

    def finish(self, target: str, request: FinishRequest) -> Answer:
        """The run ended."""

    def report(self, target: str, report: IncidentReport) -> None:
        """Pause every target first, then open the incident in Control's books (runbook §6.1)."""

    def look(self, workflow_id: str) -> RunSight | None:
        """Describe a run; None when the server knows no such workflow."""

    def history(self, workflow_id: str, workflow_run_id: str) -> bytes:
        """A run's Temporal history as JSON, for the archive."""
