"""What a running command may take: time, output, memory, disk."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

from ports.sandbox import Limits, SandboxUnavailable

FLOOD = 64 * 1024 * 1024
"""Output beyond this ends the command: nobody reads it, and reading it costs the worker."""
LOOK_EVERY = 0.1
_DISK_RESERVE = 1024**3
_DISK_SHARE = 20


class Supervision:
    """Looks at a running command several times a second."""

    def __init__(self, pid: int, tree: Path, limits: Limits, alive: Callable[[], None]) -> None:
        self._pid = pid
        self._tree = tree
        self._limits = limits
        self._alive = alive
        self._deadline = time.monotonic() + limits.seconds
        self._next_look = 0.0

    def verdict(self, output: int) -> str:
        """Why the command must be killed now; empty to let it run.

        Raises:
            Exception: whatever ``alive`` raises.
            SandboxUnavailable: the disk is nearly full.
        """
        now = time.monotonic()
        if now > self._deadline:
            return "timeout"
        if output > FLOOD:
            return "output"
        if now < self._next_look:
            return ""
        self._next_look = now + LOOK_EVERY
        self._alive()
        require_disk(self._tree)
        return "memory" if memory_of(self._pid) > self._limits.memory_bytes else ""


def require_disk(folder: Path) -> None:
    """Keep a reserve free: limits bound each file, not how many a command writes.

    Raises:
        SandboxUnavailable: the disk is nearly full.
    """
    disk = os.statvfs(folder)
    free, total = disk.f_bavail * disk.f_frsize, disk.f_blocks * disk.f_frsize
    if free < min(_DISK_RESERVE, total // _DISK_SHARE):
        raise SandboxUnavailable(f"the disk that holds {folder} is nearly full ({free >> 20} MiB free): make room")


def memory_of(pid: int) -> int:
    """Bytes of anonymous and shared memory of a process and all its descendants.

    The address-space limit is per process; this is what bounds many of them together.
    """
    total, todo = 0, [pid]
    while todo:
        process = Path("/proc") / str(todo.pop())
        try:
            for line in (process / "status").read_bytes().splitlines():
                if line.startswith((b"RssAnon:", b"RssShmem:")):
                    total += int(line.split()[1]) * 1024
            for thread in (process / "task").iterdir():
                todo += [int(child) for child in (thread / "children").read_bytes().split()]
        except OSError:
            continue  # It ended while we looked.
    return total
