"""A Schedule, the starter and a person at the UI pass the same admission: one day, one run."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

from temporalio.client import (
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleBackfill,
    ScheduleCalendarSpec,
    ScheduleHandle,
    ScheduleOverlapPolicy,
    ScheduleRange,
    ScheduleSpec,
    ScheduleState,
)
from world import World

from contracts.admission import RunResult
from contracts.modes import RunStatus
from tests.workflows.conversation import open_target, pause
from tests.workflows.quick import add_target, quick
from workflows import api


async def daily(world: World, *, paused: bool = True) -> ScheduleHandle:
    """Six in the morning, every day; by default paused, so that only the tests make it act."""
    return await world.client.create_schedule(
        api.schedule_id("quick"),
        Schedule(
            action=ScheduleActionStartWorkflow(
                api.DAILY_RUN, {"target": "quick", "actor": "schedule"}, id="scheduled", task_queue=api.TASK_QUEUE
            ),
            spec=ScheduleSpec(calendars=[ScheduleCalendarSpec(hour=[ScheduleRange(6)])]),
            state=ScheduleState(paused=paused),
        ),
    )


async def scheduled(world: World, wanted: int) -> list[RunResult]:
    """Results of the runs the Schedule started, once there are so many."""

    async def found() -> Any:
        listed = [each async for each in world.client.list_workflows('WorkflowId STARTS_WITH "scheduled"')]
        return listed if len(listed) >= wanted else None

    handles = [world.client.get_workflow_handle(each.id, result_type=RunResult) for each in await world.until(found)]
    return [await asyncio.wait_for(handle.result(), 60) for handle in handles]


async def test_schedule_starter_and_ui_at_once_make_one_run(world: World) -> None:
    """Whatever the workflow ids are: the target, kind, mode, date and attempt are the same."""
    add_target(world, "quick")
    async with world.worker(quick(world)):
        schedule = await daily(world)
        starter, by_hand, _ = await asyncio.gather(
            world.run("quick", actor="ann"),
            world.client.execute_workflow(
                api.DAILY_RUN, "quick", id="anything I like", task_queue=api.TASK_QUEUE, result_type=RunResult
            ),
            schedule.trigger(),
        )
        results = [starter, by_hand, *await scheduled(world, 1)]

    assert [RunStatus.ALREADY_RAN, RunStatus.ALREADY_RAN, RunStatus.PR_OPENED] == sorted(
        result.status for result in results
    )
    assert 1 == len({result.run_id for result in results})
    assert 1 == len(world.pulls("quick"))


async def test_a_backfill_of_many_days_makes_one_run_of_today(world: World) -> None:
    """A run is of the day it really starts: an outage never becomes a heap of runs."""
    add_target(world, "quick")
    async with world.worker(quick(world)):
        schedule = await daily(world)
        now = datetime.now(UTC)
        await schedule.backfill(
            ScheduleBackfill(start_at=now - timedelta(days=4), end_at=now, overlap=ScheduleOverlapPolicy.ALLOW_ALL)
        )
        results = await scheduled(world, 4)

    assert 4 == len(results)
    assert 1 == sum(result.status is RunStatus.PR_OPENED for result in results)
    assert {RunStatus.PR_OPENED, RunStatus.ALREADY_RAN} == {result.status for result in results}


async def test_a_schedule_starts_nothing_in_a_paused_target(world: World) -> None:
    """P1: the Schedule goes on ticking; admission refuses."""
    add_target(world, "quick")
    async with world.worker(quick(world)):
        await open_target(world, "quick")
        await pause(world, "quick")
        schedule = await daily(world)
        await schedule.trigger()
        results = await scheduled(world, 1)

    assert [(RunStatus.REFUSED, True)] == [(result.status, "drill" in result.reason) for result in results]
    assert [] == world.autonomy_branches("quick")
