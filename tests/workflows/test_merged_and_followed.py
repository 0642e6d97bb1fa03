"""A run merges by itself, and Control sees to the rest: FollowUp, and Rollback when it must (issue: FollowUp)."""

from __future__ import annotations

import asyncio

from aftermath import hasten
from checker import check_world
from world import World

from contracts.admission import RunResult
from contracts.modes import Mode, RunStatus
from contracts.rollback import FollowUpEnd, RollbackOutcome, RollbackResult
from demo.production import Production, served
from tests.workflows import auto
from workflows import api


async def merged_by_itself(world: World) -> RunResult:
    """A run with a clearance to merge, to its end."""
    await auto.opened(world)
    result = await world.run("auto")
    assert RunStatus.MERGED is result.status, result.reason
    return result


async def followed(world: World, run_id: str) -> FollowUpEnd:
    """How the ``FollowUp`` that Control started ended."""
    handle = world.client.get_workflow_handle(api.follow_up_id(run_id), result_type=FollowUpEnd)
    await world.until(handle.describe)
    return await asyncio.wait_for(handle.result(), 90)


async def test_a_merge_is_followed_until_it_proved_healthy(world: World) -> None:
    """Nobody starts anything by hand; a healthy merge stays, and so does the mode."""
    auto.permit(world)
    hasten(world, write_seconds=30)
    auto.add_target(world)
    async with world.worker(auto.quick(world)):
        result = await merged_by_itself(world)
        landed = auto.base(world)
        end = await followed(world, result.run_id)
        assert "healthy" == end.outcome, end
        view = await world.status("auto")
        assert (landed, Mode.SELECTIVE_AUTO, ()) == (auto.base(world), view.mode, view.rollbacks)
        await check_world(world, at_least=1)


async def test_a_merge_that_breaks_production_is_rolled_back(world: World) -> None:
    """6.3, 8, P11: green on the canary, red on the base, confirmed, ours: back to the identical tree, in DRY_RUN."""
    auto.permit(world)
    hasten(world, write_seconds=30)
    auto.add_target(world)
    before = auto.tree(world, "main")
    with served(Production.of(world.root / "auto.git")) as url:
        world.write_target("auto", f'{auto.CHECKS}\n[[probes]]\nname = "production"\nurl = "{url}"\n')
        async with world.worker(auto.quick(world)):
            result = await merged_by_itself(world)
            end = await followed(world, result.run_id)
            assert "regression" == end.outcome, end
            handle = world.client.get_workflow_handle(api.rollback_id(result.run_id), result_type=RollbackResult)
            await world.until(handle.describe)
            back = await asyncio.wait_for(handle.result(), 90)
            assert RollbackOutcome.RESTORED is back.outcome, back.reason
            assert before == auto.tree(world, "main") == back.restored_tree
            assert Mode.DRY_RUN is (await world.status("auto")).mode
            await check_world(world, at_least=1)
