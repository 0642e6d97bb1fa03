"""A reset in the UI gives signals and updates again (its default): what follows replays at any moment (P16)."""

from __future__ import annotations

import pytest
from replaying import replay
from temporalio.api.enums.v1 import EventType
from world import World

from contracts.control import StatusView
from contracts.modes import TargetStatus
from tests.workflows.conversation import open_target, pause
from tests.workflows.quick import quick
from tests.workflows.raw import reset
from tests.workflows.test_grouping import Story
from workflows import api

_GIVEN_AGAIN = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ADMITTED


async def woken(world: World, target: str = "demo") -> StatusView:
    """The status once Control has noticed the reset."""

    async def noticed() -> StatusView | None:
        view = await world.status(target)
        return view if any(known.reason == "reset by hand" for known in view.pauses) else None

    view: StatusView = await world.until(noticed)
    return view


@pytest.mark.parametrize("after", [0, 3])
async def test_a_control_that_was_reset_is_given_its_updates_again_and_goes_on(world: World, after: int) -> None:
    """Without a cache every task is a restart; a second reset is one more. Whatever it did replays."""
    async with world.worker(quick(world), max_cached_workflows=0, max_concurrent_workflow_task_polls=1):
        await open_target(world, "demo")
        await Story(world, "demo").tell_together(["admit"])
        await Story(world, "demo").tell_together(["finish"])
        before = await pause(world, "demo")
        for _ in range(2):
            await reset(world, api.control_id("demo"), after)
            view = await woken(world)
            assert (TargetStatus.PAUSED, True) == (view.status, view.epoch > before.epoch)
        after_all = await pause(world, "demo")
        history = await world.control().fetch_history()
    assert after_all.epoch > view.epoch
    assert _GIVEN_AGAIN in {event.event_type for event in history.events}
    await replay([history])
