"""A review that requests changes, on a real Gitea: acknowledged once, shown, closed after its time, no judgement."""

from __future__ import annotations

from typing import Any

import pytest
from aftermath import hasten
from gitea_server import BOT, GiteaServer
from gitea_world import Hosted, host, point, set_policy
from world import World

from adapters.run_index import RunIndex
from contracts.modes import RunStatus
from tests.workflows import auto


@pytest.fixture
def world(beside_gitea: World) -> World:
    """An installation whose follow-ups look often."""
    set_policy(beside_gitea, write_seconds=30)
    hasten(beside_gitea, write_seconds=30)
    return beside_gitea


def said(hosted: Hosted, number: int) -> list[dict[str, Any]]:
    """Comments, as a person sees them."""
    found: list[dict[str, Any]] = hosted.ask("GET", f"/issues/{number}/comments")
    return found


@pytest.mark.timeout(600)
async def test_requested_changes_are_acknowledged_once_and_close_it_after_their_time(
    world: World, gitea: GiteaServer
) -> None:
    """Whoever asked is named in lists; the closing is nobody's no: the idea comes again."""
    hosted = host(world, gitea, "auto")
    point(world, hosted, auto.CHECKS)
    async with world.worker(auto.quick(world)):
        first = await world.run("auto")
        assert RunStatus.PR_OPENED is first.status, first.reason
        [pull] = hosted.pulls()
        hosted.reviews("REQUEST_CHANGES")

        async def shown() -> str:
            [one] = [run for run in RunIndex(world.settings.artifacts).latest(9) if run.run_id == first.run_id]
            return one.became

        assert "waiting for owner: requested changes" == await world.until(shown)
        for _ in range(2):
            # It keeps its own idea back; nothing else is to be done here.
            assert RunStatus.NOTHING_TO_DO is (await world.run("auto", again=True)).status
        [comment] = said(hosted, pull["number"])
        assert BOT == comment["user"]["login"]
        assert "requested changes" in comment["body"]
        set_policy(world, changes_days=0.00001)
        await world.run("auto", again=True)
        assert "closed" == hosted.pull()["state"]
        assert "changes were requested, and nothing more" in hosted.pull()["body"]
        assert ["Seen", "Closed by us"] == [each["body"][2:].split(":")[0] for each in said(hosted, pull["number"])]

        async def ended() -> str:
            one = await shown()
            return one if one.startswith("CLOSED") else ""

        assert "CLOSED by us" == await world.until(ended)
        last = await world.run("auto", again=True)
        assert RunStatus.PR_OPENED is last.status, last.reason
