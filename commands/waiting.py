"""What active runs wait for, asked of each of them; one that nobody can ask is left out, and keeps nobody waiting."""

import asyncio
from datetime import timedelta

from temporalio.client import Client
from temporalio.service import RPCError

from commands.conversations import run_view
from commands.failures import NoAnswer
from contracts.admission import RunRecord
from contracts.control import StatusView

_PATIENCE = timedelta(seconds=5)


async def waiting_runs(client: Client, view: StatusView) -> dict[str, str]:
    """Each active run that waits, and for what: the checks, the commit, since when, until when, the next look."""
    found = await asyncio.gather(*(_reason(client, run) for run in view.active))
    return {run.run_id: reason for run, reason in zip(view.active, found, strict=True) if reason}


async def _reason(client: Client, run: RunRecord) -> str:
    handle = client.get_workflow_handle(run.workflow_id, run_id=run.workflow_run_id)
    try:
        view = await run_view(handle, _PATIENCE)
    except (NoAnswer, RPCError):
        return ""
    return view.reason if view.awaits else ""
