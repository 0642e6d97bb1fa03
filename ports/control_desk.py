"""How a step talks to Control: ask, query, pause. The only place where clearances come from."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from contracts.control import PauseRequest
from contracts.messages import Message, Reply, Request, Seen, View


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
    """Conversations with ``control/<target>`` and ``control``; ``contracts.messages`` lists what can be said.

    Raises, all of them:
        ControlUnavailable: could not be asked.
    """

    def ask(self, target: str, message: Message[Request, Reply], request: Request) -> Reply:
        """Send an update; whoever it is for is started if it is not there. No target: the Installation."""

    def query(self, target: str, view: View[Seen], *arguments: str) -> Seen | None:
        """Look at an open Control; None: there is none, and its books are gone with it."""

    def pause(self, request: PauseRequest, target: str = "") -> None:
        """The brake for one target; without one, for every target."""

    def refresh_incident(self, target: str, incident: str) -> None:
        """The logs say more than its kept report. One that has ended is no error."""

    def sync_schedule(self, target: str, *, paused: bool, reason: str) -> str:
        """Pause the target's Schedule with the target, or let it go on if it was paused so; what was done.

        No Schedule, and one that a person paused, are left as they are.
        """

    def look(self, workflow_id: str) -> RunSight | None:
        """Describe a run; None when the server knows no such workflow."""

    def history(self, workflow_id: str, workflow_run_id: str) -> bytes:
        """A run's Temporal history as JSON, for the archive."""
