"""Worlds for fault tests: short leases, quick reaping, and a remote whose hooks can make a push wait."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from faulty import prepare
from regressions import SEED
from world import World, make_world

MakeWorld = Callable[..., Awaitable[World]]


def pytest_report_header() -> str:
    """How to make the same generated regressions again."""
    return f"REGRESSION_SEED={SEED}"


@pytest.fixture
def make(tmp_path: Path, server: str, environments: Path) -> MakeWorld:
    """Make a world by name: an installation with the target ``demo``."""

    async def made(name: str, reap_seconds: int = 1) -> World:
        return prepare(await make_world(tmp_path / name, server, environments), reap_seconds)

    return made


@pytest.fixture
async def world(make: MakeWorld) -> World:
    """An installation with the target ``demo``, for faults."""
    return await make("world")
