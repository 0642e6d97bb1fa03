"""Temporal Schedules: a target's, paused and continued with it (runbook §7); weekly ones of reviews and expansions."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleCalendarSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleRange,
    ScheduleSpec,
    WorkflowQueryFailedError,
)
from temporalio.service import RPCError, RPCStatusCode

from adapters.temporal.open_workflow import ask_open
from contracts.control import StatusView
from contracts.modes import TargetStatus
from workflows import api

_PATIENCE = timedelta(seconds=20)
_NONE = "there is none"


async def sync_schedule(client: Client, target: str, *, paused: bool, reason: str) -> str:
    """Pause the daily one and the expansion's with a note of ours, or take back exactly such a pause; in words.

    A Schedule that a person paused keeps their note and stays paused: only its note tells whose pause it is.
    """
    daily = await _sync(client, api.schedule_id(target), paused=paused, reason=reason)
    weekly = await _sync(client, api.source_expansion_id(target), paused=paused, reason=reason)
    return daily if weekly == _NONE else f"{daily}; of the source expansion: {weekly}"


async def held(client: Client, target: str) -> str:
    """Why the target does not work now; empty when it does, or when nobody can say: admission refuses by itself."""
    try:
        view = await ask_open(client, api.control_id(target), api.STATUS, StatusView, _PATIENCE)
    except (RPCError, WorkflowQueryFailedError):
        return ""
    if view is None or view.status is TargetStatus.ACTIVE or not view.pauses:
        return ""
    return f"{view.status}: {view.pauses[-1].reason or 'no reason given'}"


async def _sync(client: Client, name: str, *, paused: bool, reason: str) -> str:
    handle = client.get_schedule_handle(name)
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
            return _NONE
        raise
    return "nothing to do"


async def schedule_reviews(client: Client) -> None:
    """Make sure that the governance review is made every Monday; who wants another time changes the Schedule."""
    start = {"workflow": api.GOVERNANCE_REVIEW, "arg": {}, "static_summary": "the weekly governance review"}
    await _made_once(client, api.GOVERNANCE_REVIEW_ID, start, hour=6)


async def schedule_expansions(client: Client, zones: Mapping[str, str]) -> None:
    """Make sure that each of these targets has its weekly source expansion, in its own time zone.

    On Mondays at five: no clock is changed then, so no week has none or two. One that still runs is let go on. Of a
    target that is paused it is made paused, and goes on with it.
    """
    for target, zone in zones.items():
        request = {"target": target, "actor": "schedule"}
        start = {"workflow": api.SOURCE_EXPANSION, "arg": request, "static_summary": f"source expansion of {target}"}
        name = api.source_expansion_id(target)
        if await _made_once(client, name, start, hour=5, zone=zone) and (why := await held(client, target)):
            await _sync(client, name, paused=True, reason=why)
            if not await held(client, target):
                # Resumed in between: Control has looked already, and found nothing to let go on.
                await _sync(client, name, paused=False, reason="the target was resumed")


async def _made_once(client: Client, name: str, start: Mapping[str, Any], hour: int, zone: str = "") -> bool:
    """False: it was there, and what a person changed of it stays. One missed for less than a day is made up for."""
    weekly = Schedule(
        action=ScheduleActionStartWorkflow(**start, id=name, task_queue=api.TASK_QUEUE),
        spec=ScheduleSpec(
            calendars=[ScheduleCalendarSpec(day_of_week=[ScheduleRange(1)], hour=[ScheduleRange(hour)])],
            time_zone_name=zone or None,
        ),
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=timedelta(days=1)),
    )
    try:
        await client.create_schedule(name, weekly, rpc_timeout=_PATIENCE)
    except ScheduleAlreadyRunningError:
        return False
    return True
