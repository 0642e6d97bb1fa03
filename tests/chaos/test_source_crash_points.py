"""The worker dies in a source expansion; nothing that was fetched is lost, and nothing is fetched twice."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from checker import check_world
from supervisor import Supervisor
from test_crash_points import TRIALS

from activities.governance.kept_proposals import KeptProposals
from contracts.modes import RunStatus
from tests.workflows.test_source_expansion import CHECK, FILES, served, start

if TYPE_CHECKING:
    from world import World


async def is_tried_once(world: World, *points: str) -> None:
    """One trial of three fetches, by a worker that dies at each of the points, in this order."""
    world.add_target("days", FILES, CHECK)
    asked: list[str] = []
    with served(world, "feast", asked=asked):
        async with Supervisor(world, points) as supervisor:
            handle: Any = await start(world)
            result = await asyncio.wait_for(handle.result(), 60 + 25 * len(points))
            assert RunStatus.DRY_RUN_COMPLETE is result.status, result.reason
            assert [] == supervisor.missed
            await check_world(world, at_least=0)
    report = world.artifact(result.run_id, "source_trial_report.json")
    assert [1, 2, 3] == [each["number"] for each in report["fetches"]]
    # What was kept before a death is not asked for again.
    assert 3 == len(asked)
    assert 1 == len(KeptProposals(world.bench().store).open())


async def test_5_a_trial_goes_on_whenever_the_worker_dies(world: World) -> None:
    """P7: around a fetch's record, two deaths of one expansion; every point has its turn in the sweep."""
    await is_tried_once(world, "fetch_trial.before_done", "fetch_trial.after_done")


@pytest.mark.sweep
@pytest.mark.parametrize("point", TRIALS)
async def test_sweep(world: World, point: str) -> None:
    """Every point alone."""
    await is_tried_once(world, point)
