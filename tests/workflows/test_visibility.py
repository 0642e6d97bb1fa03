"""The Temporal UI shows what ``status`` says: search attributes, current details, and it keeps them long enough."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from google.protobuf.duration_pb2 import Duration
from temporalio.api.namespace.v1 import NamespaceConfig
from temporalio.api.sdk.v1 import WorkflowMetadata
from temporalio.api.workflowservice.v1 import UpdateNamespaceRequest
from temporalio.client import WorkflowHandle
from world import World

import composition
from contracts.modes import Mode, RunStatus, TargetStatus
from tests.workflows.conversation import pause
from tests.workflows.quick import Turnstile, add_target, stopping
from workflows import api


async def details(handle: WorkflowHandle[Any, Any]) -> str:
    """The Markdown the UI shows on the workflow's page."""
    metadata = await handle.query("__temporal_workflow_metadata", result_type=WorkflowMetadata)
    return metadata.current_details


async def found(world: World, query: str, wanted: set[str]) -> None:
    """Wait until a search finds exactly these workflow ids; the server's index lags a little."""

    async def same() -> bool:
        return {each.id async for each in world.client.list_workflows(query)} == wanted

    await world.until(same, 20)


async def test_searches_and_pages_show_targets_runs_and_status(world: World) -> None:
    """While a run works, after a pause, and after its end."""
    for name in ("quick", "other"):
        add_target(world, name)
    turnstile = Turnstile({"at-plan": "plan"})
    async with world.worker(stopping(world, turnstile)):
        handle = await world.start("quick", "at-plan")
        await world.until(turnstile.all_reached())
        run = (await world.status("quick")).active[0]
        control = api.control_id("quick")
        await found(world, "AutonomyTarget = 'quick'", {"at-plan", control})
        await found(world, f"AutonomyRunId = '{run.run_id}'", {"at-plan"})
        await found(world, "AutonomyStatus = 'RUNNING' AND AutonomyMode = 'PR_ONLY'", {"at-plan"})
        await found(world, "AutonomyStatus = 'ACTIVE'", {control, api.INSTALLATION_ID})
        working = await details(handle)
        epoch = (await pause(world, "quick")).epoch
        await found(world, f"AutonomyStatus = 'PAUSED' AND AutonomyEpoch = {epoch}", {control})
        page = await details(world.control("quick"))
        turnstile.open()
        await found(world, "AutonomyStatus = 'HELD'", {"at-plan"})
        held = await details(handle)

    assert working.startswith(f"**{RunStatus.RUNNING}** · `{run.run_id}` · step plan")
    assert held.startswith(f"**{RunStatus.HELD}** · `{run.run_id}`")
    assert "target pause by ann: drill" in held
    assert page.startswith(f"**{TargetStatus.PAUSED}** · mode {Mode.PR_ONLY} · epoch {epoch}")
    assert "- target pause by ann: drill" in page
    assert f"- run `{run.run_id}` RUNNING, order hold" in page


async def test_histories_are_kept_for_ninety_days(world: World) -> None:
    """A namespace that keeps them for a day is mended when a worker prepares it; a longer one is left alone."""
    kept = []
    for days in (1, 400):
        await world.client.workflow_service.update_namespace(
            UpdateNamespaceRequest(
                namespace=world.namespace,
                config=NamespaceConfig(
                    workflow_execution_retention_ttl=Duration(seconds=int(timedelta(days=days).total_seconds()))
                ),
            )
        )
        assert () == await composition.prepare_namespace(world.client)
        kept.append(await composition.retention(world.client))

    assert [timedelta(days=90), timedelta(days=400)] == kept
