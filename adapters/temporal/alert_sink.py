"""Handing alerts to the ``Alerts`` workflow, from synchronous activities."""

import asyncio
from datetime import timedelta

from temporalio.client import (
    Client,
    WithStartWorkflowOperation,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.service import RPCError

from adapters.temporal.open_workflow import ask, ensure_started
from contracts.alert import Alert, RaiseAnswer
from ports.alerts import AlertsUnavailable
from workflows import api
from workflows.installation.alert_rules import AlertsState

_PATIENCE = timedelta(seconds=20)
_SUMMARY = "Every alert of the installation, its receipts, and the watch"


class TemporalAlertSink:
    """Implements ``ports.alerts.AlertSink``; starts the workflow if it is not there."""

    def __init__(self, client: Client, loop: asyncio.AbstractEventLoop) -> None:
        self._client = client
        self._loop = loop

    def send(self, alert: Alert) -> None:
        """Returns when the workflow has it in its history, or raises ``AlertsUnavailable``."""
        try:
            answer = ask(self._loop, raise_alert(self._client, alert))
        except (RPCError, WorkflowUpdateFailedError, WorkflowUpdateRPCTimeoutOrCancelledError, TimeoutError) as problem:
            raise AlertsUnavailable(f"the alert could not be handed over: {problem}") from problem
        if not answer.taken:
            raise AlertsUnavailable(f"the alert was not taken: {answer.reason}")


async def raise_alert(client: Client, alert: Alert) -> RaiseAnswer:
    """Raise one alert: update-with-start."""
    # The operation belongs to the running loop and to one call: it is made here, in the coroutine.
    start: WithStartWorkflowOperation[object, object] = WithStartWorkflowOperation(
        api.ALERTS,
        AlertsState(),
        id=api.ALERTS_ID,
        task_queue=api.TASK_QUEUE,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        static_summary=_SUMMARY,
    )
    answer: RaiseAnswer = await client.execute_update_with_start_workflow(
        api.RAISE, alert, result_type=RaiseAnswer, start_workflow_operation=start, rpc_timeout=_PATIENCE
    )
    return answer


async def start_alerts(client: Client) -> None:
    """Make sure that the workflow runs: the watch must not wait for a first alert."""
    await ensure_started(client, api.ALERTS, AlertsState(), api.ALERTS_ID, _SUMMARY)
