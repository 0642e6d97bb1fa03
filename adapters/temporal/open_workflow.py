"""The long-lived workflows, each the only one of its id: started where it is missing, asked while it is open."""

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from concurrent.futures import TimeoutError as FutureTimeoutError
from datetime import timedelta
from typing import Any, TypeVar

from pydantic import BaseModel
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowQueryRejectedError
from temporalio.common import QueryRejectCondition, WorkflowIDConflictPolicy
from temporalio.service import RPCError, RPCStatusCode

from workflows import api

Seen = TypeVar("Seen")
Value = TypeVar("Value")


async def ask_open(
    client: Client,
    workflow_id: str,
    query: str,
    result: type[Seen],
    patience: timedelta | None = None,
    arguments: Sequence[str] = (),
) -> Seen | None:
    """The answer of an open workflow; None: none is open under this id, and a closed one tells what was true once.

    Raises:
        RPCError: no answer in ``patience``, or the server cannot be asked.
        WorkflowQueryFailedError: it does not know the question, or failed at it.
    """
    try:
        seen: Seen = await client.get_workflow_handle(workflow_id).query(
            query,
            args=arguments,
            result_type=result,
            reject_condition=QueryRejectCondition.NOT_OPEN,
            rpc_timeout=patience,
        )
    except WorkflowQueryRejectedError as closed:
        if closed.status is WorkflowExecutionStatus.CONTINUED_AS_NEW:
            # While the question was on its way it went on under the same id: that one is open.
            return await ask_open(client, workflow_id, query, result, patience, arguments)
        return None
    except RPCError as problem:
        if problem.status is RPCStatusCode.NOT_FOUND:
            return None
        raise
    return seen


async def ensure_started(
    client: Client,
    name: str,
    request: BaseModel,
    workflow_id: str,
    summary: str,
    *,
    signal: tuple[str, Any] | None = None,
    memo: Mapping[str, Any] | None = None,
) -> None:
    """Start it unless it runs; ``signal`` (name, payload) reaches it either way."""
    await client.start_workflow(
        name,
        request,
        id=workflow_id,
        task_queue=api.TASK_QUEUE,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        start_signal=signal[0] if signal else None,
        start_signal_args=[signal[1]] if signal else [],
        static_summary=summary,
        memo=memo,
    )


def ask(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, Value]) -> Value:
    """Run on the worker's event loop from an activity's thread, which stays open to cancellation."""
    future = asyncio.run_coroutine_threadsafe(work, loop)
    try:
        while True:
            try:
                return future.result(timeout=0.5)
            except FutureTimeoutError:
                # A coroutine's own TimeoutError has the same class: only ours leaves the future running.
                if future.done():
                    raise
    finally:
        future.cancel()
