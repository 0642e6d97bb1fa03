"""Keeps a real worker process alive, whatever kills it: what an init system does in production."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Sequence
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any, Self

import forked
from temporalio.client import WorkflowHandle
from world import World

from contracts.admission import RunResult

WORKER = "worker"
"""As shipped."""
QUICK_WORKER = str(Path(__file__).with_name("quick_worker.py"))
HOSTILE_WORKER = str(Path(__file__).with_name("hostile_worker.py"))
STANDS_STILL = 120
"""Seconds in which a run that gets anywhere has another event: its longest step takes a tenth of that."""


class Supervisor:
    """``async with Supervisor(world)``: a worker runs, and runs again after each death.

    With crash points, each start is told the first one not reached yet.
    """

    def __init__(self, world: World, crash_at: Sequence[str] = (), program: str = QUICK_WORKER) -> None:
        self.world = world
        self.deaths: list[int] = []
        self._points = tuple(crash_at)
        self._program = program
        self._markers = world.root / "crashed"
        self._markers.mkdir(exist_ok=True)
        self._process: ForkServerProcess | None = None
        self._dead = asyncio.Event()
        self._wanted = asyncio.Event()
        self._wanted.set()
        self._keeping: asyncio.Task[None] | None = None

    @property
    def missed(self) -> list[str]:
        """Crash points that were never reached."""
        return [point for point in self._points if not (self._markers / point).exists()]

    @property
    def pid(self) -> int:
        """The worker that runs now."""
        assert self._process is not None
        assert self._process.pid is not None
        return self._process.pid

    async def __aenter__(self) -> Self:
        self._keeping = asyncio.create_task(self._keep())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._keeping is not None
        self._keeping.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._keeping
        if self._process is not None and self._process.is_alive():
            self._process.kill()
            self._process.join()

    async def kill(self, *, restart: bool = True) -> None:
        """SIGKILL the worker; it comes back unless told otherwise."""
        if not restart:
            self._wanted.clear()
        dead = self._dead
        # It may have died by itself, as one does that finds no server, and not be back yet.
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        await dead.wait()

    def restart(self) -> None:
        """Let it come back."""
        self._wanted.set()

    def hold_down(self) -> None:
        """Let the next death be the last one for now."""
        self._wanted.clear()

    async def _keep(self) -> None:
        while True:
            await self._wanted.wait()
            log = self.world.root / "worker.log"
            self._process, self._dead = forked.start(self._program, self._environment(), log), asyncio.Event()
            self.deaths.append(await forked.end_of(self._process))
            self._dead.set()
            # A worker that cannot start at all must not turn into a busy loop.
            await asyncio.sleep(0.2)

    def _environment(self) -> dict[str, str]:
        environment = {
            **os.environ,
            "TEMPORAL_ADDRESS": self.world.address,
            "TEMPORAL_NAMESPACE": self.world.namespace,
            "AUTONOMY_HOME": str(self.world.settings.home),
            "AUTONOMY_POLICIES": str(self.world.settings.policies),
            "AUTONOMY_CRASH_ONCE": str(self._markers),
        }
        if left := self.missed:
            environment["AUTONOMY_CRASH_AT"] = left[0]
        return environment


async def the_end(handle: WorkflowHandle[Any, RunResult]) -> RunResult:
    """Its result. One that stands still is told from a machine that is slow: by its history, not by a time for all."""
    waiting, known, moved = asyncio.create_task(handle.result()), 0, time.monotonic()
    while not waiting.done():
        await asyncio.wait({waiting}, timeout=2)
        length = (await handle.describe()).history_length or 0
        if length > known:
            known, moved = length, time.monotonic()
        assert time.monotonic() - moved < STANDS_STILL, f"nothing happened in the run after event {known}"
    return await waiting
