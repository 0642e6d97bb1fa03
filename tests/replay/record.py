"""Record one history of each way a durable conversation may go: ``python tests/replay/record.py``.

Run it after a change that is allowed to break open runs (before the first release), and commit what it writes.
Otherwise a history that does not replay any more means: guard the change with ``workflow.patched``.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[1] / "chaos"))

from faulty import PLAIN, prepare
from hostile_worker import Hostile
from temporalio.client import WorkflowFailureError, WorkflowHandle
from world import PACKAGE, ScriptedAgent, World, make_world

import composition
from commands.leaving import leave
from contracts.admission import RunResult
from contracts.control import Answer, PauseRequest, ResumeRequest
from contracts.modes import PauseStyle, Role, RunStatus, TargetStatus
from ports.agents import Agent, Brief
from workflows import api

HISTORIES = Path(__file__).with_name("histories")
LARGEST = 300_000
CLEAN = {"pkg/__init__.py": '"""Names."""\n\n\ndef names():\n    """Return the names."""\n    return ["a", "b"]\n'}
RED = '\n[environment]\nbuild = false\n[[checks]]\nname = "red"\nkind = "tests"\nargv = ["false"]\n'


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

    async def run(self, name: str, status: RunStatus, target: str = "demo", **spec: Any) -> RunResult:
        """A run to its end."""
        handle = await self.world.start(target, **spec)
        result: RunResult = await asyncio.wait_for(handle.result(), 120)
        assert result.status is status, f"{name}: {result.status} {result.reason}"
        await self.keep(name, handle)
        return result

    async def active(self, target: str = "demo") -> Any:
        """Control's view while exactly one run is active."""

        async def asked() -> Any:
            view = await self.world.status(target)
            return view if view.active and view.active[0].status is RunStatus.RUNNING else None

        return await self.world.until(asked)

    async def pause(self, style: PauseStyle) -> None:
        """Pull the brake on ``demo``."""
        await self.active()
        request = PauseRequest(style=style, reason="to be recorded", actor="recorder")
        await self.world.control().signal(api.PAUSE, request)

    async def resume(self, target: str = "demo", workflow_id: str | None = None) -> None:
        """Climb the ladder and wait until the target works."""
        view = await (self.world.installation() if workflow_id else self.world.status(target))
        asked = ResumeRequest(expected_epoch=view.epoch, cause="recorded", evidence="none needed", actor="recorder")
        handle = self.world.client.get_workflow_handle(workflow_id or api.control_id(target))
        answer: Answer = await handle.execute_update(api.RESUME, asked, result_type=Answer)
        assert answer.accepted, answer.verdict.reason

        async def open_again() -> bool:
            return (await self.world.status(target)).status is TargetStatus.ACTIVE

        await self.world.until(open_again)


def broken(_brief: Brief) -> str:
    """An answer no contract accepts."""
    return "not JSON"


async def runs(recorder: Recorder) -> None:
    """Each end of a DailyRun."""
    world = recorder.world
    world.add_target("clean", CLEAN, PLAIN)
    world.add_target("red", PACKAGE, RED)
    async with world.worker(max_cached_workflows=10):
        await recorder.run("run-dry", RunStatus.DRY_RUN_COMPLETE, mode="DRY_RUN")
        await recorder.run("run-pr", RunStatus.PR_OPENED)
        await recorder.run("run-already-ran", RunStatus.ALREADY_RAN)
        await recorder.run("run-nothing-to-do", RunStatus.NOTHING_TO_DO, "clean")
        await recorder.run("run-refused", RunStatus.REFUSED, "red")
    async with scripted(world, {Role.CODING: lambda _brief: '{"summary": "nothing"}'}):
        await recorder.run("run-rejected", RunStatus.REJECTED, again=True)
    async with scripted(world, {Role.TRIAGING: broken}):
        await recorder.run("run-failed", RunStatus.FAILED, again=True)


