"""P9 in whole runs: a run waits exactly where its money ends, and goes on exactly there."""

from __future__ import annotations

import asyncio
from typing import Any

from world import World

from contracts.admission import RunResult
from contracts.budget import Amounts, BudgetView, CapsRequest, CostStatement, Measure, Period
from contracts.control import Answer
from contracts.modes import Role, RunStatus
from tests.workflows.paying import Payer, alerts, caps
from workflows import api

EVERY = {"triaging", "planning", "coding", "review"}
"""Sensing measures, which costs nothing."""


async def ledger(world: World) -> BudgetView:
    """Query ``budget``."""
    return await world.control().query(api.BUDGET, result_type=BudgetView)


async def set_cap(world: World, cap: float, period: Period = Period.DAY, run_id: str = "") -> Answer:
    """A person raises a cap of money."""
    request = CapsRequest(
        expected_epoch=(await world.status()).epoch,
        period=period,
        measure=Measure.USD,
        cap=cap,
        run_id=run_id,
        reason="as agreed",
        actor="ann",
    )
    answer: Answer = await world.control().execute_update(api.SET_CAPS, request, result_type=Answer)
    return answer


async def held(world: World, handle: Any, step: str) -> str:
    """Wait until the run waits in a step; its reason."""

    async def waits() -> str:
        view = await world.state(handle)
        return view.reason if view.status is RunStatus.HELD and view.step == step else ""

    reason: str = await world.until(waits)
    return reason


async def test_6_4_a_run_at_its_cap_resumes_exactly_there(world: World) -> None:
    """Issue 4, 4: at a per-run cap the run checkpoints; a raised cap wakes it, and no step is done twice."""
    caps(world, usd_per_run=2.9)
    payer = Payer()
    async with world.worker(payer.bench(world)):
        handle = await world.start()
        reason = await held(world, handle, "code")
        assert "caps.usd_per_run: 1 spent + 0 reserved + 2 at worst is more than 2.9" in reason
        assert Role.CODING not in payer.asked
        [run] = (await world.status()).active
        assert (await set_cap(world, 20, Period.RUN, run.run_id)).accepted
        result: RunResult = await asyncio.wait_for(handle.result(), 60)
        view = await ledger(world)
    assert RunStatus.PR_OPENED is result.status, result.reason
    assert (1, 1, 1) == tuple(payer.asked.count(role) for role in (Role.TRIAGING, Role.PLANNING, Role.CODING))
    # Triage, plan, code, review; what is measured is no question to an agent.
    assert 2.0 == view.runs[0].total.usd
    assert () == view.reservations
    review = world.artifact(result.run_id, "run_report.json")["review"]
    assert (2.0, 400) == (review["costUsd"], review["costTokens"])
    assert "agent minutes, measured" in review["costNote"]


async def test_6_4_an_exhausted_day_refuses_the_next_run_until_its_cap_is_raised(world: World) -> None:
    """6.4: refused, not PAUSED; alert; ``budget_alert_report.json``; lifted by a person for the present period."""
    caps(world, usd_per_run=10, usd_per_day=10)
    async with world.worker(Payer(review=8.5).bench(world)):
        first = await world.run()
        assert RunStatus.PR_OPENED is first.status, first.reason
        second = await world.run(again=True)
        assert RunStatus.REFUSED is second.status
        assert "caps.usd_per_day: 10" in second.reason
        assert "ACTIVE" == (await world.status()).status

        async def reported() -> Any:
            return (await ledger(world)).reports

        [ref] = await world.until(reported)
        assert (await set_cap(world, 30)).accepted
        third = await world.run(again=True, mode="DRY_RUN")
        assert third.status in {RunStatus.DRY_RUN_COMPLETE, RunStatus.NOTHING_TO_DO}, third.reason

        async def alerted() -> bool:
            return any(each.endswith("/usd/100") for each in alerts(world))

        await world.until(alerted)
    report = world.artifact(first.run_id, ref.name)
    assert ("usd", first.run_id) == (report["measure"], report["biggestRuns"][0]["runId"])
    assert report["liftedBy"]
    assert ref.address.endswith(ref.name)


async def test_an_unknown_cost_holds_until_a_person_states_it(world: World) -> None:
    """P9: a backend that says NaN leaves the cost unknown; the run waits at its next step, and says for whom."""
    caps(world, usd_per_run=10)
    payer = Payer(triaging=float("nan"))
    async with world.worker(payer.bench(world)):
        handle = await world.start()
        reason = await held(world, handle, "plan")
        [unknown] = (await ledger(world)).reservations
        assert f"starter.py budget state-cost demo {unknown.key}" in reason
        assert "nan USD" in unknown.note
        refused = await world.run(again=True)
        assert RunStatus.REFUSED is refused.status
        statement = CostStatement(key=unknown.key, cost=Amounts(usd=1), evidence="the bill", actor="ann")
        answer: Answer = await world.control().execute_update(api.STATE_COST, statement, result_type=Answer)
        assert answer.accepted
        result: RunResult = await asyncio.wait_for(handle.result(), 60)
    assert RunStatus.PR_OPENED is result.status, result.reason
    assert 1 == payer.asked.count(Role.TRIAGING)


async def test_a_terminated_control_finds_its_ledger_in_the_audit_log(world: World) -> None:
    """Break-glass: who terminates Control does not get a new day's money."""
    caps(world, usd_per_run=10)
    async with world.worker(Payer().bench(world)):
        await world.run()

        async def logged() -> bool:
            log = world.settings.artifacts / "targets" / "demo" / "audit_log.jsonl"
            return log.read_text().count('"cost booked"') == len(EVERY)

        await world.until(logged)
        before = {line.period: line.spent for line in (await ledger(world)).lines if line.measure is Measure.USD}
        await world.control().terminate("by hand")
        await world.run(again=True)

        async def recovered() -> bool:
            lines = (await ledger(world)).lines
            return before == {line.period: line.spent for line in lines if line.measure is Measure.USD}

        await world.until(recovered)
    assert set(before.values()) == {2.0}
