"""SELECTIVE_AUTO on Gitea waits for CI at the merge result itself; in `make test`: test_gitea_merging.py."""

from __future__ import annotations

import asyncio

import pytest
from gitea_server import GiteaServer
from gitea_world import Hosted, host, point, set_policy, until_ci_is_missed
from world import World

from contracts.modes import RunStatus
from tests.workflows import auto

PROTECTED = {"enable_status_check": True, "status_check_contexts": ["ci/test"]}


@pytest.fixture
def world(beside_gitea: World) -> World:
    """An installation that may merge by itself."""
    auto.permit(beside_gitea)
    set_policy(beside_gitea, write_seconds=30)
    return beside_gitea


@pytest.mark.sweep
@pytest.mark.parametrize(
    ("demanded", "state", "status"),
    [
        (PROTECTED, "failure", RunStatus.REJECTED),
        # Nobody demands or names it: it reported on the base, so it is missed until it reports here.
        ({}, "success", RunStatus.MERGED),
    ],
)
async def test_ci_decides_at_the_merge_result(
    world: World, gitea: GiteaServer, demanded: dict[str, object], state: str, status: RunStatus
) -> None:
    """Green: lands exactly that commit. Red: rejected, the pull request closed, the base where it was."""
    hosted: Hosted = host(world, gitea, "auto")
    hosted.protect(**demanded)
    point(world, hosted, "\n[ci]\nminutes = 8\nevery_seconds = 1\n" + auto.CHECKS + auto.PROBES)
    before = hosted.head()
    hosted.ask("POST", f"/statuses/{before}", context="ci/test", state="success")
    async with world.worker(auto.quick(world)):
        await auto.opened(world)
        handle = await world.start("auto")
        await until_ci_is_missed(world, handle)
        head = hosted.pulls()[0]["head"]["sha"]
        hosted.ask("POST", f"/statuses/{head}", context="ci/test", state=state)
        result = await asyncio.wait_for(handle.result(), 180)
    assert status is result.status, result.reason
    assert (head if status is RunStatus.MERGED else before) == hosted.head()
    assert "closed" == hosted.pulls()[0]["state"]
    assert head == world.artifact(result.run_id, "run_report.json")["ci"]["commitSha"]