async def pauses(recorder: Recorder) -> None:
    """Each style of pause, a cancel by hand, the ladder."""
    world = recorder.world
    async with world.worker():
        for name, style, status in (
            ("run-aborted", PauseStyle.ABORT, RunStatus.CANCELLED),
            ("run-drained", PauseStyle.DRAIN, RunStatus.PAUSED),
        ):
            handle = await world.start(again=True)
            await recorder.pause(style)
            result = await asyncio.wait_for(handle.result(), 60)
            assert status is result.status, result.reason
            await recorder.keep(name, handle)
            await recorder.resume()
        held = await world.start(again=True)
        await recorder.pause(PauseStyle.CHECKPOINT)
        await recorder.resume()
        assert (await asyncio.wait_for(held.result(), 60)).status in {RunStatus.PR_OPENED, RunStatus.NOTHING_TO_DO}
        await recorder.keep("run-held-and-resumed", held)
        cancelled = await world.start(again=True)
        await recorder.active()
        await cancelled.cancel()
        try:
            await asyncio.wait_for(cancelled.result(), 60)
        except WorkflowFailureError:
            await recorder.keep("run-cancelled", cancelled)
        await recorder.keep("control-paused-and-resumed", world.control())


async def violation(recorder: Recorder) -> None:
    """A protected path is touched: everything pauses, and opens again for the whole installation."""
    world = recorder.world
    world.add_target("victim", PACKAGE, PLAIN)
    async with world.worker(world.bench(agent=Hostile)):
        await recorder.run("run-escalated", RunStatus.ESCALATED, "victim")
    async with world.worker():
        await recorder.resume("victim", api.INSTALLATION_ID)
        await recorder.keep("control-incident", world.control("victim"))
        await recorder.keep("installation-paused-and-resumed", world.client.get_workflow_handle(api.INSTALLATION_ID))


async def long_control(recorder: Recorder) -> None:
    """A Control whose history gets long hands its books on."""
    world = recorder.world
    world.add_target("long", CLEAN, PLAIN)
    async with world.worker():
        await world.run("long")
        first = world.client.get_workflow_handle(
            api.control_id("long"), run_id=(await world.control("long").describe()).run_id
        )
        while (await world.control("long").describe()).run_id == first.run_id:
            for _ in range(10):
                await world.control("long").signal("nonsense", "again")
            await asyncio.sleep(0.2)
        await recorder.keep("control-continued-as-new", first)
        await world.until(lambda: world.status("long"))
        await recorder.keep("control-with-handed-on-books", world.control("long"))


def scripted(world: World, answers: dict[str, Any]) -> Any:
    """A worker with agents that say what is wanted."""

    def agent(real: Agent) -> Agent:
        return ScriptedAgent(real, answers=answers)

    return world.worker(world.bench(agent=agent))


@asynccontextmanager
async def fresh_world(root: Path) -> AsyncIterator[World]:
    """A server and a world of our own."""
    settings = {"limit.historyCount.suggestContinueAsNew": "400"}
    server = await composition.start_embedded_server(None, root / "server.log", settings=settings)
    try:
        yield prepare(await make_world(root / "world", server.address, root / "environments"))
    finally:
        await server.stop()


async def main() -> int:
    """Record everything anew."""
    for name in [name for name in os.environ if name.startswith(("TEMPORAL_", "AUTONOMY_"))]:
        del os.environ[name]
    shutil.rmtree(HISTORIES, ignore_errors=True)
    HISTORIES.mkdir()
    with tempfile.TemporaryDirectory(prefix="record-") as folder:
        async with fresh_world(Path(folder)) as world:
            recorder = Recorder(world)
            for part in (runs, pauses, violation, long_control):
                await part(recorder)
    print(f"{len(recorder.recorded)} histories in {HISTORIES}")
    return 0


if __name__ == "__main__":
    leave(asyncio.run(main()))
