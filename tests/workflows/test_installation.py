"""The brake for everybody, and what a person can do to Control and Installation by hand: never less braked."""

from __future__ import annotations

from temporalio.client import WorkflowExecutionStatus
from world import World

from adapters.store.chained_log import ChainedLog
from contracts.modes import RunStatus, TargetStatus
from tests.workflows.conversation import open_target, pause, pause_all, resume_all, until_status
from tests.workflows.quick import add_target, quick
from tests.workflows.raw import reset, signal
from workflows import api

NAMES = ("one", "two")


async def _two_open_targets(world: World) -> None:
    for name in NAMES:
        add_target(world, name)
        await open_target(world, name)


async def _logged(world: World) -> None:
    """Both targets are known to their audit logs, which outlive every workflow."""

    async def known() -> bool:
        return {f"target/{name}" for name in NAMES} <= set(ChainedLog(world.settings.artifacts).logs())

    await world.until(known)


async def test_a_terminated_installation_is_reborn_by_a_pause_and_reaches_all(world: World) -> None:
    """Its list of targets comes back from the audit logs; its epoch is newer than any it had."""
    async with world.worker(quick(world)):
        await _two_open_targets(world)
        await _logged(world)
        old = (await world.installation()).epoch
        await world.client.get_workflow_handle(api.INSTALLATION_ID).terminate("by hand")
        await pause_all(world)
        views = [await until_status(world, name, TargetStatus.PAUSED) for name in NAMES]
        reborn = await world.installation()
        assert (await resume_all(world)).accepted
        for name in NAMES:
            await until_status(world, name, TargetStatus.ACTIVE)

    assert [["installation"], ["installation"]] == [[each.scope for each in view.pauses] for view in views]
    assert (TargetStatus.PAUSED, True) == (reborn.status, reborn.epoch > old)
    assert set(NAMES) == {target.name for target in reborn.targets}


async def test_a_terminated_installation_is_reborn_paused_by_whoever_asks_first(world: World) -> None:
    """A new target registers: the Installation that wakes up for it brakes everybody it finds in the logs."""
    async with world.worker(quick(world)):
        await _two_open_targets(world)
        await _logged(world)
        await world.client.get_workflow_handle(api.INSTALLATION_ID).terminate("by hand")
        add_target(world, "three")
        run = await world.run("three")
        for name in (*NAMES, "three"):
            await until_status(world, name, TargetStatus.PAUSED)

    assert run.status in {RunStatus.REFUSED, RunStatus.CANCELLED}
    assert [] == world.autonomy_branches("three")


async def test_a_terminated_installation_comes_back_before_anything_is_admitted(world: World) -> None:
    """Nobody else asks: the next run finds everything PAUSED. And nobody asks at all: a worker brings it back."""
    async with world.worker(quick(world)):
        await _two_open_targets(world)
        await _logged(world)
        handle = world.client.get_workflow_handle(api.INSTALLATION_ID)
        await handle.terminate("by hand")
        run = await world.run("one")
        both = [await until_status(world, name, TargetStatus.PAUSED) for name in NAMES]
        assert (await resume_all(world)).accepted
        for name in NAMES:
            await until_status(world, name, TargetStatus.ACTIVE)
        await handle.terminate("by hand")
        for name in NAMES:
            await until_status(world, name, TargetStatus.PAUSED)
        reborn = await world.installation()

    assert (RunStatus.REFUSED, []) == (run.status, world.autonomy_branches("one"))
    assert [["installation"], ["installation"]] == [[each.scope for each in view.pauses] for view in both]
    assert "ended by force (terminated)" in reborn.why.reason


async def test_an_installation_without_targets_that_was_ended_by_force_wakes_up_paused(world: World) -> None:
    """Its own pause must not end with it, although no audit log names a target."""
    async with world.worker(quick(world)):
        await world.until(world.installation)
        await world.client.get_workflow_handle(api.INSTALLATION_ID).terminate("by hand")
        run = await world.run("demo")
        now = await world.installation()

    assert TargetStatus.PAUSED is now.status
    assert run.status in {RunStatus.REFUSED, RunStatus.CANCELLED}


async def test_cancelling_and_resetting_by_hand_pauses_and_ends_nothing(world: World) -> None:
    """Each of Control and Installation, cancelled, and reset to its last and to its first task."""
    async with world.worker(quick(world)):
        await _two_open_targets(world)
        seen = []
        for workflow_id in (api.control_id("one"), api.INSTALLATION_ID):
            for what in ("cancel", "last", "first"):
                before = (await world.status("one")).epoch
                if what == "cancel":
                    await world.client.get_workflow_handle(workflow_id).cancel()
                else:
                    await reset(world, workflow_id, -1 if what == "last" else 0)

                async def braked(before: int = before) -> bool:
                    view = await world.status("one")
                    return view.status is TargetStatus.PAUSED and view.epoch > before

                await world.until(braked, 20)
                described = await world.client.get_workflow_handle(workflow_id).describe()
                seen.append((workflow_id, what, described.status))
        both = await until_status(world, "two", TargetStatus.PAUSED)

    assert {WorkflowExecutionStatus.RUNNING} == {status for _, _, status in seen}
    assert ["installation"] == [each.scope for each in both.pauses]


async def test_the_installation_outlives_its_continue_as_new(world: World) -> None:
    """Past four hundred events: same targets, same epoch, and the pause still reaches everybody."""
    async with world.worker(quick(world)):
        await _two_open_targets(world)
        handle = world.client.get_workflow_handle(api.INSTALLATION_ID)
        first, before = (await handle.describe()).run_id, await world.installation()
        for _ in range(400):
            await signal(world, api.INSTALLATION_ID, "nothing", None)

        async def next_run() -> bool:
            return (await handle.describe()).run_id != first

        await world.until(next_run)
        after = await world.installation()
        await pause(world, "two")
        await pause_all(world)
        await until_status(world, "one", TargetStatus.PAUSED)

    assert before == after
