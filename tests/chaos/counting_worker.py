"""``python -m worker`` that dies at the n-th time it passes a point: ``AUTONOMY_CRASH_AT=code.after_done@2``."""

from __future__ import annotations

import asyncio
import itertools
import os
import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import worker
from commands.leaving import leave
from ports import crashpoints
from settings import Settings


def nth(wanted: str, number: int, marker: Path) -> Callable[[str], bool]:
    """In place of the first time."""
    passed = itertools.count(1)

    def due(_name: str) -> bool:
        if next(passed) != number:
            return False
        marker.touch()
        return True

    os.environ["AUTONOMY_CRASH_AT"] = wanted
    return due


if __name__ == "__main__":
    if said := os.environ.pop("AUTONOMY_CRASH_AT", ""):
        point, _, times = said.partition("@")
        crashpoints._first_time = nth(point, int(times), Path(os.environ["AUTONOMY_CRASH_ONCE"]) / said)
    leave(asyncio.run(worker.work(Settings())))
