"""What is kept of environments: made once by whoever comes first, removed by last use, never in use."""

from __future__ import annotations

import fcntl
import os
import re
import subprocess
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Self

from ports.environments import EnvironmentUnavailable
from ports.removal import remove_tree

_LOOK_EVERY = 0.1
_PROGRAMS = {"PATH": "/usr/bin:/bin"}
_PLACE = re.compile(r"[0-9a-f]{32}(\.unfinished)?")
"""What is kept, by its digest; other folders beside them are somebody's work under way."""


class Lock:
    """The lock file beside an environment: shared by whoever uses it, exclusive for who makes or removes it.

    The kernel gives it back if we die. Let go with the last reference to it.
    """

    def __init__(self, place: Path) -> None:
        place.parent.mkdir(parents=True, exist_ok=True)
        self.file = os.open(place.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def take(self, operation: int) -> None:
        """As of flock."""
        fcntl.flock(self.file, operation)

    def close(self) -> None:
        """Give it back."""
        if self.file >= 0:
            os.close(self.file)
            self.file = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *ended: object) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()


def held(place: Path, make: Callable[[], None], alive: Callable[[], None]) -> Lock:
    """A shared lock on what is there, made by whoever comes first. What ends early keeps nobody out."""
    lock = Lock(place)
    try:
        while True:
            if place.exists():
                with suppress(BlockingIOError):
                    lock.take(fcntl.LOCK_SH | fcntl.LOCK_NB)
                    if place.exists():
                        os.utime(place)
                        return lock
            else:
                with suppress(BlockingIOError):
                    lock.take(fcntl.LOCK_EX | fcntl.LOCK_NB)
                    if not place.exists():
                        make()
                    continue
            alive()
            time.sleep(_LOOK_EVERY)
    except BaseException:
        # A traceback keeps this frame, and with it the lock, for as long as somebody keeps the traceback.
        lock.close()
        raise


def evict(folders: Iterable[Path], most_gb: float) -> None:
    """Remove what was not used for longest until the rest fits; the one just made is the newest, and held."""
    beside = [place for folder in folders if folder.is_dir() for place in folder.iterdir()]
    kept = [place for place in beside if place.is_dir() and _PLACE.fullmatch(place.name)]
    used = {place: _used_at(place) for place in kept}
    sizes = {place: _size_of(place) for place in kept}
    for place in sorted(kept, key=lambda each: used[each]):
        if sum(sizes.values()) <= most_gb * 1e9:
            return
        with suppress(BlockingIOError), Lock(place) as lock:
            lock.take(fcntl.LOCK_EX | fcntl.LOCK_NB)
            remove_tree(place)
            place.with_suffix(".size").unlink(missing_ok=True)
            del sizes[place]


def counted(place: Path) -> int:
    """Bytes on disk."""
    return int(run("du", "-s", "--block-size=1", "--", str(place)).split()[0])


def _size_of(place: Path) -> int:
    """The same, counted once: written beside it, since what is in it others made."""
    noted = place.with_suffix(".size")
    with suppress(OSError, ValueError):
        return int(noted.read_text())
    size = counted(place)
    noted.write_text(str(size))
    return size


def _used_at(place: Path) -> float:
    with suppress(OSError):
        return place.stat().st_mtime
    return 0.0


def run(*argv: str) -> str:
    """What a program of the system prints.

    Raises:
        EnvironmentUnavailable: it failed.
    """
    done = subprocess.run(argv, capture_output=True, env=_PROGRAMS, check=False)
    if done.returncode:
        output = done.stderr.decode(errors="replace").strip()
        raise EnvironmentUnavailable(f"what was prepared cannot be kept: {output[-500:]}")
    return done.stdout.decode(errors="replace")
