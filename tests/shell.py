"""Typing commands, in this process."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Any

from typer.testing import CliRunner
from world import World

from commands.app import build_app


@dataclass(frozen=True)
class Typed:
    """How a command ended."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The one object on stdout."""
        lines = self.out.splitlines()
        assert 1 == len(lines), self.out
        found: dict[str, Any] = json.loads(lines[0])
        return found


@dataclass(frozen=True)
class Shell:
    """A shell with these variables."""

    environment: dict[str, str]

    def type(self, *argv: str) -> Typed:
        """Run a command to its end."""
        done = CliRunner().invoke(build_app(), list(argv), env=self.environment)
        return Typed(done.exit_code, done.stdout, done.stderr)

    async def typed(self, *argv: str) -> Typed:
        """The same, while a worker runs in this loop."""
        return await asyncio.to_thread(self.type, *argv)


def shell_of(world: World) -> Shell:
    """A shell of this world's operator."""
    return Shell(
        {
            "AUTONOMY_HOME": str(world.settings.home),
            "AUTONOMY_POLICIES": str(world.settings.policies),
            "TEMPORAL_ADDRESS": world.address,
            "TEMPORAL_NAMESPACE": world.namespace,
        }
    )
