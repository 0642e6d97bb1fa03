"""The id of an AUTONOMY_HOME, made once and kept in it."""

from __future__ import annotations

import contextlib
import os
import tempfile
import uuid
from pathlib import Path

from contracts.home import HomeMark

_FILE = "home_id"


def home_mark(home: Path) -> HomeMark:
    """Read it, or make it; of two that make it at the same time, one wins.

    Raises:
        OSError: the home cannot be read or written.
    """
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = home / _FILE
    if not path.exists():
        with tempfile.NamedTemporaryFile("w", dir=home, prefix=f".{_FILE}-") as made:
            made.write(f"{uuid.uuid4()}\n")
            made.flush()
            os.fsync(made.fileno())
            with contextlib.suppress(FileExistsError):
                path.hardlink_to(made.name)
    return HomeMark(id=path.read_text().strip(), path=str(home.resolve()))
