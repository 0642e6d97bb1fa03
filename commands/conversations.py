"""Questions and commands to Installation, Control and runs over a client."""

import asyncio
import re
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from temporalio.api.enums.v1 import EventType, TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import (
    Client,
    WorkflowExecutionStatus,
    WorkflowHandle,
    WorkflowHistoryEventFilterType,
    WorkflowQueryFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.service import RPCError, RPCStatusCode

from commands.exit_statuses import Exit
from commands.failures import CommandFailed, NoAnswer, NoWorker, Unreadable
from composition import Adapters, ask_open
from contracts.admission import RunRecord, RunView
from contracts.control import Answer, InstallationView, StatusView
from contracts.exchange import AgentProgress
from policies.counted import shortened
from workflows import api

Seen = TypeVar("Seen")

RUN_ID = re.compile(r"(?P<target>.+)-\d{4}-\d{2}-\d{2}-((dry|pr|auto|smoke|source)-\d+|refused-[0-9A-Za-z]+)")
_PATIENCE = timedelta(seconds=10)
_UPDATE_PATIENCE = timedelta(seconds=20)
_FEW = 2
"""Attempts of a step of which nothing is said: a worker that is restarted costs one."""
_SHORT_PATIENCE = timedelta(seconds=5)
_POLL = timedelta(seconds=70)
"""A live worker polls at least once a minute."""
_KINDS = {api.INSTALLATION_ID: api.INSTALLATION, api.ALERTS_ID: api.ALERTS, api.DASHBOARDS_ID: api.DASHBOARDS}
_BY_FORCE = {
    WorkflowExecutionStatus.TERMINATED: "terminated",
    WorkflowExecutionStatus.CANCELED: "cancelled",
    WorkflowExecutionStatus.FAILED: "ended by a failure",
    WorkflowExecutionStatus.TIMED_OUT: "timed out",
}
_TASKS_THAT_FAIL, _MOMENT = 3, 0.5
"""So often a command is given again, and seconds in between."""
_NO_ANSWER = {RPCStatusCode.DEADLINE_EXCEEDED, RPCStatusCode.CANCELLED, RPCStatusCode.FAILED_PRECONDITION}


async def target_status(client: Client, target: str, patience: timedelta = _PATIENCE) -> StatusView | None:
    """A target's status; None: no Control of it is open.

    Raises:
        NoWorker: nobody answers the query.
    """
    return await ask(client, api.control_id(target), api.STATUS, StatusView, patience)


async def installation_status(client: Client, patience: timedelta = _PATIENCE) -> InstallationView | None:
    """The global status; None: nothing ran here yet."""
    return await ask(client, api.INSTALLATION_ID, api.STATUS, InstallationView, patience)


async def run_view(handle: WorkflowHandle[Any, Any], patience: timedelta = _PATIENCE) -> RunView:
    """Where a run is, also when it has ended."""
    try:
        view: RunView = await handle.query(api.STATE, result_type=RunView, rpc_timeout=patience)
    except RPCError as problem:
        raise (NoWorker() if problem.status in _NO_ANSWER else problem) from problem
    return view


async def find_run(client: Client, run_id: str) -> WorkflowHandle[Any, Any] | None:
    """The workflow of a run: from Control's books, else from the search attributes."""
    match = RUN_ID.fullmatch(run_id)
    if match is None:
        return None
    try:
        view = await target_status(client, match["target"])
    except NoAnswer:
        view = None
    for run in (*view.active, *view.queued, *view.recent) if view else ():
        if run.run_id == run_id:
            return client.get_workflow_handle(run.workflow_id, run_id=run.workflow_run_id)
    # RUN_ID lets no quote through, but a target's name is anything a person typed.
    if '"' not in run_id and "\\" not in run_id:
        async for found in client.list_workflows(f'{api.RUN_ATTRIBUTE.name} = "{run_id}"'):
            return client.get_workflow_handle(found.id, run_id=found.run_id)
    return None


async def run_handle(client: Client, run_id: str) -> WorkflowHandle[Any, Any]:
    """A run's workflow.

    Raises:
        CommandFailed: there is none under this id.
    """
    handle = await find_run(client, run_id)
    if handle is None:
        raise CommandFailed(
            Exit.USAGE, f"the server knows no run {run_id}: `starter.py runs` lists those that are kept"
        )
    return handle


async def command(client: Client, workflow_id: str, update: str, request: BaseModel) -> Answer:
    """An operator's update.

    Raises:
        NoWorker: nobody answered in time. The server gives up with us: it is not done later behind our back.
    """
    handle = client.get_workflow_handle(workflow_id)
    for left in reversed(range(_TASKS_THAT_FAIL)):
        try:
            answer: Answer = await handle.execute_update(
                update, request, result_type=Answer, rpc_timeout=_UPDATE_PATIENCE
            )
        except WorkflowUpdateRPCTimeoutOrCancelledError as problem:
            raise NoWorker("; whether the command arrived is unknown: `starter.py status` shows it") from problem
        except RPCError as problem:
            # The task that it came with failed, and nothing of that task was kept: it is given again in a moment.
            if problem.status is not RPCStatusCode.FAILED_PRECONDITION or not left:
                raise
            await asyncio.sleep(_MOMENT)
        else:
            return answer
    raise AssertionError("unreachable")


async def has_worker(client: Client) -> bool:
    """Whether a worker asked this queue for work lately."""
    answer = await client.workflow_service.describe_task_queue(
        DescribeTaskQueueRequest(
            namespace=client.namespace,
            task_queue=TaskQueue(name=api.TASK_QUEUE),
            task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
        )
    )
    since = datetime.now(UTC) - _POLL
    return any(poller.last_access_time.ToDatetime(tzinfo=UTC) > since for poller in answer.pollers)


async def waiting_runs(client: Client, view: StatusView) -> dict[str, str]:
    """Run id to what it waits for, of each active run that waits: checks, commit, since when, until when, next look.

    Or to the step that fails again and again, and why: a full disk, for one, keeps it from saying so itself.
    """
    found = await asyncio.gather(*(_reason(client, run) for run in view.active))
    return {run.run_id: reason for run, reason in zip(view.active, found, strict=True) if reason}


async def _reason(client: Client, run: RunRecord) -> str:
    handle = client.get_workflow_handle(run.workflow_id, run_id=run.workflow_run_id)
    try:
        view = await run_view(handle, _SHORT_PATIENCE)
    except (NoAnswer, RPCError):
        return ""
    return view.reason if view.awaits else await failing_step(handle)


async def failing_step(handle: WorkflowHandle[Any, Any]) -> str:
    """Which step of a run failed more than once and is tried again, and what it said last; empty: none does."""
    try:
        seen = await handle.describe(rpc_timeout=_SHORT_PATIENCE)
    except RPCError:
        return ""
    for step in seen.raw_description.pending_activities:
        if step.attempt > _FEW and step.HasField("last_failure"):
            said = shortened(step.last_failure.message, 300)
            return f"{step.activity_type.name} failed {step.attempt - 1} times, and is tried again: {said}"
    return ""


async def agents_at_work(client: Client, view: StatusView) -> dict[str, AgentProgress]:
    """Run id to what its agent is doing, of each active run in which one works."""
    handles = [client.get_workflow_handle(run.workflow_id, run_id=run.workflow_run_id) for run in view.active]
    found = await asyncio.gather(*(agent_at_work(client, handle) for handle in handles))
    return {run.run_id: doing for run, doing in zip(view.active, found, strict=True) if doing}


async def agent_at_work(client: Client, handle: WorkflowHandle[Any, Any]) -> AgentProgress | None:
    """As the heartbeats of the run's pending step say; None: nobody works, or the server does not answer."""
    try:
        seen = await handle.describe(rpc_timeout=_SHORT_PATIENCE)
        for step in seen.raw_description.pending_activities:
            for told in await client.data_converter.decode(step.heartbeat_details.payloads):
                return AgentProgress.model_validate(told)
    except (RPCError, ValidationError):
        # What another version's worker tells is no progress that this one can show.
        return None
    return None


async def ended_by_force(client: Client, handle: WorkflowHandle[Any, Any]) -> str:
    """How and when its latest execution was ended; empty: it runs, or it ended by itself.

    Raises:
        RPCError: the server did not answer, or knows no such workflow.
    """
    seen = await handle.describe()
    how = _BY_FORCE.get(seen.status) if seen.status else None
    if how is None:
        return ""
    at = f" at {seen.close_time:%Y-%m-%d %H:%M:%S} UTC" if seen.close_time else ""
    reason = ""
    this = client.get_workflow_handle(seen.id, run_id=seen.run_id)
    async for event in this.fetch_history_events(event_filter_type=WorkflowHistoryEventFilterType.CLOSE_EVENT):
        if event.event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED:
            reason = event.workflow_execution_terminated_event_attributes.reason
    return f"its workflow was {how}{at}" + (f" ({shortened(reason, 200)})" if reason else "")


def known_target(adapters: Adapters, target: str) -> None:
    """Refuse a name that is not a target, and suggest the nearest one."""
    if target not in adapters.policies.names():
        adapters.policies.effective(target)


async def ask(
    client: Client, workflow_id: str, query: str, result: type[Seen], patience: timedelta = _PATIENCE
) -> Seen | None:
    """The answer of an open workflow; None: none is open under this id.

    Raises:
        NoWorker: nobody answers.
        Unreadable: it stands still, or is something else than its id says.
    """
    try:
        return await ask_open(client, workflow_id, query, result, patience)
    except RPCError as problem:
        if problem.status not in _NO_ANSWER:
            raise
        raise await _silence(client, workflow_id, problem.message, answered=False) from problem
    except (WorkflowQueryFailedError, ValueError, RuntimeError) as problem:
        # It failed to answer, or what it answered is nothing that we know: the last two are the converter's.
        raise await _silence(client, workflow_id, str(problem), answered=True) from problem


async def _silence(client: Client, workflow_id: str, problem: str, *, answered: bool) -> NoAnswer:
    """Why there is no view of it, and what to do: nobody works, it stands still, or a stranger is under that id."""
    try:
        described = await client.get_workflow_handle(workflow_id).describe()
    except RPCError:
        return Unreadable(workflow_id, problem, "ask again") if answered else NoWorker()
    kind, raw = _KINDS.get(workflow_id, api.CONTROL), described.raw_description
    if described.workflow_type != kind:
        remedy = (
            f"it is a {described.workflow_type}, not a {kind}, so no brake holds there; end it "
            f"(`temporal workflow terminate --workflow-id {workflow_id} --reason …`) and ask again"
        )
        return Unreadable(workflow_id, problem, remedy)
    if not answered and not (raw.HasField("pending_workflow_task") and raw.pending_workflow_task.attempt > 1):
        return NoWorker()
    which = "--installation" if kind == api.INSTALLATION else workflow_id.removeprefix(api.control_id(""))
    remedy = (
        "it stands still; a pause is recorded there all the same. The worker's log and its "
        f"history in the Temporal UI say why; the way back: starter.py recover {which} --reason …"
    )
    return Unreadable(workflow_id, problem, remedy)
