"""A run waits for the forge's CI: red rejects and closes, missing rejects, a person may take over (runbook §6.2)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from ci_forge import ANY, CiResults, with_ci
from temporalio.client import WorkflowHandle
from temporalio.testing import TimeSkipper
from world import World, git

from activities.step_session import StepPorts
from adapters.store.chained_log import ChainedLog
from commands.conversations import waiting_runs
from contracts.admission import RunResult, RunView
from contracts.audit import AuditRecord
from contracts.ci import LOOK_AGAIN
from contracts.forge_facts import CheckState, CommitCheck
from contracts.modes import PauseStyle, RunStatus, StepName
from contracts.remediation import Remediation
from contracts.verdict import Fact
from policies.verdicts import hold
from ports.forge import AccessDenied
from tests.workflows.conversation import pause, resume_when_quiescent
from tests.workflows.quick import CHECK, FILES, quick
from workflows import api
from workflows.run.gate import awaited, rest

CI = '\n[ci]\nrequired = ["ci/test", "ci/lint"]\nminutes = {minutes}\nevery_seconds = {every}\n'
LINK = "https://ci.example.invalid/77"
GREEN = (CommitCheck(name="ci/test", state=CheckState.GREEN), CommitCheck(name="ci/lint", state=CheckState.GREEN))
RED = CommitCheck(
    name="ci/test",
    state=CheckState.RED,
    link=LINK,
    detail="1 failed @owner",
    log="collected 9\nFAILED test_names - assert 1 == 2\n",
)
PENDING = CommitCheck(name="ci/test", state=CheckState.PENDING)


@pytest.fixture
def ci(world: World) -> CiResults:
    """A target whose CI is green on the base and has said nothing of anything else."""
    results = CiResults(world.root / "ci.json")
    point(world)
    results.report(world.refs("quick")["refs/heads/main"], *GREEN)
    return results


def point(world: World, minutes: float = 360, every: float = 1800, files: dict[str, str | bytes] | None = None) -> None:
    """The target ``quick``: two checks of the CI are named."""
    world.add_target("quick", files or FILES, CI.format(minutes=minutes, every=every) + CHECK)


def bench(world: World, ci: CiResults, on_look: Callable[[str], None] = lambda commit: None) -> StepPorts:
    """The quick one, on a forge with CI."""
    return quick(world, forges=with_ci(world.bench().forges, ci, on_look))


async def waits(world: World, handle: WorkflowHandle[Any, Any], words: str = "") -> RunView:
    """Until the run waits for CI, and says so."""

    async def asked() -> RunView | None:
        view = await world.state(handle)
        return view if view.step is StepName.CI and "waits for CI" in view.reason and words in view.reason else None

    view: RunView = await world.until(asked)
    return view


async def ended(handle: WorkflowHandle[Any, Any]) -> RunResult:
    """The result, which must come."""
    result: RunResult = await asyncio.wait_for(handle.result(), 90)
    return result


def head(world: World) -> str:
    """The commit of the one branch."""
    [branch] = world.autonomy_branches("quick")
    return world.refs("quick")[branch]


def alerts(world: World) -> list[str]:
    """Kinds and summaries of what was raised."""
    place = world.settings.home / "alerts.jsonl"
    return place.read_text().splitlines() if place.exists() else []


async def test_green_at_once_goes_on_and_is_in_the_report(world: World, ci: CiResults) -> None:
    """One look; the pull request waits for a person as ever."""
    ci.report(ANY, *GREEN)
    async with world.worker(bench(world, ci)):
        result = await world.run("quick")
    assert (RunStatus.PR_OPENED, "REQUIRES_HUMAN_REVIEW") == (result.status, result.outcome), result.reason
    report = world.artifact(result.run_id, "run_report.json")
    assert ("GREEN", 1, head(world)) == tuple(report["ci"][key] for key in ("state", "looks", "commitSha"))
    assert [("ci/test", "green"), ("ci/lint", "green")] == [(c["name"], c["state"]) for c in report["ci"]["checks"]]
    assert ["allow"] == [step["verdict"]["decision"] for step in report["steps"] if step["step"] == "ci"]
    assert report["ci"] == world.artifact(result.run_id, "ci.json")
    page = (world.settings.artifacts / "runs" / result.run_id / "run_report.html").read_text()
    assert "CI of the forge" in page


async def test_green_after_hours_and_a_dead_worker(world: World, ci: CiResults) -> None:
    """Missing, pending, green; the wait outlives the worker, and ``state`` says what is awaited until when."""
    async with world.worker(bench(world, ci)):
        handle = await world.start("quick")
        view = await waits(world, handle, "missing: ci/test, ci/lint; likely")
        shown = await waiting_runs(world.client, await world.status("quick"))
        assert view.run is not None
        assert {view.run.run_id: view.reason} == shown
    assert "UTC" in view.reason
    # What `status`, `why` and the dashboard show: commit, checks, since, until; the next look only where it may change.
    stands = f"waits for CI of {head(world)[:12]} since "
    assert view.awaits.startswith(stands)
    assert "until" in view.awaits
    assert "missing: ci/test, ci/lint; likely: nobody has begun" in view.awaits
    assert ("; next look at " in view.reason, "next look" in view.awaits) == (True, False)
    ci.report(head(world), PENDING, GREEN[1])
    async with world.worker(bench(world, ci)):
        await TimeSkipper(world.client).fast_forward(handle, timedelta(hours=3))
        await waits(world, handle, "pending: ci/test")
        ci.report(head(world), *GREEN)
        await TimeSkipper(world.client).fast_forward(handle, timedelta(minutes=31))
        result = await ended(handle)
    assert RunStatus.PR_OPENED is result.status, result.reason
    assert world.artifact(result.run_id, "ci.json")["looks"] > 3


async def test_6_2_red_rejects_closes_explains_and_queues_a_remediation(world: World, ci: CiResults) -> None:
    """The whole of §6.2: outcome, rejection, details in the reports, alert, remediation, the pull request closed."""
    ci.report(ANY, RED, GREEN[1])
    async with world.worker(bench(world, ci)):
        result = await world.run("quick")
        booked = await world.control("quick").query(api.BACKLOG, result_type=list[Remediation])
        second = await world.run("quick", again=True)
    assert (RunStatus.REJECTED, "REJECT") == (result.status, result.outcome)
    assert "red: ci/test; its pull request is closed" in result.reason
    [pull] = world.pulls("quick")
    assert "closed" == pull["state"]
    assert "**Closed by us: CI rejected" in pull["body"]
    assert f"- `ci/test`: red, `1 failed @owner`, `{LINK}`" in pull["body"]
    assert f"key `{result.run_id}/open_pull_request`" in pull["body"]
    report = world.artifact(result.run_id, "run_report.json")
    [failed] = report["failedChecks"]
    assert ("ci/test", "ci", "red", LINK) == tuple(failed[key] for key in ("name", "tree", "status", "link"))
    assert "FAILED test_names - assert 1 == 2" in failed["lastLines"]
    assert "ci_failed" == report["rejection"]["reasonCode"]
    assert {"failedGate", "recommendedRemediation", "canRetry", "retryAfter"} < set(report["rejection"])
    assert "underestimated" in report["review"]["riskAgainstOutcome"]
    page = (world.settings.artifacts / "runs" / result.run_id / "run_report.html").read_text()
    assert LINK in page
    assert "FAILED test_names" in page
    [one] = booked
    assert report["remediation"] == one.remediating_task
    assert ("CI ci/test", LINK) == (one.failed[0].check, one.failed[0].detail.rpartition("; ")[2])
    candidates = world.artifact(second.run_id, "candidate_tasks.json")["candidates"]
    assert [(one.remediating_task, True)] == [(each["taskId"], each["needsPerson"]) for each in candidates]
    assert LINK in candidates[0]["evidence"][0]
    assert any("required_check_failed" in line and "ci/test" in line for line in alerts(world))


async def test_our_own_closing_is_no_persons_no(world: World, ci: CiResults) -> None:
    """A remediation whose pull request CI made us close takes its next part; the plain idea is suppressed once."""
    world.add_target(
        "flow",
        {"pkg/__init__.py": '"""Names."""\n', **{f"pkg/{name}.py": f'"""You recieve {name}."""\n' for name in "abcd"}},
        CI.format(minutes=360, every=1800) + CHECK,
    )
    ci.report(world.refs("flow")["refs/heads/main"], *GREEN)
    ci.report(ANY, RED, GREEN[1])
    async with world.worker(bench(world, ci)):
        runs = [await world.run("flow", again=True) for _ in range(3)]
        [one] = await world.control("flow").query(api.BACKLOG, result_type=list[Remediation])
    assert [RunStatus.REJECTED] * 3 == [run.status for run in runs], [run.reason for run in runs]
    assert [one.remediating_task] * 2 == [run.task_id for run in runs[1:]]
    assert 2 == one.attempts
    assert ["closed"] * 3 == [pull["state"] for pull in world.pulls("flow")]


async def test_missing_until_the_deadline_rejects_and_blames_nothing(world: World, ci: CiResults) -> None:
    """The pull request stays open and is followed; no remediation; the reason names checks and time."""
    ci.report(ANY, PENDING)
    async with world.worker(bench(world, ci)):
        handle = await world.start("quick")
        await waits(world, handle)
        await TimeSkipper(world.client).fast_forward(handle, timedelta(hours=7))
        result = await ended(handle)
        booked = await world.control("quick").query(api.BACKLOG, result_type=list[Remediation])
        follow_up = world.client.get_workflow_handle(api.follow_up_id(result.run_id))
        await world.until(follow_up.describe)
    assert (RunStatus.REJECTED, "REJECT", []) == (result.status, result.outcome, booked)
    assert "CI is not green after 360 minutes: missing: ci/lint; pending: ci/test" in result.reason
    assert "the pull request stays open" in result.reason
    assert ["open"] == [pull["state"] for pull in world.pulls("quick")]
    report = world.artifact(result.run_id, "run_report.json")
    assert ("ci_not_finished", "") == (report["rejection"]["reasonCode"], report["remediation"])
    assert ["infrastructure"] * 2 == [check["status"] for check in report["failedChecks"]]
    assert any("required_check_failed" in line and "missing: ci/lint" in line for line in alerts(world))


async def test_a_forge_that_cannot_be_asked_is_not_green(world: World, ci: CiResults) -> None:
    """P13: asked again by the timer; at the deadline it is a no, and nothing is written."""
    async with world.worker(bench(world, ci)):
        handle = await world.start("quick")
        await waits(world, handle)
        ci.break_down()
        await TimeSkipper(world.client).fast_forward(handle, timedelta(minutes=31))
        await waits(world, handle, "unknown: the forge is down")
        await TimeSkipper(world.client).fast_forward(handle, timedelta(hours=7))
        result = await ended(handle)
    assert RunStatus.REJECTED is result.status
    assert "CI is not green after 360 minutes: unknown: the forge is down" in result.reason
    assert ["open"] == [pull["state"] for pull in world.pulls("quick")]


async def test_a_token_that_expires_while_it_waits_is_no_rejection(world: World, ci: CiResults) -> None:
    """Heard at once, waited for until the deadline, then FAILED with the cure: the change was never judged."""
    expired = False

    def asked(_commit: str) -> None:
        if expired:
            raise AccessDenied("forge answered 401 to looking at /statuses")

    async with world.worker(bench(world, ci, asked)):
        handle = await world.start("quick")
        await waits(world, handle, "missing")
        expired = True
        await TimeSkipper(world.client).fast_forward(handle, timedelta(minutes=31))
        await waits(world, handle, "unknown: forge answered 401 to looking at /statuses. To mend it: renew the token")
        assert any("run_stuck" in line and "To mend it" in line for line in alerts(world))
        await TimeSkipper(world.client).fast_forward(handle, timedelta(hours=7))
        result = await ended(handle)

        async def closed() -> list[AuditRecord]:
            records = ChainedLog(world.settings.artifacts).records("target/quick")
            return [record for record in records if record.event == "run closed"]

        (booked,) = await world.until(closed)
    assert RunStatus.FAILED is result.status, result.reason
    assert booked.facts.get("keptOut"), "it counts as a failure in a row otherwise"
    assert "To mend it: renew the token" in result.reason
    assert "REJECT" != world.artifact(result.run_id, "release_decision.json")["outcome"]
    assert ["open"] == [pull["state"] for pull in world.pulls("quick")]


async def test_a_pause_holds_the_wait_and_is_not_counted(world: World, ci: CiResults) -> None:
    """HELD in the middle, no look meanwhile; after the resume it looks at once."""
    looks: list[str] = []
    async with world.worker(bench(world, ci, looks.append)):
        handle = await world.start("quick")
        await waits(world, handle)
        await pause(world, "quick")

        async def held() -> bool:
            return (await world.state(handle)).status is RunStatus.HELD

        await world.until(held)
        before = looks.count(head(world))
        ci.report(head(world), *GREEN)
        assert before == looks.count(head(world))
        assert (await resume_when_quiescent(world, "quick")).accepted
        result = await ended(handle)
    assert RunStatus.PR_OPENED is result.status, result.reason


@pytest.mark.parametrize(
    ("style", "status"), [(PauseStyle.DRAIN, RunStatus.PAUSED), (PauseStyle.ABORT, RunStatus.CANCELLED)]
)
async def test_a_harder_pause_ends_the_wait(world: World, ci: CiResults, style: PauseStyle, status: RunStatus) -> None:
    """In order; the pull request stays."""
    async with world.worker(bench(world, ci)):
        handle = await world.start("quick")
        await waits(world, handle)
        await pause(world, "quick", style)
        result = await ended(handle)
    assert status is result.status
    assert ["open"] == [pull["state"] for pull in world.pulls("quick")]


@pytest.mark.parametrize("deed", ["merged", "closed", "moved"])
async def test_a_person_takes_over_while_it_waits(world: World, ci: CiResults, deed: str) -> None:
    """Waiting ends with who did what; a merge is observed as any merge of a person's."""
    async with world.worker(bench(world, ci)):
        handle = await world.start("quick")
        await waits(world, handle)
        remote, branch = world.root / "quick.git", world.autonomy_branches("quick")[0]
        if deed == "merged":
            git("update-ref", "refs/heads/main", head(world), cwd=remote)
        elif deed == "closed":
            git("update-ref", "-d", branch, cwd=remote)
        else:
            git("update-ref", branch, "refs/heads/main", cwd=remote)
        await TimeSkipper(world.client).fast_forward(handle, timedelta(minutes=31))
        result = await ended(handle)
    said = {"merged": "a person merged pull request 1", "closed": "a person closed pull request 1"}
    assert said.get(deed, "somebody moved the branch of pull request 1") in result.reason
    assert RunStatus.PR_OPENED is result.status


