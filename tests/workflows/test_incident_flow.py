"""A violation, from the brake to the end of its prevention: one story, and what force does to it."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from aftermath import hasten
from checker import check_world
from temporalio.client import WorkflowHandle, WorkflowUpdateFailedError
from temporalio.testing import TimeSkipper
from world import World

from adapters.store.chained_log import ChainedLog
from contracts.admission import RunResult
from contracts.alert import AlertKind
from contracts.control import Answer, StatusView
from contracts.incident import CloseRequest, HumanFacts, IncidentState, IncidentView
from contracts.messages import STATUS, View
from contracts.modes import Mode, RunStatus, TargetStatus
from ports.agents import Brief
from ports.control_desk import ControlDesk, ControlUnavailable
from tests.workflows.conversation import resume_all
from tests.workflows.quick import Turnstile, add_target, quick, stopping
from workflows import api

DUE = (datetime.now(UTC) + timedelta(days=30)).date()


def touching(path: str, text: str = "on: push\n") -> Any:
    """A coder that writes one more file than it should."""

    def before(brief: Brief) -> None:
        if brief.role == "coding" and brief.tree is not None:
            (brief.tree / path).parent.mkdir(parents=True, exist_ok=True)
            (brief.tree / path).write_text(text)

    return before


async def the_incident(world: World, target: str = "quick") -> tuple[WorkflowHandle[Any, Any], IncidentView]:
    """The target's only incident, once everything about it is recorded."""

    async def recorded() -> StatusView | None:
        view = await world.status(target)
        return view if view.incidents and view.incidents[0].started else None

    (record,) = (await world.until(recorded)).incidents
    handle = world.client.get_workflow_handle(api.incident_id(target, record.incident))
    return handle, await at_rest(world, handle)


async def at_rest(world: World, handle: WorkflowHandle[Any, Any]) -> IncidentView:
    async def rested() -> IncidentView | None:
        view: IncidentView = await handle.query(api.VIEW, result_type=IncidentView)
        return None if view.waiting_for else view

    found: IncidentView = await world.until(rested)
    return found


async def edit(handle: WorkflowHandle[Any, Any], **facts: str) -> Answer:
    answer: Answer = await handle.execute_update(api.EDIT, HumanFacts(actor="ann", **facts), result_type=Answer)
    return answer


async def say(handle: WorkflowHandle[Any, Any], update: str, reason: str = "all is said") -> Answer:
    asked = CloseRequest(actor="bob", reason=reason)
    answer: Answer = await handle.execute_update(update, asked, result_type=Answer)
    return answer


async def fill_in(handle: WorkflowHandle[Any, Any], due: date = DUE) -> Answer:
    return await edit(
        handle,
        impact="none: the change never left quarantine",
        root_cause="the coder's prompt allowed workflows",
        remediation="everything was paused",
        prevention="a narrower prompt",
        owner="ann",
        due_on=due.isoformat(),
    )


def alerts(world: World) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (world.settings.home / "alerts.jsonl").read_text().splitlines()]


def tickets(world: World, target: str = "quick") -> list[dict[str, Any]]:
    folder = world.settings.home / "forge" / target / "tickets"
    return [json.loads(path.read_text()) for path in sorted(folder.glob("[0-9]*.json"))]


async def violated(world: World) -> RunResult:
    """A run that touches a protected path, in a world of quick runs."""
    add_target(world, "quick")
    return await world.run("quick")


class BlindDesk:
    """A desk whose first look fails, as those at a Control that stands still do."""

    def __init__(self, real: ControlDesk) -> None:
        self._real, self._blind = real, True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def query(self, target: str, view: View[Any], *arguments: str) -> Any:
        """Whether the incident is known is what is asked first."""
        if view is STATUS and self._blind:
            self._blind = False
            raise ControlUnavailable(f"{target} cannot be asked")
        return self._real.query(target, view, *arguments)


async def test_6_1_pauses_all_whatever_the_look_before_it_answers(world: World) -> None:
    """P1: the brake is pulled blindly, once, and the run's log says so."""
    bench = quick(world, touching(".github/workflows/mine.yml"))
    async with world.worker(replace(bench, control=BlindDesk(bench.control))):
        result = await violated(world)
        paused = (await world.installation()).status, (await world.status("quick")).status
    log = ChainedLog(world.settings.artifacts).records(f"run/{result.run_id}")

    assert (RunStatus.ESCALATED, TargetStatus.PAUSED, TargetStatus.PAUSED) == (result.status, *paused)
    assert 1 == [record.event for record in log].count("brake pulled blindly")


