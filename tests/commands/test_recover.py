"""``recover`` as an operator types it: a Control that a deploy wedged answers again, braked, with its ledgers."""

from __future__ import annotations

from collections.abc import Sequence

from shell import shell_of
from temporalio import workflow
from temporalio.common import RawValue
from temporalio.worker import UnsandboxedWorkflowRunner, Worker
from world import MADE, World

from contracts.modes import TargetStatus
from policies.run.stuck import FAILING_TASKS
from tests.workflows.conversation import open_target, until_status
from tests.workflows.quick import add_target, quick
from workflows import api

WHY = "--reason", "the worker log says TMPRL1100"


@workflow.defn(name=api.CONTROL, sandboxed=False)
class AnotherControl:
    """Commands what ours never did: the history of a Control that no release of ours replays."""

    @workflow.run
    async def run(self, given: dict[str, object]) -> None:
        """Wait for ever, the wrong way."""
        await workflow.sleep(10**6)

    @workflow.signal(dynamic=True)
    def any_signal(self, name: str, args: Sequence[RawValue]) -> None:
        """Take anything."""


async def test_a_stuck_control_is_replaced_and_wakes_up_paused(world: World) -> None:
    """Refused while it answers, while nothing runs and while no worker looks; then it does what it says."""
    add_target(world, "quick")
    shell = shell_of(world)
    never = await shell.typed("recover", "quick", *WHY)
    unknown = await shell.typed("recover", "quack", *WHY)
    neither = await shell.typed("recover", *WHY)
    async with world.worker(quick(world)):
        await open_target(world, "quick")
        answers = await shell.typed("recover", "quick", *WHY, "--json")
        old = (await world.status("quick")).epoch
        await world.control("quick").terminate("to be replaced")
    # The histories of another Control do not replay with ours: that is what this is about.
    MADE.remove(world)
    other = Worker(
        world.client, task_queue=api.TASK_QUEUE, workflows=[AnotherControl], workflow_runner=UnsandboxedWorkflowRunner()
    )
    async with other:
        await world.client.start_workflow(
            api.CONTROL,
            {"target": "quick"},
            id=api.control_id("quick"),
            task_queue=api.TASK_QUEUE,
            start_signal="begin",
        )

        async def began() -> bool:
            return 3 < (await world.control("quick").describe()).history_length

        await world.until(began)
    await world.control("quick").signal("nonsense")
    async with world.worker(quick(world)):

        async def failing() -> bool:
            seen = await world.control("quick").describe()
            return FAILING_TASKS <= seen.raw_description.pending_workflow_task.attempt

        await world.until(failing)
        recovered = await shell.typed("recover", "quick", *WHY, "--json")
        view = await until_status(world, "quick", TargetStatus.PAUSED)
        opened = await shell.typed("resume", "quick", "--cause", "a deploy", "--evidence", "reverted", "--wait")

    assert [11, 16, 2] == [each.status for each in (never, unknown, neither)], (never.err, unknown.err, neither.err)
    assert (11, True) == (answers.status, "is not stuck" in answers.err)
    assert 0 == recovered.status, recovered.err
    assert "TMPRL1100" in recovered.err
    assert {"recovered": "control/quick", "epoch": view.epoch, "status": "PAUSED"} == recovered.json
    assert old < view.epoch
    assert "recovered: the worker log says TMPRL1100" in [pause.reason for pause in view.pauses]
    assert 0 == opened.status, opened.err
