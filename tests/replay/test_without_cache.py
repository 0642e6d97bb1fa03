"""With no workflow cached, every workflow task is a replay: nondeterminism shows at once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from temporalio.worker import Replayer

import composition
from adapters.temporal.plugin import project_plugins
from contracts.control import PauseRequest
from contracts.modes import PauseStyle, RunStatus
from workflows import api

if TYPE_CHECKING:
    from world import World


async def test_runs_pause_and_resume_replay_at_every_task(world: World) -> None:
    """DRY_RUN, PR, a drained run: nothing wedges, and what was written replays as a whole."""
    async with world.worker(max_cached_workflows=0, max_concurrent_workflow_task_polls=1):
        assert RunStatus.DRY_RUN_COMPLETE is (await world.run(mode="DRY_RUN")).status
        assert RunStatus.PR_OPENED is (await world.run()).status
        drained = await world.start(again=True)

        async def running() -> bool:
            return bool((await world.status()).active)

        await world.until(running)
        request = PauseRequest(style=PauseStyle.DRAIN, reason="test", actor="tester")
        await world.control().signal(api.PAUSE, request)
        assert RunStatus.PAUSED is (await asyncio.wait_for(drained.result(), 60)).status
        replayer = Replayer(workflows=composition.WORKFLOWS, plugins=project_plugins())
        for handle in (world.control(), world.client.get_workflow_handle(api.INSTALLATION_ID), drained):
            await replayer.replay_workflow(await handle.fetch_history())
            async for event in handle.fetch_history_events():
                failed = event.workflow_task_failed_event_attributes
                if event.HasField("workflow_task_failed_event_attributes"):
                    pytest.fail(f"{handle.id}: {failed.failure.message}")
