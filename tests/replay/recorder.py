"""Keeps the histories of conversations, and says what a person would on the way."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from temporalio.client import WorkflowHandle
from world import World

from contracts.admission import RunResult
from contracts.control import Answer, PauseRequest, ResumeRequest
from contracts.modes import PauseStyle, RunStatus, TargetStatus
from workflows import api

HISTORIES = Path(__file__).with_name("histories")
LARGEST = 450_000
PATIENCE = 240.0
"""Seconds; a worker without a cache replays everything at every task."""


class Recorder:
    """Keeps histories under names."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.recorded: list[str] = []

    async def keep(self, name: str, handle: WorkflowHandle[Any, Any]) -> None:
        """Write ``histories/<name>.json``."""
        history = json.loads((await handle.fetch_history()).to_json())
        text = json.dumps({"workflowId": handle.id, **history}, indent=1)
        assert len(text) < LARGEST, f"{name} is {len(text)} bytes long"
        (HISTORIES / f"{name}.json").write_text(text + "\n")
        self.recorded.append(name)
        print(f"{name}: {len(history['events'])} events, {len(text) // 1000} kB")

    async def first_run(self, workflow_id: str) -> WorkflowHandle[Any, Any]:
        """The first run of a chain: a later one begins with the books, and shows little of how they came about."""
        latest = await self.world.client.get_workflow_handle(workflow_id).describe()
        first: str = latest.raw_description.workflow_execution_info.first_run_id
        return self.world.client.get_workflow_handle(workflow_id, run_id=first)

    async def run(self, name: str, status: RunStatus, target: str = "demo", **spec: Any) -> RunResult:
        """A run to its end."""
        handle = await self.world.start(target, **spec)
        result: RunResult = await asyncio.wait_for(handle.result(), PATIENCE)
        assert result.status is status, f"{name}: {result.status} {result.reason}"
        await self.keep(name, handle)
        return result

    async def active(self, target: str = "demo") -> Any:
        """Control's view while exactly one run is active."""

        async def asked() -> Any:
            view = await self.world.status(target)
            return view if view.active and view.active[0].status is RunStatus.RUNNING else None

        return await self.world.until(asked, PATIENCE)

    async def pause(self, style: PauseStyle, target: str = "demo") -> None:
        """Pull the brake on a target."""
        await self.active(target)
        request = PauseRequest(style=style, reason="to be recorded", actor="recorder")
        await self.world.control(target).signal(api.PAUSE, request)

    async def resume(self, target: str = "demo", workflow_id: str | None = None) -> None:
        """Climb the ladder and wait until the target works."""
        view = await (self.world.installation() if workflow_id else self.world.status(target))
        asked = ResumeRequest(expected_epoch=view.epoch, cause="recorded", evidence="none needed", actor="recorder")
        handle = self.world.client.get_workflow_handle(workflow_id or api.control_id(target))
        answer: Answer = await handle.execute_update(api.RESUME, asked, result_type=Answer)
        assert answer.accepted, answer.verdict.reason

        async def open_again() -> bool:
            return (await self.world.status(target)).status is TargetStatus.ACTIVE

        await self.world.until(open_again, PATIENCE)
