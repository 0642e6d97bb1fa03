"""A flood of pauses is one pause: in force within seconds, and Control goes on answering (P1, P16)."""

from __future__ import annotations

import asyncio

import pytest
from temporalio.api.enums.v1 import EventType
from world import World

from adapters.temporal.commanded_tasks import PLAYED
from contracts.control import PauseRequest
from contracts.modes import TargetStatus
from tests.workflows.books import Books
from tests.workflows.conversation import open_target
from tests.workflows.quick import add_target, quick
from workflows import api
from workflows.control.state import KEPT_UNLOGGED, LOG_BATCH

SHOWN = EventType.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES
IN_FORCE_SECONDS = 15
"""Measured: under 3 on a quiet machine; it was never before."""


async def flood(world: World, workflow_id: str, count: int) -> None:
    """Send pauses as fast as the server takes them."""
    handle, at_once = world.client.get_workflow_handle(workflow_id), asyncio.Semaphore(100)

    async def one(number: int) -> None:
        async with at_once:
            await handle.signal(api.PAUSE, PauseRequest(reason=f"flood {number}", actor="x" * 100))

    await asyncio.gather(*(one(number) for number in range(count)))


@pytest.mark.parametrize("count", [2_000, pytest.param(9_990, marks=pytest.mark.sweep)])
async def test_pauses_that_waited_for_a_worker_are_in_force_within_seconds(world: World, count: int) -> None:
    """The last one counts. 10,000 signals are the most that the server takes for one run of a workflow."""
    add_target(world, "quick")
    async with world.worker(quick(world)):
        await open_target(world, "quick")
        before = (await world.control("quick").fetch_history()).events
    await flood(world, api.control_id("quick"), count)
    async with world.worker(quick(world)):

        async def quiescent() -> bool:
            view = await world.status("quick")
            return view.status is TargetStatus.PAUSED and view.quiescent

        await world.until(quiescent, IN_FORCE_SECONDS)
        first = world.client.get_workflow_handle(
            api.control_id("quick"),
            run_id=(await world.control("quick").describe()).raw_description.workflow_execution_info.first_run_id,
        )
        after = (await first.fetch_history()).events
    shown = [event for event in after[len(before) :] if event.event_type == SHOWN]
    assert len(shown) <= PLAYED, "published once per workflow task, not once per pause"


def test_a_flood_is_counted_in_the_log_and_its_latest_is_kept() -> None:
    """The batch that is being written stays as it is."""
    books = Books().opened()
    books.state.to_log.clear()
    for _ in range(LOG_BATCH + 50):
        books.pause()
    *batch, last = books.state.to_log
    assert LOG_BATCH == len(batch)
    assert [None] * LOG_BATCH == [event.facts.get("times") for event in batch]
    assert (50, books.state.epoch) == (last.facts["times"], last.facts["epoch"])
    books.state.log("something else")
    books.pause()
    assert [50, None, None] == [event.facts.get("times") for event in books.state.to_log[LOG_BATCH:]]
    assert len(books.state.to_log) < KEPT_UNLOGGED
