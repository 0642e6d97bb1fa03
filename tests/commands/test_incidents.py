"""An operator's work on an incident, at the command line."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

from shell import shell_of
from world import World

from contracts.incident import IncidentReport, Trigger
from tests.workflows.quick import add_target, quick
from workflows import api

RUN = "quick-2026-03-02-pr-1"
INCIDENT = f"INC-{RUN}-policy-violation"


async def test_an_incident_from_list_to_prevented(world: World) -> None:
    """`--json`, exit statuses, half filled and malformed refused, `why`, and what is kept when no worker answers."""
    add_target(world, "quick")
    shell = shell_of(world)
    due = (datetime.now(UTC) + timedelta(days=3)).date().isoformat()
    async with world.worker(quick(world)):
        await world.run("quick")
        report = IncidentReport(incident=INCIDENT, run_id=RUN, trigger=Trigger.POLICY_VIOLATION, reason=".env touched")
        await world.control("quick").execute_update(api.REPORT, report)

        async def ticketed() -> bool:
            shown = await shell.typed("incident", "show", INCIDENT, "--json")
            return shown.status == 0 and not shown.json["waitingFor"]

        await world.until(ticketed)
        await shell.typed("mode", "quick", "DRY_RUN", "--reason", "looking first")

        async def told() -> bool:
            shown = await shell.typed("incident", "show", INCIDENT, "--json")
            return any("mode DRY_RUN" in fact["text"] for fact in shown.json["report"]["timeline"])

        async def kept_up() -> bool:
            return "mode DRY_RUN" in json.dumps(world.artifact(INCIDENT, "post_incident_report.json"))

        await world.until(told)
        await world.until(kept_up)
        listed = await shell.typed("incident", "list", "--json")
        half = await shell.typed("incident", "close", INCIDENT, "--reason", "enough")
        nothing = await shell.typed("incident", "edit", INCIDENT)
        soon = await shell.typed("incident", "edit", INCIDENT, "--due", "soon")
        unknown = await shell.typed(
            "incident", "edit", "INC-quick-2026-03-02-pr-9-policy-violation", "--impact", "none"
        )
        typo = await shell.typed("incident", "show", "INC-what")
        words = ("--impact", "none", "--root-cause", "a prompt", "--remediation", "paused", "--prevention", "a fence")
        filled = await shell.typed("incident", "edit", INCIDENT, *words, "--owner", "ann", "--due", due, "--json")
        handle = world.client.get_workflow_handle(api.incident_id("quick", INCIDENT))
        await world.until(ticketed)
        await handle.terminate("by mistake")
        closed = await shell.typed("incident", "close", INCIDENT, "--reason", "all is said")
        why = await shell.typed("why", INCIDENT)
        await world.until(ticketed)
        verified = await shell.typed("audit", "verify", INCIDENT, "--json")
        done = await shell.typed("incident", "prevented", INCIDENT, "--reason", "see commit 7")
        await handle.result()
    kept = await shell.typed("incident", "list", "--json")

    assert [(INCIDENT, "quick", "open")] == [
        (each["incident"], each["target"], each["state"]) for each in listed.json["incidents"]
    ]
    assert (11, True) == (half.status, "missing: impact, root cause" in half.err)
    assert (11, 2, 11, 2) == (nothing.status, soon.status, unknown.status, typo.status)
    assert (0, True) == (filled.status, filled.json["accepted"])
    assert 0 == closed.status, closed.err
    assert "## 4. Root cause" in why.out
    assert (0, ["mirror ref", "temporal"]) == (verified.status, sorted(verified.json["logs"][0]["anchors"]))
    assert 0 == done.status, done.err
    assert [(INCIDENT, "done")] == [(each["incident"], each["state"]) for each in kept.json["incidents"]]
