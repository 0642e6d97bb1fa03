"""P1 with a model: after a pause is in force and quiescent no byte goes to it; after the resume the step goes on."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from world import World

from contracts.budget import BudgetView
from contracts.modes import Role, RunStatus
from demo.scripted_model import Move, ScriptedModel
from tests.commands.test_charter import appointed
from tests.workflows.conversation import pause, resume
from tests.workflows.quick import Speller, add_target
from workflows import api

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
