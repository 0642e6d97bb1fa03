"""§6.2, live: a change that breaks the target's checks is rejected, explained, and tried again on fewer files."""

from __future__ import annotations

from typing import Any

from world import World, git

from contracts.modes import Role, RunStatus
from contracts.remediation import Remediation, RemediationEnd
from ports.agents import Brief
from tests.workflows.quick import CHECK, add_target, quick
from workflows import api

FILES: dict[str, str | bytes] = {
    "pkg/__init__.py": '"""Names."""\n',
    **{f"pkg/{name}.py": f'"""You recieve {name}."""\n\nVALUE = 1\n' for name in "abcd"},
}
BREAKS = """
[[checks]]
name = "unit"
kind = "tests"
argv = ["python", "-c", "import pkg.d, sys; sys.exit(0 if 'recieve' in pkg.d.__doc__ else 'AssertionError: d lost')"]
"""
REFUSES_ANY = """
[[checks]]
name = "unit"
kind = "tests"
argv = ["python", "-c", "import glob, sys; sys.exit('receive' in ''.join(open(p).read() for p in glob.glob('pkg/*')))"]
"""


async def backlog(world: World, target: str) -> list[Remediation]:
    """What Control has booked."""
    booked: list[Remediation] = await world.control(target).query(api.BACKLOG, result_type=list[Remediation])
    return booked


def listed(world: World, run_id: str) -> list[dict[str, Any]]:
    """The candidates of a run."""
    candidates: list[dict[str, Any]] = world.artifact(run_id, "candidate_tasks.json")["candidates"]
    return candidates


async def test_6_2_failed_checks_reject_explain_and_queue_a_remediation_that_lets_the_sound_half_through(
    world: World,
) -> None:
    """§6.2 whole: REJECTED with the contract's fields, details in all reports, the next run remedies, then a person."""
    world.add_target("flow", FILES, BREAKS)
    async with world.worker():
        dry = await world.run("flow", mode="DRY_RUN")
        after_dry = await backlog(world, "flow")
        first = await world.run("flow")
        booked = await backlog(world, "flow")
        second = await world.run("flow", again=True)
        ended = await backlog(world, "flow")

    assert [RunStatus.REJECTED, RunStatus.REJECTED, RunStatus.PR_OPENED] == [dry.status, first.status, second.status]
    assert [] == after_dry
    report = world.artifact(first.run_id, "run_report.json")
    assert {"reasonCode", "failedGate", "recommendedRemediation", "canRetry", "retryAfter"} == set(report["rejection"])
    assert "check_failed" == report["rejection"]["reasonCode"]
    (failed,) = report["failedChecks"]
    assert ("unit", "tests", "red", 1, 2) == tuple(
        failed[name] for name in ("name", "kind", "status", "exitCode", "attempts")
    )
    assert ["AssertionError: d lost"] == failed["firstLines"]
    assert failed["seconds"] > 0
    folder = world.settings.artifacts / "runs" / first.run_id
    assert "d lost" in (folder / failed["output"]).read_text()
    page = (folder / "run_report.html").read_text()
    assert "Failing checks" in page
    assert "AssertionError: d lost" in page

    (one,) = booked
    assert (0, 3, None, first.run_id) == (one.attempts, one.most_attempts, one.ended, one.run_id)
    assert ("pkg/a.py", "pkg/b.py", "pkg/c.py", "pkg/d.py") == one.paths
    assert one.remediating_task == report["remediation"]
    (candidate,) = listed(world, second.run_id)
    assert (one.remediating_task, one.fingerprint, False) == (
        candidate["taskId"],
        candidate["remediates"],
        candidate["needsPerson"],
    )
    assert ["pkg/a.py", "pkg/b.py"] == candidate["paths"]
    assert 2 == candidate["before"]
    suppressed = world.artifact(second.run_id, "candidate_tasks.json")["suppressed"]
    assert [first.task_id] == [each["taskId"] for each in suppressed if "rejected on" in each["reason"]]
    assert one.remediating_task == second.task_id
    assert [RemediationEnd.PULL_REQUEST] == [each.ended for each in ended]
    (branch,) = world.autonomy_branches("flow")
    changed = git("diff", "--name-only", "main", branch, cwd=world.root / "flow.git").splitlines()
    assert ["pkg/a.py", "pkg/b.py"] == changed


async def test_6_2_attempts_are_capped_and_the_next_idea_has_its_turn(world: World) -> None:
    """caps.attempts_per_task: each attempt another part, then it is named as suppressed and nothing more is tried."""
    policy = world.settings.policies / "autopilot.toml"
    policy.write_text(policy.read_text().replace("attempts_per_task = 3", "attempts_per_task = 2"))
    world.add_target("flow", FILES, REFUSES_ANY)
    async with world.worker(quick(world)):
        runs = [await world.run("flow", again=True) for _ in range(4)]
        (one,) = await backlog(world, "flow")

    assert [RunStatus.REJECTED] * 3 + [RunStatus.NOTHING_TO_DO] == [run.status for run in runs]
    tried = [listed(world, run.run_id)[0]["paths"] for run in runs[1:3]]
    assert [["pkg/a.py", "pkg/b.py"], ["pkg/c.py", "pkg/d.py"]] == tried
    assert (2, RemediationEnd.ATTEMPTS) == (one.attempts, one.ended)
    suppressed = world.artifact(runs[3].run_id, "candidate_tasks.json")["suppressed"]
    assert "tried 2 times without success, at most 2; until caps.attempts_per_task is raised" in [
        each["reason"] for each in suppressed if each["taskId"] == one.remediating_task
    ]


async def test_6_2_what_is_down_to_one_file_is_listed_for_a_person_and_never_taken(world: World) -> None:
    """The culprit is cornered: the run has nothing to do, and says who is waited for."""
    add_target(
        world, "quick", CHECK.replace("import pkg", "import sys; sys.exit('receive' in open('README.md').read())")
    )
    asked: list[Role] = []

    def seen(brief: Brief) -> None:
        asked.append(brief.role)

    async with world.worker(quick(world, seen)):
        first = await world.run("quick")
        del asked[:]
        second = await world.run("quick", again=True)
        (one,) = await backlog(world, "quick")

    assert (RunStatus.REJECTED, RunStatus.NOTHING_TO_DO) == (first.status, second.status)
    (candidate,) = listed(world, second.run_id)
    assert (["README.md"], True) == (candidate["paths"], candidate["needsPerson"])
    assert "1 waits for a person" in second.reason
    assert Role.CODING not in asked
    assert (0, None) == (one.attempts, one.ended)


async def test_6_2_checks_that_are_red_on_the_base_refuse_with_their_details_and_what_to_do(world: World) -> None:
    """REFUSED at preflight: no candidate, but the same details; also when the base's result is reused."""
    add_target(world, "quick", CHECK.replace("import pkg", "raise SystemExit('AssertionError: base')"))
    async with world.worker(quick(world)):
        runs = [await world.run("quick", again=True) for _ in range(2)]
        booked = await backlog(world, "quick")

    assert [RunStatus.REFUSED] * 2 == [run.status for run in runs]
    assert [] == booked
    for run in runs:
        assert "Mend main, or the check in targets/quick.toml, then run again" in run.reason
        (failed,) = world.artifact(run.run_id, "run_report.json")["failedChecks"]
        assert ("imports", "base", ["AssertionError: base"]) == (failed["name"], failed["tree"], failed["firstLines"])
        assert (world.settings.artifacts / "runs" / run.run_id / failed["output"]).exists()
