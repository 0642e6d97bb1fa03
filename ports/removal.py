"""Folders for one attempt, and the one way to remove what a repository or a killed process left: it never fails."""

import fcntl
import logging
import os
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path

_FEW = 8
"""Files of a folder that are removed one by one."""
_LOG = logging.getLogger(__name__)
_PROGRAMS = {"PATH": "/usr/bin:/bin"}
_PLACE = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def remove_tree(place: Path) -> None:
    """Remove a folder, file or link, whatever stands in it; does nothing where there is nothing. Never raises.

    coreutils walk by descriptor: no depth exhausts a recursion, a path's length or our open files. What cannot be
    removed even so is said in the log and stays: it is only room on a disk, and the next sweep tries again.
    """
    removing = ["rm", "-rf", "--", str(place)]
    # A folder its owner may not enter (`chmod 000`) cannot be emptied by anybody but root.
    opening = ["find", str(place), "-type", "d", "!", "-perm", "-u=rwx", "-execdir", "chmod", "u+rwx", "--", "{}", ";"]
    if _was_flat(place):
        return
    stderr = b""
    for argv in (removing, opening, removing):
        if not os.path.lexists(place):
            return
        try:
            done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, env=_PROGRAMS, check=False)
            stderr = done.stderr
        except OSError as problem:
            stderr = str(problem).encode()
    if os.path.lexists(place):
        _LOG.warning("%s could not be removed: %s", place, stderr[:500].decode(errors="replace"))


def _was_flat(place: Path) -> bool:
    """Whether it held some files and nothing else, and is gone: starting a program costs more than the work."""
    try:
        if stat.S_ISDIR(place.lstat().st_mode):
            with os.scandir(place) as entries:
                files = [Path(entry) for entry in islice(entries, _FEW + 1) if not entry.is_dir(follow_symlinks=False)]
            for file in files[:_FEW]:
                file.unlink()
            place.rmdir()
            return True
    except OSError:
        pass
    return False


@contextmanager
def held_folder(root: Path, prefix: str = "") -> Iterator[Path]:
    """A fresh folder under ``root``, locked while it is in use and gone afterwards; abandoned ones go first."""
    root.mkdir(parents=True, exist_ok=True)
    with _abandoned_below(root) as abandoned:
        made = Path(tempfile.mkdtemp(prefix=prefix, dir=root))
        mine = os.open(made, _PLACE)
        fcntl.flock(mine, fcntl.LOCK_EX)
    try:
        _remove(abandoned)
        yield made
    finally:
        remove_tree(made)
        os.close(mine)


def remove_abandoned(root: Path) -> None:
    """Remove those folders under ``root`` whose process was killed; nothing where there is no ``root``."""
    if root.is_dir():
        with _abandoned_below(root) as abandoned:
            pass
        _remove(abandoned)


@contextmanager
def _abandoned_below(root: Path) -> Iterator[list[tuple[Path, int]]]:
    """Hold the root's own lock: a folder just made and not locked yet must not look abandoned."""
    # The operator's own folder, which may be a link to a quicker disk; what lies in it may be none.
    held = os.open(root.resolve(), _PLACE)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield [(place, lock) for place in root.iterdir() if (lock := _abandoned(place)) is not None]
    finally:
        os.close(held)


def _remove(abandoned: list[tuple[Path, int]]) -> None:
    """Outside the root's lock: a folder that takes long to remove keeps nobody waiting."""
    for place, lock in abandoned:
        remove_tree(place)
        os.close(lock)


def _abandoned(place: Path) -> int | None:
    """The lock of a folder that nobody holds: the kernel freed a killed process's. None: in use, gone, or no folder."""
    try:
        with suppress(PermissionError):
            return _locked(place)
        # What ran in it closed it, and was killed before anybody opened it again.
        if stat.S_ISDIR(place.lstat().st_mode):
            place.chmod(stat.S_IRWXU)
            return _locked(place)
    except OSError:
        pass
    return None


def _locked(place: Path) -> int:
    descriptor = os.open(place, _PLACE)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor
