"""P1 with a model: after a pause is in force and quiescent no byte goes to it; after the resume the step goes on."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import three_rounds
from world import World

from contracts.budget import BudgetView
from contracts.modes import Role, RunStatus
from demo.scripted_model import Move, ScriptedModel
from tests.commands.test_charter import appointed
from tests.workflows.conversation import pause, resume
from tests.workflows.quick import Speller, add_target
from workflows import api

TYPOS = {"recieve": "receive", "occured": "occurred"}
YES = Move(call="final_result", arguments={"approve": True, "confidence": 0.9, "summary": "It does what it says."})


async def test_a_pause_in_the_middle_of_an_exchange(world: World) -> None:
    """The answer that is under way is waited for and paid; the next request, of the same step, is not let through."""
    add_target(world, "quick")
    real, quick = world.bench(), world.bench(Speller)
    model_reviews = replace(
        quick, agents=lambda policy, role: (real if role is Role.REVIEW else quick).agents(policy, role)
    )
    with ScriptedModel([YES], {0: [Move(say="Looks fine to me.", hang=1.5)]}) as model:
        appointed(world, model.url)
        async with world.worker(model_reviews):
            handle = await world.start("quick")

            async def asked() -> bool:
                return bool(model.received)

            await world.until(asked)
            view = await pause(world, "quick")
            assert (view.quiescent, len(view.exchanges)) == (False, 1)

            async def quiet() -> bool:
                return (await world.status("quick")).quiescent

            await world.until(quiet)
            assert model.received[0].ended > 0, "quiescent only after the answer"

            async def held() -> bool:
                state = await world.state(handle)
                return state.status is RunStatus.HELD and state.step == "review"

            await world.until(held)
            await asyncio.sleep(0.5)
            assert len(model.received) == 1, "nothing after the pause"
            spent = await world.control("quick").query(api.BUDGET, result_type=BudgetView)
            assert [each for each in spent.reservations if each.exchange] == []
            assert (await resume(world, "quick")).accepted
            result = await asyncio.wait_for(handle.result(), 60)
            ended = await world.control("quick").query(api.BUDGET, result_type=BudgetView)
    assert RunStatus.PR_OPENED is result.status, result.reason
    # One before the pause, the smoke's, and the one with which the step goes on; each costs what it told.
    assert len(model.received) == 3
    assert sum(run.total.tokens for run in ended.runs) == 3 * 1050


def speller(body: dict[str, Any], before: int) -> Move:
    """One word in each exchange, then "Done."; whoever reviews says yes. The first of all meets a limit of the rate."""
    if before == 0:
        return Move(status=429, retry_after="1")
    if not (asked := three_rounds.asked_in(body)):
        return YES
    wrong = next((typo for typo in TYPOS if typo in asked["tree"]), "")
    # The second one is under way when a person pauses.
    return Move(say=asked["tree"].replace(wrong, TYPOS[wrong]) if wrong else "Done.", hang=1.5 if before == 2 else 0)


async def test_a_resume_whose_smoke_has_an_agent_mend_findings(world: World) -> None:
    """The smoke has the same findings mended, and paid; the run that was held goes on from its own tree."""
    text = "# They recieve what\n# occured.\nNAME = 1\n"
    world.add_target("shop", {"basket.py": text}, three_rounds.CHECK)
    with ScriptedModel(decide=speller) as model:
        three_rounds.appoint(world, model.url)
        # So that the limit is the run's to wait out, and not the gateway's.
        charter = world.settings.policies / "charter.toml"
        charter.write_text(charter.read_text().replace("[providers.local]", "[providers.local]\nretries = 0"))
        async with world.worker():
            handle = await world.start("shop")

            async def second() -> bool:
                return len(model.received) > 2

            await world.until(second)
            await pause(world, "shop")

            async def held() -> bool:
                state = await world.state(handle)
                return (await world.status("shop")).quiescent and state.status is RunStatus.HELD

            await world.until(held)
            assert len(model.received) == 3, "nothing after the pause"
            assert (await resume(world, "shop")).accepted
            result = await asyncio.wait_for(handle.result(), 120)
            books = await world.control("shop").query(api.BUDGET, result_type=BudgetView)
    assert RunStatus.PR_OPENED is result.status, result.reason
    change = world.artifact(result.run_id, "change.json")
    assert ("codespell", 2, 0) == (change["metric"].split()[0], change["metricBefore"], change["metricAfter"])
    asked = [three_rounds.asked_in(each.body) for each in model.received]
    left = [sum(typo in each["tree"] for typo in TYPOS) for each in asked if each]
    # The limit, which the run waits out by itself; before the pause; the smoke, from the base; from what was kept.
    assert [2, 2, 1, 2, 1, 0, 0] == left
    assert sum(run.total.tokens for run in books.runs) == (len(model.received) - 1) * three_rounds.TRUE.tokens
