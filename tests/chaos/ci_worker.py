"""``python -m worker`` on a local forge with a CI: what that says is in ``ci.json`` of the home."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parents[1]))

from ci_forge import CiResults, with_ci

import worker
from commands.leaving import leave
from composition import build_worker, connected_workbench
from settings import Settings
from tests.workflows.quick import with_speller


def build_worker_with_ci(client, settings, **options):
    """As ``composition.build_worker``, with a CI."""
    bench = with_speller(connected_workbench(client, settings))
    forges = with_ci(bench.forges, CiResults(settings.home / "ci.json"))
    return build_worker(client, settings, replace(bench, forges=forges), **options)


if __name__ == "__main__":
    worker.build_worker = build_worker_with_ci
    leave(asyncio.run(worker.work(Settings())))