async def test_6_1_policy_violation_from_the_brake_to_the_end_of_its_prevention(world: World) -> None:
    """Runbook §6.1 and §12: all paused, ESCALATED, one incident with evidence and ticket, closed, overdue, done."""
    async with world.worker(quick(world, touching(".github/workflows/mine.yml"))):
        result = await violated(world)
        handle, drafted = await the_incident(world)
        paused = (await world.installation()).status, (await world.status("quick")).status
        half = await say(handle, api.CLOSE)
        malformed = []
        for facts in ({"actor": "ann", "dueOn": "soon"}, {"actor": "", "impact": "big"}, {"actor": "a", "cause": "x"}):
            with pytest.raises(WorkflowUpdateFailedError):
                malformed.append(await handle.execute_update(api.EDIT, facts))
        no_day = await edit(handle, due_on=f"{DUE.year + 1}-02-30")
        # Said at the same time, they are judged one after the other, and none is lost.
        twins = await asyncio.gather(edit(handle, impact="some of it"), edit(handle, owner="eve"))
        twice = (await at_rest(world, handle)).report
        owned = tickets(world)[0]["body"]
        filled = await fill_in(handle)
        early = await say(handle, api.PREVENTED)
        closed = await say(handle, api.CLOSE)
        after_closing = await at_rest(world, handle)
        late_edit = await edit(handle, root_cause="the moon")
        better = await edit(handle, prevention="no prompt at all")
        await check_world(world, at_least=0)
        await TimeSkipper(world.client).fast_forward(handle, timedelta(days=32))

        async def overdue() -> StatusView | None:
            view = await world.status("quick")
            return view if view.incidents[0].overdue else None

        shown = await world.until(overdue)
        higher = await world.control("quick").execute_update(
            api.SET_MODE,
            {"expectedEpoch": shown.epoch, "mode": Mode.DRY_RUN, "reason": "lower is free", "actor": "ann"},
            result_type=Answer,
        )
        assert (await say(handle, api.PREVENTED, "see commit 7")).accepted
        await asyncio.wait_for(handle.result(), 30)
        ended = await world.status("quick")
        await check_world(world, at_least=0)

    assert RunStatus.ESCALATED is result.status
    assert (TargetStatus.PAUSED, TargetStatus.PAUSED) == paused
    assert IncidentState.OPEN is drafted.report.state
    human = ("impact", "root cause", "immediate remediation", "long-term prevention", "owner and due date")
    assert human == drafted.missing
    assert (False, f"missing: {', '.join(human)}") == (half.accepted, half.verdict.reason)
    assert [] == malformed
    assert (False, True, False, True) == (no_day.accepted, filled.accepted, early.accepted, closed.accepted)
    assert "is no date of the calendar" in no_day.verdict.reason
    assert "close it first" in early.verdict.reason
    assert (2, ("some of it", "eve")) == (len({each.epoch for each in twins}), (twice.impact, twice.owner))
    assert (IncidentState.CLOSED, ()) == (after_closing.report.state, after_closing.missing)
    assert (False, True) == (late_edit.accepted, better.accepted)
    assert "root_cause cannot be changed any more" in late_edit.verdict.reason
    assert any("overdue since" in child.reason for child in shown.why.children)
    assert higher.accepted
    assert () == ended.incidents
    (ticket,) = tickets(world)
    assert ("closed", "open_ticket") == (ticket["state"], ticket["runKey"].rsplit("/", 1)[1])
    # The ticket's head says how it stands, from its opening to its end; the text below stays.
    assert ["**Open**", "- Outcome: nothing was rolled back", "- Cause: not stated yet", "- Owner: `eve`"] == [
        line for line in owned.splitlines() if line.startswith(("**", "- O", "- C"))
    ]
    head, below = ticket["body"].split("<!-- autonomy-runbook end of head -->")
    said = ("**Closed by `bob`**: `all is said`", "- Cause: `the coder's prompt allowed", "; done, says `bob`")
    assert [] == [part for part in (*said, result.run_id, "- Owner: `") if part not in head]
    assert owned.endswith(below)
    index = (world.settings.home / "forge" / "quick" / "tickets" / "index.md").read_text()
    assert "| [1](1.json) | closed | Policy violation in" in index
    kinds = [alert["kind"] for alert in alerts(world)]
    assert {AlertKind.POLICY_VIOLATION, AlertKind.PROTECTED_PATH_TOUCHED, AlertKind.PREVENTION_OVERDUE} <= set(kinds)
    kept = world.artifact(drafted.report.incident, "post_incident_report.json")
    assert ("no prompt at all", "bob") == (kept["prevention"], kept["preventionDoneBy"])
    page = (world.settings.artifacts / "runs" / drafted.report.incident / "post_incident_report.md").read_text()
    assert "## 4. Root cause\n\nthe coder's prompt allowed workflows" in page
    names = {entry["name"] for entry in world.artifact(drafted.report.incident, "evidence_manifest.json")["entries"]}
    run = f"runs/{result.run_id}"
    files = (
        "change.diff",
        "change.bundle",
        "history.json.gz",
        "audit_log.jsonl",
        "verdicts/escalated.json",
        "policy.json",
    )
    assert {f"{run}/{name}" for name in files} | {"target/quick/audit_log.jsonl", f"{run}/run_report.json"} <= names
    assert {"run issued", "run escalated", "run ended", "paused"} <= {
        fact.text.split(":")[0] for fact in drafted.report.timeline
    }


