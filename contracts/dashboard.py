"""The dashboard ticket of each target: what is shown, and how the looks went."""

from enum import StrEnum

from pydantic import AwareDatetime, Field

from contracts.artifact import Contract
from contracts.control import StatusView
from contracts.pull_request import PullRequest
from contracts.report import IndexedRun
from contracts.watching import ScheduleSight

DASHBOARD = "dashboard"
"""Whose writes keep the dashboard tickets, in place of a run's id; no run is named so."""


def dashboard_key(target: str) -> str:
    """The key under which a target's one ticket is opened."""
    return f"{DASHBOARD}/{target}"


class DashboardSight(Contract):
    """Everything a dashboard says. No time of the look: what did not change must look the same."""

    target: str
    status: StatusView
    pulls: tuple[PullRequest, ...]
    """Open ones, newest first."""
    schedule: ScheduleSight | None
    """None: nothing starts a run by itself."""
    last: IndexedRun | None
    """The newest run that ended; None: there is none."""
    waits: tuple[tuple[str, str], ...] = ()
    """Of each active run that waits: its id, and for what, since when and until when."""
    asked: tuple[tuple[int, str], ...] = ()
    """Of each open pull request on which changes are requested: its number, and whom it waits for."""
    today: str = ""
    """The target's own date: what is left of a budget is left of this day's."""
    links: tuple[tuple[str, str], ...] = ()
    """Web addresses of ours: of ``#7``, of a run, of an incident, each by its id."""


class DashboardTermsInput(Contract):
    """Which targets have a dashboard, and how often is it looked after?"""


class DashboardTerms(Contract):
    """What the policy folder says."""

    targets: tuple[str, ...] = ()
    every_minutes: float = Field(default=5, gt=0)
    problem: str = ""
    """Why some of it could not be read; then the last known terms hold."""


class ShowInput(Contract):
    """One look at one target."""

    target: str
    key: str
    """The write's key, should there be something to write: the same for every attempt of one look."""


class ShownOutcome(StrEnum):
    """How a look ended."""

    WRITTEN = "written"
    UNCHANGED = "unchanged"
    """The ticket says it already: nothing was asked for, nothing written."""
    NOT_STARTED = "not_started"
    """No Control is open; a look never starts one."""
    OFF = "off"
    FAILED = "failed"


class Shown(Contract):
    """What one look found, and did."""

    outcome: ShownOutcome
    ticket: str = ""
    """Its number."""
    reason: str = ""


class DashboardLook(Contract):
    """The latest look at one target."""

    target: str
    at: AwareDatetime
    shown: Shown
    written_at: AwareDatetime | None = None
    """When the ticket was last written."""


class DashboardsView(Contract):
    """Query ``dashboards`` of the ``Dashboards`` workflow."""

    looks: tuple[DashboardLook, ...]
    terms: DashboardTerms
    next_at: AwareDatetime | None
    """When everything is looked at again."""
