"""The worker dies in a run of several rounds: it ends as without the death, and each exchange is booked, once (P9)."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import three_rounds
from checker import check_world
from supervisor import Supervisor, the_end
from test_crash_points import EXCHANGE, SPENDING
from three_rounds import TARGET
from world import git

from adapters.store.chained_log import ChainedLog
from contracts.budget import BudgetView
from contracts.modes import RunStatus
from demo.scripted_model import ScriptedModel
from workflows import api

if TYPE_CHECKING:
    from conftest import MakeWorld
    from world import World

COUNTING_WORKER = str(Path(__file__).with_name("counting_worker.py"))
PAYING_STEPS = 2 + 2 * 3
"""Triage, plan, and in each round Coding and Review: what passes the points of spending."""
EVERY = (
    *(f"{step}.{at}_done@{n}" for step in ("code", "review", "check") for at in ("before", "after") for n in (1, 2, 3)),
    *(f"{point}@{n}" for point in SPENDING for n in range(3, PAYING_STEPS + 1)),
    *(f"{point}@{n}" for point in EXCHANGE for n in range(1, three_rounds.EXCHANGES + 1)),
)
HANDED_OVER = {point for point in EVERY if point.startswith("code.")}
HANDED_OVER |= {f"{point}@{n}" for point in SPENDING[1:] for n in (3, 5, 7)}
HANDED_OVER |= {point for point in EVERY if point.startswith("check.")}
"""Where the coder's tree is kept, and the review: nobody is asked again."""


async def ends_as_ever(world: World, *points: str) -> None:
    """Three rounds by a worker that dies at each of the points."""
    three_rounds.add_target(world)
    with ScriptedModel(decide=three_rounds.answer) as model:
        three_rounds.appoint(world, model.url)
        async with Supervisor(world, points, COUNTING_WORKER) as supervisor:
            handle = await world.start(TARGET)
            result = await the_end(handle)
            assert RunStatus.PR_OPENED is result.status, result.reason
            assert [] == supervisor.missed
            assert [-9] * len(points) == supervisor.deaths
            await check_world(world, started=[handle.id])
            view = await world.control(TARGET).query(api.BUDGET, result_type=BudgetView)
    # Rounds are counted exactly, in the report and in the audit log, and what passed the last one is the change.
    report = world.artifact(result.run_id, "run_report.json")
    assert three_rounds.STEPS == [s["step"] for s in report["steps"] if s["step"] in three_rounds.STEPS]
    records = list(ChainedLog(world.settings.artifacts).records(f"run/{result.run_id}"))
    assert ["code/done", "code/round-2/done", "code/round-3/done"] == [
        each.key for each in records if each.event == "code done"
    ]
    [pull] = world.pulls(TARGET)
    assert "STAGE = 3" in git("show", f"{pull['headSha']}:basket.py", cwd=world.root / f"{TARGET}.git")
    # A round begins from the tree that the one before handed over; only an attempt that died in it loses its own step.
    began = three_rounds.stages(model.received)
    back = [after - before for before, after in itertools.pairwise(began) if after < before]
    assert [-1] * len(back) == back
    assert len(back) <= sum(point.startswith("exchange.") for point in points)
    # Whatever an agent left is named in the audit log by its digest.
    told = {str(each.facts.get("artifact")) for each in records}
    assert {f"agent/{path.name}" for path in _left(world, result.run_id)} <= told
    unseen = sum(point.startswith("exchange.after_reserve") for point in points)
    again = len(model.received) - three_rounds.EXCHANGES
    died = sum(point.partition("@")[0] in EXCHANGE[1:4] for point in points)
    assert (died, 0) == three_rounds.paid_once(world, view, len(model.received), unseen=unseen)
    assert again <= 2 * sum(point not in HANDED_OVER for point in points), "what was handed over is paid for once"


def _left(world: World, run_id: str) -> list[Path]:
    folder = world.settings.artifacts / "runs" / run_id / "agent"
    return [path for path in folder.iterdir() if path.name != "partial.bundle"]


async def test_three_rounds_end_as_ever_whenever_the_worker_dies(make: MakeWorld) -> None:
    """After the first tree is handed over, in the second round's exchange, before the third is reviewed."""
    await ends_as_ever(
        await make("world", reap_seconds=600), "code.before_done@1", "exchange.midway@3", "code.after_done@2"
    )


@pytest.mark.sweep
@pytest.mark.timeout(1800)  # What stands still is red long before.
@pytest.mark.parametrize("point", EVERY)
async def test_sweep(make: MakeWorld, point: str) -> None:
    """Every point alone, each time that a run passes it."""
    await ends_as_ever(await make("world", reap_seconds=600), point)
