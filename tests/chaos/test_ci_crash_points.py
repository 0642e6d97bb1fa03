"""The worker dies at every named point around a look at CI and around the closing: rejected once, closed once."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from checker import check_world
from ci_forge import ANY, CiResults
from faulty import PLAIN
from supervisor import Supervisor
from test_crash_points import CI, CLOSED_BY_CI
from world import World

from adapters.forges.local import forge_folder, read_comments
from contracts.forge_facts import CheckState, CommitCheck
from contracts.modes import RunStatus
from contracts.remediation import Remediation
from workflows import api

if TYPE_CHECKING:
    from conftest import MakeWorld

CI_WORKER = str(Path(__file__).with_name("ci_worker.py"))
GREEN = CommitCheck(name="ci/test", state=CheckState.GREEN)
RED = CommitCheck(name="ci/test", state=CheckState.RED, log="FAILED test_names\n")


async def rejects_and_closes_once(world: World, *points: str) -> None:
    """A run whose commit is red in CI, and that dies at each of the points."""
    world.write_target("demo", f'\n[ci]\nrequired = ["ci/test"]\n{PLAIN}')
    results = CiResults(world.settings.home / "ci.json")
    results.report(world.refs()["refs/heads/main"], GREEN)
    results.report(ANY, RED)
    async with Supervisor(world, points, CI_WORKER) as supervisor:
        handle = await world.start()
        result = await asyncio.wait_for(handle.result(), 240 + 30 * len(points))
        assert RunStatus.REJECTED is result.status, result.reason
        assert [] == supervisor.missed
        [pull] = world.pulls()
        assert "closed" == pull["state"]
        assert 1 == pull["body"].count("**Closed by us")
        [said] = read_comments(forge_folder(world.settings.home, "demo") / "pulls", pull["number"])
        assert said.body.startswith("**Closed by us: CI rejected")
        [one] = await world.control().query(api.BACKLOG, result_type=list[Remediation])
        assert (result.run_id, 1) == (one.run_id, one.seen)
        assert [-9] * len(points) == supervisor.deaths
        await check_world(world, at_least=0, started=[handle.id])


async def test_ci_rejects_once_whenever_the_worker_dies(make: MakeWorld) -> None:
    """P7: around a look, and right after the closing."""
    await rejects_and_closes_once(await make("world", reap_seconds=600), *CLOSED_BY_CI)


@pytest.mark.sweep
@pytest.mark.parametrize("point", CI)
async def test_sweep(world: World, point: str) -> None:
    """Every point alone."""
    await rejects_and_closes_once(world, point)
