"""The worker dies by SIGKILL around what only a forge that merges pull requests is told (P7)."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from faulty import prepare
from forge_stages import soon
from gitea_server import BOT, GiteaServer
from gitea_world import TOKEN, host, point
from supervisor import Supervisor
from test_crash_points import UPDATE_PULL
from world import PACKAGE, World, git, make_world

from contracts.modes import RunStatus
from tests.workflows import auto

PATIENCE = 600
"""Every death costs a lease."""
POINTS = (*UPDATE_PULL, "merge.before_effect", "merge.after_effect")


async def merges_once(world: World, gitea: GiteaServer, *points: str) -> None:
    """A run that dies at each of the points, and lands its one pull request once."""
    auto.permit(world)
    hosted = host(world, gitea, "auto", dict(PACKAGE))
    hosted.protect()
    point(world, hosted, "\n[environment]\nbuild = false\n" + auto.CHECKS + auto.PROBES)
    async with Supervisor(world, ()):
        dry = await asyncio.wait_for((await world.start("auto", mode="DRY_RUN")).result(), PATIENCE)
        assert RunStatus.DRY_RUN_COMPLETE is dry.status, dry.reason
        assert (await auto.set_mode(world)).accepted
    async with Supervisor(world, points) as supervisor:
        result = await asyncio.wait_for((await world.start("auto")).result(), PATIENCE)
        assert RunStatus.MERGED is result.status, result.reason
        assert [] == supervisor.missed
        assert [-9] * len(points) == supervisor.deaths
    checks = world.artifact(result.run_id, "checks/checks.json")
    assert (checks["commitSha"], checks["treeSha"]) == (hosted.head(), hosted.tree())
    # A forge that was hung up on writes it down in its own time.
    soon(lambda: bool(hosted.pull()["merged"]))
    pull = hosted.pull()
    assert checks["treeSha"] in pull["body"]
    assert "1" == git("rev-list", "--count", "--merges", "main", cwd=hosted.folder)


@pytest.mark.sweep
@pytest.mark.timeout(3000)
async def test_an_update_and_a_merge_happen_once_whenever_the_worker_dies(
    tmp_path: Path, server: str, environments: Path, gitea: GiteaServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found done, or done again; few deaths of one write each, several runs side by side."""
    monkeypatch.setenv(TOKEN, gitea.tokens[BOT])
    chains = [POINTS[:2], POINTS[2:4], POINTS[4:6], POINTS[6:]]
    worlds = [prepare(await make_world(tmp_path / f"w{at}", server, environments), 600) for at in range(len(chains))]
    pairs = list(zip(worlds, chains, strict=True))
    for some in (pairs[:2], pairs[2:]):
        await asyncio.gather(*(merges_once(each, gitea, *chain) for each, chain in some))
