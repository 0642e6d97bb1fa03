"""Worlds in which agents cost money."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from world import World

from ports.agents import Brief
from tests.workflows.quick import Speller


def caps(world: World, worst: float = 2.0, **values: float) -> None:
    """Edit ``autopilot.toml``; every step may cost so many USD at worst."""
    path = world.settings.policies / "autopilot.toml"
    lines = path.read_text().splitlines()
    for name, value in values.items():
        lines = [f"{name} = {value}" if line.startswith(f"{name} =") else line for line in lines]
    path.write_text("\n".join(lines) + "\n")
    charter = world.settings.policies / "charter.toml"
    charter.write_text(
        charter.read_text().replace("usd = 0.0", f"usd = {worst}").replace("tokens = 0", "tokens = 1000")
    )


class Payer:
    """An agent that costs what a test says: by role, else 1 USD and 100 tokens a question; None says nothing."""

    def __init__(self, **usd: float | None) -> None:
        self.usd = usd
        self.asked: list[str] = []

    def __call__(self, brief: Brief) -> None:
        """Put it on the meter."""
        self.asked.append(brief.role)
        usd = self.usd.get(brief.role, 0.5)
        if usd is not None:
            brief.meter.spent(usd=usd, tokens=100)

    def bench(self, world: World) -> Any:
        """A quick workbench with this agent."""
        return world.bench(lambda real: Speller(real, pay=self))


def alerts(world: World) -> list[str]:
    """Fingerprints that reached the alert file."""
    path: Path = world.settings.home / "alerts.jsonl"
    return [json.loads(line)["fingerprint"] for line in path.read_text().splitlines()] if path.exists() else []
