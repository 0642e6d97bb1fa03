"""A tree, and one call that runs a command in it."""

from __future__ import annotations

import sys
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from adapters.sandbox.bubblewrap import BubblewrapSandbox
from adapters.sandbox.interpreter import interpreter_mounts
from ports.sandbox import Command, CommandResult, Limits

LIMITS = Limits(
    seconds=20,
    cpu_seconds=20,
    memory_bytes=1 << 29,
    processes=64,
    file_bytes=16 << 20,
    output_bytes=64 << 10,
)
PYTHON = Path(sys.executable).resolve()


@dataclass
class Room:
    """One tree in the sandbox; every process started from it carries ``marker`` in its argv."""

    tree: Path
    limits: Limits = LIMITS
    marker: str = field(default_factory=lambda: f"marker-{uuid.uuid4()}")

    def sh(self, script: str, alive: Callable[[], None] = lambda: None, **limits) -> CommandResult:
        return self.run(("/bin/sh", "-c", script, self.marker), alive, **limits)

    def python(self, script: str, alive: Callable[[], None] = lambda: None, **limits) -> CommandResult:
        return self.run((str(PYTHON), "-I", "-S", "-c", script, self.marker), alive, **limits)

    def run(self, argv: tuple[str, ...], alive: Callable[[], None] = lambda: None, **limits) -> CommandResult:
        command = Command(argv, self.tree, replace(self.limits, **limits), read_only=interpreter_mounts(PYTHON))
        return BubblewrapSandbox().run(command, alive)

    def left_over(self) -> list[str]:
        """Processes of the whole machine whose argv carries the marker."""
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                argv = (process / "cmdline").read_bytes()
            except OSError:
                continue
            if self.marker.encode() in argv:
                found.append(argv.decode(errors="replace"))
        return found


@pytest.fixture
def room(tmp_path):
    tree = tmp_path / "tree"
    tree.mkdir()
    made = Room(tree)
    yield made
    assert made.left_over() == []
