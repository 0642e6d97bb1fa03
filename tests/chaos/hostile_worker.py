"""``python -m worker`` with a coder that goes for a protected path."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parents[1]))

import worker
from commands.leaving import leave
from composition import build_worker, connected_workbench
from demo.careless_agent import CarelessAgent
from settings import Settings
from tests.workflows.quick import with_speller


def build_hostile_worker(client, settings, **options):
    """As ``composition.build_worker``, with a careless bench."""
    honest = with_speller(connected_workbench(client, settings))
    bench = replace(honest, agents=lambda policy, role: CarelessAgent(honest.agents(policy, role)))
    return build_worker(client, settings, bench, **options)


if __name__ == "__main__":
    worker.build_worker = build_hostile_worker
    leave(asyncio.run(worker.work(Settings())))
