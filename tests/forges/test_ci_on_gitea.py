"""A run waits for the CI of a real Gitea: what people's CI reports at its commit decides (runbook §6.2)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from forge_stages import GiteaStage, soon
from gitea_runner import WORKFLOW, Runner
from gitea_server import BOT, OWNER, GiteaServer
from temporalio.client import WorkflowHandle
from world import World, git, make_world

from contracts.admission import RunResult
from contracts.forge_facts import CheckState
from contracts.modes import RunStatus, StepName
from contracts.remediation import Remediation
from tests.workflows.quick import CHECK, FILES, quick
from workflows import api

TOKEN = "CI_BOT_TOKEN"  # the variable's name
LINK = "https://ci.example.invalid/77"

Report = Callable[..., None]


@pytest.fixture
async def world(
    tmp_path: Path, server: str, environments: Path, gitea: GiteaServer, monkeypatch: pytest.MonkeyPatch
) -> World:
    """The target ``quick`` on the Gitea; its base demands ``ci/test``, which is green there."""
    monkeypatch.setenv(TOKEN, gitea.tokens[BOT])
    world = await make_world(tmp_path / "world", server, environments)
    repository = gitea.make_repository(world.namespace)
    work = world.root / "work"
    for path, body in FILES.items():
        (work / path).parent.mkdir(parents=True, exist_ok=True)
        (work / path).write_text(str(body))
    git("init", "--quiet", "--initial-branch=main", cwd=work)
    git("add", "--all", cwd=work)
    git("commit", "--quiet", "--message=First", cwd=work)
    git("push", "--quiet", gitea.remote(repository, gitea.tokens[OWNER]), "main", cwd=work)
    demanded = {"enable_status_check": True, "status_check_contexts": ["ci/test"]}
    gitea.done("POST", f"/repos/{repository}/branch_protections", rule_name="main", enable_push=False, **demanded)
    point(world, gitea)
    return world


@pytest.fixture
def report(world: World, gitea: GiteaServer) -> Report:
    """People's CI says something of a commit."""

    def said(commit: str, context: str, state: str, description: str = "") -> None:
        content = {"context": context, "state": state, "target_url": LINK, "description": description}
        gitea.done("POST", f"/repos/{OWNER}/{world.namespace}/statuses/{commit}", **content)

    said(git("rev-parse", "HEAD", cwd=world.root / "work"), "ci/test", "success")
    return said


def point(world: World, gitea: GiteaServer, required: str = "[]", minutes: float = 8) -> None:
    """The target file."""
    access = f'\n[forge_access]\naccount = "{BOT}"\nwrite.variable = "{TOKEN}"\n'
    ci = f"\n[ci]\nrequired = {required}\nminutes = {minutes}\nevery_seconds = 1\nfirst_seconds = 1\n"
    remote = gitea.remote(f"{OWNER}/{world.namespace}")
    world.write_target("quick", access + ci + CHECK, remote=remote, forge="gitea")


def pulls(world: World, gitea: GiteaServer) -> list[dict[str, Any]]:
    """As a person sees them, newest first."""
    found: list[dict[str, Any]] = gitea.done("GET", f"/repos/{OWNER}/{world.namespace}/pulls?state=all")
    return found


async def opened(world: World, gitea: GiteaServer, handle: WorkflowHandle[Any, Any], words: str) -> str:
    """Wait until the run waits for CI with these words; its pull request's head."""

    async def asked() -> bool:
        view = await world.state(handle)
        return view.step is StepName.CI and words in view.reason

    await world.until(asked, 120)
    head: str = pulls(world, gitea)[0]["head"]["sha"]
    return head


async def ended(handle: WorkflowHandle[Any, Any]) -> RunResult:
    """The result, which must come."""
    result: RunResult = await asyncio.wait_for(handle.result(), 120)
    return result


async def test_missing_then_pending_then_green(world: World, gitea: GiteaServer, report: Report) -> None:
    """Waited for in that order; only green lets the pull request go on to a person."""
    async with world.worker(quick(world)):
        handle = await world.start("quick")
        head = await opened(world, gitea, handle, "missing: ci/test")
        report(head, "ci/test", "pending")
        await opened(world, gitea, handle, "pending: ci/test")
        report(head, "ci/test", "success")
        result = await ended(handle)
    assert RunStatus.PR_OPENED is result.status, result.reason
    assert "open" == pulls(world, gitea)[0]["state"]
    kept = world.artifact(result.run_id, "run_report.json")["ci"]
    assert ("GREEN", head, LINK) == (kept["state"], kept["commitSha"], kept["checks"][0]["link"])


