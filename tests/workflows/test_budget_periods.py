"""Months of budget periods on the real server, whose clock for Control jumps (runbook §6.4; issue 4: time-skipping)."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from temporalio.testing import TimeSkipper
from world import World

from contracts.admission import RunResult
from contracts.budget import BudgetView, Period
from contracts.modes import RunStatus, TargetStatus
from tests.workflows.paying import Payer, alerts, caps
from tests.workflows.quick import add_target
from workflows import api
from workflows.control.budget_book import end_of, key_of

ZONE = "UTC"
WIDE = {"usd_per_run": 10} | {f"usd_per_{name}": 1000 for name in ("day", "week", "month")}

COSTS = {"planning": 5.0, "coding": 3.0, "review": 2.7}
"""USD a question, triaging's is 0.5: a run has cost 5.5 when it is planned, 8.5 when it is coded, 11.2 in the end."""


async def forward(world: World, period: Period, share: float) -> str:
    """Let Control's clock run through this share of what is left of the period (above 1: into the next); its key."""
    skipper, control = TimeSkipper(world.client), world.control("quick")
    now = await skipper.get_current_time(control)
    left = end_of(period, now, ZONE) - now
    await skipper.fast_forward(control, left * share if share < 1 else left + timedelta(hours=1))
    return key_of(period, await skipper.get_current_time(control), ZONE)


async def dry(world: World) -> RunResult:
    """One more run; it costs what any other does, and its idea stays."""
    return await world.run("quick", mode="DRY_RUN", again=True)


@pytest.mark.parametrize(
    "period", [Period.DAY, *(pytest.param(longer, marks=pytest.mark.sweep) for longer in (Period.WEEK, Period.MONTH))]
)
async def test_6_4_a_used_up_period_blocks_and_the_next_one_lifts(world: World, period: Period) -> None:
    """§6.4, §9: refused until the period ends, never PAUSED; each threshold alerts once in every period."""
    rounds = 2
    caps(world, 1.0, **WIDE | {f"usd_per_{period}": 10})
    add_target(world, "quick")
    keys: list[str] = []
    seen: list[tuple[RunStatus, ...]] = []
    async with world.worker(Payer(**COSTS).bench(world)):
        for _ in range(rounds):
            first, second = await dry(world), await dry(world)
            keys.append(await forward(world, period, 0.5))
            third = await dry(world)
            assert f"caps.usd_per_{period}: 11.2 of 10 usd" in third.reason
            assert TargetStatus.ACTIVE is (await world.status("quick")).status
            seen.append((first.status, second.status, third.status))
            await forward(world, period, 2)

        async def told() -> bool:
            return len(alerts(world)) >= 3 * rounds

        await world.until(told)

        async def lifted() -> BudgetView | None:
            view: BudgetView = await world.control("quick").query(api.BUDGET, result_type=BudgetView)
            return view if view.blocked.allowed else None

        # The last period is over, and nobody asked since: the ledger shows it all the same.
        view = await world.until(lifted)

    assert [(RunStatus.DRY_RUN_COMPLETE, RunStatus.REFUSED, RunStatus.REFUSED)] * rounds == seen
    assert sorted(f"budget/quick/{key}/usd/{percent}" for key in keys for percent in (50, 80, 100)) == sorted(
        alerts(world)
    )
    assert rounds == len(set(keys))
    assert {0} == {line.spent for line in view.lines if line.period.startswith(f"{period}/") and line.measure == "usd"}


async def test_6_4_a_run_that_waits_for_money_goes_on_when_the_next_day_begins(world: World) -> None:
    """§6.4: "resume only after the cap is raised or the next period begins": nobody has to do anything."""
    caps(world, **WIDE | {"usd_per_run": 5, "usd_per_day": 5})
    add_target(world, "quick")
    async with world.worker(Payer().bench(world)):
        first = await dry(world)
        run = await world.start("quick", mode="DRY_RUN", again=True)

        async def held() -> Any:
            view = await world.state(run)
            return view.status is RunStatus.HELD and view.reason

        reason = await world.until(held)
        await forward(world, Period.DAY, 2)
        second: RunResult = await asyncio.wait_for(run.result(), 60)

    assert "caps.usd_per_day: 3.5 spent + 0 reserved + 2 at worst is more than 5" in reason
    assert [RunStatus.DRY_RUN_COMPLETE] * 2 == [first.status, second.status], second.reason


async def test_6_4_a_run_that_waits_for_money_too_long_ends_paused_without_an_incident(world: World) -> None:
    """§6.4: nobody raised the cap within ``hold_hours``: the run ends with the reason; the target needs no resume."""
    caps(world, **WIDE | {"usd_per_run": 3, "hold_hours": 0.5})
    add_target(world, "quick")
    async with world.worker(Payer().bench(world)):
        run = await world.start("quick", mode="DRY_RUN")

        async def held() -> bool:
            return (await world.state(run)).status is RunStatus.HELD

        await world.until(held)
        await TimeSkipper(world.client).fast_forward(run, timedelta(hours=1))
        result: RunResult = await asyncio.wait_for(run.result(), 60)
        view = await world.status("quick")

    assert RunStatus.PAUSED is result.status
    assert result.reason.startswith("held too long: caps.usd_per_run: 1.5 spent")
    assert (TargetStatus.ACTIVE, (), ()) == (view.status, view.incidents, view.active)