async def test_a_persons_close_before_ours_is_said_and_no_failure(world: World, ci: CiResults) -> None:
    """The rejection stands."""
    ci.report(ANY, RED, GREEN[1])
    remote = world.root / "quick.git"

    def closes(commit: str) -> None:
        # After the pull request was read as open, before our write: the branch goes.
        for branch in world.autonomy_branches("quick"):
            if world.refs("quick")[branch] == commit:
                git("update-ref", "-d", branch, cwd=remote)

    async with world.worker(bench(world, ci, closes)):
        result = await world.run("quick")
    assert RunStatus.REJECTED is result.status
    assert "its pull request was not closed: a person closed pull request 1" in result.reason


async def test_a_named_check_on_a_forge_without_ci_refuses_the_run(world: World) -> None:
    """Nothing missing is ever green: preflight says what to do."""
    point(world)
    async with world.worker(quick(world)):
        result = await world.run("quick")
    assert RunStatus.REFUSED is result.status
    assert "missing: ci/test, ci/lint: nobody reported it. A repository without a forge has no CI" in result.reason


async def test_pending_on_the_base_is_waited_for(world: World, ci: CiResults) -> None:
    """§3 by a durable timer: not finished is neither green nor red; then the run goes on by itself."""
    base = world.refs("quick")["refs/heads/main"]
    ci.report(ANY, *GREEN)
    ci.report(base, PENDING, GREEN[1])
    async with world.worker(bench(world, ci)):
        handle = await world.start("quick")

        async def held() -> RunView | None:
            view = await world.state(handle)
            return view if view.status is RunStatus.HELD else None

        view: RunView = await world.until(held)
        assert "pending: ci/test: not finished yet" in view.reason
        assert "next look at" in view.reason
        ci.report(base, *GREEN)
        await TimeSkipper(world.client).fast_forward(handle, timedelta(minutes=2))
        result = await ended(handle)
    assert RunStatus.PR_OPENED is result.status, result.reason


