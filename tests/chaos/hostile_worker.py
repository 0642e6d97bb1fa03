"""``python -m worker`` with a coder that goes for a protected path."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import worker
from activities.workbench import Workbench
from adapters.temporal.control_desk import TemporalControlDesk
from commands.leaving import leave
from composition import build_worker, compose, workbench
from contracts.modes import Role
from ports.agents import Agent, Brief, Detection
from settings import Settings


@dataclass(frozen=True)
class Hostile:
    """Honest in every role but Coding."""

    honest: Agent

    @property
    def name(self) -> str:
        """For reports."""
        return "hostile"

    def detect(self, brief: Brief) -> Detection:
        """As the honest one."""
        return self.honest.detect(brief)

    def answer(self, brief: Brief) -> str:
        """Does what it was asked to, and plants a workflow of its own."""
        answer = self.honest.answer(brief)
        if brief.role is Role.CODING and brief.tree is not None:
            planted = brief.tree / ".github" / "workflows" / "mine.yml"
            planted.parent.mkdir(parents=True)
            planted.write_text("on: push\n")
        return answer


def hostile(bench: Workbench) -> Workbench:
    """The same workbench with hostile agents."""
    return replace(bench, agents=lambda policy, role: Hostile(bench.agents(policy, role)))


def build_hostile_worker(client, settings, **options):
    """As ``composition.build_worker``, with a hostile bench."""
    desk = TemporalControlDesk(client, asyncio.get_running_loop())
    return build_worker(client, settings, hostile(workbench(compose(settings), desk)), **options)


if __name__ == "__main__":
    worker.build_worker = build_hostile_worker
    leave(asyncio.run(worker.work(Settings())))
