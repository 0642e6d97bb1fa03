"""Locks, and private folders beside a mirror for index files and scratch repositories."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from ports.removal import held_folder
from ports.repository import RepositoryError

PRIVATE = "private"
"""Where they are in a mirror."""
_LOCK_SECONDS = 900


class NotFree(RepositoryError):
    """Somebody else holds a lock, for longer than was to be waited."""


@contextmanager
def locked(path: Path, seconds: float = _LOCK_SECONDS) -> Iterator[None]:
    """Hold an exclusive lock on a file; the kernel frees it when its holder dies.

    Raises:
        NotFree: it was not to be had within ``seconds``.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        end = time.monotonic() + seconds
        while not _lock(descriptor):
            # Short naps instead of one long wait, so that a cancellation raised in this thread arrives.
            if time.monotonic() >= end:
                raise NotFree(f"another process keeps {path} locked: is one stopped? (see /proc/locks)")
            time.sleep(0.005)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def private_folder(root: Path) -> Iterator[Path]:
    """A fresh folder under ``root``, removed at the end; those of killed processes are removed first."""
    with ExitStack() as kept:
        # Also against workers of an older version, which know no other lock.
        with locked(root / ".lock"):
            folder = kept.enter_context(held_folder(root))
        yield folder


def identity(path: Path) -> int:
    """Tells a folder from another one under its name; 0: there is none."""
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return 0
