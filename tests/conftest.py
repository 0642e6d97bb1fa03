"""Fixtures shared by the whole-run tests."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from replaying import histories_of, replay
from world import MADE, World, make_world

import composition

# Never reach a server that happens to run on the developer's machine.
for name in [name for name in os.environ if name.startswith(("TEMPORAL_", "AUTONOMY_"))]:
    del os.environ[name]

# The server of the tests is small. On one core alone a leaving worker's last task would be lost.
os.environ["GOGC"] = "400"


def pytest_collection_finish() -> None:
    """What was imported and collected stays: looking through it for garbage took half of a test's time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(5000, 20, 50)


@pytest.fixture(scope="session")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """One embedded server per test process, in memory; its address."""
    folder = tmp_path_factory.mktemp("server")
    settings = {
        "limit.historyCount.suggestContinueAsNew": "400",
        "frontend.WorkflowTimeSkippingEnabled": "true",
    }
    running = await composition.start_embedded_server(None, folder / "server.log", settings=settings)
    yield running.address
    await running.stop()


@pytest.fixture(scope="session")
def environments() -> Path:
    """Check environments are cached by digest, under locks: one cache for all tests of this clone."""
    shared = Path(__file__).parents[1] / ".cache" / "check-environments"
    shared.mkdir(parents=True, exist_ok=True)
    return shared


@pytest.fixture
async def world(tmp_path: Path, server: str, environments: Path) -> World:
    """An installation with the target ``demo``."""
    made = await make_world(tmp_path / "world", server, environments)
    made.add_target()
    return made


@pytest.fixture(autouse=True)
async def every_history_replays(request: pytest.FixtureRequest) -> AsyncIterator[None]:
    """Whatever a test did on a server, a fresh worker goes on with every workflow of it (P15, P16).

    A server of the test's own, which is gone by now, cannot be asked.
    """
    MADE.clear()
    yield
    if "server" in request.fixturenames:
        for world in MADE:
            if world.address == request.getfixturevalue("server"):
                # Once in a long while the SDK's replayer does not come back: red, instead of a suite that never ends.
                async with asyncio.timeout(120):
                    await replay(await histories_of(world.client))


@pytest.hookimpl(trylast=True)
def pytest_unconfigure() -> None:
    """A process that used the Temporal client may abort in interpreter teardown: leave without it."""
    sys.stdout.flush()
    sys.stderr.flush()
