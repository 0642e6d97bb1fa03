"""Starting the ``Dashboards`` workflow, and asking it for a look now."""

from __future__ import annotations

from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy

from workflows import api
from workflows.dashboards_state import DashboardsState

_SUMMARY = "The dashboard ticket of every target, kept by edit"


async def start_dashboards(client: Client) -> None:
    """Make sure that the workflow runs."""
    await client.start_workflow(
        api.DASHBOARDS,
        DashboardsState(),
        id=api.DASHBOARDS_ID,
        task_queue=api.TASK_QUEUE,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        static_summary=_SUMMARY,
    )


async def refresh_dashboards(client: Client, target: str) -> None:
    """A look at one target's ticket now, whether or not the workflow runs already."""
    await client.start_workflow(
        api.DASHBOARDS,
        DashboardsState(),
        id=api.DASHBOARDS_ID,
        task_queue=api.TASK_QUEUE,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        start_signal=api.REFRESH,
        start_signal_args=[target],
        static_summary=_SUMMARY,
    )
