"""A worker that forgets every workflow after every task is one that restarts at each boundary between two tasks (P16).

A held run in `make test`; in `make test-sweep` and `make test-uncached` the conversations that `record.py` records.
Nothing is recorded here, all is replayed once more as a whole.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import record
from recorder import Recorder
from replaying import replay, without_command
from temporalio.client import WorkflowHandle
from world import make_world

from contracts.control import PauseStyle
from contracts.modes import RunStatus
from tests.workflows import auto, quick

pytestmark = pytest.mark.timeout(600)


class Replaying(Recorder):
    """Replays what it should keep."""

    async def keep(self, name: str, handle: WorkflowHandle[Any, Any]) -> None:
        """Every task commanded what a replay of the whole commands, and none failed."""
        history = await handle.fetch_history()
        failed = [event for event in history.events if event.HasField("workflow_task_failed_event_attributes")]
        assert [] == [event.workflow_task_failed_event_attributes.failure.message for event in failed], name
        assert [] == without_command(history), name
        await replay([history])


async def held(recorder: Recorder) -> None:
    """A run that is held at its next checkpoint, and goes on when its target is opened again."""
    world = recorder.world
    quick.add_target(world, "checked")
    async with world.worker(auto.quick(world)):
        run = await world.start("checked")
        await recorder.pause(PauseStyle.CHECKPOINT, "checked")
        await recorder.resume("checked")
        result = await asyncio.wait_for(run.result(), record.PATIENCE)
        assert RunStatus.PR_OPENED is result.status, result.reason
        await recorder.keep("run-held-and-resumed", run)
        await recorder.keep("control-paused-and-resumed", world.control("checked"))


async def pauses(recorder: Recorder) -> None:
    """Each with a target of its own: what all are told in one Control is replayed at each of its tasks."""
    for target in ("aborted", "drained", "checked", "cancelled"):
        quick.add_target(recorder.world, target)
    await record.pauses(recorder, "aborted", "drained", "checked", "cancelled")


async def merges(recorder: Recorder) -> None:
    """The one that ends badly; its way there is that of a healthy one, which ``record.merges`` walks to its end."""
    record.prepare_merges(recorder.world)
    await record.breaks(recorder)


SWEPT = (pauses, record.violation, merges, record.merges, record.rounds)


@pytest.mark.parametrize(
    "conversation",
    [held, *(pytest.param(each, marks=pytest.mark.sweep) for each in SWEPT)],
)
async def test_a_restart_at_every_boundary_goes_on_with_the_same_commands(
    conversation: Callable[[Recorder], Awaitable[None]],
    tmp_path: Path,
    server: str,
    environments: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A daily run under the brake and the ladder, an incident, a merge and a rollback."""
    monkeypatch.setenv("WORLD_CACHED_WORKFLOWS", "0")
    await conversation(Replaying(record.prepare(await make_world(tmp_path / "world", server, environments))))
