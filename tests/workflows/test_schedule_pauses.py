"""§7: a target's Schedule is paused while the target is; it is convenience, and the gate is the brake."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio.client import ScheduleBackfill, ScheduleOverlapPolicy
from world import World

import composition
from contracts.control import InstallationNotice
from contracts.modes import RunStatus, TargetStatus
from tests.workflows.books import Books, on_the_ladder
from tests.workflows.conversation import open_target, pause, pause_all, resume, resume_all, until_status
from tests.workflows.quick import add_target, quick
from tests.workflows.test_schedules import daily, scheduled
from workflows import api
from workflows.control import pausing


def told(books: Books) -> str:
    """What the Schedule is told now, and that it was."""
    given = pausing.schedule_due(books.state)
    if given is None:
        return ""
    pausing.schedule_begun(books.state, given)
    pausing.schedule_synced(books.state, given, books.state.epoch)
    return f"{'pause' if given.paused else 'go on'}: {given.reason.rpartition(' (')[0] or given.reason}"


def test_7_what_the_schedule_is_told() -> None:
    """Not before registration; with each pause its reason; nothing while resuming; on only with ACTIVE."""
    books = Books()
    assert "" == told(books)
    books.opened()
    assert "" == told(books)
    books.pause()
    assert "pause: target pause by ann: smoke in the room" == told(books)
    assert "" == told(books)
    books.notice(10**14, TargetStatus.PAUSED)
    assert "pause: target pause by ann: smoke in the room; installation pause by ann: all stop" == told(books)
    books.notice(10**14 + 1, TargetStatus.ACTIVE)
    assert "" == told(books)
    assert books.resume().accepted
    assert "" == told(books)
    books.finish(books.smoke().run_id, RunStatus.NOTHING_TO_DO)
    assert told(books).startswith("go on: resumed, epoch")
    assert "" == told(books)


def test_7_a_failed_smoke_pauses_it_anew_with_the_new_reason() -> None:
    """The note tells the present reason."""
    books = on_the_ladder()
    books.state.schedule_paused, books.state.schedule_epoch = True, books.state.epoch - 1
    books.finish(books.smoke().run_id, RunStatus.FAILED)
    assert TargetStatus.PAUSED is books.state.status
    assert "pause: target pause by resume ladder: the smoke ended FAILED: see its report" == told(books)


def test_7_an_answer_that_was_lost_is_asked_for_again() -> None:
    """What was begun may have happened: a resume takes it back."""
    books = Books().opened()
    books.pause()
    given = pausing.schedule_due(books.state)
    assert given is not None
    pausing.schedule_begun(books.state, given)
    assert pausing.schedule_due(books.state) is not None
    assert books.resume().accepted
    books.finish(books.smoke().run_id, RunStatus.NOTHING_TO_DO)
    assert told(books).startswith("go on")


@pytest.mark.parametrize("notice", [InstallationNotice(epoch=1, status=TargetStatus.PAUSED, reason="r" * 5000)])
def test_7_a_long_reason_makes_a_short_note(notice: InstallationNotice) -> None:
    """The server bounds notes."""
    books = Books().opened()
    books.notice(10**14, TargetStatus.PAUSED)
    books.state.pauses[0] = books.state.pauses[0].model_copy(update={"reason": notice.reason})
    given = pausing.schedule_due(books.state)
    assert given is not None
    assert len(given.reason) <= 500


async def note(world: World, paused: bool, begins: str = "", of: str = api.schedule_id("quick")) -> str:
    """The Schedule's note, once it is paused or not, and its note begins so."""
    handle = world.client.get_schedule_handle(of)

    async def reached() -> Any:
        state = (await handle.describe()).schedule.state
        return state.paused is paused and (state.note or "").startswith(begins) and (state.note or " ")

    found: str = await world.until(reached, 20)
    return found


