"""Conversations with Installation and Control over a Temporal client, from synchronous activities."""

import asyncio
import json
from collections.abc import Coroutine
from datetime import timedelta
from typing import Any, TypeVar

from temporalio.client import (
    Client,
    WithStartWorkflowOperation,
    WorkflowHistory,
    WorkflowQueryFailedError,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.service import RPCError, RPCStatusCode

from adapters.temporal.installation import (
    NotReady,
    pause_installation,
    start_installation,
    tell_before,
    with_installation,
)
from adapters.temporal.open_workflow import ask, ask_open, ensure_started
from adapters.temporal.schedules import sync_schedule
from contracts import messages
from contracts.control import PauseRequest
from contracts.messages import Message, Reply, Request, Seen, View
from ports.control_desk import ControlUnavailable, RunSight
from workflows import api
from workflows.control.state import ControlInput

Value = TypeVar("Value")

_PATIENCE = timedelta(seconds=20)
_LETS_A_RUN_BEGIN = (messages.ADMIT, messages.FINISH)
"""Not before an Installation that was lost is back, and has told this Control its pause."""


class TemporalControlDesk:
    """Implements ``ports.control_desk.ControlDesk``."""

    def __init__(self, client: Client, loop: asyncio.AbstractEventLoop) -> None:
        self._client = client
        self._loop = loop

    def ask(self, target: str, message: Message[Request, Reply], request: Request) -> Reply:
        """Update-with-start."""
        if not target:
            self._wait(start_installation(self._client))
        elif message in _LETS_A_RUN_BEGIN:
            self._wait(tell_before(self._client, target))
        return self._wait(self._update(target, message, request))

    def query(self, target: str, view: View[Seen], *arguments: str) -> Seen | None:
        """A closed Control tells what was true once, and is not asked."""
        control = api.control_id(target)
        return self._wait(ask_open(self._client, control, view.name, view.shows, _PATIENCE, arguments))

    def pause(self, request: PauseRequest, target: str = "") -> None:
        """Signal-with-start."""
        pausing = pause_target(self._client, target, request) if target else pause_installation(self._client, request)
        self._wait(pausing)

    def refresh_incident(self, target: str, incident: str) -> None:
        """By signal."""
        self._wait(self._refresh(api.incident_id(target, incident)))

    def sync_schedule(self, target: str, *, paused: bool, reason: str) -> str:
        """Pause the target's Schedule with the target, or let it go on."""
        return self._wait(sync_schedule(self._client, target, paused=paused, reason=reason))

    def look(self, workflow_id: str) -> RunSight | None:
        """Describe a run."""

        async def describe() -> RunSight | None:
            try:
                seen = await self._client.get_workflow_handle(workflow_id).describe()
            except RPCError as problem:
                if problem.status is RPCStatusCode.NOT_FOUND:
                    return None
                raise
            status = seen.status.name if seen.status else "UNKNOWN"
            return RunSight(
                open=status == "RUNNING", status=status, workflow_run_id=seen.run_id, closed_at=seen.close_time
            )

        return self._wait(describe())

    def history(self, workflow_id: str, workflow_run_id: str) -> bytes:
        """A run's history so far, as the Temporal UI exports it."""

        async def fetch() -> WorkflowHistory:
            handle = self._client.get_workflow_handle(workflow_id, run_id=workflow_run_id)
            return await handle.fetch_history()

        # Written in the step's own thread: the loop has all other work to do.
        return json.dumps(self._wait(fetch()).to_json_dict()).encode()

    async def _update(self, target: str, message: Message[Request, Reply], request: Request) -> Reply:
        # The operation belongs to the running loop and to one call: it is made here, in the coroutine.
        start = _start_control(target) if target else with_installation()
        reply: Reply = await self._client.execute_update_with_start_workflow(
            message.name,
            request,
            result_type=message.reply,
            start_workflow_operation=start,
            rpc_timeout=_PATIENCE,
        )
        return reply

    async def _refresh(self, workflow_id: str) -> None:
        try:
            await self._client.get_workflow_handle(workflow_id).signal(api.REFRESH)
        except RPCError as gone:
            if gone.status is not RPCStatusCode.NOT_FOUND:
                raise

    def _wait(self, work: Coroutine[Any, Any, Value]) -> Value:
        """Run on the worker's event loop while this activity thread stays open to cancellation."""
        try:
            return ask(self._loop, work)
        except WorkflowUpdateFailedError as refused:
            raise ControlUnavailable(f"Control refused the question itself: {refused.cause}") from refused
        except (
            RPCError,
            WorkflowQueryFailedError,
            WorkflowUpdateRPCTimeoutOrCancelledError,
            TimeoutError,
            NotReady,
        ) as problem:
            raise ControlUnavailable(f"Control did not answer: {problem}") from problem


def _start_control(target: str) -> WithStartWorkflowOperation[Any, Any]:
    return WithStartWorkflowOperation(
        api.CONTROL,
        ControlInput(target=target),
        id=api.control_id(target),
        task_queue=api.TASK_QUEUE,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        static_summary=f"Control of {target}",
    )


async def pause_target(client: Client, target: str, request: PauseRequest) -> None:
    """The brake for one target."""
    await _ensure_control(client, target, signal=(api.PAUSE, request))


async def start_control(client: Client, target: str) -> None:
    """Wake up a Control that is gone: it is born PAUSED, and finds what was in flight before it."""
    await _ensure_control(client, target)


async def _ensure_control(client: Client, target: str, signal: tuple[str, PauseRequest] | None = None) -> None:
    state, summary = ControlInput(target=target), f"Control of {target}"
    await ensure_started(client, api.CONTROL, state, api.control_id(target), summary, signal=signal)
