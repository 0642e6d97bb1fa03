"""A target's Temporal Schedule, paused and continued with the target (runbook §7)."""

from datetime import timedelta

from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from workflows import api

_PATIENCE = timedelta(seconds=20)


async def sync_schedule(client: Client, target: str, *, paused: bool, reason: str) -> str:
    """Pause with a note of ours, or take back exactly such a pause; what was done, in words.

    A Schedule that a person paused keeps their note and stays paused: only its note tells whose pause it is.
    """
    handle = client.get_schedule_handle(api.schedule_id(target))
    try:
        state = (await handle.describe(rpc_timeout=_PATIENCE)).schedule.state
        ours = (state.note or "").startswith(api.SCHEDULE_MARK)
        if state.paused and not ours:
            return "a person's pause stays"
        note = f"{api.SCHEDULE_MARK}{reason}"
        if paused and not (state.paused and state.note == note):
            await handle.pause(note=note, rpc_timeout=_PATIENCE)
            return "paused"
        if not paused and state.paused:
            await handle.unpause(note=reason, rpc_timeout=_PATIENCE)
            return "goes on"
    except RPCError as problem:
        if problem.status is RPCStatusCode.NOT_FOUND:
            return "there is none"
        raise
    return "nothing to do"
