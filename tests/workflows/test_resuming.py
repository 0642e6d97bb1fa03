"""P2, live: the ladder is the only way up, and every way to miss a rung leads back to PAUSED."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from temporalio.client import WorkflowUpdateFailedError
from temporalio.service import RPCError
from world import World

from contracts.control import Answer, StatusView
from contracts.modes import Mode, RunKind, RunStatus, TargetStatus
from tests.workflows.conversation import (
    asked,
    open_target,
    pause,
    pause_all,
    resume,
    resume_all,
    until_status,
)
from tests.workflows.quick import CHECK, Turnstile, add_target, quick, stopping
from workflows import api

GOOD = {"expectedEpoch": 0, "cause": "it was a drill", "evidence": "the plan", "actor": "bob"}
MALFORMED: list[Any] = [
    None,
    "resume",
    7,
    [],
    {},
    {key: value for key, value in GOOD.items() if key != "cause"},
    {key: value for key, value in GOOD.items() if key != "evidence"},
    {key: value for key, value in GOOD.items() if key != "actor"},
    {key: value for key, value in GOOD.items() if key != "expectedEpoch"},
    GOOD | {"cause": ""},
    GOOD | {"evidence": "x"},
    GOOD | {"expectedEpoch": "soon"},
    GOOD | {"expectedEpoch": None},
    GOOD | {"force": True},
    GOOD | {"actor": "a" * 201},
    GOOD | {"cause": "c" * 4001},
]


async def test_7_a_green_smoke_opens_the_target_in_pr_only_and_nothing_to_do_is_green(world: World) -> None:
    """A person names cause and evidence; the smoke is a DRY_RUN of the ladder; the pause is over."""
    add_target(world, "busy")
    world.add_target("clean", {"README.md": "# fine\n"}, CHECK.replace("import pkg", ""))
    async with world.worker(quick(world)):
        ends = {}
        for target in ("busy", "clean"):
            await open_target(world, target)
            await pause(world, target)
            assert (await resume(world, target)).accepted
            view = await until_status(world, target, TargetStatus.ACTIVE)
            smoke = next(run for run in view.recent if run.kind is RunKind.SMOKE)
            ends[target] = (smoke.status, smoke.mode, view.mode, view.pauses, view.ladder)

    assert {
        "busy": (RunStatus.DRY_RUN_COMPLETE, Mode.DRY_RUN, Mode.PR_ONLY, (), None),
        "clean": (RunStatus.NOTHING_TO_DO, Mode.DRY_RUN, Mode.PR_ONLY, (), None),
    } == ends
    assert [[], []] == [world.autonomy_branches(target) for target in ends]


async def _newer_pause(world: World, seen: int) -> StatusView:
    """Pause again, and wait for the epoch to rise."""
    await pause(world, "quick")

    async def risen() -> StatusView | None:
        view = await world.status("quick")
        return view if view.epoch > seen else None

    view: StatusView = await world.until(risen)
    return view


async def test_7_resume_is_refused_with_the_reason_when_it_is_not_time(world: World) -> None:
    """P14: active, older epoch, write in flight, installation paused; nothing changes."""
    add_target(world, "quick")
    turnstile = Turnstile({"writer": "effect"})
    async with world.worker(stopping(world, turnstile)):
        await world.start("quick", "writer")
        await world.until(turnstile.all_reached())
        active = await resume(world, "quick")
        seen = (await pause(world, "quick")).epoch
        writing = await resume(world, "quick")
        newer = (await _newer_pause(world, seen)).epoch
        late = await resume(world, "quick", seen)
        turnstile.open()
        await pause_all(world)

        async def stopped() -> bool:
            view = await world.status("quick")
            return view.quiescent and any(each.scope == "installation" for each in view.pauses)

        await world.until(stopped)
        globally = await resume(world, "quick")
        after = await world.status("quick")

    reasons = [answer.verdict.reason for answer in (active, writing, late, globally)]
    assert [
        "the target is ACTIVE, not PAUSED",
        "a write is still in flight; wait until it is settled",
        f"a newer pause raised the epoch to {newer}; look again before you resume",
        "the whole installation is paused; resume it first (--all)",
    ] == reasons
    assert TargetStatus.PAUSED is after.status


async def test_7_a_resume_without_cause_evidence_or_name_is_refused_at_the_sender(world: World) -> None:
    """P14: no form of nonsense gets through, wedges Control, or is answered with silence."""
    add_target(world, "quick")
    async with world.worker(quick(world)):
        await open_target(world, "quick")
        before = await pause(world, "quick")
        handles = [world.control("quick"), world.client.get_workflow_handle(api.INSTALLATION_ID)]
        for handle in handles:
            for form in MALFORMED:
                with pytest.raises((WorkflowUpdateFailedError, RPCError)):
                    await handle.execute_update(api.RESUME, form)
            with pytest.raises((WorkflowUpdateFailedError, RPCError)):
                await handle.execute_update(api.RESUME, args=[GOOD, GOOD])
            with pytest.raises((WorkflowUpdateFailedError, RPCError)):
                await handle.execute_update("unpause", GOOD)
        after = await world.status("quick")

    assert before.model_copy(update={"log_head": ""}) == after.model_copy(update={"log_head": ""})


async def _smoke_at(world: World, turnstile: Turnstile, step: str) -> str:
    """Pause, resume, and let the ladder's smoke stand in a step; its workflow id."""
    epoch = (await pause(world, "quick")).epoch
    smoke = api.smoke_id("quick", epoch + 1)
    turnstile.close(**{smoke: step})
    assert (await resume(world, "quick")).accepted
    await world.until(turnstile.all_reached())
    return smoke


