"""An empty folder for one attempt of one step; what killed workers left behind goes first."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def work_folder(root: Path, purpose: str) -> Iterator[Path]:
    """A fresh folder under ``root``, locked while it is in use and gone afterwards."""
    root.mkdir(parents=True, exist_ok=True)
    # The root's own lock: a folder just made and not locked yet must not look abandoned.
    with _locked(root, fcntl.LOCK_EX):
        for folder in root.iterdir():
            _remove_abandoned(folder)
        made = Path(tempfile.mkdtemp(prefix=f"{purpose}-", dir=root))
        held = os.open(made, os.O_RDONLY | os.O_CLOEXEC)
        fcntl.flock(held, fcntl.LOCK_EX)
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)
        os.close(held)


@contextmanager
def _locked(folder: Path, kind: int) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, kind)
        yield
    finally:
        os.close(descriptor)


def _remove_abandoned(folder: Path) -> None:
    """The kernel frees the lock of a killed worker: a folder nobody holds is nobody's."""
    with suppress(BlockingIOError, FileNotFoundError), _locked(folder, fcntl.LOCK_EX | fcntl.LOCK_NB):
        shutil.rmtree(folder, ignore_errors=True)
