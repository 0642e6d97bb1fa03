"""Each doubt alone leaves an open pull request to a person, and the base where it was (P4)."""

from __future__ import annotations

import asyncio
import json

import pytest
from world import World

from contracts.admission import RunResult
from contracts.control import Answer, PauseRequest
from contracts.modes import Mode, RunStatus
from tests.workflows import auto
from workflows import api

OPTIONAL = """
[[checks]]
name = "optional"
kind = "tests"
required = false
argv = ["python", "-c", "raise SystemExit(1)"]
"""
RED = '\n[[probes]]\nname = "red"\nargv = ["python", "-c", "raise SystemExit(3)"]\n'
ABSENT = '\n[[probes]]\nname = "absent"\nargv = ["no-such-program"]\n'
HANGS = '\n[[probes]]\nname = "hangs"\nargv = ["sleep", "600"]\nseconds = 1\n'
UNREACHABLE = '\n[[probes]]\nname = "url"\nurl = "http://127.0.0.1:9/{sha}"\nseconds = 5\n'


async def left_to_a_person(world: World, result: RunResult, reason: str, before: str) -> None:
    """The run ended green, with a pull request and its reason; the base did not move."""
    assert (RunStatus.PR_OPENED, "REQUIRES_HUMAN_REVIEW") == (result.status, result.outcome), result.reason
    assert [] == [part for part in reason.split(", ") if part not in result.reason], result.reason
    assert before == auto.base(world)
    assert 1 == len(world.pulls("auto"))


UNKNOWN = "absent is unknown: exit 127, hangs is unknown: killed: timeout, url is unknown: no answer"


@pytest.mark.parametrize(
    ("probes", "reason"),
    [
        (RED + ABSENT + HANGS + UNREACHABLE, f"red is red: exit 3, {UNKNOWN}"),
        pytest.param(RED, "red is red: exit 3", marks=pytest.mark.sweep),
        pytest.param(ABSENT + HANGS + UNREACHABLE, UNKNOWN, marks=pytest.mark.sweep),
    ],
    ids=["all", "red", "unknown"],
)
async def test_a_probe_that_is_not_green(world: World, probes: str, reason: str) -> None:
    """Red, missing, hanging, unreachable: could not find out is not green (P13). Each alone: test_probing.py."""
    auto.permit(world)
    auto.add_target(world, probes=auto.PROBES + probes)
    before = auto.base(world)
    async with world.worker(auto.quick(world)):
        await auto.opened(world)
        result = await world.run("auto")
    await left_to_a_person(world, result, reason, before)


async def test_without_a_probe_there_is_no_canary(world: World) -> None:
    """None configured: the mode is refused; set all the same by an older policy, release refuses."""
    auto.permit(world)
    auto.add_target(world, probes="")
    before = auto.base(world)
    async with world.worker(auto.quick(world)):
        await world.run("auto", mode="DRY_RUN")
        refused = await auto.set_mode(world, probes=0)
        assert "no [[probes]]" in refused.verdict.reason
        assert (await auto.set_mode(world)).accepted
        result = await world.run("auto")
    assert not any("canary" in branch for branch in world.autonomy_branches("auto"))
    decision = json.dumps(world.artifact(result.run_id, "release_decision.json"))
    assert "no [[probes]]" in decision
    await left_to_a_person(world, result, "pull request opened", before)


async def test_a_check_that_is_not_required_is_not_green(world: World) -> None:
    """It stops the automatic way all the same."""
    auto.permit(world)
    auto.add_target(world, checks=auto.CHECKS + OPTIONAL)
    before = auto.base(world)
    async with world.worker(auto.quick(world)):
        await auto.opened(world)
        result = await world.run("auto")
    await left_to_a_person(world, result, "pull request opened", before)


async def test_a_mode_lowered_at_the_last_moment(world: World) -> None:
    """Control's clearance, not the run's memory, decides: lowered during the canary, nothing merges."""
    auto.permit(world, canary_seconds=6)
    auto.add_target(world)
    before = auto.base(world)
    async with world.worker(auto.quick(world)):
        await auto.opened(world)
        handle = await world.start("auto")
        await world.until(lambda: _at_canary(world, handle))
        assert (await auto.set_mode(world, mode=Mode.PR_ONLY)).accepted
        result = await asyncio.wait_for(handle.result(), 120)
    await left_to_a_person(world, result, "the target's mode was lowered to PR_ONLY", before)


async def test_a_pause_during_the_canary_holds_it(world: World) -> None:
    """P1: nothing moves while paused; after the resume the canary begins anew, and PR_ONLY merges nothing."""
    auto.permit(world, canary_seconds=6)
    auto.add_target(world)
    before = auto.base(world)
    async with world.worker(auto.quick(world)):
        await auto.opened(world)
        handle = await world.start("auto")
        await world.until(lambda: _at_canary(world, handle))
        await world.control("auto").signal(api.PAUSE, PauseRequest(reason="odd", actor="ann"))
        await world.until(lambda: _held(world, handle))
        await asyncio.sleep(8)
        assert before == auto.base(world)
        view = await world.status("auto")
        resume = {"expectedEpoch": view.epoch, "cause": "it was the cat", "evidence": "photo", "actor": "bob"}
        answer = await world.control("auto").execute_update(api.RESUME, resume, result_type=Answer)
        assert answer.accepted, answer.verdict.reason
        result = await asyncio.wait_for(handle.result(), 120)
    canary = world.artifact(result.run_id, "canary.json")
    steps = {step["step"]: step for step in world.artifact(result.run_id, "run_report.json")["steps"]}
    assert canary["beganAt"] > steps["canary"]["startedAt"]
    await left_to_a_person(world, result, "the target's mode was lowered to PR_ONLY", before)


async def _at_canary(world: World, handle) -> bool:
    return "canary of" in (await world.state(handle)).reason


async def _held(world: World, handle) -> bool:
    return (await world.state(handle)).status is RunStatus.HELD
