"""The folder that everything is kept in: its owner's alone, and where every part of us can see it."""

import contextlib
import os
import re
import stat
import tempfile
import uuid
from pathlib import Path

from contracts.home import HomeMark

_NOT_FILES = (Path("/proc"), Path("/sys"), Path("/dev"))
_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108  # a file system like others, shown in the jail of a write


class HomeUnusable(Exception):
    """Says why, and what to do."""


def open_home(home: Path) -> None:
    """Make the folder, or close the one that is there to everybody else, whatever the umask made of it.

    What is below it may be readable to the sandbox's user; nobody comes there but through this folder.

    Raises:
        HomeUnusable: it is somebody else's, cannot be made, or is where no files are kept.
    """
    if not home.is_dir() and (home.is_symlink() or home.exists()):
        raise HomeUnusable(f"{home} is no folder, or a link to none: set AUTONOMY_HOME to a folder of your own")
    place = home.resolve()
    if any(place.is_relative_to(each) for each in _NOT_FILES) and not place.is_relative_to(_SHARED_MEMORY):
        raise HomeUnusable(f"{home} is no place to keep files in: set AUTONOMY_HOME to a folder on a disk")
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        mode = stat.S_IMODE(home.stat().st_mode)
        if mode & 0o077:
            home.chmod(mode & 0o700)
    except OSError as problem:
        raise HomeUnusable(
            f"{home} cannot be kept to its owner alone ({problem.strerror}): "
            "run as its owner, or set AUTONOMY_HOME to a folder of your own"
        ) from problem


# The id of an AUTONOMY_HOME, made once and kept in it.

_FILE = "home_id"
_ID = re.compile(rb"[\w-]{1,100}", re.ASCII)


def home_mark(home: Path) -> HomeMark:
    """Read it, or make it; of two that make it at the same time, one wins.

    Raises:
        OSError: the home cannot be read or written.
        HomeUnusable: what is there is no id: cut off, or overwritten. Taken as one, it would be every such home's.
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
    id_ = path.read_bytes().strip()
    if not _ID.fullmatch(id_):
        raise HomeUnusable(
            f"{path} does not hold this home's id any more: write it back (the memo of the workflow `control` shows "
            "it in the Temporal UI), or remove the file if no server knows this home yet"
        )
    return HomeMark(id=id_.decode(), path=str(home.resolve()))


def is_copied(kept: HomeMark, home: HomeMark) -> bool:
    """Whether both are here, in two folders with one id: somebody copied one. What was only moved is gone there."""
    other = Path(kept.path)
    try:
        here = kept.path != home.path and not other.samefile(home.path)
        return here and (other / _FILE).read_bytes().strip() == home.id.encode()
    except OSError:
        return False
