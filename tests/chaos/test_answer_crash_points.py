"""The worker dies while the system answers: in the resume ladder (§7), and around a rejection (§6.2)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from checker import check_world
from supervisor import Supervisor

from contracts.modes import Mode, RunKind, RunStatus, TargetStatus
from contracts.remediation import Remediation
from tests.workflows.conversation import open_target, pause, resume, until_status
from tests.workflows.test_remediation import BREAKS, FILES
from workflows import api

if TYPE_CHECKING:
    from conftest import MakeWorld
    from world import World

CLIMBING = ("admit.after_answer", "review.after_done", "audit.after_report", "finish.before_effect")
REPORTING = ("audit.before_effect", "audit.after_report", "finish.before_effect", "finish.after_effect")


async def climbs(world: World, *points: str) -> None:
    """Paused, then resumed while the worker dies at each of the points of the ladder's smoke."""
    async with Supervisor(world):
        await open_target(world, "demo")
        seen = (await pause(world, "demo")).epoch
    async with Supervisor(world, points) as supervisor:
        assert (await resume(world, "demo", seen)).accepted

        async def climbed() -> bool:
            # A ladder that fell would be PAUSED, with the reason: nobody would mend that by waiting.
            assert TargetStatus.PAUSED is not (await world.status()).status
            return (await world.status()).status is TargetStatus.ACTIVE

        await world.until(climbed, 120 + 30 * len(points))
        view = await until_status(world, "demo", TargetStatus.ACTIVE)
        assert [] == supervisor.missed
        assert [-9] * len(points) == supervisor.deaths
        assert (Mode.PR_ONLY, (), None) == (view.mode, view.pauses, view.ladder)
        smokes = [run for run in view.recent if run.kind is RunKind.SMOKE]
        assert [RunStatus.DRY_RUN_COMPLETE] == [run.status for run in smokes]
        assert [] == world.autonomy_branches()
        await check_world(world)


async def is_rejected_once(world: World, *points: str) -> None:
    """A change that breaks a check, and a worker that dies at each of the points: one report, one remediation."""
    world.add_target("flow", FILES, BREAKS)
    async with Supervisor(world, points) as supervisor:
        handle = await world.start("flow")
        result = await asyncio.wait_for(handle.result(), 120 + 30 * len(points))
        assert RunStatus.REJECTED is result.status, result.reason
        booked = await world.control("flow").query(api.BACKLOG, result_type=list[Remediation])
        assert [] == supervisor.missed
        assert [-9] * len(points) == supervisor.deaths
        assert [(result.run_id, 0, None)] == [(one.run_id, one.attempts, one.ended) for one in booked]
        report = world.artifact(result.run_id, "run_report.json")
        assert ["unit"] == [each["name"] for each in report["failedChecks"]]
        assert booked[0].remediating_task == report["remediation"]
        assert [] == world.autonomy_branches("flow")
        await check_world(world, at_least=0, started=[handle.id])


async def test_7_the_ladder_is_climbed_whenever_the_worker_dies(make: MakeWorld) -> None:
    """P2: one smoke, green or not at all; nothing else is admitted meanwhile, and nothing is written."""
    await climbs(await make("world", reap_seconds=600), *CLIMBING)


async def test_6_2_a_rejection_is_booked_once_whenever_the_worker_dies(make: MakeWorld) -> None:
    """P7: rejected, explained and queued once."""
    await is_rejected_once(await make("world", reap_seconds=600), *REPORTING)
