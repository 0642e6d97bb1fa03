"""Runs over as many targets, paused at random points while worker and server die (P1, issue "Stop, explain")."""

from __future__ import annotations

import asyncio
import os
import random
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from checker import check_world
from faulty import PLAIN, quiescent
from mortal import MortalServer, mortal
from supervisor import Supervisor
from temporalio.service import RPCError

import composition
from contracts.control import PauseRequest
from contracts.modes import PauseStyle, RunStatus

if TYPE_CHECKING:
    from temporalio.client import WorkflowHandle
    from world import World

FAULTS = 4
STOPPED = {RunStatus.CANCELLED, RunStatus.PAUSED, RunStatus.PR_OPENED}


@pytest.mark.parametrize("number", [5, pytest.param(20, marks=pytest.mark.sweep)])
async def test_paused_runs_move_no_ref_once_quiescent(tmp_path: Path, environments: Path, number: int) -> None:
    """Each target is paused by itself at its own moment and in its own style; then everything; nothing moves after."""
    seed = int(os.environ.get("CHAOS_SEED") or random.SystemRandom().randrange(10**6))
    print(f"CHAOS_SEED={seed}")
    dice = random.Random(seed)  # noqa: S311  # repeatable, not secret
    targets = tuple(f"t{one:02}" for one in range(number))
    async with mortal(tmp_path, environments) as (world, server), Supervisor(world) as supervisor:
        for target in targets:
            world.add_target(target, more=PLAIN)
        handles = {target: await world.start(target, f"run-{target}") for target in targets}
        frozen: dict[str, Any] = {}
        faults = asyncio.create_task(_faults(server, supervisor, dice))
        pauses = [asyncio.create_task(_paused(world, target, dice.uniform(0, 25), dice, frozen)) for target in targets]
        await asyncio.wait_for(asyncio.gather(*pauses, faults), 300)
        assert set(targets) == set(frozen)
        # Another death after all is quiescent: whoever comes back writes nothing either.
        await supervisor.kill()
        await server.kill()
        await server.start()
        await asyncio.sleep(5)
        assert frozen == {target: _outside(world, target) for target in targets}
        await _end(world, handles)
        assert frozen == {target: _outside(world, target) for target in targets}
        await check_world(world, at_least=0, started=[handle.id for handle in handles.values()], patience=60)


async def _paused(world: World, target: str, moment: float, dice: random.Random, frozen: dict[str, Any]) -> None:
    """Pause a target at its moment; from quiescence on, what it looks like is remembered."""
    style = dice.choice(list(PauseStyle))
    await asyncio.sleep(moment)
    request = PauseRequest(style=style, reason="chaos", actor="ann")
    await _insist(lambda: composition.pause_target(world.client, target, request))

    async def quiet() -> Any:
        return await quiescent(world, target, 120)

    await _insist(quiet)
    frozen[target] = _outside(world, target)


async def _faults(server: MortalServer, supervisor: Supervisor, dice: random.Random) -> None:
    for _ in range(FAULTS):
        await asyncio.sleep(dice.uniform(2, 7))
        if dice.random() < 0.5:
            await supervisor.kill()
        else:
            await server.kill()
            await server.start()


async def _end(world: World, handles: dict[str, WorkflowHandle[Any, Any]]) -> None:
    """End what is held, so that the checker finds a world at rest."""
    request = PauseRequest(style=PauseStyle.ABORT, reason="the end", actor="ann")
    await _insist(lambda: composition.pause_installation(world.client, request))
    results = [await asyncio.wait_for(handle.result(), 120) for handle in handles.values()]
    # A pause that came before a run was admitted refused it.
    unexpected = [one for one in results if one.status not in STOPPED and "is PAUSED" not in one.reason]
    assert unexpected == []


def _outside(world: World, target: str) -> Any:
    """Every ref and every pull request of a target."""
    return world.refs(target), world.pulls(target)


async def _insist(what: Any, tries: int = 60) -> Any:
    """A server that is just coming back refuses connections: ask again, as an operator would."""
    for left in reversed(range(tries)):
        try:
            return await what()
        except (RPCError, RuntimeError):
            if not left:
                raise
            await asyncio.sleep(1)
    raise AssertionError
