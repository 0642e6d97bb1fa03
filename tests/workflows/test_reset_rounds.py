"""Resets in the Temporal UI, into an exchange and into earlier rounds: the run goes on, and pays nothing unnoticed."""

from __future__ import annotations

import asyncio

import pytest
import three_rounds
from checker import check_world
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from three_rounds import TARGET, Door
from world import World, git

from contracts.admission import RunResult
from contracts.budget import BudgetView
from contracts.control import StatusView
from contracts.modes import RunStatus, TargetStatus
from demo.scripted_model import ScriptedModel
from tests.workflows import raw
from tests.workflows.conversation import resume_when_quiescent
from tests.workflows.test_paused_rounds import held, quiet
from tests.workflows.test_resets import woken
from workflows import api


async def reset_to(world: World, workflow_id: str, activity: str, turn: int) -> None:
    """To the task that began this activity for the n-th time: it is made again."""
    history = await world.client.get_workflow_handle(workflow_id).fetch_history()
    begun = [
        event.activity_task_scheduled_event_attributes.workflow_task_completed_event_id
        for event in history.events
        if event.activity_task_scheduled_event_attributes.activity_type.name == activity
    ]
    await world.client.workflow_service.reset_workflow_execution(
        ResetWorkflowExecutionRequest(
            namespace=world.namespace,
            workflow_execution=WorkflowExecution(workflow_id=workflow_id),
            reason="by hand",
            workflow_task_finish_event_id=begun[turn - 1],
            request_id=f"{activity}-{turn}",
        ),
        retry=True,
    )


async def books(world: World) -> BudgetView:
    view: BudgetView = await world.control(TARGET).query(api.BUDGET, result_type=BudgetView)
    return view


def merged_unchecked(world: World, run_id: str) -> bool:
    """Whether the pull request is something else than what the last checks and the last review were about."""
    [pull] = world.pulls(TARGET)
    checks, review = (world.artifact(run_id, name) for name in ("checks/checks.json", "review_report.json"))
    assert "STAGE = 3" in git("show", f"{pull['headSha']}:basket.py", cwd=world.root / f"{TARGET}.git")
    return {pull["headSha"]} != {checks["headSha"], review["headSha"]} or not review["approve"]


@pytest.mark.parametrize(
    ("waits", "activity", "turn", "stages", "seen"),
    [
        # The second round's exchange is under way, and its step is begun again.
        (3, "code", 2, [0, 1, 1, 1, 2, 2, 3], 10),
        # The third one's is, and the first review is made again: both trees are there, and nobody is asked for them.
        (6, "review", 1, [0, 1, 1, 2, 2, 2, 3], 12),
    ],
)
async def test_a_run_that_is_reset_into_its_rounds(
    world: World, waits: int, activity: str, turn: int, stages: list[int], seen: int
) -> None:
    """The attempt that is still asking is overtaken: what it has under way is booked at its worst case, once."""
    three_rounds.add_target(world)
    door = Door(at=waits)
    with ScriptedModel(decide=door.answer) as model:
        three_rounds.appoint(world, model.url)
        async with world.worker():
            await world.start(TARGET, "reset")
            assert await asyncio.to_thread(door.reached.wait, 120)
            [asking] = [(each.key, each.attempt) for each in (await books(world)).reservations if each.exchange]
            await reset_to(world, "reset", activity, turn)

            async def booked() -> bool:
                return asking not in [(each.key, each.attempt) for each in (await books(world)).reservations]

            await world.until(booked)
            door.opened.set()
            handle = world.client.get_workflow_handle("reset", result_type=RunResult)
            result = await asyncio.wait_for(handle.result(), 200)
            view = await books(world)
            await check_world(world)
    assert RunStatus.PR_OPENED is result.status, result.reason
    assert stages == three_rounds.stages(model.received)
    assert seen == len(model.received)
    assert 1 == sum(three_rounds.paid_once(world, view, seen)), "marked as an upper bound"
    assert not merged_unchecked(world, result.run_id)


async def test_a_run_that_had_ended_is_reset_into_its_rounds(world: World) -> None:
    """Nothing is asked any more: its books are closed, and it says so; the pull request stays as it was."""
    three_rounds.add_target(world)
    with ScriptedModel(decide=three_rounds.answer) as model:
        three_rounds.appoint(world, model.url)
        async with world.worker():
            first = await (await world.start(TARGET, "reset")).result()
            await reset_to(world, "reset", "code", 3)
            handle = world.client.get_workflow_handle("reset", result_type=RunResult)
            again = await asyncio.wait_for(handle.result(), 120)
            view = await books(world)
    assert (RunStatus.PR_OPENED, RunStatus.REJECTED) == (first.status, again.status)
    assert "the run is PR_OPENED" in again.reason
    assert three_rounds.EXCHANGES == len(model.received)
    assert (0, 0) == three_rounds.paid_once(world, view, len(model.received))
    assert not merged_unchecked(world, first.run_id)


async def test_a_control_that_is_reset_in_the_middle_of_an_exchange(world: World) -> None:
    """It pauses itself, knows what is under way, and lets no more up; after the resume the round goes on."""
    three_rounds.add_target(world, red=False)
    door = Door(at=3)
    with ScriptedModel(decide=door.answer) as model:
        three_rounds.appoint(world, model.url)
        async with world.worker():
            handle = await world.start(TARGET, mode="DRY_RUN", asked={"text": "Say how many make a basket"})
            assert await asyncio.to_thread(door.reached.wait, 120)
            await raw.reset(world, api.control_id(TARGET), -4)
            assert TargetStatus.PAUSED is (await woken(world, TARGET)).status

            async def registered() -> StatusView | None:
                view = await world.status(TARGET)
                return view if view.exchanges else None

            view: StatusView = await world.until(registered, 30)
            assert (False, 1) == (view.quiescent, len(view.exchanges)), "it is under way all the same"
            door.opened.set()
            assert await quiet(world, model) == 4
            assert "reset by hand" in await held(world, handle)
            assert (await resume_when_quiescent(world, TARGET)).accepted
            result = await asyncio.wait_for(handle.result(), 120)
            after = await books(world)
    assert RunStatus.DRY_RUN_COMPLETE is result.status, result.reason
    assert [0, 1, 1, 2, 2, 3] == three_rounds.stages(model.received)
    assert three_rounds.EXCHANGES == len(model.received)
    # What was said before the reset is said again: nothing is missing from the books, and nothing is left open.
    assert after.reservations == ()
    assert sum(run.total.tokens for run in after.runs) >= three_rounds.EXCHANGES * three_rounds.TRUE.tokens
