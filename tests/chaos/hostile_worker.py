"""``python -m worker`` with a coder that goes for a protected path."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import worker
from commands.leaving import leave
from composition import build_worker
from demo.careless_agent import careless_bench
from settings import Settings


def build_hostile_worker(client, settings, **options):
    """As ``composition.build_worker``, with a careless bench."""
    return build_worker(client, settings, careless_bench(client, settings), **options)


if __name__ == "__main__":
    worker.build_worker = build_hostile_worker
    leave(asyncio.run(worker.work(Settings())))
