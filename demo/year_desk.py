"""Everything of a year is in one process: how steps talk to Control, and what stands in for repository and forge."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from temporalio.activity import _Definition

from contracts.alert import Alert
from contracts.change import ChangedPath
from contracts.control import PauseRequest
from contracts.messages import Message, Reply, Request, Seen, View
from demo.clockwork import Clockwork
from policies.run.known_bad import BASE_PATHS, entry
from ports.control_desk import RunSight
from ports.measures import Counted
from ports.repository import Survival
from workflows import api
from workflows.control.state import ControlInput


class Desk:
    """The port ``ControlDesk``, answered at once."""

    world: Clockwork

    def __init__(self, targets: tuple[str, ...]) -> None:
        self._targets = targets

    def ask(self, target: str, message: Message[Request, Reply], request: Request) -> Reply:
        """An update."""
        self._there(target)
        return self.world.update(api.control_id(target), message.name, request, message.reply)

    def query(self, target: str, view: View[Seen], *arguments: str) -> Seen | None:
        """A query."""
        return self.world.query(api.control_id(target), view.name, view.shows, *arguments)

    def pause(self, request: PauseRequest, target: str = "") -> None:
        """One target, or all."""
        for each in (target,) if target else self._targets:
            self._there(each)
            self.world.signal(api.control_id(each), api.PAUSE, request)

    def refresh_incident(self, target: str, incident: str) -> None:
        """Its logs say more."""
        self.world.signal(api.incident_id(target, incident), api.REFRESH)

    def sync_schedule(self, target: str, *, paused: bool, reason: str) -> str:
        """The year is its own Schedule."""
        return f"{target}: {reason}, {paused}"

    def look(self, workflow_id: str) -> RunSight | None:
        """Whether it runs."""
        known = self.world.status(workflow_id)
        return RunSight(open=known[1] == "RUNNING", status=known[1], workflow_run_id=known[0]) if known else None

    def history(self, workflow_id: str, workflow_run_id: str) -> bytes:
        """There is none."""
        return f"{workflow_id} {workflow_run_id}".encode()

    def _there(self, target: str) -> None:
        self.world.start(api.CONTROL, api.control_id(target), ControlInput(target=target))


class Nobody:
    """Hears alerts, and is asked nothing."""

    def send(self, alert: Alert) -> None:
        """Nobody is rung."""

    def __getattr__(self, name: str) -> Any:
        """Whatever else a port has is not there."""
        raise AttributeError(name)


@dataclass(frozen=True)
class Base:
    """As much of a repository as the real steps ask for: a base that holds every merge, but those that were undone."""

    undone: Collection[str]
    """Merge commits."""

    def anchor(self, name: str, value: str) -> None:
        """There is no mirror to keep it in."""

    def anchored(self, _name: str) -> str | None:
        """So nothing is kept."""
        return None

    def paths(self, _commit: str) -> tuple[str, ...]:
        """Always the same ones."""
        return BASE_PATHS

    def checkout(self, commit: str, into: Path) -> None:
        """Nothing is needed of it: what is counted on it was made up as well."""

    def fetch_base(self) -> str:
        """One head for the whole year."""
        return "f" * 40

    def commit_at(self, head: str, _moment: datetime) -> str:
        """The same."""
        return head

    def contains(self, commit: str, _earlier: str) -> bool:
        """The head holds every merge, and no merge the head."""
        return commit == self.fetch_base()

    def changed_paths(self, _base: str, _head: str) -> tuple[ChangedPath, ...]:
        """One."""
        return (entry("README.md"),)

    def survival(self, _before: str, merged: str, _at: str) -> Survival:
        """All lines, some where somebody rewrote them since, none of what was undone."""
        rewritten = merged.startswith("0")
        return Survival(added=10, standing=0 if merged in self.undone else 4 if rewritten else 10)

    def taken_out(self, change: str, _fork: str, _head: str) -> frozenset[str]:
        """All of what was undone."""
        return frozenset({"README.md"} if change in self.undone else ())

    def line(self, _commit: str, _most: int) -> tuple[str, ...]:
        """Long before."""
        return (self.fetch_base(),)

    def landing(self, _commit: str, _head: str) -> None:
        """Nobody asks who it was."""


def no_pulls() -> Any:
    """A forge that shows nothing of its own: what became of pull requests is told by the steps that stand in."""
    none = {"tickets": tuple, "pull_requests": tuple}
    return SimpleNamespace(find_pull_request=lambda _key: None, comments=lambda _number: (), **none)


class Counting:
    """Measures that find nothing any more."""

    def count(self, _contract: Any, _look: Any) -> Counted:
        """Of what was mended."""
        return Counted(0)


def by_name(steps: Iterable[Callable[..., Any]]) -> dict[str, Callable[..., Any]]:
    """Activities by the names they are registered under."""
    return {str(_Definition.must_from_callable(each).name): each for each in steps}
