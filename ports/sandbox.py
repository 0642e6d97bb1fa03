"""Where everything a repository can influence runs (P8)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from contracts.verdict import Verdict


class SandboxUnavailable(Exception):
    """No sandbox that passes its self-test: no check, no agent, no run (fail closed)."""


@dataclass(frozen=True)
class Limits:
    """Per command."""

    seconds: float
    cpu_seconds: int
    memory_bytes: int
    processes: int
    file_bytes: int
    output_bytes: int
    """Kept of stdout and stderr together: half head, half tail."""


@dataclass(frozen=True)
class Command:
    """An argv, never a shell line, in a tree."""

    argv: tuple[str, ...]
    tree: Path
    """Host folder mounted writable at ``/work``, the working directory."""
    limits: Limits
    environment: dict[str, str] = field(default_factory=dict)
    """The whole environment besides HOME, PATH, LANG and TMPDIR, which the sandbox sets."""
    read_only: tuple[tuple[Path, str], ...] = ()
    """Further host folders and where they appear inside."""
    read_only_tree: bool = False
    """Mount the tree read-only."""


@dataclass(frozen=True)
class CommandResult:
    """How it ended; a timeout is not a result."""

    exit_code: int | None
    """None when killed."""
    killed_for: str
    """Empty, ``timeout``, ``output`` or ``memory``."""
    seconds: float
    output: bytes
    """Capped, head and tail kept, with a line saying what was left out."""
    output_total: int
    stdout: bytes = b""
    """stdout alone, complete when it fits ``output_bytes``, for machine-readable results."""


class Sandbox(Protocol):
    """Runs one command; when it returns or raises, no process of the command is left."""

    @property
    def name(self) -> str:
        """For reports, for example ``bubblewrap 0.11.0``."""

    def run(self, command: Command, alive: Callable[[], None]) -> CommandResult:
        """Run to the end.

        Args:
            command: what to run.
            alive: called several times a second; an exception from it kills the process tree and goes on up.

        Raises:
            SandboxUnavailable: the sandbox itself could not start.
        """

    def self_test(self) -> Verdict:
        """Try to break out in the ways the sandbox must stop; ALLOW only if every try failed."""
