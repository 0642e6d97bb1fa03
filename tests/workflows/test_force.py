"""Terminate, Cancel and Reset of the flows that the guide's table of force names (A9); more of it in `tests/chaos`."""

from __future__ import annotations

from typing import Any

import pytest
from aftermath import BROKEN, after_a_run, hasten
from aftermath import CHECK as NAMES
from ci_forge import CiResults, with_ci
from temporalio.client import WorkflowExecutionStatus, WorkflowHandle
from world import World, git

import composition
from activities.workbench import Workbench
from adapters.chained_log import ChainedLog
from contracts.alert import Alert
from contracts.dashboard import ShownOutcome
from contracts.forge_facts import CheckState, CommitCheck
from contracts.modes import RunStatus, StepName
from contracts.rollback import Aftercare
from tests.workflows import alert_desk, auto, dashboard_desk
from tests.workflows.conversation import follow_up_waits, open_target
from tests.workflows.quick import CHECK, FILES, Turnstile, add_target, quick, stopping
from tests.workflows.raw import reset
from workflows import api

CI = '\n[ci]\nrequired = ["ci/test"]\nminutes = 60\nevery_seconds = 600\nfirst_seconds = 0\n'


def in_the_canary(world: World) -> Workbench:
    """The target merges by itself, after a canary that does not end."""
    auto.permit(world, canary_seconds=300)
    auto.add_target(world, "forced")
    return quick(world)


def in_the_ci_gate(world: World) -> Workbench:
    """The forge's CI says nothing of the pull request."""
    results = CiResults(world.root / "ci.json")
    world.add_target("forced", FILES, CI + CHECK)
    green = CommitCheck(name="ci/test", state=CheckState.GREEN)
    results.report(world.refs("forced")["refs/heads/main"], green)
    return quick(world, forges=with_ci(world.bench().forges, results, lambda _commit: None))


@pytest.mark.parametrize(("place", "step"), [(in_the_canary, StepName.CANARY), (in_the_ci_gate, StepName.CI)])
async def test_a_run_terminated_while_it_waits_is_lost_and_its_pull_request_followed(
    world: World, place: Any, step: StepName
) -> None:
    """It has written and waits; nothing more moves, its end is told, and a person's merge would be seen."""
    hasten(world, reap_seconds=1)
    async with world.worker(place(world)):
        if step is StepName.CANARY:
            await auto.opened(world, "forced")
        handle = await world.start("forced")

        async def there() -> bool:
            return (await world.state(handle)).step is step

        await world.until(there)
        base = world.refs("forced")["refs/heads/main"]
        await handle.terminate("an operator tries")

        async def lost() -> str:
            return next(
                (run.run_id for run in (await world.status("forced")).recent if run.status is RunStatus.LOST), ""
            )

        run_id = await world.until(lost)
        assert await follow_up_waits(world, run_id)
        assert ("LOST", base) == (
            world.artifact(run_id, "run_report.json")["status"],
            world.refs("forced")["refs/heads/main"],
        )


@pytest.mark.parametrize("force", ["cancel", "reset"])
async def test_a_follow_up_goes_on_and_tells_its_end_once(world: World, force: str) -> None:
    """Cancelled, Control starts it again; reset, it looks again from its beginning."""
    hasten(world, reap_seconds=1)
    add_target(world, "quick", head="\n[environment]\nbuild = false\n")
    async with world.worker(quick(world)):
        run = await world.run("quick")
        first = await follow_up_waits(world, run.run_id)
        follow_up = world.client.get_workflow_handle(api.follow_up_id(run.run_id))
        if force == "cancel":
            await follow_up.cancel()
        else:
            await reset(world, follow_up.id, 0)
        await follow_up_waits(world, run.run_id, not_run=first)
        git("update-ref", "-d", world.autonomy_branches("quick")[0], cwd=world.root / "quick.git")
        await follow_up.signal(api.REFRESH)

        async def told() -> list[str]:
            records = ChainedLog(world.settings.artifacts).records("target/quick")
            return [str(record.facts["outcome"]) for record in records if record.event == "follow-up ended"]

        outcomes = await world.until(told)
    assert [True] == [outcome.startswith("closed by") for outcome in outcomes]


async def test_a_cancelled_rollback_is_called_over_and_writes_nothing(world: World) -> None:
    """Between its clearance and its effect: ESCALATED, on the incident too, and the base stays where it was."""
    hasten(world, write_seconds=5, reap_seconds=1)
    world.write_target("demo", "\n[environment]\nbuild = false\n" + NAMES, rollback_strategy="revert_commit")
    turnstile = Turnstile()
    async with world.worker(stopping(world, turnstile)):
        after = await after_a_run(world)
        merged = await after.merge(BROKEN)
        turnstile.close(**{api.rollback_id(after.run.run_id): "effect"})
        assert (await after.order()).accepted
        await world.until(turnstile.all_reached())
        await after.rollback().cancel()

        async def over() -> bool:
            kept: Aftercare = await world.control().query(api.AFTERCARE, result_type=Aftercare)
            quiet = not (await world.status()).writes_in_flight
            return quiet and [merge.stage for merge in kept.merges] == ["escalated"]

        await world.until(over)
        (incident,) = (await world.status()).incidents
        described = await after.rollback().describe()
    assert (merged.merge_sha, WorkflowExecutionStatus.CANCELED) == (after.head(), described.status)
    assert incident.rollback is not None
    assert ("escalated", True) == (incident.rollback.outcome, "CANCELED" in incident.rollback.reason)


@pytest.mark.parametrize("force", ["terminate", "reset"])
async def test_the_dashboards_go_on_with_the_one_ticket(world: World, force: str) -> None:
    """Terminated: started again as by the next worker. Either way the ticket is found, not opened twice."""
    add_target(world, "quick")
    async with world.worker(quick(world)):
        await open_target(world, "quick")
        await dashboard_desk.outcome(world)
        first = await _forced(world, dashboard_desk.handle(world), force)
        assert ShownOutcome.UNCHANGED is await dashboard_desk.outcome(world)
        assert first != (await dashboard_desk.handle(world).describe()).run_id
    assert 1 == len(dashboard_desk.tickets(world))


@pytest.mark.parametrize("force", ["terminate", "reset"])
async def test_alerts_deliver_what_comes_after(world: World, force: str) -> None:
    """Terminated: the next alert starts it again. Reset: see also `tests/chaos/test_aftercare_resets.py`."""
    alert_desk.configure(world)
    async with world.worker():
        await alert_desk.begin(world)
        await alert_desk.alerts(world)
        first = await _forced(world, alert_desk.handle(world), force)
        told = Alert(kind="run_failed", target="demo", summary="after", fingerprint="run_failed/after")
        await composition.raise_alert(world.client, told)
        await alert_desk.settled(world)
        assert first != (await alert_desk.handle(world).describe()).run_id
    assert [told.fingerprint] == [line["fingerprint"] for line in alert_desk.lines(world)]


async def _forced(world: World, handle: WorkflowHandle[Any, Any], force: str) -> str:
    """What somebody clicks; returns which execution that was."""
    execution = (await handle.describe()).run_id
    await (handle.terminate("an operator tries") if force == "terminate" else reset(world, handle.id, 0))
    return execution
