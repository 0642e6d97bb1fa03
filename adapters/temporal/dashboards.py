"""Starting the ``Dashboards`` workflow, and asking it for a look now."""

from temporalio.client import Client

from adapters.temporal.open_workflow import ensure_started
from workflows import api
from workflows.installation.dashboards import DashboardsState

_SUMMARY = "The dashboard ticket of every target, kept by edit"


async def start_dashboards(client: Client) -> None:
    """Make sure that the workflow runs."""
    await ensure_started(client, api.DASHBOARDS, DashboardsState(), api.DASHBOARDS_ID, _SUMMARY)


async def refresh_dashboards(client: Client, target: str) -> None:
    """A look at one target's ticket now, whether or not the workflow runs already."""
    look = (api.REFRESH, target)
    await ensure_started(client, api.DASHBOARDS, DashboardsState(), api.DASHBOARDS_ID, _SUMMARY, signal=look)