async def test_7_the_schedule_is_paused_and_unpaused_with_the_target_and_the_gate_refuses_by_itself(
    world: World,
) -> None:
    """By target and by installation; trigger and backfill start runs even so, and each is refused."""
    add_target(world, "quick")
    async with world.worker(quick(world)):
        await open_target(world, "quick")
        schedule, expansion = await daily(world, paused=False), api.source_expansion_id("quick")
        await composition.schedule_expansions(world.client, {"quick": "UTC"})
        await pause(world, "quick")
        of_target = await note(world, True, api.SCHEDULE_MARK)
        assert of_target == await note(world, True, api.SCHEDULE_MARK, expansion)
        await schedule.trigger()
        now = datetime.now(UTC)
        await schedule.backfill(
            ScheduleBackfill(start_at=now - timedelta(days=3), end_at=now, overlap=ScheduleOverlapPolicy.ALLOW_ALL)
        )
        refused = await scheduled(world, 4)
        assert (await resume(world, "quick")).accepted
        await until_status(world, "quick", TargetStatus.ACTIVE)
        resumed = await note(world, False)
        assert resumed == await note(world, False, of=expansion)
        await world.client.get_schedule_handle(expansion).delete()
        await pause_all(world)
        of_all = await note(world, True, f"{api.SCHEDULE_MARK}installation pause by ann: drill")
        # One that is made meanwhile is paused as well, and goes on with the target.
        await composition.schedule_expansions(world.client, {"quick": "UTC"})
        assert await note(world, True, f"{api.SCHEDULE_MARK}PAUSED: drill", expansion)
        assert (await resume_all(world)).accepted
        await until_status(world, "quick", TargetStatus.ACTIVE)
        await note(world, False)
        await note(world, False, of=expansion)
        await schedule.trigger()
        after = await scheduled(world, 5)

    assert of_target.startswith(f"{api.SCHEDULE_MARK}target pause by ann: drill (epoch ")
    assert resumed.startswith("resumed, epoch")
    assert of_all
    assert {RunStatus.REFUSED} == {result.status for result in refused}
    assert all("PAUSED" in result.reason and "drill" in result.reason for result in refused)
    assert 1 == sum(result.status is RunStatus.PR_OPENED for result in after)


async def test_7_a_persons_own_schedule_pause_stays(world: World) -> None:
    """Only what we paused goes on by itself."""
    add_target(world, "quick")
    async with world.worker(quick(world)):
        await open_target(world, "quick")
        schedule = await daily(world, paused=False)
        await schedule.pause(note="holidays (ann)")
        await pause(world, "quick")
        while_paused = await minded(world, 1)
        assert (await resume(world, "quick")).accepted
        resumed = await minded(world, 2)
        state = (await schedule.describe()).schedule.state

    assert (True, "holidays (ann)") == (state.paused, state.note)
    assert ["a person's pause stays"] * 3 == [*while_paused, *resumed]


async def test_7_no_schedule_at_all_is_no_trouble(world: World) -> None:
    """Most targets of a test have none; pause and resume go as ever."""
    add_target(world, "quick")
    async with world.worker(quick(world)):
        await open_target(world, "quick")
        await pause(world, "quick")
        await minded(world, 1)
        assert (await resume(world, "quick")).accepted
        await until_status(world, "quick", TargetStatus.ACTIVE)
        told = await minded(world, 2)

    assert ["there is none"] * 2 == told


async def minded(world: World, times: int) -> list[str]:
    """What Control's chore said, once it was done so often."""

    async def done() -> Any:
        events = [event async for event in world.control("quick").fetch_history_events()]
        ours = {
            event.event_id
            for event in events
            if event.activity_task_scheduled_event_attributes.activity_type.name == "mind_schedule"
        }
        ended = [
            json.loads(event.activity_task_completed_event_attributes.result.payloads[0].data)["done"]
            for event in events
            if event.activity_task_completed_event_attributes.scheduled_event_id in ours
        ]
        return len(ended) >= times and ended

    found: list[str] = await world.until(done)
    return found