@pytest.mark.parametrize(
    ("status", "reason", "expected"),
    [
        (RunStatus.RUNNING, "waits for CI of abc: missing: t; next look at 10:00", "waits for CI of abc: missing: t"),
        (RunStatus.HELD, "pending: t; next look at 10:00:00 UTC", "pending: t"),
        (RunStatus.RUNNING, "", ""),
        (RunStatus.RUNNING, "canary of abc: 2 rounds green", ""),
        (RunStatus.QUEUED, "one is running", ""),
    ],
)
def test_what_a_run_waits_for_is_the_same_until_it_changes(status: RunStatus, reason: str, expected: str) -> None:
    """A dashboard is not written anew for each look."""
    assert expected == awaited(status, reason)


@pytest.mark.parametrize(
    ("wanted", "facts", "expected"),
    [(10, {}, 10), (1280, {}, 600), (1280, {LOOK_AGAIN: 30}, 30), (10, {LOOK_AGAIN: 1800.0}, 10)],
)
def test_a_held_run_follows_the_rhythm_of_its_cause(wanted: float, facts: dict[str, Fact], expected: float) -> None:
    """After green came, nobody waits for a back-off of minutes."""
    held = hold("the base is green", "pending", **facts)
    assert timedelta(seconds=expected) == rest(timedelta(seconds=wanted), held)


async def test_a_base_that_is_never_finished_refuses_with_what_to_do(world: World, ci: CiResults) -> None:
    """The deadline of `[ci] minutes`; a missing result is not green."""
    ci.report(world.refs("quick")["refs/heads/main"], PENDING, GREEN[1])
    async with world.worker(bench(world, ci)):
        handle = await world.start("quick")
        await TimeSkipper(world.client).fast_forward(handle, timedelta(hours=7))
        result = await ended(handle)
    assert RunStatus.REFUSED is result.status
    assert "pending: ci/test: not finished after 360 minutes. Run again when it is" in result.reason
