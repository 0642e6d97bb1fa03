"""Conversations with Installation and Control over a Temporal client, from synchronous activities."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import TimeoutError as FutureTimeoutError
from datetime import timedelta
from typing import Any, TypeVar

from pydantic import BaseModel
from temporalio.client import (
    Client,
    WithStartWorkflowOperation,
    WorkflowQueryFailedError,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.service import RPCError, RPCStatusCode

from contracts.admission import AdmitAnswer, AdmitRequest, FinishRequest
from contracts.clearance import SettleRequest, WriteAnswer, WriteRequest
from contracts.control import Answer, IncidentReport, InstallationFacts, PauseRequest, RegisterRequest, StatusView
from contracts.modes import PauseStyle
from ports.control_desk import ControlUnavailable, RunSight
from workflows import api
from workflows.control_state import ControlInput
from workflows.installation_state import InstallationState

Asked = TypeVar("Asked", bound=BaseModel)
Answered = TypeVar("Answered", bound=BaseModel)
Value = TypeVar("Value")

StartOperation = WithStartWorkflowOperation[Any, Any]

_PATIENCE = timedelta(seconds=20)
_INSTALLATION_SUMMARY = "The whole installation: pause here pauses every target"


class TemporalControlDesk:
    """Implements ``ports.control_desk.ControlDesk``; every call starts the other side if it is not there."""

    def __init__(self, client: Client, loop: asyncio.AbstractEventLoop) -> None:
        self._client = client
        self._loop = loop

    def register(self, request: RegisterRequest) -> InstallationFacts:
        """Make a Control known to the Installation."""
        return self._wait(self._update(api.REGISTER_TARGET, request, InstallationFacts, _start_installation))

    def admit(self, target: str, request: AdmitRequest) -> AdmitAnswer:
        """May this run start?"""
        return self._ask(target, api.ADMIT_RUN, request, AdmitAnswer)

    def begin_write(self, target: str, request: WriteRequest) -> WriteAnswer:
        """May this effect happen now?"""
        return self._ask(target, api.BEGIN_WRITE, request, WriteAnswer)

    def settle_write(self, target: str, request: SettleRequest) -> Answer:
        """It happened, or it did not."""
        return self._ask(target, api.SETTLE_WRITE, request, Answer)

    def finish(self, target: str, request: FinishRequest) -> Answer:
        """The run ended."""
        return self._ask(target, api.FINISH_RUN, request, Answer)

    def report(self, target: str, report: IncidentReport) -> None:
        """Pause everybody first; only then the books, which make a repeated report harmless."""
        status: StatusView = self._wait(self._status(target))
        if any(known.incident == report.incident for known in status.incidents):
            return
        request = PauseRequest(
            style=PauseStyle.CHECKPOINT, reason=f"{report.trigger}: {report.reason}", actor=report.run_id
        )
        self._wait(pause_installation(self._client, request))
        self._ask(target, api.REPORT, report, Answer)

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
            return RunSight(open=status == "RUNNING", status=status, workflow_run_id=seen.run_id)

        return self._wait(describe())

    def history(self, workflow_id: str, workflow_run_id: str) -> bytes:
        """A run's history so far, as the Temporal UI exports it."""

        async def fetch() -> bytes:
            handle = self._client.get_workflow_handle(workflow_id, run_id=workflow_run_id)
            return (await handle.fetch_history()).to_json().encode()

        return self._wait(fetch())

    async def _status(self, target: str) -> StatusView:
        handle = self._client.get_workflow_handle(api.control_id(target))
        view: StatusView = await handle.query(api.STATUS, result_type=StatusView)
        return view

    def _ask(self, target: str, name: str, request: BaseModel, answer: type[Answered]) -> Answered:
        return self._wait(self._update(name, request, answer, lambda: _start_control(target)))

    async def _update(
        self, name: str, request: BaseModel, answer: type[Answered], start: Callable[[], StartOperation]
    ) -> Answered:
        # The operation belongs to the running loop and to one call: it is made here, in the coroutine.
        result: Answered = await self._client.execute_update_with_start_workflow(
            name, request, result_type=answer, start_workflow_operation=start(), rpc_timeout=_PATIENCE
        )
        return result

    def _wait(self, work: Coroutine[Any, Any, Value]) -> Value:
        """Run on the worker's event loop while this activity thread stays open to cancellation."""
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            while True:
                try:
                    return future.result(timeout=0.5)
                except FutureTimeoutError:
                    # A coroutine's own TimeoutError has the same class: only ours leaves the future running.
                    if future.done():
                        raise
        except WorkflowUpdateFailedError as refused:
            raise ControlUnavailable(f"Control refused the question itself: {refused.cause}") from refused
        except (
            RPCError,
            WorkflowQueryFailedError,
            WorkflowUpdateRPCTimeoutOrCancelledError,
            FutureTimeoutError,
            TimeoutError,
        ) as problem:
            raise ControlUnavailable(f"Control did not answer: {problem}") from problem
        finally:
            future.cancel()


def _start_control(target: str) -> StartOperation:
    return WithStartWorkflowOperation(
        api.CONTROL,
        ControlInput(target=target),
        id=api.control_id(target),
        task_queue=api.TASK_QUEUE,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        static_summary=f"Control of {target}",
    )


def _start_installation() -> StartOperation:
    return WithStartWorkflowOperation(
        api.INSTALLATION,
        InstallationState(),
        id=api.INSTALLATION_ID,
        task_queue=api.TASK_QUEUE,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        static_summary=_INSTALLATION_SUMMARY,
    )


async def pause_installation(client: Client, request: PauseRequest) -> None:
    """The brake for everybody: signal-with-start, so that it also works where nothing ran before."""
    await client.start_workflow(
        api.INSTALLATION,
        InstallationState(),
        id=api.INSTALLATION_ID,
        task_queue=api.TASK_QUEUE,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        start_signal=api.PAUSE,
        start_signal_args=[request],
        static_summary=_INSTALLATION_SUMMARY,
    )


async def pause_target(client: Client, target: str, request: PauseRequest) -> None:
    """The brake for one target."""
    await client.start_workflow(
        api.CONTROL,
        ControlInput(target=target),
        id=api.control_id(target),
        task_queue=api.TASK_QUEUE,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        start_signal=api.PAUSE,
        start_signal_args=[request],
        static_summary=f"Control of {target}",
    )
