"""Conversations with Installation and Control over a Temporal client, from synchronous activities."""

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

from adapters.temporal.installation import (
    NotReady,
    pause_installation,
    start_installation,
    tell_before,
    with_installation,
)
from adapters.temporal.open_workflow import ask_open, ensure_started
from adapters.temporal.schedules import sync_schedule
from contracts.admission import AdmitAnswer, AdmitRequest, FinishRequest
from contracts.budget import BudgetView, ReserveAnswer, ReserveRequest, RunCost, SettleCost
from contracts.clearance import SettleRequest, WriteAnswer, WriteRequest
from contracts.control import Answer, InstallationFacts, PauseRequest, RegisterRequest, StatusView
from contracts.incident import IncidentNews, IncidentReport
from contracts.modes import TargetStatus
from contracts.remediation import Remediation
from contracts.rollback import Aftercare, FollowUpEnd, Merged, Regression, RollbackResult
from ports.control_desk import ControlUnavailable, RunSight
from workflows import api
from workflows.control.state import ControlInput

Asked = TypeVar("Asked", bound=BaseModel)
Answered = TypeVar("Answered", bound=BaseModel)
Value = TypeVar("Value")

StartOperation = WithStartWorkflowOperation[Any, Any]

_PATIENCE = timedelta(seconds=20)


class TemporalControlDesk:
    """Implements ``ports.control_desk.ControlDesk``; every call starts the other side if it is not there."""

    def __init__(self, client: Client, loop: asyncio.AbstractEventLoop) -> None:
        self._client = client
        self._loop = loop

    def register(self, request: RegisterRequest) -> InstallationFacts:
        """Make a Control known to the Installation."""
        self._wait(start_installation(self._client))
        return self._wait(self._update(api.REGISTER_TARGET, request, InstallationFacts, with_installation))

    def admit(self, target: str, request: AdmitRequest) -> AdmitAnswer:
        """May this run start? Not before an Installation that was lost is back, and has told this Control its pause."""
        self._wait(tell_before(self._client, target))
        return self._ask(target, api.ADMIT_RUN, request, AdmitAnswer)

    def begin_write(self, target: str, request: WriteRequest) -> WriteAnswer:
        """May this effect happen now?"""
        return self._ask(target, api.BEGIN_WRITE, request, WriteAnswer)

    def settle_write(self, target: str, request: SettleRequest) -> Answer:
        """It happened, or it did not."""
        return self._ask(target, api.SETTLE_WRITE, request, Answer)

    def reserve(self, target: str, request: ReserveRequest) -> ReserveAnswer:
        """May this step cost up to so much?"""
        return self._ask(target, api.RESERVE, request, ReserveAnswer)

    def settle_cost(self, target: str, report: SettleCost) -> Answer:
        """What it really cost."""
        return self._ask(target, api.SETTLE_COST, report, Answer)

    def run_cost(self, target: str, run_id: str) -> RunCost | None:
        """Asked of the run itself: the view lists the dearest only."""

        async def look() -> RunCost | None:
            handle = self._client.get_workflow_handle(api.control_id(target))
            view: BudgetView = await handle.query(api.BUDGET, run_id, result_type=BudgetView, rpc_timeout=_PATIENCE)
            return next((run for run in view.runs if run.run_id == run_id), None)

        return self._wait(look())

    def finish(self, target: str, request: FinishRequest) -> Answer:
        """The run ended; its slot may let the next one begin."""
        self._wait(tell_before(self._client, target))
        return self._ask(target, api.FINISH_RUN, request, Answer)

    def knows_incident(self, target: str, incident: str) -> bool:
        """Whether it is in the books of an open Control: one that is gone has forgotten."""
        view = self._wait(self._view(target, api.STATUS, StatusView))
        if view is None:
            return False
        return incident in view.incidents_done or any(known.incident == incident for known in view.incidents)

    def pause_all(self, request: PauseRequest) -> None:
        """The brake for every target."""
        self._wait(pause_installation(self._client, request))

    def pause_target(self, target: str, request: PauseRequest) -> None:
        """The brake for one target."""
        self._wait(pause_target(self._client, target, request))

    def is_paused(self, target: str) -> bool:
        """PAUSED, or gone."""
        view = self._wait(self._view(target, api.STATUS, StatusView))
        return view is None or view.status is TargetStatus.PAUSED

    def report(self, target: str, report: IncidentReport) -> Answer:
        """Open the incident in the books."""
        return self._ask(target, api.REPORT, report, Answer)

    def refresh_incident(self, target: str, incident: str) -> None:
        """By signal."""
        self._wait(self._refresh(api.incident_id(target, incident)))

    def incident_news(self, target: str, news: IncidentNews) -> Answer:
        """What became of an incident."""
        return self._ask(target, api.INCIDENT_NEWS, news, Answer)

    def backlog(self, target: str) -> tuple[Remediation, ...]:
        """The target's remediations; none when its Control is gone, and its books with it."""
        booked = self._wait(self._view(target, api.BACKLOG, list[Remediation]))
        return tuple(booked or ())

    def aftercare(self, target: str) -> Aftercare:
        """What later runs must know; nothing when its Control is gone, and its books with it."""
        return self._wait(self._view(target, api.AFTERCARE, Aftercare)) or Aftercare()

    def merged(self, target: str, merged: Merged) -> Answer:
        """A merge of ours is on the base."""
        return self._ask(target, api.MERGED, merged, Answer)

    def regression(self, target: str, found: Regression) -> Answer:
        """A merge of ours broke the base."""
        return self._ask(target, api.REGRESSION, found, Answer)

    def rolled_back(self, target: str, result: RollbackResult) -> Answer:
        """How a rollback ended."""
        return self._ask(target, api.ROLLED_BACK, result, Answer)

    def followed_up(self, target: str, end: FollowUpEnd) -> Answer:
        """How a merge or a pull request fared."""
        return self._ask(target, api.FOLLOWED_UP, end, Answer)

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

        async def fetch() -> bytes:
            handle = self._client.get_workflow_handle(workflow_id, run_id=workflow_run_id)
            return (await handle.fetch_history()).to_json().encode()

        return self._wait(fetch())

    async def _view(self, target: str, query: str, result: type[Value]) -> Value | None:
        return await ask_open(self._client, api.control_id(target), query, result, _PATIENCE)

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

    async def _refresh(self, workflow_id: str) -> None:
        try:
            await self._client.get_workflow_handle(workflow_id).signal(api.REFRESH)
        except RPCError as gone:
            if gone.status is not RPCStatusCode.NOT_FOUND:
                raise

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
            NotReady,
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


async def pause_target(client: Client, target: str, request: PauseRequest) -> None:
    """The brake for one target."""
    await _ensure_control(client, target, signal=(api.PAUSE, request))


async def start_control(client: Client, target: str) -> None:
    """Wake up a Control that is gone: it is born PAUSED, and finds what was in flight before it."""
    await _ensure_control(client, target)


async def _ensure_control(client: Client, target: str, signal: tuple[str, PauseRequest] | None = None) -> None:
    state, summary = ControlInput(target=target), f"Control of {target}"
    await ensure_started(client, api.CONTROL, state, api.control_id(target), summary, signal=signal)
