"""P1 and P9 in an agent's rounds: a run that is held goes on in its round, from the tree that was kept."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import three_rounds
from temporalio.client import WorkflowFailureError
from three_rounds import TARGET, Door
from world import World

import composition
from adapters.store.chained_log import ChainedLog
from contracts.budget import BudgetView, CapsRequest, Measure, Period
from contracts.control import Answer, PauseRequest
from contracts.modes import PauseStyle, RunStatus, TargetStatus
from demo.scripted_model import Move, ScriptedModel
from tests.workflows.conversation import edit, pause, resume_when_quiescent, until_status
from tests.workflows.quick import Stopping, Turnstile
from workflows import api

ASKED = {"mode": "DRY_RUN", "asked": {"text": "Say how many make a basket"}}
"""The smoke of a resume finds nothing to do: the base is green, and nobody asks for more."""


async def held(world: World, handle: Any, step: str = "code") -> str:
    """The run waits before, or in, this step; why."""

    async def waits() -> str:
        state = await world.state(handle)
        return state.reason if (state.status, state.step) == (RunStatus.HELD, step) else ""

    why: str = await world.until(waits)
    return why


async def quiet(world: World, model: ScriptedModel, target: str = TARGET) -> int:
    """Nothing is under way, and nothing comes: how many requests the model saw."""

    async def quiescent() -> bool:
        return (await world.status(target)).quiescent

    await world.until(quiescent)
    seen = len(model.received)
    await asyncio.sleep(0.7)
    assert seen == len(model.received), "no byte after the pause"
    return seen


async def cap(world: World, run_id: str, usd: float) -> None:
    """A person changes what one run may cost."""
    epoch = (await world.status(TARGET)).epoch
    said = {"period": Period.RUN, "measure": Measure.USD, "cap": usd, "run_id": run_id}
    asked = CapsRequest(expected_epoch=epoch, reason="as agreed", actor="ann", **said)
    answer: Answer = await world.control(TARGET).execute_update(api.SET_CAPS, asked, result_type=Answer)
    assert answer.accepted, answer.verdict.reason


async def test_a_run_is_held_in_a_round_between_two_and_by_its_budget(world: World) -> None:
    """In the second round's exchange, before the third round, in the third round's: nothing is done, or paid, twice."""
    three_rounds.add_target(world, red=False)
    door, turnstile, plain = Door(at=3), Turnstile(), world.bench()
    with ScriptedModel(decide=door.answer) as model:
        three_rounds.appoint(world, model.url)
        async with world.worker(world.bench(store=Stopping(plain.store, turnstile))):
            handle = await world.start(TARGET, "held", **ASKED)
            assert await asyncio.to_thread(door.reached.wait, 120)
            view = await pause(world, TARGET)
            assert (view.quiescent, len(view.exchanges)) == (False, 1)
            door.opened.set()
            assert await quiet(world, model) == 4
            assert "drill" in await held(world, handle)

            turnstile.close(held="check")
            assert (await resume_when_quiescent(world, TARGET)).accepted
            await world.until(turnstile.all_reached())
            await pause(world, TARGET)
            turnstile.open()
            assert "drill" in await held(world, handle)
            assert await quiet(world, model) == 6

            door.close(at=6)
            assert (await resume_when_quiescent(world, TARGET)).accepted
            await until_status(world, TARGET, TargetStatus.ACTIVE)
            assert await asyncio.to_thread(door.reached.wait, 120)
            run = (await world.state(handle)).run
            assert run is not None
            await cap(world, run.run_id, 0.001)
            door.opened.set()
            assert "caps.usd_per_run" in await held(world, handle)
            assert len(model.received) == 7
            await cap(world, run.run_id, 5)
            result = await asyncio.wait_for(handle.result(), 60)
            books = await world.control(TARGET).query(api.BUDGET, result_type=BudgetView)
    assert RunStatus.DRY_RUN_COMPLETE is result.status, result.reason
    # Each attempt began where the one before was held: as many requests as without any of it.
    assert [0, 1, 1, 2, 2, 3] == three_rounds.stages(model.received)
    assert three_rounds.EXCHANGES == len(model.received)
    assert (0, 0) == three_rounds.paid_once(world, books, len(model.received))
    report = world.artifact(result.run_id, "run_report.json")
    assert three_rounds.STEPS == [s["step"] for s in report["steps"] if s["step"] in three_rounds.STEPS]
    records = ChainedLog(world.settings.artifacts).records(f"run/{result.run_id}")
    gone_on = [each.facts for each in records if each.event == "gone on from the partial tree"]
    assert [(1, True), (2, False), (2, True), (3, False)] == [(each["round"], each["done"]) for each in gone_on]


async def test_a_run_is_ended_in_the_middle_of_a_round(world: World) -> None:
    """Aborted, drained, cancelled, terminated: what was under way is cut and paid for, and no more goes up."""
    edit(world, "reap_seconds = 60", "reap_seconds = 1")
    ends = ("abort", "drain", "cancel", "terminate")
    for name in ends:
        three_rounds.add_target(world, name, red=False)

    def answer(body: dict[str, Any], _before: int) -> Move:
        move = three_rounds.answer(body)
        asked = three_rounds.asked_in(body)
        second = asked and three_rounds.stage(asked["tree"]) == 1 and "checks.md" in asked
        # A drain waits for what is under way.
        return Move(say=move.say, hang=4 if "drain" in asked["title"] else 60) if second else move

    with ScriptedModel(decide=answer) as model:
        three_rounds.appoint(world, model.url)
        async with world.worker():
            runs = {
                name: await world.start(name, name, mode="DRY_RUN", asked={"text": f"As many as to {name}"})
                for name in ends
            }

            def hanging(name: str) -> bool:
                return any(
                    each.move.hang and name in three_rounds.asked_in(each.body)["title"] for each in model.received
                )

            async def end(name: str) -> None:
                async def reached() -> bool:
                    return hanging(name)

                await world.until(reached, 120)
                if name == "cancel":
                    await runs[name].cancel()
                elif name == "terminate":
                    await runs[name].terminate("an operator tries")
                else:
                    said = PauseRequest(style=PauseStyle(name), reason="drill", actor="ann")
                    await composition.pause_target(world.client, name, said)

            await asyncio.gather(*map(end, ends))
            results = {name: (await asyncio.wait_for(runs[name].result(), 60)).status for name in ("abort", "drain")}
            for name in ("cancel", "terminate"):
                with pytest.raises(WorkflowFailureError):
                    await asyncio.wait_for(runs[name].result(), 60)

            async def closed() -> bool:
                return not any([(await world.status(name)).active for name in ends])

            await world.until(closed)
            await asyncio.gather(*(quiet(world, model, name) for name in ("abort", "drain")))
            for name in ends:
                results[name] = (await world.status(name)).recent[0].status
            books = {name: await world.control(name).query(api.BUDGET, result_type=BudgetView) for name in ends}
    assert results == {
        "abort": RunStatus.CANCELLED,
        "drain": RunStatus.PAUSED,
        "cancel": RunStatus.CANCELLED,
        "terminate": RunStatus.LOST,
    }
    # Two of the coder and one of the reviewer in the first round, and the one that was under way.
    bounds = {name: three_rounds.paid_once(world, view, 4) for name, view in books.items()}
    assert {"abort": (0, 1), "drain": (0, 0), "cancel": (0, 1)} == {name: bounds[name] for name in ends[:3]}
    assert 1 == sum(bounds["terminate"])
    assert 4 * len(ends) == len(model.received)
