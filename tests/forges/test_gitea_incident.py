"""A policy violation on a real Gitea: nothing of the change is there; one ticket, opened and closed (§6.1, §12)."""

from __future__ import annotations

from pathlib import Path

import pytest
from gitea_server import BOT, GiteaServer
from gitea_world import TOKEN, host, point
from world import make_world

from contracts.modes import RunStatus, TargetStatus
from tests.workflows.quick import CHECK, quick
from tests.workflows.test_incident_flow import at_rest, fill_in, say, the_incident, touching
from workflows import api


@pytest.mark.timeout(600)
async def test_a_violation_opens_one_ticket_and_its_end_closes_it(
    tmp_path: Path, server: str, environments: Path, gitea: GiteaServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Paused first; the ticket names the evidence; closed with the incident, and only then."""
    monkeypatch.setenv(TOKEN, gitea.tokens[BOT])
    world = await make_world(tmp_path / "world", server, environments)
    hosted = host(world, gitea, "quick")
    point(world, hosted, CHECK, "quick")
    async with world.worker(quick(world, touching(".github/workflows/mine.yml"))):
        result = await world.run("quick")
        assert RunStatus.ESCALATED is result.status, result.reason
        handle, drafted = await the_incident(world)
        assert TargetStatus.PAUSED is (await world.status("quick")).status
        [ticket] = hosted.tickets()
        assert (BOT, "open", str(ticket["number"])) == (ticket["user"]["login"], ticket["state"], drafted.report.ticket)
        assert drafted.report.incident in ticket["title"] + ticket["body"]
        assert (await fill_in(handle)).accepted
        assert (await say(handle, api.CLOSE)).accepted
        await at_rest(world, handle)
    assert ["closed"] == [each["state"] for each in hosted.tickets()]
    assert ([], ["main"]) == (hosted.pulls(), hosted.branches())
