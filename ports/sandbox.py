"""Where everything a repository can influence runs (P8)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from contracts.verdict import Verdict

if TYPE_CHECKING:
    from policies.settings.schema import SandboxLimits


class SandboxUnavailable(Exception):
    """No sandbox that passes its self-test: no check, no agent, no run (fail closed)."""


@dataclass(frozen=True)
class Limits:
    """Per command."""

    seconds: float
    cpu_seconds: int
    memory_bytes: int
    """Of all processes together, what they keep in memory-backed folders included."""
    processes: int
    file_bytes: int
    output_bytes: int
    """Kept of stdout and stderr together: half head, half tail."""
    files: int = 300_000
    """What the tree may hold, files and folders, its own included."""

    @classmethod
    def of(cls, policy: SandboxLimits, seconds: float | None = None, output_bytes: int | None = None) -> Limits:
        """The policy's, for a command with its own time or output."""
        return cls(
            seconds=policy.seconds if seconds is None else seconds,
            cpu_seconds=policy.cpu_seconds,
            memory_bytes=policy.memory_mb << 20,
            processes=policy.processes,
            file_bytes=policy.file_mb << 20,
            output_bytes=policy.output_kb << 10 if output_bytes is None else output_bytes,
            files=policy.files,
        )


@dataclass(frozen=True)
class Instead:
    """Files that a command sees, read-only, where its tree holds a certain text; the tree stays as it is."""

    folder: Path
    """Host folder that holds them."""
    files: tuple[tuple[str, str, bytes], ...]
    """Path in the tree, name in the folder, and what the tree must hold there: where it does not, nothing is shown."""


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
    writable: tuple[tuple[Path, str], ...] = ()
    """Further host folders it may write to and where they appear, lent to it and counted as the tree is."""
    copies: tuple[tuple[Path, str], ...] = ()
    """Host folders or files of which it gets a copy of its own at a relative path of its tree, where nothing stands."""
    instead: Instead | None = None
    """What it sees in place of files of its tree."""
    heard: Callable[[bytes], None] = field(default=lambda _piece: None, compare=False)
    """Told what it writes as it comes, stdout and stderr together."""
    outbound: Callable[[int], None] | None = field(default=None, compare=False)
    """Told at the end, whatever that is, how often something in it tried to reach another machine, by its address.

    Not told where nobody can see it. None: nobody asks.
    """
    reserves_memory: bool = False
    """It may reserve any address space (V8, Go and Java take more than they use): only what is resident is bounded."""


@dataclass(frozen=True)
class CommandResult:
    """How it ended; a timeout is not a result."""

    exit_code: int | None
    """None when killed."""
    killed_for: str
    """Empty, ``timeout``, ``output``, ``memory`` or ``files``."""
    seconds: float
    output: bytes
    """Capped, head and tail kept, with a line saying what was left out."""
    output_total: int
    stdout: bytes = b""
    """stdout alone, complete when it fits ``output_bytes``, for machine-readable results."""
    stderr: bytes = b""
    """stderr alone, for what a program says beside its result."""


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
