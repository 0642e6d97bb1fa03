"""``python -m worker`` with the speller for an agent: a run takes its steps in a second, and any of them may die."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parents[1]))

import worker
from commands.leaving import leave
from composition import build_worker, connected_workbench
from settings import Settings
from tests.workflows.quick import with_speller


def build_quick_worker(client, settings, **options):
    """As ``composition.build_worker``, with the speller."""
    return build_worker(client, settings, with_speller(connected_workbench(client, settings)), **options)


if __name__ == "__main__":
    worker.build_worker = build_quick_worker
    leave(asyncio.run(worker.work(Settings())))
