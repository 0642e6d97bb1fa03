"""Looking at schedules, Controls and open workflows over a Temporal client."""

import asyncio
from collections.abc import Coroutine
from datetime import datetime, timedelta
from typing import Any, TypeVar

from temporalio.client import (
    Client,
    WorkflowExecution,
    WorkflowExecutionDescription,
    WorkflowQueryFailedError,
)
from temporalio.service import RPCError, RPCStatusCode

from adapters.temporal.open_workflow import ask, ask_open
from contracts.admission import RunView
from contracts.budget import BudgetView
from contracts.control import InstallationView, StatusView
from contracts.verdict import Verdict
from contracts.watching import ScheduleSight, StepSight, WorkflowSight
from policies.counted import shortened
from ports.server import LookoutBlind
from workflows import api

Seen = TypeVar("Seen")

_PATIENCE = timedelta(seconds=10)
_SIDE_BY_SIDE = 16
"""Open workflows that are asked about at the same time, out of as many as there are."""


class TemporalServerView:
    """Implements ``ports.server.ServerView``."""

    def __init__(self, client: Client, loop: asyncio.AbstractEventLoop) -> None:
        self._client = client
        self._loop = loop

    def registered(self) -> dict[str, datetime]:
        """Targets the Installation knows."""
        view = self._ask(self._query(api.INSTALLATION_ID, api.STATUS, InstallationView))
        return {target.name: target.registered_at for target in view.targets} if view else {}

    def status(self, target: str) -> StatusView | None:
        """What its Control says."""
        return self._ask(self._query(api.control_id(target), api.STATUS, StatusView))

    def blocked(self, target: str) -> Verdict | None:
        """The budget's word on new runs."""
        view = self._ask(self._query(api.control_id(target), api.BUDGET, BudgetView))
        return None if view is None else view.blocked

    def schedule(self, target: str) -> ScheduleSight | None:
        """Its Schedule."""
        return self._ask(self._schedule(target))

    def run(self, workflow_id: str) -> RunView | None:
        """What an open run says."""
        return self._ask(self._query(workflow_id, api.STATE, RunView))

    def open_workflows(self) -> tuple[WorkflowSight, ...]:
        """As the server sees them."""
        return self._ask(self._open_workflows())

    def _ask(self, work: Coroutine[Any, Any, Seen]) -> Seen:
        try:
            return ask(self._loop, work)
        except (RPCError, TimeoutError) as problem:
            raise LookoutBlind(f"the server or a worker did not answer: {problem}") from problem

    async def _query(self, workflow_id: str, query: str, result: type[Seen]) -> Seen | None:
        try:
            return await ask_open(self._client, workflow_id, query, result, _PATIENCE)
        except WorkflowQueryFailedError:
            # Of a version that does not know the question.
            return None

    async def _schedule(self, target: str) -> ScheduleSight | None:
        try:
            seen = await self._client.get_schedule_handle(api.schedule_id(target)).describe(rpc_timeout=_PATIENCE)
        except RPCError as problem:
            if problem.status is RPCStatusCode.NOT_FOUND:
                return None
            raise
        coming, ran = seen.info.next_action_times, seen.info.recent_actions
        return ScheduleSight(
            paused=seen.schedule.state.paused,
            note=shortened(seen.schedule.state.note or "", 500),
            next_at=coming[0] if coming else None,
            last_at=ran[-1].started_at if ran else None,
        )

    async def _open_workflows(self) -> tuple[WorkflowSight, ...]:
        turns = asyncio.Semaphore(_SIDE_BY_SIDE)
        listed = self._client.list_workflows('ExecutionStatus = "Running"', rpc_timeout=_PATIENCE)
        # What begins or ends between two pages may be on both.
        entries = {entry.run_id: entry async for entry in listed}
        seen = await asyncio.gather(*(self._sight(entry, turns) for entry in entries.values()))
        return tuple(sight for sight in seen if sight is not None)

    async def _sight(self, entry: WorkflowExecution, turns: asyncio.Semaphore) -> WorkflowSight | None:
        async with turns:
            seen = await self._described(entry)
        return None if seen is None else _sight_of(seen)

    async def _described(self, entry: WorkflowExecution) -> WorkflowExecutionDescription | None:
        handle = self._client.get_workflow_handle(entry.id, run_id=entry.run_id)
        try:
            return await handle.describe(rpc_timeout=_PATIENCE)
        except RPCError as problem:
            if problem.status is RPCStatusCode.NOT_FOUND:
                return None
            raise


def _sight_of(seen: WorkflowExecutionDescription) -> WorkflowSight:
    raw = seen.raw_description
    return WorkflowSight(
        workflow_id=seen.id,
        workflow_run_id=seen.run_id,
        kind=seen.workflow_type,
        target=_attribute(seen, api.TARGET_ATTRIBUTE),
        run_id=_attribute(seen, api.RUN_ATTRIBUTE),
        status=_attribute(seen, api.STATUS_ATTRIBUTE),
        events=seen.history_length,
        task_attempt=raw.pending_workflow_task.attempt if raw.HasField("pending_workflow_task") else 0,
        steps=tuple(
            StepSight(
                name=step.activity_type.name,
                attempt=step.attempt,
                failure=shortened(step.last_failure.message, 300) if step.HasField("last_failure") else "",
            )
            for step in raw.pending_activities
        ),
    )


def _attribute(seen: WorkflowExecutionDescription, key: Any) -> str:
    return str(seen.typed_search_attributes.get(key) or "")