async def test_uncertain_compliance_pauses_the_target_only(world: World) -> None:
    """Policy: a licence text is touched; the target pauses, the installation does not, a person must look."""
    async with world.worker(quick(world, touching("LICENSE", "do what you want\n"))):
        result = await violated(world)
        _, view = await the_incident(world)
        paused = (await world.installation()).status, (await world.status("quick")).status

    assert RunStatus.ESCALATED is result.status
    assert (TargetStatus.ACTIVE, TargetStatus.PAUSED) == paused
    assert f"INC-{result.run_id}-uncertain-compliance" == view.report.incident
    assert "LICENSE is a licence text" in view.report.trigger_reason


async def test_repeated_failures_pause_the_target_and_open_an_incident(world: World) -> None:
    """Policy: three failed runs in a row; Control pauses itself first; the evidence holds all three."""
    add_target(world, "quick")
    hasten(world, reap_seconds=1)
    turnstile = Turnstile({"one": "preflight"})
    async with world.worker(stopping(world, turnstile)):
        # Before anything is paid for: a cost that nobody knows would keep the next run from starting.
        handles = [await world.start("quick", "one")]
        await world.until(turnstile.all_reached())
        handles += [await world.start("quick", again=True) for _ in range(2)]
        for handle in handles:
            await world.until(lambda handle=handle: _known(world, handle))
            await handle.terminate("gone")
        _, view = await the_incident(world)
        status = await world.status("quick")

    assert TargetStatus.PAUSED is status.status
    assert "3 runs in a row failed" in view.report.trigger_reason
    runs = world.artifact(view.report.incident, "evidence_manifest.json")["runs"]
    assert 3 == len(set(runs))


async def _known(world: World, handle: WorkflowHandle[Any, Any]) -> bool:
    """Whether Control has heard of it."""
    return (await world.state(handle)).run is not None


async def test_cancel_and_reset_lose_no_fact(world: World) -> None:
    """Break-glass: a cancelled Incident goes on, a terminated one starts again from its kept report."""
    async with world.worker(quick(world, touching(".env"))):
        await violated(world)
        handle, _ = await the_incident(world)
        await fill_in(handle)
        await handle.cancel()
        view = await at_rest(world, handle)
        assert (await resume_all(world)).accepted

        async def told() -> bool:
            return (await world.status("quick")).incidents[0].owner == "ann"

        await world.until(told)
        await handle.terminate("by mistake")
        record = (await world.status("quick")).incidents[0]
        again = await world.client.start_workflow(
            api.INCIDENT, {"target": "quick", "record": record}, id=handle.id, task_queue=api.TASK_QUEUE
        )
        recovered = await at_rest(world, again)

    assert () == view.missing
    assert view.report.root_cause == recovered.report.root_cause
    assert view.report.evidence == recovered.report.evidence
    assert 1 == len(tickets(world))
