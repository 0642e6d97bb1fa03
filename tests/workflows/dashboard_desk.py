"""What dashboard tests say and look at."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from temporalio.client import WorkflowHandle
from world import World

import composition
from contracts.dashboard import DashboardLook, DashboardsView, ShownOutcome, dashboard_key
from workflows import api


def handle(world: World) -> WorkflowHandle[Any, Any]:
    """The ``dashboards`` workflow."""
    return world.client.get_workflow_handle(api.DASHBOARDS_ID)


async def view(world: World) -> DashboardsView:
    """What it says now."""
    said: DashboardsView = await handle(world).query(api.DASHBOARDS_VIEW, result_type=DashboardsView)
    return said


async def looked(world: World, target: str = "quick", seconds: float = 60) -> DashboardLook:
    """Ask for a look and wait until it was made."""
    await composition.start_dashboards(world.client)

    async def settled() -> DashboardsView | None:
        said = await view(world)
        return said if said.next_at else None

    before = {look.target: look.at for look in (await world.until(settled, seconds)).looks}
    await composition.refresh_dashboards(world.client, target)

    async def newer() -> DashboardLook | None:
        return next(
            (look for look in (await view(world)).looks if look.target == target and look.at != before.get(target)),
            None,
        )

    found: DashboardLook = await world.until(newer, seconds)
    return found


async def outcome(world: World, target: str = "quick") -> ShownOutcome:
    """How a look now ends."""
    return (await looked(world, target)).shown.outcome


def place(world: World, target: str = "quick") -> Path:
    """The local forge's tickets of a target."""
    return world.settings.home / "forge" / target / "tickets"


def tickets(world: World, target: str = "quick") -> list[dict[str, Any]]:
    """Its dashboard tickets."""
    records = [json.loads(path.read_text()) for path in sorted(place(world, target).glob("[0-9]*.json"))]
    return [record for record in records if record["runKey"] == dashboard_key(target)]


def ticket(world: World, target: str = "quick") -> dict[str, Any]:
    """The one."""
    (found,) = tickets(world, target)
    return found


def writes(world: World, target: str = "quick") -> list[str]:
    """Keys of the dashboard's writes that Control cleared, from the target's own log."""
    log = world.settings.artifacts / "targets" / target / "audit_log.jsonl"
    records = [json.loads(line) for line in log.read_text().splitlines()]
    return [
        record["facts"]["key"]
        for record in records
        if record["event"] == "write begun" and record["facts"]["key"].startswith("dashboard/")
    ]
