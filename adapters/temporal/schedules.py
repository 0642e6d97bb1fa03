"""Temporal Schedules: a target's, paused and continued with the target (runbook §7), and the weekly review's (§11)."""

from datetime import timedelta

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
)
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


async def schedule_reviews(client: Client) -> None:
    """Make sure that the governance review is made every Monday; who wants another time changes the Schedule.

    A review that was missed for less than a day, as no worker ran, is made up for.
    """
    weekly = Schedule(
        action=ScheduleActionStartWorkflow(
            api.GOVERNANCE_REVIEW,
            {},
            id=api.GOVERNANCE_REVIEW_ID,
            task_queue=api.TASK_QUEUE,
            static_summary="the weekly governance review",
        ),
        spec=ScheduleSpec(calendars=[ScheduleCalendarSpec(day_of_week=[ScheduleRange(1)], hour=[ScheduleRange(6)])]),
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=timedelta(days=1)),
    )
    try:
        await client.create_schedule(api.GOVERNANCE_REVIEW_ID, weekly, rpc_timeout=_PATIENCE)
    except ScheduleAlreadyRunningError:
        return
