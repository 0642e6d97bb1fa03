"""How a workflow was ended by force: it still answers queries, with what was true while it ran."""

from typing import Any

from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowHandle, WorkflowHistoryEventFilterType

from policies.counted import shortened

_BY_FORCE = {
    WorkflowExecutionStatus.TERMINATED: "terminated",
    WorkflowExecutionStatus.CANCELED: "cancelled",
    WorkflowExecutionStatus.FAILED: "ended by a failure",
    WorkflowExecutionStatus.TIMED_OUT: "timed out",
}


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
