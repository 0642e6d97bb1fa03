"""P1, live: at every step, in every style, one target or all, nothing moves once quiescent; and quiescence comes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import WorkflowHandle
from world import World

import composition
from activities.step_session import StepPorts
from adapters.store.chained_log import ChainedLog
from contracts.admission import OrderState
from contracts.control import Answer, ModeRequest, PauseRequest
from contracts.modes import Mode, PauseStyle, RunStatus, TargetStatus
from ports.sandbox import Command, Limits
from tests.workflows.conversation import pause, pause_all, resume_all
from tests.workflows.quick import CHECK, Turnstile, add_target, stopping
from workflows import api

STEPS = ("preflight", "sense", "triage", "plan", "code", "review", "check", "release", "audit")
DRILL = PauseRequest(reason="drill", actor="ann")
HANGS = "86413"
"""Seconds that only our own sleeping processes sleep."""
Handles = dict[str, WorkflowHandle[Any, Any]]


async def stopped_at_every_step(world: World, turnstile: Turnstile) -> Handles:
    """Nine targets; the run of each stands in another step."""
    turnstile.close(**{f"at-{step}": step for step in STEPS})
    for step in STEPS:
        add_target(world, step)
    handles = {step: await world.start(step, f"at-{step}") for step in STEPS}
    await world.until(turnstile.all_reached())
    states = {step: (await world.state(handle)).step for step, handle in handles.items()}
    assert {step: step for step in STEPS} == states
    return handles


async def all_quiescent(world: World, targets: tuple[str, ...]) -> None:
    """Poll as ``pause --wait`` does, until in force and quiescent."""
    for target in targets:

        async def quiet(target: str = target) -> bool:
            return (await world.status(target)).quiescent

        await world.until(quiet)


def everything(world: World, targets: tuple[str, ...]) -> list[Any]:
    """Every ref and every pull request of the targets."""
    return [(world.refs(target), world.pulls(target)) for target in targets]


async def watch(world: World, targets: tuple[str, ...], seconds: float) -> None:
    """Nothing moves while we look."""
    before = everything(world, targets)
    for _ in range(int(seconds / 0.25)):
        await asyncio.sleep(0.25)
        assert before == everything(world, targets)


def artifacts(world: World) -> set[Path]:
    """Every artifact there is, of every run."""
    return {path for path in (world.settings.artifacts / "runs").rglob("*") if path.is_file()}


def asleep() -> list[str]:
    """Command lines of our sleeping processes that are still there."""
    lines = []
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = process.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if HANGS in line:
            lines.append(line)
    return lines


async def test_7_checkpoint_of_all_at_each_step_holds_and_goes_on_after_the_resume(world: World) -> None:
    """Nothing moves, across a worker restart too; after the ladder every run opens its one pull request."""
    turnstile = Turnstile()
    bench = stopping(world, turnstile)
    world.settings = world.settings.model_copy(update={"concurrent_steps": 24})
    async with world.worker(bench):
        handles = await stopped_at_every_step(world, turnstile)
        await pause_all(world)
        await all_quiescent(world, STEPS)
        turnstile.open()
        await watch(world, STEPS, 1.5)
    async with world.worker(bench):
        await watch(world, STEPS, 1.5)

        async def held() -> bool:
            # A step that the worker took down with it is done again first.
            return {RunStatus.HELD} == {(await world.state(handles[step])).status for step in STEPS[:-1]}

        await world.until(held)
        assert (await resume_all(world)).accepted
        results = [await asyncio.wait_for(handles[step].result(), 90) for step in STEPS]

    assert {RunStatus.PR_OPENED} == {result.status for result in results}
    assert [1] * len(STEPS) == [len(world.pulls(step)) for step in STEPS]
    assert [1] * len(STEPS) == [len(world.autonomy_branches(step)) for step in STEPS]


async def test_7_drain_of_one_target_at_each_step_ends_the_run_paused(world: World) -> None:
    """The current step finishes, no write begins, the run ends PAUSED; what is already audited ends as it was."""
    turnstile = Turnstile()
    world.settings = world.settings.model_copy(update={"concurrent_steps": 24})
    async with world.worker(stopping(world, turnstile)):
        handles = await stopped_at_every_step(world, turnstile)
        for step in STEPS:
            await pause(world, step, PauseStyle.DRAIN)
        await all_quiescent(world, STEPS)
        before, kept = everything(world, STEPS), artifacts(world)
        turnstile.open()
        results = {step: await asyncio.wait_for(handles[step].result(), 60) for step in STEPS}

    # §7: artifacts and audit logs stay; each run that was stopped has its report beside them.
    assert kept <= artifacts(world)
    for result in results.values():
        for name in ("run_report.json", "audit_log.jsonl", "policy.json"):
            assert (world.settings.artifacts / "runs" / result.run_id / name).stat().st_size
    ends = {step: results[step].status for step in STEPS}
    assert dict.fromkeys(STEPS[:-1], RunStatus.PAUSED) | {"audit": RunStatus.PR_OPENED} == ends
    assert before == everything(world, STEPS)


async def test_7_abort_of_all_at_each_step_cancels_and_leaves_no_process(world: World) -> None:
    """Every step works in a real sandboxed process; its whole tree is killed, also that of a hanging check."""
    plain = world.bench()
    limits = Limits(
        seconds=600, cpu_seconds=60, memory_bytes=1 << 29, processes=64, file_bytes=1 << 20, output_bytes=4096
    )

    def sleep(alive: Callable[[], None]) -> None:
        with plain.folder("sleep") as tree:
            plain.sandbox.run(Command(("sleep", HANGS), tree, limits), alive)

    turnstile = Turnstile(work=sleep)
    world.settings = world.settings.model_copy(update={"concurrent_steps": 24})
    hang = f"'receive' in open('README.md').read() and __import__('time').sleep({HANGS})"
    add_target(world, "hanging", CHECK.replace("import pkg", hang))
    steps = STEPS[:-1]
    async with world.worker(stopping(world, turnstile)):
        turnstile.close(**{f"at-{step}": step for step in steps})
        for step in steps:
            add_target(world, step)
        handles = {step: await world.start(step, f"at-{step}") for step in steps}
        handles["hanging"] = await world.start("hanging", "hanging")
        await world.until(lambda: _asleep(len(steps) + 1))
        before = everything(world, (*steps, "hanging"))
        await pause_all(world, PauseStyle.ABORT)
        await all_quiescent(world, (*steps, "hanging"))
        results = [await asyncio.wait_for(handle.result(), 60) for handle in handles.values()]

    assert {RunStatus.CANCELLED} == {result.status for result in results}
    assert [] == asleep()
    assert before == everything(world, (*steps, "hanging"))


async def _asleep(runs: int) -> bool:
    # Each run's sleeper shows at least twice: the sandbox's command line, and the process inside.
    return len(asleep()) >= 2 * runs


async def test_a_write_in_flight_is_counted_until_it_is_settled_and_the_next_one_does_not_begin(world: World) -> None:
    """The two moments of P1: in force at once, quiescent when the push that was cleared before it is done."""
    add_target(world, "quick")
    turnstile = Turnstile({"writer": "effect"})
    async with world.worker(stopping(world, turnstile)):
        handle = await world.start("quick", "writer")
        await world.until(turnstile.all_reached())
        await composition.pause_target(world.client, "quick", DRILL)

        async def in_force() -> bool:
            return (await world.status("quick")).status is TargetStatus.PAUSED

        await world.until(in_force)
        between = await world.status("quick")
        turnstile.open()
        await all_quiescent(world, ("quick",))
        await watch(world, ("quick",), 1)
        held = await world.state(handle)

    assert (False, 1) == (between.quiescent, between.writes_in_flight)
    assert 1 == len(world.autonomy_branches("quick"))
    assert [] == world.pulls("quick")
    assert (RunStatus.HELD, OrderState.HOLD) == (held.status, held.order.state if held.order else None)


async def test_a_pause_sent_while_the_worker_is_down_is_in_force_before_any_write(world: World) -> None:
    """Recorded by the server; the worker that comes back writes nothing first."""
    add_target(world, "quick")
    turnstile = Turnstile({"writer": "release"})
    async with world.worker(stopping(world, turnstile)):
        handle = await world.start("quick", "writer")
        await world.until(turnstile.all_reached())
    before = everything(world, ("quick",))
    await composition.pause_target(world.client, "quick", DRILL)
    turnstile.open()
    async with world.worker(stopping(world, turnstile)):
        await all_quiescent(world, ("quick",))

        async def held() -> bool:
            return (await world.state(handle)).status is RunStatus.HELD

        await world.until(held)
        await watch(world, ("quick",), 1)

    assert before == everything(world, ("quick",))


async def set_mode_many_times(world: World, times: int) -> list[Any]:
    """Cheap accepted updates, all at once, eight at a time: a run takes ten in flight."""
    epoch = (await world.status("quick")).epoch
    asked = ModeRequest(expected_epoch=epoch, mode=Mode.PR_ONLY, reason="no change", actor="bob")
    slots = asyncio.Semaphore(8)

    async def one() -> Any:
        async with slots:
            return await world.control("quick").execute_update(api.SET_MODE, asked, result_type=Answer)

    return await asyncio.gather(*(one() for _ in range(times)))


async def test_a_pause_outlives_controls_continue_as_new(world: World) -> None:
    """Across hand-overs: no update is lost, admission is still deduplicated, the write in flight is still counted."""
    add_target(world, "quick")
    turnstile = Turnstile({"writer": "effect"})
    executions = set()
    async with world.worker(stopping(world, turnstile)):
        await world.start("quick", "writer")
        await world.until(turnstile.all_reached())
        executions.add((await world.control("quick").describe()).run_id)
        answers = await set_mode_many_times(world, 150)
        again = await world.run("quick")
        await composition.pause_target(world.client, "quick", DRILL)
        executions.add((await world.control("quick").describe()).run_id)
        answers += await set_mode_many_times(world, 150)
        executions.add((await world.control("quick").describe()).run_id)
        between = await world.status("quick")
        turnstile.open()
        await all_quiescent(world, ("quick",))
        await watch(world, ("quick",), 0.5)

        async def all_logged() -> bool:
            records = ChainedLog(world.settings.artifacts).records("target/quick")
            return 300 == sum(record.event == "mode set" for record in records)

        await world.until(all_logged)

    assert 3 == len(executions)
    assert [True] * 300 == [answer.accepted for answer in answers]
    assert RunStatus.ALREADY_RAN is again.status
    assert (TargetStatus.PAUSED, 1, ["drill"]) == (
        between.status,
        between.writes_in_flight,
        [pause.reason for pause in between.pauses],
    )
    assert [] == world.pulls("quick")


@pytest.mark.parametrize("number", [2, pytest.param(10, marks=pytest.mark.sweep)])
async def test_five_runs_on_each_target_come_to_rest(world: World, number: int) -> None:
    """All in their first step; after the pause all hold, none writes; an abort ends them all."""
    targets = tuple(f"t{each}" for each in range(number))
    autopilot = world.settings.policies / "autopilot.toml"
    autopilot.write_text(autopilot.read_text().replace("max_active = 1", "max_active = 5"))
    names = {f"{target}-{attempt}": target for target in targets for attempt in range(1, 6)}
    turnstile = Turnstile(dict.fromkeys(names, "preflight"))
    world.settings = world.settings.model_copy(update={"concurrent_steps": 70})
    bench: StepPorts = stopping(world, turnstile)
    for target in targets:
        add_target(world, target)
    async with world.worker(bench):
        handles = [await world.start(target, name, attempt=int(name[-1])) for name, target in names.items()]
        await world.until(turnstile.all_reached())
        await pause_all(world)
        await all_quiescent(world, targets)
        orders = [run.order.state for target in targets for run in (await world.status(target)).active]
        await pause_all(world, PauseStyle.ABORT)
        results = [await asyncio.wait_for(handle.result(), 90) for handle in handles]

    assert [OrderState.HOLD] * (5 * number) == orders
    assert {RunStatus.CANCELLED} == {result.status for result in results}
    assert [1] * number == [len(world.refs(target)) for target in targets]
