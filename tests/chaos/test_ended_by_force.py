"""What is ended by force is told truthfully, and what it left is followed (P12, P18; runbook §6.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aftermath import hasten
from shell import Shell, shell_of
from world import World, git

from contracts.modes import RunStatus
from contracts.rollback import WAITING, FollowUpView
from tests.workflows.quick import CHECK as IMPORTS
from tests.workflows.quick import FILES, Turnstile, stopping
from workflows import api

if TYPE_CHECKING:
    from contracts.admission import RunRecord


def prepared(world: World) -> None:
    """A cheap target, looked at every second."""
    hasten(world, reap_seconds=1, observation_minutes=0.001)
    world.add_target("cheap", FILES, "\n[environment]\nbuild = false\n" + IMPORTS)


async def lost(world: World, target: str) -> RunRecord:
    """The run of a target that was taken for lost."""

    async def found() -> RunRecord | None:
        recent = (await world.status(target)).recent
        return next((run for run in recent if run.status is RunStatus.LOST), None)

    record: RunRecord = await world.until(found)
    return record


async def waits(world: World, run_id: str, not_run: str = "") -> str:
    """Its follow-up waits for a person; which execution that is."""
    handle = world.client.get_workflow_handle(api.follow_up_id(run_id))

    async def waiting() -> str:
        seen = await handle.describe()
        view: FollowUpView = await handle.query(api.VIEW, result_type=FollowUpView)
        return seen.run_id if view.state == WAITING and seen.run_id != not_run else ""

    found: str = await world.until(waiting)
    return found


async def asked(shell: Shell, run_id: str) -> dict[str, Any]:
    """What ``why`` says of a run."""
    return (await shell.typed("why", run_id, "--json")).json


async def test_a_terminated_run_and_its_terminated_follow_up_are_told_and_made_good(world: World) -> None:
    """LOST has a report and a line in ``runs``; its pull request is followed, whatever becomes of its follow-up."""
    prepared(world)
    shell, turnstile = shell_of(world), Turnstile()
    async with world.worker(stopping(world, turnstile)):
        turnstile.close(doomed="audit")
        handle = await world.start("cheap", workflow_id="doomed")
        await world.until(turnstile.all_reached())
        await handle.terminate("an operator tries")
        run = await lost(world, "cheap")
        first = await waits(world, run.run_id)
        turnstile.open()
        follow_up = world.client.get_workflow_handle(api.follow_up_id(run.run_id))
        await follow_up.terminate("and again")
        stopped = (await asked(shell, run.run_id))["follow-up"]
        assert first != await waits(world, run.run_id, not_run=first)
        listed = (await shell.typed("runs", "cheap", "--json")).json["runs"]
        report = (await shell.typed("report", run.run_id, "--json")).json
        verified = await shell.typed("audit", "verify", "--json")

        work = world.root / "cheap-work"
        (branch,) = (ref.removeprefix("refs/heads/") for ref in world.autonomy_branches("cheap"))
        git("fetch", "--quiet", str(world.root / "cheap.git"), branch, cwd=work)
        git("merge", "--quiet", "--no-ff", "--message=Yes", "FETCH_HEAD", cwd=work)
        git("push", "--quiet", str(world.root / "cheap.git"), "HEAD:main", cwd=work)
        await follow_up.signal(api.REFRESH)

        async def merged() -> bool:
            return "merged by" in (await asked(shell, run.run_id))["follow-up"]["reason"]

        await world.until(merged)

    why = await asked(shell, run.run_id)
    assert ("deny", True) == (why["end"]["decision"], "TERMINATED" in why["end"]["reason"]), why["end"]
    assert {"preflight", "release", "write open_pull_request"} <= set(why)
    assert ("deny", True) == (
        stopped["decision"],
        "terminated at" in stopped["reason"] and "again" in stopped["reason"],
    )
    assert [(run.run_id, "LOST", 1)] == [(one["runId"], one["status"], one["pullRequest"]) for one in listed]
    assert ("LOST", 1, run.report_sha256 != "") == (report["status"], report["pullRequest"]["number"], True)
    assert 0 == verified.status, verified.out