async def _fallen(world: World) -> str:
    """The reason of the newest pause, once the target is PAUSED again."""
    view: StatusView = await until_status(world, "quick", TargetStatus.PAUSED)
    return max(view.pauses, key=lambda each: each.epoch).reason


async def test_7_whatever_happens_to_the_smoke_the_target_is_paused_with_the_reason(world: World) -> None:
    """Pause during it, policy edited during and after its last step, red base, broken policy, killed by hand."""
    add_target(world, "quick")
    policy = world.settings.policies / "targets" / "quick.toml"
    good = policy.read_text()
    turnstile = Turnstile()
    reasons: dict[str, str] = {}
    async with world.worker(stopping(world, turnstile)):
        await open_target(world, "quick")

        smoke = await _smoke_at(world, turnstile, "sense")
        await pause(world, "quick")
        ended = await asyncio.wait_for(world.client.get_workflow_handle(smoke).result(), 30)
        reasons["paused"] = f"{await _fallen(world)}, {ended['status']}"

        for step in ("code", "audit"):
            await _smoke_at(world, turnstile, step)
            policy.write_text(good.replace("import pkg", "import pkg # changed"))
            turnstile.open()
            reasons[f"edited in {step}"] = await _fallen(world)
            policy.write_text(good)

        smoke = await _smoke_at(world, turnstile, "triage")
        await world.client.get_workflow_handle(smoke).terminate()
        reasons["terminated"] = await _fallen(world)
        turnstile.open()

        for name, text in (("red", good.replace("import pkg", "import nothing")), ("broken", good + "\nspeed = 9\n")):
            epoch = (await pause(world, "quick")).epoch
            policy.write_text(text)
            await resume(world, "quick", epoch)
            reasons[name] = await _fallen(world)
            policy.write_text(good)

        await pause(world, "quick")
        await resume(world, "quick")
        await until_status(world, "quick", TargetStatus.ACTIVE)

    assert "drill, CANCELLED" == reasons["paused"]
    assert (
        "the smoke ended REJECTED: a smoke run does not wait: the policy changed under the run"
        in reasons["edited in code"]
    )
    assert "the policy changed while the smoke ran" == reasons["edited in audit"]
    assert "the smoke run ended unheard: Terminated" == reasons["terminated"]
    assert "the smoke ended REFUSED" in reasons["red"]
    assert "imports" in reasons["red"]
    assert "speed" in reasons["broken"]


async def test_the_end_of_a_global_pause_lets_each_target_climb_its_own_ladder(world: World) -> None:
    """One opens at once, one after its slow smoke, one that was paused separately not at all."""
    for name in ("one", "slow", "apart"):
        add_target(world, name)
    turnstile = Turnstile()
    async with world.worker(stopping(world, turnstile)):
        for name in ("one", "slow", "apart"):
            await open_target(world, name)
        await pause(world, "apart")
        await pause_all(world)
        for name in ("one", "slow", "apart"):
            await until_status(world, name, TargetStatus.PAUSED)
        stale = await resume_all(world, (await world.installation()).epoch - 1)
        epoch = (await world.status("slow")).epoch
        turnstile.close(**{api.smoke_id("slow", epoch + 1): "sense"})
        answer = await resume_all(world)
        await until_status(world, "one", TargetStatus.ACTIVE)
        await world.until(turnstile.all_reached())
        between = {name: (await world.status(name)).status for name in ("slow", "apart")}
        turnstile.open()
        await until_status(world, "slow", TargetStatus.ACTIVE)
        apart = await world.status("apart")

    assert (False, True) == (stale.accepted, answer.accepted)
    assert {"slow": TargetStatus.RESUMING, "apart": TargetStatus.PAUSED} == between
    assert (TargetStatus.PAUSED, ["target"]) == (apart.status, [each.scope for each in apart.pauses])


async def test_a_resume_typed_before_a_pause_and_delivered_after_it_is_refused(world: World) -> None:
    """The worker is down: the update waits, a newer pause is recorded, the worker comes back."""
    add_target(world, "quick")
    async with world.worker(quick(world)):
        await open_target(world, "quick")
        epoch = (await pause(world, "quick")).epoch
    late = asyncio.create_task(world.control("quick").execute_update(api.RESUME, asked(epoch), result_type=Answer))
    await asyncio.sleep(0.5)
    await world.control("quick").signal("pause")
    async with world.worker(quick(world)):
        answer = await asyncio.wait_for(late, 30)
        after = await world.status("quick")

    assert not answer.accepted
    assert "a newer pause raised the epoch" in answer.verdict.reason
    assert (TargetStatus.PAUSED, True) == (after.status, after.epoch > epoch)
