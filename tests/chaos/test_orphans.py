"""What a dead or frozen worker leaves behind must not write late, and what it did write is adopted (P1, P7)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from checker import check_world
from faulty import WRITE_SECONDS, continue_process, hook, quiescent, seen, stop_process, unchanged
from supervisor import Supervisor

from contracts.control import PauseRequest
from contracts.modes import PauseStyle, RunStatus
from workflows import api

if TYPE_CHECKING:
    from world import World


async def pause(world: World, style: PauseStyle) -> None:
    """The brake, as `starter.py pause` pulls it."""
    await world.control().signal(api.PAUSE, PauseRequest(style=style, reason="test", actor="tester"))


async def test_an_orphaned_push_does_not_land_after_quiescence(world: World) -> None:
    """P1: the worker is killed while the remote still thinks about the push; once quiescent, no ref moves."""
    entered = hook(world, "pre-receive", seconds=15)
    async with Supervisor(world) as supervisor:
        handle = await world.start()
        await seen(entered.exists)
        await supervisor.kill(restart=False)
        await pause(world, PauseStyle.ABORT)
        supervisor.restart()
        await quiescent(world)
        assert [] == world.autonomy_branches()
        await unchanged(world, seconds=8)
        result = await asyncio.wait_for(handle.result(), 60)
        assert RunStatus.CANCELLED is result.status
        assert [] == world.pulls()
        await check_world(world, at_least=0, started=[handle.id])


async def test_a_push_that_landed_unseen_is_adopted(world: World) -> None:
    """P7: the worker is killed after the ref moved and before it knew; the run goes on with what is there."""
    entered = hook(world, "post-receive", seconds=15)
    async with Supervisor(world) as supervisor:
        handle = await world.start()
        await seen(entered.exists)
        await supervisor.kill()
        pushed = world.autonomy_branches()
        assert 1 == len(pushed)
        result = await asyncio.wait_for(handle.result(), 90)
        assert RunStatus.PR_OPENED is result.status, result.reason
        assert pushed == world.autonomy_branches()
        assert 1 == len(world.pulls())
        await check_world(world, started=[handle.id])


@pytest.mark.parametrize("run_over", [False, pytest.param(True, marks=pytest.mark.sweep)])
async def test_a_worker_that_wakes_up_late_does_nothing_twice(world: World, run_over: bool) -> None:
    """P7: stopped past its heartbeat and its lease in the middle of a push, while another worker goes on."""
    entered = hook(world, "pre-receive", seconds=2)
    async with Supervisor(world) as frozen:
        handle = await world.start()
        await seen(entered.exists)
        stop_process(frozen.pid)
        async with Supervisor(world):
            # Until the run is over is slow: the server keeps offering work to the frozen worker, too.
            await (handle.result() if run_over else asyncio.sleep(15))
            continue_process(frozen.pid)
            result = await asyncio.wait_for(handle.result(), 120)
            await unchanged(world, seconds=WRITE_SECONDS)
            assert RunStatus.PR_OPENED is result.status, result.reason
            assert [1] == [pull["number"] for pull in world.pulls()]
            await check_world(world, started=[handle.id])
