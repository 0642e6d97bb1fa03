"""``recover``: a Control, or the Installation, that cannot answer any more is replaced by a new one, PAUSED (P16)."""

import asyncio
import time
from typing import Annotated

import typer
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from commands.conversations import has_worker, installation_status, known_target, target_status
from commands.exit_statuses import Exit
from commands.failures import CommandFailed, NoAnswer, NoWorker
from commands.home import client_of
from commands.terminal import AsJson, emit, guarded, operator_name, say, show
from composition import compose, pause_installation, pause_target
from contracts.control import InstallationView, PauseRequest, StatusView
from contracts.modes import TargetStatus
from policies.counted import counted
from policies.run.stuck import FAILING_TASKS
from settings import Settings
from workflows import api

EPILOG = "Example: `starter.py recover demo --reason 'TMPRL1100 in the worker log since the upgrade'`"
_LOOK_EVERY = 0.5
_BORN_WITHIN = 60.0


@guarded
async def recover(
    reason: Annotated[str, typer.Option(help="What you saw; recorded in the pause and shown in the Temporal UI.")],
    target: Annotated[str | None, typer.Argument(help="The target whose Control is stuck; or --installation.")] = None,
    installation: Annotated[bool, typer.Option("--installation", help="The Installation itself.")] = False,
    as_json: AsJson = False,
) -> int:
    """Replace a Control whose workflow tasks keep failing, so that it answers again. It wakes up PAUSED.

    Nothing else loses its brake: one that answers is refused. The new one learns from the audit logs which writes are
    in flight, what was spent and which run ids are taken; runs of the old one can begin no write, and end LOST. Then
    resume as after any pause.
    """
    adapters = compose(Settings())
    if installation == (target is not None):
        raise CommandFailed(Exit.USAGE, "name one target, or give --installation")
    if target is not None:
        known_target(adapters, target)
    client = await client_of(adapters.settings)
    workflow_id = api.INSTALLATION_ID if target is None else api.control_id(target)
    stuck = await _why_stuck(client, workflow_id)
    actor = operator_name()
    say(f"{workflow_id} is stuck: {stuck}")
    await client.get_workflow_handle(workflow_id).terminate(f"recovered by {actor}: {reason}")
    request = PauseRequest(reason=f"recovered: {reason}", actor=actor)
    await (pause_installation(client, request) if target is None else pause_target(client, target, request))
    view = await _born(client, target)
    if as_json:
        emit({"recovered": workflow_id, "epoch": view.epoch, "status": view.status})
    else:
        show(f"{workflow_id} answers again: {view.status}, epoch {view.epoch}")
        what = target or "--all"
        show(f"then: starter.py status {target or ''}".rstrip() + f" · starter.py resume {what} --cause … --evidence …")
    return Exit.OK


async def _why_stuck(client: Client, workflow_id: str) -> str:
    """What its failing workflow task says.

    Raises:
        CommandFailed: nothing is stuck, or whether something is cannot be seen.
    """
    handle = client.get_workflow_handle(workflow_id)
    try:
        seen = await handle.describe()
    except RPCError as problem:
        if problem.status is not RPCStatusCode.NOT_FOUND:
            raise
        raise CommandFailed(Exit.REFUSED, f"{workflow_id} never ran: there is nothing to recover") from problem
    if seen.status is not WorkflowExecutionStatus.RUNNING:
        raise CommandFailed(Exit.REFUSED, f"{workflow_id} is not open: the next one wakes up PAUSED by itself")
    if not await has_worker(client):
        raise NoWorker("; without one, whether it is stuck cannot be told")
    task = seen.raw_description.pending_workflow_task
    if task.attempt < FAILING_TASKS:
        raise CommandFailed(Exit.REFUSED, f"{workflow_id} is not stuck: none of its workflow tasks keeps failing")
    last = ""
    async for event in handle.fetch_history_events():
        if event.HasField("workflow_task_failed_event_attributes"):
            last = event.workflow_task_failed_event_attributes.failure.message
    return f"its workflow task failed {counted(task.attempt - 1, 'time')}{': ' if last else ''}{last}"


def _knows_what_was(view: StatusView | InstallationView) -> bool:
    """Whether a Control knows what was in flight and booked, or the Installation which targets there are."""
    return view.registered if isinstance(view, StatusView) else view.ready


async def _born(client: Client, target: str | None) -> StatusView | InstallationView:
    until = time.monotonic() + _BORN_WITHIN
    while time.monotonic() < until:
        try:
            view = await (installation_status(client) if target is None else target_status(client, target))
        except NoAnswer:
            view = None
        if view is not None and view.status is TargetStatus.PAUSED and _knows_what_was(view):
            return view
        await asyncio.sleep(_LOOK_EVERY)
    raise CommandFailed(Exit.WAITING, "the new one does not answer yet; look with `starter.py status`")
