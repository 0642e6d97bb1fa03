"""Looking at several targets at once: each has its own answer, or its own error and what to do about it (P14, P16)."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from commands.conversations import installation_status, target_status
from commands.failures import CommandFailed, Unreadable
from contracts.control import InstallationView, StatusView
from workflows import api

View = TypeVar("View")


@dataclass(frozen=True)
class Ended:
    """A Control that is no longer open. Ending it does not lift a pause: the next one starts PAUSED."""

    how: str
    """Terminated, Cancelled, …; ``Gone`` when the server has forgotten it by now."""
    at: str
    """ISO time; empty when the server has forgotten it."""

    def sentence(self) -> str:
        """For people."""
        at = f" at {self.at[:16].replace('T', ' ')} UTC" if self.at else ""
        return f"ended{at} ({self.how.lower()}): the next run, worker or command wakes it up PAUSED"


@dataclass(frozen=True)
class Sight(Generic[View]):
    """What an Installation or a Control answered, or why that cannot be said."""

    view: View | None = None
    problem: CommandFailed | None = None
    """Why it could not be looked at, and what to do."""
    ended: Ended | None = None
    """With none of the three: nobody ever started it."""


InstallationSight = Sight[InstallationView]
TargetSight = Sight[StatusView]


def registered(installation: InstallationSight) -> set[str]:
    """The targets that the Installation knows."""
    return {target.name for target in installation.view.targets} if installation.view else set()


async def sight_installation(client: Client) -> InstallationSight:
    """What the Installation answers. Its own state never raises; only a missing server does."""
    try:
        view = await installation_status(client)
        return Sight(view=view) if view else Sight(ended=await _end_of(client, api.INSTALLATION_ID))
    except CommandFailed as problem:
        return Sight(problem=problem)
    except RPCError as problem:
        return Sight(problem=_refused(api.INSTALLATION_ID, problem))


async def sight_targets(client: Client, names: Iterable[str], known: set[str]) -> dict[str, TargetSight]:
    """Look at each of them, concurrently."""
    wanted = list(names)
    seen = await asyncio.gather(*(_sight(client, name, name in known) for name in wanted))
    return dict(zip(wanted, seen, strict=True))


async def open_controls(client: Client) -> set[str]:
    """Targets with an open Control, as the server lists them, for when the Installation does not answer."""
    names: set[str] = set()
    query = f'WorkflowType = "{api.CONTROL}" AND ExecutionStatus = "Running"'
    async for found in client.list_workflows(query):
        names.add(found.id.removeprefix(api.control_id("")))
    return names


async def _sight(client: Client, name: str, registered: bool) -> TargetSight:
    try:
        view = await target_status(client, name)
        return Sight(view=view) if view else Sight(ended=await ended(client, name, registered))
    except CommandFailed as problem:
        return Sight(problem=problem)
    except RPCError as problem:
        return Sight(problem=_refused(api.control_id(name), problem))


async def ended(client: Client, name: str, registered: bool = False) -> Ended | None:
    """How a target's closed Control ended; None: as far as anybody knows, there never was one."""
    gone = await _end_of(client, api.control_id(name))
    return gone or (Ended(how="Gone", at="") if registered else None)


async def _end_of(client: Client, workflow_id: str) -> Ended | None:
    try:
        seen = await client.get_workflow_handle(workflow_id).describe()
    except RPCError as problem:
        if problem.status is RPCStatusCode.NOT_FOUND:
            return None
        raise
    if seen.status in {None, WorkflowExecutionStatus.RUNNING}:
        # Started again since somebody looked.
        return None
    return Ended(how=seen.status.name.title(), at=seen.close_time.isoformat() if seen.close_time else "")


def _refused(workflow_id: str, problem: RPCError) -> CommandFailed:
    if problem.status is RPCStatusCode.UNAVAILABLE:
        # Nobody is there for any of them.
        raise problem
    return Unreadable(workflow_id, problem.message, "the server refused the question; ask again, or see its log")
