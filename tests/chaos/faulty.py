"""What fault tests do to a world."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.client import WorkflowHandle
from world import QUICK_CHECK, World, git

from contracts.control import StatusView

WRITE_SECONDS = 8
"""The lease of a write: longer than a push takes here."""
PLAIN = f"\n[environment]\nbuild = false\n{QUICK_CHECK}"


def prepare(world: World, reap_seconds: int = 1) -> World:
    """Short leases, quick reaping, shared check environments, and the target ``demo``."""
    autopilot = world.settings.policies / "autopilot.toml"
    text = autopilot.read_text()
    for name, seconds in (("write_seconds", WRITE_SECONDS), ("reap_seconds", reap_seconds)):
        assert f"{name} = 60" in text
        text = text.replace(f"{name} = 60", f"{name} = {seconds}")
    autopilot.write_text(text)
    world.add_target(more=PLAIN)
    return world


def hook(world: World, name: str, seconds: float, target: str = "demo") -> Path:
    """Let a hook of the remote sleep once, in the first push; returns the file that shows it was entered."""
    remote = world.root / f"{target}.git"
    entered = remote / f"{name}.entered"
    script = remote / "hooks" / name
    script.parent.mkdir(exist_ok=True)
    script.write_text(f'#!/bin/sh\n[ -e "{entered}" ] || {{ : >"{entered}"; sleep {seconds}; }}\n')
    script.chmod(0o755)
    return entered


async def seen(what: Callable[[], bool], seconds: float = 60) -> None:
    """Wait for something visible on this machine."""
    end = time.monotonic() + seconds
    while not what():
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s")
        await asyncio.sleep(0.02)


async def step_done(world: World, artifact: str, target: str = "demo") -> None:
    """Wait until a run of the target shows an artifact."""
    runs = world.settings.artifacts / "runs"
    await seen(lambda: any(runs.glob(f"{target}-*/{artifact}")))


async def quiescent(world: World, target: str = "demo", seconds: float = 60) -> StatusView:
    """Poll as ``pause --wait`` does."""

    async def asked() -> StatusView | None:
        view = await world.status(target)
        return view if view.quiescent else None

    view: StatusView = await world.until(asked, seconds)
    return view


async def unchanged(world: World, seconds: float, target: str = "demo") -> None:
    """No ref of the remote moves and no pull request appears for a while."""
    before = world.refs(target), world.pulls(target)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert before == (world.refs(target), world.pulls(target))
        await asyncio.sleep(0.2)


async def reset(world: World, handle: WorkflowHandle, after: int = 1) -> str:
    """Reset a workflow as an operator would in the UI: to its ``after``-th completed workflow task."""
    completed = [
        event.event_id
        async for event in handle.fetch_history_events()
        if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED
    ]
    answer = await world.client.workflow_service.reset_workflow_execution(
        ResetWorkflowExecutionRequest(
            namespace=world.namespace,
            workflow_execution=WorkflowExecution(workflow_id=handle.id),
            reason="an operator tries",
            workflow_task_finish_event_id=completed[after - 1],
            request_id=f"reset-{time.monotonic_ns()}",
        )
    )
    return answer.run_id


def move_base(world: World, path: str, text: str, target: str = "demo") -> None:
    """A person pushes to the base branch."""
    work = world.root / f"{target}-work"
    (work / path).write_text(text)
    git("commit", "--quiet", "--all", "--message=By a person", cwd=work)
    git("push", "--quiet", str(world.root / f"{target}.git"), "HEAD:main", cwd=work)


def stop_process(pid: int) -> None:
    """SIGSTOP: it keeps its sockets and does nothing."""
    os.kill(pid, signal.SIGSTOP)


def continue_process(pid: int) -> None:
    """SIGCONT."""
    os.kill(pid, signal.SIGCONT)
