"""The worker dies by SIGKILL at every named point; each run ends by itself, once, with one pull request."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from checker import check_world
from supervisor import HOSTILE_WORKER, WORKER, Supervisor

from contracts.modes import RunStatus
from ports.crashpoints import POINTS

if TYPE_CHECKING:
    from conftest import MakeWorld
    from world import World

MOMENTS = ("before_begin", "after_begin", "before_effect", "after_effect", "before_settle", "after_settle")
PUSH = tuple(f"push_branch.{moment}" for moment in MOMENTS)
PULL = tuple(f"open_pull_request.{moment}" for moment in MOMENTS)
ENDING = (
    "audit.before_effect",
    "audit.after_report",
    "audit.after_effect",
    "finish.before_effect",
    "finish.after_effect",
)
TICKET = tuple(f"open_ticket.{moment}" for moment in MOMENTS)
ESCALATION = ("escalate.before_effect", "escalate.after_pause", *TICKET, "escalate.after_effect")
STEPS = tuple(
    f"{step}.{moment}_done"
    for step in ("preflight", "sense", "triage", "plan", "code", "review", "check", "release")
    for moment in ("before", "after")
)


async def opens_one_pull_request(world: World, *points: str) -> None:
    """A run that dies at each of the points, in this order."""
    async with Supervisor(world, points) as supervisor:
        handle = await world.start()
        result = await asyncio.wait_for(handle.result(), 60 + 25 * len(points))
        assert RunStatus.PR_OPENED is result.status, result.reason
        assert [] == supervisor.missed
        assert [1] == [pull["number"] for pull in world.pulls()]
        assert [-9] * len(points) == supervisor.deaths
        await check_world(world, started=[handle.id])


async def escalates_once(world: World, *points: str) -> None:
    """A run whose coder touches a protected path, and that dies at each of the points."""
    async with Supervisor(world, points, HOSTILE_WORKER) as supervisor:
        handle = await world.start()
        result = await asyncio.wait_for(handle.result(), 60 + 25 * len(points))
        assert RunStatus.ESCALATED is result.status, result.reason
        assert [] == supervisor.missed
        assert [] == world.pulls()
        assert 1 == len(list((world.settings.home / "forge" / "demo" / "tickets").glob("*.json")))
        await check_world(world, at_least=0, started=[handle.id])


def test_every_point_is_swept() -> None:
    """A point nobody tries would be a promise nobody keeps."""
    assert set(POINTS) == {"admit.after_answer", *PUSH, *PULL, *ENDING, *ESCALATION, *STEPS}


async def test_effects_happen_once_whenever_the_worker_dies(make: MakeWorld) -> None:
    """P7: all points around the effects; several deaths of one run, four runs side by side."""
    # Few deaths of one activity each: its retries come at growing distances.
    chains = [("admit.after_answer", *PUSH[:2], *PULL[:2]), PUSH[2:4] + PULL[2:4], PUSH[4:] + PULL[4:], ENDING]
    # Control's check-up is kept slow here: quick, it settles by itself what the next attempt should settle.
    worlds = [await make(f"world-{number}", reap_seconds=600) for number in range(len(chains))]
    await asyncio.gather(*(opens_one_pull_request(world, *chain) for world, chain in zip(worlds, chains, strict=True)))


async def test_a_violation_is_escalated_once_whenever_the_worker_dies(make: MakeWorld) -> None:
    """P7: everything paused, one incident, one ticket."""
    chains = [ESCALATION[:3], ESCALATION[3:6], ESCALATION[6:]]
    worlds = [await make(f"world-{number}", reap_seconds=600) for number in range(len(chains))]
    await asyncio.gather(*(escalates_once(world, *chain) for world, chain in zip(worlds, chains, strict=True)))


@pytest.mark.sweep
@pytest.mark.parametrize("point", sorted(POINTS))
async def test_sweep(world: World, point: str) -> None:
    """Every point alone, each in a world of its own."""
    program = HOSTILE_WORKER if point in ESCALATION else WORKER
    await (escalates_once if program is HOSTILE_WORKER else opens_one_pull_request)(world, point)
