"""The Temporal server: what keeps a process from it, each with why and what to do, and what the watch can look at."""

from datetime import datetime
from typing import Protocol

from contracts.admission import RunView
from contracts.control import StatusView
from contracts.verdict import Verdict
from contracts.watching import ScheduleSight, WorkflowSight


class ServerUnavailable(Exception):
    """No Temporal server answers at the address."""


class AnotherHome(Exception):
    """This installation's files lie in another AUTONOMY_HOME than this worker's."""


class LookoutBlind(Exception):
    """Nobody could be asked. An alert says so; it never means that all is well."""


class ServerView(Protocol):
    """Every question may raise ``LookoutBlind``."""

    def registered(self) -> dict[str, datetime]:
        """Targets the Installation knows, and since when."""

    def status(self, target: str) -> StatusView | None:
        """What its Control says; None: none is open."""

    def blocked(self, target: str) -> Verdict | None:
        """The budget's word on new runs; None: nobody says."""

    def schedule(self, target: str) -> ScheduleSight | None:
        """Its Schedule; None: it has none."""

    def run(self, workflow_id: str) -> RunView | None:
        """What an open run says; None: it is gone."""

    def open_workflows(self) -> tuple[WorkflowSight, ...]:
        """Runs, Controls, incidents and the rest, as the server sees them."""
