"""What alert tests say and look at."""

from __future__ import annotations

import json
from typing import Any

from temporalio.client import WorkflowHandle
from world import ScriptedAgent, World

import composition
from activities.step_session import StepPorts
from contracts.alert import AlertRecord, AlertsView
from tests.workflows.quick import Speller, add_target
from workflows import api

QUICKLY = {"every_minutes = 5.0": "every_minutes = 0.01", "retry_seconds = 15.0": "retry_seconds = 0.2"}


def configure(world: World, more: str = "", **changes: str) -> None:
    """Edit ``alerts.toml``: quick looks and retries, the watch off, and what a test wants."""
    path = world.settings.policies / "alerts.toml"
    text = path.read_text()
    for old, new in {**QUICKLY, 'daily_by = "09:00"': 'daily_by = ""', **changes}.items():
        assert old in text, old
        text = text.replace(old, new)
    path.write_text(text + more)


def scripted(world: World, **answers: Any) -> StepPorts:
    """The quick workbench; ``answers`` by role."""
    add_target(world, "quick")
    return world.bench(lambda real: ScriptedAgent(Speller(real), answers=answers))


def handle(world: World) -> WorkflowHandle[Any, Any]:
    """The ``alerts`` workflow."""
    return world.client.get_workflow_handle(api.ALERTS_ID)


async def alerts(world: World) -> AlertsView:
    """What it says now."""
    view: AlertsView = await handle(world).query(api.ALERTS_VIEW, result_type=AlertsView)
    return view


async def settled(world: World) -> dict[str, AlertRecord]:
    """Every alert, by kind, when nothing waits for delivery any more."""

    async def quiet() -> AlertsView | None:
        view = await alerts(world)
        return view if view.recent and not view.undelivered else None

    view: AlertsView = await world.until(quiet)
    kinds = [record.alert.kind.value for record in view.recent]
    assert len(kinds) == len(set(kinds)), kinds
    return {record.alert.kind.value: record for record in view.recent}


def lines(world: World) -> list[dict[str, Any]]:
    """``alerts.jsonl``."""
    path = world.settings.home / "alerts.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


async def begin(world: World) -> None:
    """As a worker does when it starts."""
    await composition.start_alerts(world.client)
