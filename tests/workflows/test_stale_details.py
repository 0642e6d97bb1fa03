"""What the server's UI shows as Control's current details is what ``status`` answers at the same moment."""

from __future__ import annotations

from temporalio.api.sdk.v1 import WorkflowMetadata
from world import World

from tests.workflows.conversation import open_target
from tests.workflows.quick import Turnstile, add_target, stopping


async def test_the_details_in_the_ui_name_the_run_that_works_and_the_one_that_waits(world: World) -> None:
    """An admission changes no status, and yet what the page says."""
    add_target(world, "quick")
    turnstile = Turnstile({"first": "preflight"})
    async with world.worker(stopping(world, turnstile)):
        await open_target(world, "quick")
        await world.start("quick", "first")
        await world.until(turnstile.all_reached())
        second = await world.start("quick", "second", again=True)

        async def queued() -> bool:
            return 1 == len((await world.status("quick")).queued)

        await world.until(queued)
        view = await world.status("quick")
        metadata = await world.control("quick").query("__temporal_workflow_metadata", result_type=WorkflowMetadata)
        turnstile.open()
        await second.result()
    told = metadata.current_details
    assert [] == [run.run_id for run in (*view.active, *view.queued) if run.run_id not in told], told
