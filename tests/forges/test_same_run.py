"""The same run on every forge: the same artifacts, and one pull request that says the same (issue 6, "Done when")."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from gitea_server import BOT, OWNER, GiteaServer
from github_server import GitHubServer
from world import NO_CI, PACKAGE, QUICK_CHECK, World, git, make_world

from contracts.modes import RunStatus, WriteAction
from contracts.pull_request import PullRequest
from tests.workflows.quick import quick

WRITING, READING = "SAME_RUN_BOT_TOKEN", "SAME_RUN_READ_TOKEN"
ARTIFACTS = {
    "preflight.json",
    "checks/base.json",
    "checks/base-imports-1.txt",
    "checks/imports-1.txt",
    "checks/checks.json",
    "state_snapshot.json",
    "candidate_tasks.json",
    "task_contract.json",
    "change.bundle",
    "change.diff",
    "change.json",
    "review_report.json",
    "release_decision.json",
    "release_facts.json",
    "pull_request.md",
}


@pytest.fixture(params=["local", "gitea", "github"])
async def placed(
    request: pytest.FixtureRequest, tmp_path: Path, server: str, environments: Path, monkeypatch: pytest.MonkeyPatch
) -> World:
    """The same package as target ``demo`` on each forge."""
    kind: str = request.param
    world = await make_world(tmp_path / "world", server, environments)
    if kind == "local":
        world.add_target()
        return world
    forge: GiteaServer | GitHubServer = request.getfixturevalue(kind)
    monkeypatch.setenv(WRITING, forge.tokens[BOT])
    monkeypatch.setenv(READING, forge.tokens["reader"])
    repository = forge.make_repository(f"same-{tmp_path.name[-8:].strip('-_')}")
    work = world.root / "work"
    for path, body in PACKAGE.items():
        (work / path).parent.mkdir(parents=True, exist_ok=True)
        (work / path).write_text(body)
    git("init", "--quiet", "--initial-branch=main", cwd=work)
    git("add", "--all", cwd=work)
    git("commit", "--quiet", "--message=First", cwd=work)
    git("push", "--quiet", forge.remote(repository, forge.tokens[OWNER]), "main", cwd=work)
    access = f'\n[forge_access]\naccount = "{BOT}"\nwrite.variable = "{WRITING}"\nread.variable = "{READING}"\n'
    world.write_target("demo", access + NO_CI + QUICK_CHECK, remote=forge.remote(repository), forge=kind)
    return world


async def test_a_dry_run_and_a_pull_request(placed: World) -> None:
    """DRY_RUN refuses exactly the writes PR_ONLY makes; what is kept and what people read is the same everywhere."""
    local = "local" == placed.bench().policies.effective("demo").target.forge
    # As shipped without a forge; on one, where only the writes are others, without the tools' looks.
    async with placed.worker(None if local else quick(placed)):
        dry = await placed.run(mode="DRY_RUN")
        assert RunStatus.DRY_RUN_COMPLETE is dry.status, dry.reason
        assert () == shown(placed)
        run = await placed.run()
        assert RunStatus.PR_OPENED is run.status, run.reason
        adopted = await placed.run()
        assert RunStatus.ALREADY_RAN is adopted.status
    reports = [placed.artifact(each.run_id, "run_report.json") for each in (dry, run)]
    planned = [[write["planned"] for write in report["writes"]] for report in reports]
    assert planned[0] == planned[1]
    assert [WriteAction.PUSH_BRANCH, WriteAction.OPEN_PULL_REQUEST] == [write["action"] for write in planned[0]]
    kept = [{each["name"] for each in report["artifacts"]} for report in reports]
    # The base's checks are not run a second time, and a forge with an API is asked for its CI.
    assert ARTIFACTS == kept[0]
    assert ARTIFACTS - {"checks/base-imports-1.txt"} == kept[1] - {"ci.json"}
    [pull] = shown(placed)
    assert ("open", f"{run.run_id}/open_pull_request", run.task_id) == (pull.state, pull.run_key, pull.task_id)
    text = (placed.settings.artifacts / "runs" / run.run_id / "pull_request.md").read_text()
    assert words(text) == words(pull.body)[: len(words(text))]


def shown(world: World) -> tuple[PullRequest, ...]:
    """The pull requests, as the port reads them."""
    bench = world.bench()
    return bench.forges(bench.policies.effective("demo").target).pull_requests()


def words(text: str) -> list[str]:
    """What a person reads of it, whatever a forge does to line ends."""
    return re.findall(r"\S+", text)