async def test_6_2_red_is_rejected_closed_explained_and_remedied(
    world: World, gitea: GiteaServer, report: Report
) -> None:
    """Name, link and words of the failure in the report, in the closed pull request and in the next candidates."""
    async with world.worker(quick(world)):
        handle = await world.start("quick")
        head = await opened(world, gitea, handle, "missing: ci/test")
        report(head, "ci/test", "failure", f"FAILED test_names @{OWNER}")
        result = await ended(handle)
        [one] = await world.control("quick").query(api.BACKLOG, result_type=list[Remediation])
        second = await world.run("quick", again=True)
    assert RunStatus.REJECTED is result.status, result.reason
    assert "its pull request is closed" in result.reason
    [pull] = pulls(world, gitea)
    assert ("closed", False) == (pull["state"], pull["merged"])
    assert f"- `ci/test`: red, `FAILED test_names @{OWNER}`, `{LINK}`" in pull["body"]
    [failed] = world.artifact(result.run_id, "run_report.json")["failedChecks"]
    assert ("ci/test", LINK, "red") == (failed["name"], failed["link"], failed["status"])
    assert "FAILED test_names" in failed["detail"]
    candidates = world.artifact(second.run_id, "candidate_tasks.json")["candidates"]
    assert [one.remediating_task] == [each["taskId"] for each in candidates]
    assert f"FAILED test_names @{OWNER}; {LINK}" in candidates[0]["evidence"][0]


async def test_a_required_name_that_nobody_reports_is_not_green(
    world: World, gitea: GiteaServer, report: Report
) -> None:
    """The policy's own name, beside the forge's: at the deadline rejected, the pull request stays open."""
    report(git("rev-parse", "HEAD", cwd=world.root / "work"), "ci/deploy", "success")
    point(world, gitea, '["ci/deploy"]', minutes=0.2)
    async with world.worker(quick(world)):
        handle = await world.start("quick")
        head = await opened(world, gitea, handle, "missing: ci/test, ci/deploy")
        report(head, "ci/test", "success")
        result = await ended(handle)
        booked = await world.control("quick").query(api.BACKLOG, result_type=list[Remediation])
    assert RunStatus.REJECTED is result.status, result.reason
    assert "missing: ci/deploy; the pull request stays open" in result.reason
    assert ["open"] == [pull["state"] for pull in pulls(world, gitea)]
    assert [] == booked


async def test_a_person_merges_while_it_waits(world: World, gitea: GiteaServer, report: Report) -> None:
    """An administrator overrides the protection: the run stops waiting and says who holds it now."""
    async with world.worker(quick(world)):
        handle = await world.start("quick")
        head = await opened(world, gitea, handle, "missing: ci/test")
        report(head, "ci/test", "pending")
        number = pulls(world, gitea)[0]["number"]
        place = f"/repos/{OWNER}/{world.namespace}/pulls/{number}/merge"

        async def merged() -> bool:
            return bool(gitea.ask("POST", place, Do="merge", force_merge=True).status == 200)

        await world.until(merged)
        result = await ended(handle)
    assert f"a person merged pull request {number} while its CI was awaited" in result.reason
    assert RunStatus.PR_OPENED is result.status


async def test_without_ci_nobody_waits(world: World, gitea: GiteaServer) -> None:
    """No protection by name, no name of ours, nothing reported: the report says that there is none."""
    gitea.done("DELETE", f"/repos/{OWNER}/{world.namespace}/branch_protections/main")
    async with world.worker(quick(world)):
        result = await world.run("quick")
    assert RunStatus.PR_OPENED is result.status, result.reason
    assert "NONE" == world.artifact(result.run_id, "ci.json")["state"]


def test_the_end_of_a_failing_jobs_log_is_read(on_gitea: Callable[..., GiteaStage], gitea: GiteaServer) -> None:
    """Gitea's own CI: name, whole link, and what the job said last; of a green one nothing is fetched."""
    # Gitea shows logs to nobody without a token.
    stage = on_gitea(private=True)
    runner = Runner(gitea)
    runner.register()
    place = stage.person / ".gitea" / "workflows" / "ci.yml"
    place.parent.mkdir(parents=True)
    place.write_text(WORKFLOW)
    for result in ("SUCCESS", "FAILURE"):
        (stage.person / "more.txt").write_text(result)
        git("add", "--all", cwd=stage.person)
        git("commit", "--quiet", "--message=More", cwd=stage.person)
        git("push", "--quiet", "origin", "HEAD:refs/heads/main", cwd=stage.person)
        runner.does(result, *(f"line {number}" for number in range(2000)), "FAILED test_names - assert 1 == 2")
    head = git("rev-parse", "HEAD", cwd=stage.person)
    name = "CI / test (push)"
    soon(lambda: stage.forge.required_checks(head, (name,))[0].state is CheckState.RED)
    [red] = stage.forge.required_checks(head, (name,))
    assert (name, f"{gitea.address}/{stage.repository}/actions/runs/") == (
        red.name,
        red.link.rpartition("runs/")[0] + "runs/",
    )
    assert red.log.rstrip().endswith("FAILED test_names - assert 1 == 2")
    assert len(red.log) <= 8192
    [green] = stage.forge.required_checks(git("rev-parse", "HEAD~", cwd=stage.person), (name,))
    assert (CheckState.GREEN, "") == (green.state, green.log)
    assert CheckState.MISSING is stage.forge.required_checks(head, ("CI / *",))[0].state
