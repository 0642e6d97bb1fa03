"""Runs that wait: for a policy to be mended, and for a person's decision; days pass in a second."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from temporalio.client import WorkflowHandle, WorkflowUpdateFailedError
from temporalio.service import RPCError
from temporalio.testing import TimeSkipper
from world import World

from contracts.admission import RunResult, RunView
from contracts.control import Answer
from contracts.handover import HumanDecision
from contracts.modes import PauseStyle, RunStatus
from tests.workflows.conversation import edit, pause, resume
from tests.workflows.quick import Turnstile, add_target, quick, stopping
from workflows import api

Handle = WorkflowHandle[Any, Any]
ASK = ('task_types = ["code_improvement", "documentation_update"', 'task_types = ["code_improvement"')


async def until(world: World, handle: Handle, status: RunStatus) -> RunView:
    """Poll until the run shows a status."""

    async def shown() -> RunView | None:
        view = await world.state(handle)
        return view if view.status is status else None

    view: RunView = await world.until(shown)
    return view


async def decide(handle: Handle, subject: str, *, approve: bool) -> Answer:
    """A person decides."""
    decision = HumanDecision(approve=approve, actor="ann", reason="as discussed", subject=subject)
    answer: Answer = await handle.execute_update(api.DECIDE, decision, result_type=Answer)
    return answer


async def ended(handle: Handle) -> RunResult:
    """The result, which must come."""
    result: RunResult = await asyncio.wait_for(handle.result(), 60)
    return result


async def test_a_policy_edited_or_broken_under_a_run_holds_it_until_it_is_restored(world: World) -> None:
    """P6 and P13: it says which digest it found, tries again by itself, and goes on where it stood."""
    add_target(world, "quick")
    policy = world.settings.policies / "targets" / "quick.toml"
    good = policy.read_text()
    turnstile = Turnstile({"first": "plan"})
    async with world.worker(stopping(world, turnstile)):
        handle = await world.start("quick", "first")
        await world.until(turnstile.all_reached())
        policy.write_text(good.replace("import pkg", "import pkg # more"))
        digest = world.bench().policies.effective("quick").digest
        turnstile.open()
        edited = await until(world, handle, RunStatus.HELD)
        policy.write_text(good + "\nspeed = 9\n")
        skipper = TimeSkipper(world.client)

        async def sees_the_break() -> bool:
            await skipper.fast_forward(handle, timedelta(seconds=11))
            return "speed" in (await world.state(handle)).reason

        await world.until(sees_the_break)
        broken = await world.state(handle)
        policy.write_text(good)
        await skipper.fast_forward(handle, timedelta(minutes=11))
        result = await ended(handle)

    assert edited.reason.startswith(f"the policy changed under the run: {digest[:12]}; next look at ")
    assert edited.run is not None
    assert digest != edited.run.policy.digest
    assert RunStatus.HELD is broken.status
    assert "the policy cannot be read: targets/quick.toml:" in broken.reason
    assert (RunStatus.PR_OPENED, 1) == (result.status, len(world.pulls("quick")))


async def test_a_run_that_holds_can_be_ended_by_a_person_and_ends_by_itself_in_the_end(world: World) -> None:
    """`decide` rejects; nobody decides: escalated, nothing written."""
    for name in ("decided", "forgotten"):
        add_target(world, name)
    edit(world, "hold_hours = 24.0", "hold_hours = 0.5")
    turnstile = Turnstile({"decided": "check", "forgotten": "check"})
    async with world.worker(stopping(world, turnstile)):
        handles = [await world.start(name, name) for name in ("decided", "forgotten")]
        await world.until(turnstile.all_reached())
        edit(world, "receipt_hours = 12", "receipt_hours = 11")
        turnstile.open()
        views = [await until(world, handle, RunStatus.HELD) for handle in handles]
        with pytest.raises(WorkflowUpdateFailedError) as wrong:
            await decide(handles[0], "something else", approve=False)
        assert (await decide(handles[0], views[0].subject, approve=False)).accepted
        await TimeSkipper(world.client).fast_forward(handles[1], timedelta(hours=1))
        results = [await ended(handle) for handle in handles]

    assert "decide on subject held" in str(wrong.value.cause)
    assert [RunStatus.REJECTED, RunStatus.ESCALATED] == [result.status for result in results]
    assert "ended by ann: as discussed" == results[0].reason
    assert results[1].reason.startswith("held too long: the policy changed under the run")
    assert [[], []] == [world.autonomy_branches(name) for name in ("decided", "forgotten")]


async def test_a_contract_that_needs_a_person_waits_for_one(world: World) -> None:
    """Wrong subject and untimely decisions are refused; approved → goes on; rejected and nobody → REJECTED."""
    names = ("approved", "rejected", "nobody")
    for name in names:
        add_target(world, name)
    edit(world, *ASK)
    async with world.worker(quick(world)):
        handles = {name: await world.start(name, name) for name in names}
        views = {name: await until(world, handle, RunStatus.WAITING) for name, handle in handles.items()}
        refusals = []
        for subject in ("", "held", views["rejected"].subject):
            with pytest.raises(WorkflowUpdateFailedError) as refused:
                await decide(handles["approved"], subject, approve=True)
            refusals.append(str(refused.value.cause))
        for form in (
            None,
            "yes",
            {"approve": True},
            {"approve": "perhaps", "actor": "a", "reason": "r", "subject": "s"},
        ):
            with pytest.raises((WorkflowUpdateFailedError, RPCError)):
                await handles["approved"].execute_update(api.DECIDE, form)
        still = await world.state(handles["approved"])
        await decide(handles["approved"], views["approved"].subject, approve=True)
        await decide(handles["rejected"], views["rejected"].subject, approve=False)
        await TimeSkipper(world.client).fast_forward(handles["nobody"], timedelta(hours=73))
        results = {name: await ended(handle) for name, handle in handles.items()}

    for name in names:
        assert views[name].waiting_for.startswith(f"decide on the task contract {views[name].subject[:12]}")
    assert all(f"decide on subject {views['approved'].subject}" in refusal for refusal in refusals)
    assert (RunStatus.WAITING, views["approved"].subject) == (still.status, still.subject)
    ends = {name: (result.status, result.reason) for name, result in results.items()}
    assert RunStatus.PR_OPENED is ends["approved"][0]
    assert (RunStatus.REJECTED, "rejected by ann: as discussed") == ends["rejected"]
    assert (RunStatus.REJECTED, "nobody decided on the contract in time") == ends["nobody"]
    decision = world.artifact(results["approved"].run_id, "run_report.json")
    assert "ann" in str(decision)


async def test_a_pause_reaches_a_run_that_waits_for_a_person(world: World) -> None:
    """Drain ends it PAUSED, abort CANCELLED; after a checkpoint an approval counts, once the target is open again."""
    styles = {"drain": PauseStyle.DRAIN, "abort": PauseStyle.ABORT, "checkpoint": PauseStyle.CHECKPOINT}
    for name in styles:
        add_target(world, name)
    edit(world, *ASK)
    async with world.worker(quick(world)):
        handles = {name: await world.start(name, name) for name in styles}
        views = {name: await until(world, handle, RunStatus.WAITING) for name, handle in handles.items()}
        for name, style in styles.items():
            await pause(world, name, style)
        stopped = [await ended(handles[name]) for name in ("drain", "abort")]
        with pytest.raises((WorkflowUpdateFailedError, RPCError)):
            await decide(handles["drain"], views["drain"].subject, approve=True)
        await decide(handles["checkpoint"], views["checkpoint"].subject, approve=True)
        held = await until(world, handles["checkpoint"], RunStatus.HELD)
        await resume(world, "checkpoint")
        smoke = world.client.get_workflow_handle(api.smoke_id("checkpoint", (await world.status("checkpoint")).epoch))
        await until(world, smoke, RunStatus.WAITING)
        await decide(smoke, (await world.state(smoke)).subject, approve=True)
        result = await ended(handles["checkpoint"])

    assert [RunStatus.PAUSED, RunStatus.CANCELLED] == [each.status for each in stopped]
    assert "drill" in held.reason
    assert (RunStatus.PR_OPENED, 1) == (result.status, len(world.pulls("checkpoint")))


async def test_a_held_run_outlives_a_long_pause_and_a_broken_policy(world: World) -> None:
    """P13: it asks Control again now and then; not finding out changes nothing; after the resume it goes on."""
    add_target(world, "quick")
    policy = world.settings.policies / "targets" / "quick.toml"
    good = policy.read_text()
    turnstile = Turnstile({"first": "plan"})
    async with world.worker(stopping(world, turnstile)):
        handle = await world.start("quick", "first")
        await world.until(turnstile.all_reached())
        await pause(world, "quick")
        turnstile.open()
        await until(world, handle, RunStatus.HELD)
        policy.write_text(good + "\nspeed = 9\n")
        await TimeSkipper(world.client).fast_forward(handle, timedelta(minutes=20))
        while_broken = await world.state(handle)
        policy.write_text(good)
        await TimeSkipper(world.client).fast_forward(handle, timedelta(hours=2))
        while_mended = await world.state(handle)
        await resume(world, "quick")
        result = await ended(handle)

    assert [RunStatus.HELD, RunStatus.HELD] == [while_broken.status, while_mended.status]
    assert (RunStatus.PR_OPENED, 1) == (result.status, len(world.pulls("quick")))
