"""Signals, updates and starts as any program may send them: past the client's converter, straight to the server."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import timedelta

from temporalio.api.common.v1 import Payload, Payloads, WorkflowExecution, WorkflowType
from temporalio.api.enums.v1 import ResetReapplyExcludeType, UpdateWorkflowExecutionLifecycleStage
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.update.v1 import Input, Meta, Request, WaitPolicy
from temporalio.api.workflowservice.v1 import (
    ResetWorkflowExecutionRequest,
    SignalWorkflowExecutionRequest,
    StartWorkflowExecutionRequest,
    UpdateWorkflowExecutionRequest,
)
from world import World

from workflows import api

_SIGNAL = ResetReapplyExcludeType.RESET_REAPPLY_EXCLUDE_TYPE_SIGNAL
_UPDATE = ResetReapplyExcludeType.RESET_REAPPLY_EXCLUDE_TYPE_UPDATE


def payload(data: bytes = b"", encoding: bytes | None = b"json/plain") -> Payload:
    """One payload; no encoding at all when it is None."""
    return Payload(metadata={} if encoding is None else {"encoding": encoding}, data=data)


async def signal(world: World, workflow_id: str, name: str, payloads: Sequence[Payload] | None) -> None:
    """Send a signal with exactly these payloads; None sends no input at all."""
    await world.client.workflow_service.signal_workflow_execution(
        SignalWorkflowExecutionRequest(
            namespace=world.namespace,
            workflow_execution=WorkflowExecution(workflow_id=workflow_id),
            signal_name=name,
            input=None if payloads is None else Payloads(payloads=payloads),
            request_id=uuid.uuid4().hex,
        ),
        # As every client does: a Control that hands over to its next run asks for patience.
        retry=True,
    )


async def start(world: World, workflow_id: str, payloads: Sequence[Payload] | None) -> None:
    """Start a DailyRun with exactly these payloads."""
    await world.client.workflow_service.start_workflow_execution(
        StartWorkflowExecutionRequest(
            namespace=world.namespace,
            workflow_id=workflow_id,
            workflow_type=WorkflowType(name=api.DAILY_RUN),
            task_queue=TaskQueue(name=api.TASK_QUEUE),
            input=None if payloads is None else Payloads(payloads=payloads),
            request_id=uuid.uuid4().hex,
        ),
        # As every client does: a Control that hands over to its next run asks for patience.
        retry=True,
    )


async def reset(world: World, workflow_id: str, task: int, *, given_again: bool = True) -> None:
    """Reset a workflow to one of its completed workflow tasks, as the UI does; its messages are given again, or not."""
    history = await world.client.get_workflow_handle(workflow_id).fetch_history()
    done = [event.event_id for event in history.events if event.HasField("workflow_task_completed_event_attributes")]
    await world.client.workflow_service.reset_workflow_execution(
        ResetWorkflowExecutionRequest(
            namespace=world.namespace,
            workflow_execution=WorkflowExecution(workflow_id=workflow_id),
            reason="by hand",
            workflow_task_finish_event_id=done[task],
            reset_reapply_exclude_types=[] if given_again else [_SIGNAL, _UPDATE],
            request_id=uuid.uuid4().hex,
        ),
        retry=True,
    )


async def update(world: World, workflow_id: str, name: str, payloads: Sequence[Payload] | None) -> str:
    """Send an update with exactly these payloads; why it failed, or empty when it was answered."""
    answer = await world.client.workflow_service.update_workflow_execution(
        UpdateWorkflowExecutionRequest(
            namespace=world.namespace,
            workflow_execution=WorkflowExecution(workflow_id=workflow_id),
            wait_policy=WaitPolicy(
                lifecycle_stage=UpdateWorkflowExecutionLifecycleStage.UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_COMPLETED
            ),
            request=Request(
                meta=Meta(update_id=uuid.uuid4().hex),
                input=Input(name=name, args=None if payloads is None else Payloads(payloads=payloads)),
            ),
        ),
        retry=True,
        timeout=timedelta(seconds=20),
    )
    failure = answer.outcome.failure
    return (failure.message or "failed") if answer.outcome.HasField("failure") else ""
