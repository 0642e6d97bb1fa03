"""The dashboard ticket on a forge with people, and several targets on one worker (issue 6, lines 6 and 7)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from gitea_server import BOT, OWNER, GiteaServer
from world import World, git, make_world

from contracts.dashboard import ShownOutcome, dashboard_key
from contracts.modes import RunStatus
from contracts.pull_request import PullRequest
from tests.workflows.conversation import open_target, pause
from tests.workflows.dashboard_desk import looked, outcome
from tests.workflows.quick import CHECK, FILES, add_target, quick

TOKEN = "DASHBOARD_BOT_TOKEN"  # the variable's name
WRITTEN, UNCHANGED = ShownOutcome.WRITTEN, ShownOutcome.UNCHANGED


def on_gitea(world: World, gitea: GiteaServer, name: str) -> str:
    """A quick target on the server; its repository."""
    repository = gitea.make_repository(f"{name}-{world.namespace}")
    work = world.root / f"{name}-work"
    for path, body in FILES.items():
        (work / path).parent.mkdir(parents=True, exist_ok=True)
        (work / path).write_text(str(body))
    git("init", "--quiet", "--initial-branch=main", cwd=work)
    git("add", "--all", cwd=work)
    git("commit", "--quiet", "--message=First", cwd=work)
    git("push", "--quiet", gitea.remote(repository, gitea.tokens[OWNER]), "main", cwd=work)
    access = f'\n[forge_access]\naccount = "{BOT}"\nwrite.variable = "{TOKEN}"\n'
    world.write_target(name, access + CHECK, remote=gitea.remote(repository), forge="gitea")
    return repository


@pytest.fixture
async def world(tmp_path: Path, server: str, environments: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """An installation without targets."""
    monkeypatch.delenv(TOKEN, raising=False)
    return await make_world(tmp_path / "world", server, environments)


def shown(world: World, target: str) -> tuple[PullRequest, ...]:
    """Every ticket, read through the port."""
    bench = quick(world)
    return bench.forges(bench.policies.effective(target).target).tickets()


async def test_one_ticket_follows_the_target(world: World, gitea: GiteaServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Written once per change, also while paused; else nothing at all. On the local forge: test_dashboards.py."""
    monkeypatch.setenv(TOKEN, gitea.tokens[BOT])
    repository = on_gitea(world, gitea, "quick")
    async with world.worker(quick(world)):
        assert ShownOutcome.NOT_STARTED is await outcome(world)
        run = await world.run("quick")
        assert RunStatus.PR_OPENED is run.status, run.reason
        first = await looked(world)
        assert (WRITTEN, "") == (first.shown.outcome, first.shown.reason)
        assert [UNCHANGED, UNCHANGED] == [await outcome(world) for _ in range(2)]
        (ticket,) = shown(world, "quick")
        await pause(world, "quick")
        assert [WRITTEN, UNCHANGED] == [await outcome(world) for _ in range(2)]
        (paused,) = shown(world, "quick")
        # A person closes it: it stays so, and is kept up to date all the same.
        gitea.done("PATCH", f"/repos/{repository}/issues/{paused.number}", state="closed", body=f"mine\n{paused.body}")
        assert [WRITTEN, UNCHANGED] == [await outcome(world) for _ in range(2)]
        (closed,) = shown(world, "quick")
        assert ("closed", paused.body) == (closed.state, closed.body)
        gitea.done("DELETE", f"/repos/{repository}/issues/{paused.number}")
        assert [WRITTEN, UNCHANGED] == [await outcome(world) for _ in range(2)]
        (anew,) = shown(world, "quick")
        assert ("open", paused.body) == (anew.state, anew.body)
    assert dashboard_key("quick") == ticket.run_key == paused.run_key
    assert ("Dashboard of quick: ACTIVE in mode PR_ONLY", "Dashboard of quick: PAUSED in mode PR_ONLY") == (
        ticket.title,
        paused.title,
    )
    assert ticket.number == paused.number
    assert run.run_id in ticket.body


async def test_targets_of_several_forges_share_one_worker(
    world: World, gitea: GiteaServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One on the local forge, one on Gitea, one whose forge is gone: the others run and show as ever."""
    monkeypatch.setenv(TOKEN, gitea.tokens[BOT])
    on_gitea(world, gitea, "far")
    add_target(world, "near")
    on_gitea(world, gitea, "gone")
    async with world.worker(quick(world)):
        await open_target(world, "gone")
        path = world.settings.policies / "targets" / "gone.toml"
        path.write_text(path.read_text().replace(gitea.address, "http://127.0.0.1:1"))
        ended: dict[str, Any] = {name: (await world.run(name)).status for name in ("gone", "near", "far")}
        gone = (await looked(world, "gone", seconds=240)).shown
        names = ("near", "far")
        seen = {name: (await looked(world, name)).shown.outcome for name in names}
        found = {name: [ticket.run_key for ticket in shown(world, name)] for name in names}
    assert RunStatus.PR_OPENED is not ended.pop("gone")
    assert {RunStatus.PR_OPENED} == set(ended.values())
    assert ShownOutcome.FAILED is gone.outcome
    assert "127.0.0.1:1" in gone.reason
    assert set(seen.values()) <= {WRITTEN, UNCHANGED}
    assert {name: [dashboard_key(name)] for name in names} == found
