"""What a running command may take: time, output, memory, disk."""

import math
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from adapters.sandbox.enclosure import MEMORY_FOLDERS
from ports.sandbox import Limits, SandboxUnavailable

FLOOD = 64 * 1024 * 1024
"""Output beyond this ends the command: nobody reads it, and reading it costs the worker."""
LOOK_EVERY = 0.1
_DISK_RESERVE = 1024**3
_DISK_SHARE = 20
_ENTRIES_RESERVE = 50_000
_ENTRY_BYTES = 1024
"""What the kernel keeps for an entry of a memory-backed folder, however empty it is."""
_PROGRAMS = {"PATH": "/usr/bin:/bin"}


class Supervision:
    """Looks at a running command several times a second."""

    def __init__(
        self, pid: int, tree: Path, limits: Limits, alive: Callable[[], None], others: tuple[Path, ...] = ()
    ) -> None:
        self._pid = pid
        self._tree = tree
        self._limits = limits
        self._alive = alive
        self._deadline = time.monotonic() + limits.seconds
        self._next_look = 0.0
        self._files = [TreeFiles(each, limits.files) for each in (tree, *others)]

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
        if memory_of(self._pid, self._limits.file_bytes) > self._limits.memory_bytes:
            return "memory"
        return "files" if any(each.too_many(now) for each in self._files) else ""

    def last_verdict(self) -> str:
        """After its end: what it left may be too much, however quick it was."""
        return "files" if any(each.too_many(math.inf) for each in self._files) else ""


class TreeFiles:
    """Counts what the tree holds, rarely: only once the disk has so many more entries than when the command began."""

    def __init__(self, tree: Path, most: int) -> None:
        self._tree = tree
        self._most = most
        self._begun_with = _entries_of_disk(tree)
        self._next_count = 0.0

    def too_many(self, now: float) -> bool:
        """Whether there are more than the limit, as far as was looked; ``now`` as of the monotonic clock."""
        known = _entries_of_disk(self._tree)
        # Some file systems do not say (0): there the tree itself is counted, now and then.
        grown = known - self._begun_with if known else self._most
        if now < self._next_count or grown * 2 < self._most:
            return False
        begun = time.monotonic()
        found = _count_entries(self._tree, self._most + 1)
        # Counting takes at most a tenth of the time.
        ended = time.monotonic()
        self._next_count = ended + max(1.0, 9 * (ended - begun))
        return found > self._most


def _entries_of_disk(folder: Path) -> int:
    disk = os.statvfs(folder)
    return disk.f_files - disk.f_ffree


def _count_entries(tree: Path, enough: int) -> int:
    """Entries below a folder, counted up to ``enough``. By find, which no depth stops."""
    argv = ["find", str(tree), "-xdev", "-mindepth", "1", "-printf", "."]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=_PROGRAMS) as counting:
        found = 0
        while counting.stdout and found < enough and (chunk := os.read(counting.stdout.fileno(), 1 << 16)):
            found += len(chunk)
        counting.kill()
    return found


def require_disk(folder: Path) -> None:
    """Keep a reserve free, of room and of entries: limits bound each file, and a tree only when it is counted.

    Raises:
        SandboxUnavailable: the disk is nearly full.
    """
    disk = os.statvfs(folder)
    free, total = disk.f_bavail * disk.f_frsize, disk.f_blocks * disk.f_frsize
    if free < min(_DISK_RESERVE, total // _DISK_SHARE):
        raise SandboxUnavailable(f"the disk that holds {folder} is nearly full ({free >> 20} MiB free): make room")
    if disk.f_files and disk.f_favail < min(_ENTRIES_RESERVE, disk.f_files // _DISK_SHARE):
        raise SandboxUnavailable(
            f"the disk that holds {folder} is nearly full ({disk.f_favail} files can still be made): make room"
        )


def memory_of(pid: int, folder_bytes: int) -> int:
    """Bytes of memory that a sandbox takes: its processes', swapped out included, and its memory-backed folders'.

    The address-space limit is per process, where there is one; this is what bounds many of them together, and what no
    process maps.
    ``folder_bytes`` is the size each of those folders was made with.
    """
    total, todo = 0, [pid]
    folders: dict[int, int] = {}
    while todo:
        number = todo.pop()
        process = Path("/proc") / str(number)
        try:
            for line in (process / "status").read_bytes().splitlines():
                if line.startswith((b"RssAnon:", b"RssShmem:", b"VmSwap:")):
                    total += int(line.split()[1]) * 1024
            folders |= _memory_folders(process / "root", folder_bytes)
            for thread in (process / "task").iterdir():
                todo += [int(child) for child in (thread / "children").read_bytes().split()]
        except OSError:
            continue  # It ended while we looked.
    return total + sum(folders.values())


def _memory_folders(root: Path, size: int) -> dict[int, int]:
    """What is used of the memory-backed folders a process sees, by device: of every file, also one without a name.

    Ours are told by their size; a process that is still outside the sandbox sees the machine's own folders.
    """
    found = {}
    for folder in MEMORY_FOLDERS:
        place = f"{root}{folder}"
        try:
            disk, device = os.statvfs(place), os.stat(place).st_dev  # noqa: PTH116
        except OSError:
            continue  # It ended, or is not inside yet.
        if abs(disk.f_blocks * disk.f_frsize - size) < disk.f_frsize:
            used = (disk.f_blocks - disk.f_bfree) * disk.f_frsize
            found[device] = used + (disk.f_files - disk.f_ffree) * _ENTRY_BYTES
    return found
