"""The worker dies in a source expansion; nothing that was fetched is lost, and nothing is fetched twice."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from checker import check_world
from shell import shell_of
from supervisor import WORKER, Supervisor
from test_crash_points import REVIEW, TRIALS

from activities.governance.kept_proposals import KeptProposals
from contracts.governance import ReviewKept
from contracts.modes import RunStatus, TargetStatus
from contracts.source import Grade, SourceBook
from tests.workflows import test_file_sources as file_sources
from tests.workflows.test_source_expansion import CHECK, FILES, served, start
from workflows import api

if TYPE_CHECKING:
    from world import World


async def is_tried_once(world: World, *points: str) -> None:
    """One trial of three fetches, by a worker that dies at each of the points, in this order."""
    world.add_target("days", FILES, CHECK)
    asked: list[str] = []
    with served(world, "feast", asked=asked):
        async with Supervisor(world, points, WORKER) as supervisor:
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


async def test_11_a_review_is_made_once_whenever_the_worker_dies(world: World) -> None:
    """Two deaths of one step, and everybody paused: it writes to no repository and costs nothing, so it goes on."""
    world.add_target("days", FILES, CHECK)
    shell = shell_of(world)
    async with Supervisor(world, REVIEW, WORKER) as supervisor:
        await shell.typed("pause", "--all", "--reason", "a drill")
        asked = {"days": 7}
        place = f"{api.GOVERNANCE_REVIEW_ID}/deaths"
        handle = await world.client.start_workflow(
            api.GOVERNANCE_REVIEW, asked, id=place, task_queue=api.TASK_QUEUE, result_type=ReviewKept
        )
        kept = await asyncio.wait_for(handle.result(), 120)
        assert [] == supervisor.missed
        assert TargetStatus.PAUSED is (await world.installation()).status
    store = world.bench().store
    (folder,) = (world.settings.artifacts / "runs").glob("GR-*")
    assert ["governance_review.html", "governance_review.json"] == list(store.names(folder.name))
    assert kept.sentence == world.artifact(folder.name, "governance_review.json")["sentence"]
    assert kept.page == store.find(folder.name, "governance_review.html")


async def test_bad_input_what_control_was_told_counts_once_whenever_the_worker_dies(world: World) -> None:
    """P7: dead between telling Control of a breach and the end of Sensing; told again, it is one use, not two in a row.

    One more would demote it. The run goes on with the fallback, and somebody hears of it once.
    """
    world.add_target("days", file_sources.FILES, file_sources.CHECK)
    with file_sources.served(world) as says:
        says.clear()
        file = world.settings.policies / "sources.toml"
        file.write_text(file.read_text().replace("sustained = 1", "sustained = 2"))
        async with Supervisor(world, ["sense.before_done"], WORKER) as supervisor:
            result = await asyncio.wait_for((await world.start("days")).result(), 85)
            assert [] == supervisor.missed
            book = await world.control("days").query(api.SOURCES, result_type=SourceBook)
            await check_world(world, at_least=0)
    assert RunStatus.NOTHING_TO_DO is result.status, result.reason
    record = book.of("days")
    assert (Grade.BREACH, 1, None, result.run_id) == (record.grade, record.breaches, record.lowered, record.run_id)
    sensed = [each for each in world.artifact(result.run_id, "run_report.json")["steps"] if each["step"] == "sense"]
    assert ["spare stands in for days: status 503" in each["verdict"]["reason"] for each in sensed] == [True]


@pytest.mark.sweep
@pytest.mark.parametrize("point", TRIALS)
async def test_sweep(world: World, point: str) -> None:
    """Every point alone."""
    await is_tried_once(world, point)
