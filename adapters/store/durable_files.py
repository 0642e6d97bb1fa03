"""Files that survive a crash: synced folder entries, and files of lines appended under a lock."""

import errno
import fcntl
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

MAX_LINE = 4 * 1024 * 1024
"""No line is longer, newline included, so that a damaged file cannot fill the memory."""
LOCK_SECONDS = 30.0


def sync_folder(path: Path) -> None:
    """Make the folder's entries durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(path: Path) -> None:
    """Create a folder and its parents, each entry durable."""
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    for folder in reversed(missing):
        folder.mkdir(exist_ok=True)
        sync_folder(folder.parent)


class LineFile:
    """A file of lines, held under its lock."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self._path = path
        self._descriptor = descriptor

    @property
    def path(self) -> Path:
        """Where it is."""
        return self._path

    @property
    def inode(self) -> int:
        """Tells it from another file under its name."""
        return os.fstat(self._descriptor).st_ino

    def lines(self, begin: int = 0) -> Iterator[bytes]:
        """Every line from a line's first byte on, newline included."""
        return read_lines(self._path, os.fstat(self._descriptor).st_size, begin)

    def holds(self, line: bytes, end: int) -> bool:
        """Whether this line, or nothing where there is none, ends at this byte."""
        return end >= len(line) and os.pread(self._descriptor, len(line), end - len(line)) == line

    def append(self, lines: Sequence[bytes]) -> None:
        """Write all lines and sync once; after an error the file is as it was before."""
        if any(len(line) > MAX_LINE for line in lines):
            raise OSError(errno.EMSGSIZE, f"a line is longer than {MAX_LINE} bytes", str(self._path))
        before = os.fstat(self._descriptor).st_size
        try:
            left = memoryview(b"".join(lines))
            while left:
                left = left[os.write(self._descriptor, left) :]
            os.fsync(self._descriptor)
        except OSError as error:
            # What cannot be taken back now is a torn tail, which the next writer sets aside.
            with suppress(OSError):
                os.ftruncate(self._descriptor, before)
            raise OSError(error.errno, error.strerror, str(self._path)) from error


@contextmanager
def locked_lines(path: Path) -> Iterator[LineFile]:
    """Open a file of lines for appending; one writer at a time, whichever process or thread."""
    make_folder(path.parent)
    created = not path.exists()
    # O_NOFOLLOW: a planted link must not send the lines elsewhere.
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        _lock(descriptor, fcntl.LOCK_EX, path)
        if created:
            sync_folder(path.parent)
        _set_torn_tail_aside(descriptor, path)
        yield LineFile(path, descriptor)
    finally:
        os.close(descriptor)


def settled_size(path: Path) -> int:
    """The file's size while nobody is appending; what lies below it does not change any more."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        _lock(descriptor, fcntl.LOCK_SH, path)
        return os.fstat(descriptor).st_size
    finally:
        os.close(descriptor)


def read_lines(path: Path, size: int, begin: int = 0) -> Iterator[bytes]:
    """The lines in the first ``size`` bytes; one without a newline (torn or too long) is the last.

    ``begin``: the first byte of a line before which none is wanted.
    """
    with path.open("rb") as file:
        file.seek(begin)
        left = size - begin
        while left > 0:
            line = file.readline(min(left, MAX_LINE))
            if not line:
                return
            left -= len(line)
            yield line
            if not line.endswith(b"\n"):
                return


def _lock(descriptor: int, kind: int, path: Path) -> None:
    """Wait for the lock, but not for ever: its holder may be a stopped process."""
    end = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > end:
                raise TimeoutError(errno.ETIMEDOUT, "another process keeps the file locked", str(path)) from None
            time.sleep(0.005)
        else:
            return


def _set_torn_tail_aside(descriptor: int, path: Path) -> None:
    """Move what a crash left of an append, which was never acknowledged, to ``<file>.torn``."""
    size = os.fstat(descriptor).st_size
    if size == 0 or os.pread(descriptor, 1, size - 1) == b"\n":
        return
    begin = max(0, size - MAX_LINE)
    tail = os.pread(descriptor, size - begin, begin)
    newline = tail.rfind(b"\n")
    if newline < 0 < begin:
        raise OSError(errno.EBADMSG, "the last line is too long for an interrupted append", str(path))
    torn = os.open(f"{path}.torn", os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        LineFile(Path(f"{path}.torn"), torn).append((tail[newline + 1 :], b"\n"))
    finally:
        os.close(torn)
    sync_folder(path.parent)
    os.ftruncate(descriptor, begin + newline + 1)
    os.fsync(descriptor)
