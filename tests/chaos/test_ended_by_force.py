"""What is ended by force is told truthfully, and what it left is followed (P12, P18; runbook §6.3)."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aftermath import BROKEN, after_a_run, hasten
from aftermath import CHECK as NAMES
from faulty import reset
from shell import Shell, shell_of
from world import World, git

from adapters.forges.local import forge_folder, read_comments
from adapters.store.chained_log import ChainedLog
from contracts.admission import RunResult
from contracts.audit import AuditEvent
from contracts.effect import Effect
from contracts.modes import Role, RunStatus, WriteAction
from contracts.rollback import TargetMemory
from ports.forge import ForgeError
from tests.workflows.conversation import follow_up_waits
from tests.workflows.quick import CHECK as IMPORTS
from tests.workflows.quick import FILES, Turnstile, quick, stopping
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
        first = await follow_up_waits(world, run.run_id)
        turnstile.open()
        follow_up = world.client.get_workflow_handle(api.follow_up_id(run.run_id))
        await follow_up.terminate("and again")
        stopped = (await asked(shell, run.run_id))["follow-up"]
        assert first != await follow_up_waits(world, run.run_id, not_run=first)
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


async def test_a_reset_run_has_not_tampered_with_its_log(world: World) -> None:
    """It goes on, and writes behind the head that is kept; what no workflow of ours wrote is still found."""
    prepared(world)
    shell, turnstile = shell_of(world), Turnstile()
    async with world.worker(stopping(world, turnstile)):
        turnstile.close(doomed="plan")
        handle = await world.start("cheap", workflow_id="doomed")
        await world.until(turnstile.all_reached())
        await handle.terminate("an operator tries")
        run = await lost(world, "cheap")
        first = await shell.typed("audit", "verify", run.run_id, "--json")
        turnstile.close(doomed="audit")
        await reset(world, handle, after=0)
        await world.until(turnstile.all_reached())
        going = await shell.typed("audit", "verify", run.run_id, "--json")
        turnstile.open()
        ended = await world.client.get_workflow_handle("doomed", result_type=RunResult).result()
        after = await shell.typed("audit", "verify", run.run_id, "--json")
        log = ChainedLog(world.settings.artifacts)
        forged = AuditEvent(key="forged", role=Role.AUDIT, event="all is well", facts={})
        log.append(f"run/{run.run_id}", (forged,), run.closed_at)
        tampered = await shell.typed("audit", "verify", run.run_id, "--json")
    records = [one.json["logs"][0]["records"] for one in (first, going, after)]
    assert ([0, 0, 0, 17], True) == ([one.status for one in (first, going, after, tampered)], records[0] < records[1])
    assert (RunStatus.REJECTED, True) == (ended.status, records[1] <= records[2])


@dataclass
class CutOff:
    """The real effects; a revert stands still after it landed, and then nobody learns that it did."""

    real: Any
    reached: threading.Event = field(default_factory=threading.Event)
    go_on: threading.Event = field(default_factory=threading.Event)

    def perform(self, target: Any, effect: Effect, *given: Any, **named: Any) -> Any:
        """Land, wait, and be cut off."""
        result = self.real.perform(target, effect, *given, **named)
        if effect.action is WriteAction.REVERT and not self.go_on.is_set():
            self.reached.set()
            self.go_on.wait(60)
            raise ForgeError("cut off after the push")
        return result


async def test_a_rollback_that_was_called_over_and_had_restored_the_base_is_restored_everywhere(world: World) -> None:
    """Terminated right after its revert landed: ESCALATED; reset, it finds that, confirms health, and says so."""
    hasten(world, write_seconds=5, reap_seconds=1)
    world.write_target("demo", "\n[environment]\nbuild = false\n" + NAMES, rollback_strategy="revert_commit")
    shell, effects = shell_of(world), CutOff(world.bench().effects)
    async with world.worker(quick(world, effects=effects)):
        after = await after_a_run(world)
        run_id, before = after.run.run_id, after.tree()
        await after.merge(BROKEN)
        assert (await after.order()).accepted

        async def stage() -> str:
            kept: TargetMemory = await world.control().query(api.AFTERCARE, result_type=TargetMemory)
            return str(kept.merges[0].stage) if effects.reached.is_set() else ""

        async def escalated() -> bool:
            return await stage() == "escalated" and not (await world.status()).writes_in_flight

        async def restored() -> bool:
            return await stage() == "restored"

        await world.until(stage)
        await after.rollback().terminate("break-glass")
        stopped = (await asked(shell, run_id))["rollback"]
        await world.until(escalated)

        async def said() -> list[str]:
            comments = read_comments(forge_folder(world.settings.home, "demo") / "pulls", 1)
            return [one.run_key for one in comments if "Rolled back" in one.body]

        # The revert had landed, and who gave it up says so on the pull request.
        await world.until(said, 150)
        effects.go_on.set()
        await reset(world, after.rollback(), after=0)
        await world.until(restored)
        why = (await asked(shell, run_id))["rollback"]
        incident = next(iter((await world.status()).incidents))

        async def quiet() -> bool:
            seen = await world.client.get_workflow_handle(api.incident_id("demo", incident.incident)).query(api.VIEW)
            return not seen["waitingFor"] and bool(seen["report"]["rollback"])

        await world.until(quiet)
        verified = await shell.typed("audit", "verify", "--json")
        # Reading it has it written anew.
        shown = await shell.typed("incident", "show", incident.incident, "--json")
    assert ("deny", True) == (stopped["decision"], "terminated at" in stopped["reason"]), stopped
    assert (before, "allow") == (after.tree(), why["decision"]), why
    assert incident.rollback is not None
    assert ("restored", True) == (incident.rollback.outcome, '"restored"' in shown.out), shown.out
    assert [f"RB-{run_id}/comment-1-rolled-back"] == await said()
    assert 0 == verified.status, verified.out
