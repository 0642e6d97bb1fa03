"""A full disk stops the run, not the audit (P10)."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from checker import check_world
from faulty import step_done, unchanged
from supervisor import Supervisor

from contracts.modes import RunStatus

if TYPE_CHECKING:
    from pathlib import Path

    from world import World


@pytest.fixture
def small_disk(world: World) -> Iterator[Path]:
    """The artifacts' folder as a file system of 4 MiB."""
    place = world.settings.artifacts
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(place)], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def fill(place: Path) -> Path:
    """Take every byte that is left."""
    ballast = place / "ballast"
    with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"x" * 4096)
    assert 0 == os.statvfs(place).f_bavail
    return ballast


async def test_a_full_disk_holds_the_run_and_nothing_is_written_to_the_remote(world: World, small_disk: Path) -> None:
    """While nothing can be recorded nothing is pushed; when there is space again the run ends as if nothing was."""
    async with Supervisor(world):
        handle = await world.start()
        await step_done(world, "task_contract.json")
        ballast = fill(small_disk)
        await unchanged(world, seconds=8)
        assert [] == world.autonomy_branches()
        ballast.unlink()
        result = await asyncio.wait_for(handle.result(), 90)
        assert RunStatus.PR_OPENED is result.status, result.reason
        await check_world(world, started=[handle.id])
