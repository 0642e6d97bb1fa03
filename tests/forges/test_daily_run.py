"""The whole daily run against a real Gitea (issue 6, line 2)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from faulty_proxy import Fault, FaultyProxy
from gitea_server import BOT, OWNER, GiteaServer
from world import NO_CI, PACKAGE, QUICK_CHECK, World, git, make_world

from contracts.modes import RunStatus
from tests.workflows.quick import quick

TOKEN = "DAILY_BOT_TOKEN"  # the variable's name
WRITE_SECONDS = 10


@pytest.fixture
async def forged(
    tmp_path: Path, server: str, environments: Path, gitea: GiteaServer, monkeypatch: pytest.MonkeyPatch
) -> World:
    """An installation whose target ``demo`` lives on the Gitea; leases are short."""
    monkeypatch.setenv(TOKEN, gitea.tokens[BOT])
    world = await make_world(tmp_path / "world", server, environments)
    autopilot = world.settings.policies / "autopilot.toml"
    autopilot.write_text(autopilot.read_text().replace("write_seconds = 60", f"write_seconds = {WRITE_SECONDS}"))
    repository = gitea.make_repository(f"daily-{tmp_path.name.replace('_', '-')[-30:].strip('-')}")
    work = world.root / "work"
    for path, body in PACKAGE.items():
        (work / path).parent.mkdir(parents=True, exist_ok=True)
        (work / path).write_text(body)
    git("init", "--quiet", "--initial-branch=main", cwd=work)
    git("add", "--all", cwd=work)
    git("commit", "--quiet", "--message=First", cwd=work)
    git("push", "--quiet", gitea.remote(repository, gitea.tokens[OWNER]), "main", cwd=work)
    gitea.done("POST", f"/repos/{repository}/branch_protections", rule_name="main", enable_push=False)
    point(world, gitea.remote(repository))
    return world


def point(world: World, remote: str) -> None:
    """The target file, as the README shows it."""
    access = f'\n[forge_access]\naccount = "{BOT}"\nwrite.variable = "{TOKEN}"\n'
    world.write_target("demo", access + NO_CI + QUICK_CHECK, remote=remote, forge="gitea")


def repository(world: World) -> str:
    """``owner/name``, from the target file."""
    line = next(x for x in (world.settings.policies / "targets/demo.toml").read_text().splitlines() if "remote" in x)
    return "/".join(line.strip('"').removesuffix(".git").split("/")[-2:])


def pulls(world: World, gitea: GiteaServer) -> list[dict[str, Any]]:
    """As a person sees them."""
    found: list[dict[str, Any]] = gitea.done("GET", f"/repos/{repository(world)}/pulls?state=all")
    return found


async def test_dry_run_then_pull_request_then_a_persons_merge(
    forged: World, gitea: GiteaServer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """DRY_RUN writes nothing; PR_ONLY opens one; merged by a person, it is out of the way of the next idea."""
    async with forged.worker(quick(forged)):
        dry = await forged.run(mode="DRY_RUN")
        assert RunStatus.DRY_RUN_COMPLETE is dry.status, dry.reason
        assert [] == pulls(forged, gitea)
        assert ["main"] == [each["name"] for each in gitea.done("GET", f"/repos/{repository(forged)}/branches")]
        first = await forged.run()
        assert RunStatus.PR_OPENED is first.status, first.reason
        [pull] = pulls(forged, gitea)
        assert first.pull_request is not None
        assert (pull["number"], pull["html_url"]) == (first.pull_request.number, first.pull_request.url)
        assert BOT == pull["user"]["login"]
        assert f"`{first.run_id}`" in pull["body"]
        merged = gitea.ask("POST", f"/repos/{repository(forged)}/pulls/{pull['number']}/merge", Do="merge")
        assert 200 == merged.status, merged
        second = await forged.run(attempt=2)
    assert second.status in {RunStatus.PR_OPENED, RunStatus.NOTHING_TO_DO}, second.reason
    snapshot = forged.artifact(second.run_id, "state_snapshot.json")
    assert [] == snapshot["openPullRequests"]
    assert second.task_id != first.task_id
    assert [] == leaks(gitea.tokens[BOT], forged.settings.home, forged.settings.policies)
    assert [] == leaks(gitea.tokens[BOT], *tmp_path_factory.getbasetemp().glob("server*"))


async def test_an_unclear_answer_in_a_run_makes_one_pull_request(forged: World, gitea: GiteaServer) -> None:
    """502 after the push and after the pull request: the run goes on to its one pull request."""
    with FaultyProxy(gitea.address) as proxy:
        point(forged, f"{proxy.address}/{repository(forged)}.git")
        proxy.faults = [Fault("fail_after", "POST", "git-receive-pack"), Fault("fail_after", "POST", "/pulls$")]
        async with forged.worker(quick(forged)):
            result = await forged.run()
        assert RunStatus.PR_OPENED is result.status, result.reason
        assert [0, 0] == [fault.times for fault in proxy.faults]
    assert 1 == len(pulls(forged, gitea))


def leaks(secret: str, *places: Path) -> list[str]:
    """Files that hold it."""
    files = [file for place in places for file in place.rglob("*") if file.is_file() and not file.is_symlink()]
    return [str(file) for file in files if secret.encode() in file.read_bytes()]
