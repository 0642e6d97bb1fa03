"""Artifacts in a local folder: bodies by digest under ``objects``, the same bytes by name under ``runs``."""

import fcntl
import hashlib
import math
import os
import re
import time
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote
from uuid import uuid4

from adapters.store.chained_log import LOG_FILE, TORN_FILE
from adapters.store.durable_files import make_folder, sync_folder
from contracts.artifact import ArtifactRef
from ports.store import StoreError

LEFTOVER_SECONDS = 24 * 3600
"""A temporary file older than this belongs to a dead writer."""
RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
DIGEST = re.compile(r"[0-9a-f]{64}")
MEDIA_TYPES = {
    ".json": "application/json",
    ".html": "text/html",
    ".diff": "text/x-diff",
    ".md": "text/markdown",
    ".txt": "text/plain",
    ".log": "text/plain",
    ".gz": "application/gzip",
    ".tar": "application/x-tar",
}


class LocalStore:
    """The default store.

    Objects are read-only and never touched again: the names of the runs are hard links to them, so a
    reader sees the old file, the new one or none.
    """

    def __init__(self, root: Path, pages: str = "") -> None:
        self._root, self._pages = root.absolute(), pages
        self._temporary_files = self._root / "tmp"
        self._remove_leftovers()

    def put(self, run_id: str, name: str, body: bytes, media_type: str = "application/json") -> ArtifactRef:
        """Keep the bytes and show them under the run's name."""
        shown = self._shown(run_id, name)
        digest = hashlib.sha256(body).hexdigest()
        kept = self._kept(digest)
        try:
            self._keep(kept, body)
            self._show(shown, kept, body)
        except OSError as error:
            raise StoreError(
                f"cannot store {name!r} of run {run_id} under {self._root}: {error.strerror or error}; "
                "nothing was changed. Free space or repair the disk, then try again"
            ) from error
        return ArtifactRef(
            name=name,
            sha256=digest,
            size=len(body),
            media_type=media_type,
            location=kept.relative_to(self._root).as_posix(),
        )

    def get(self, ref: ArtifactRef) -> bytes:
        """The bytes, verified."""
        if not DIGEST.fullmatch(ref.sha256):
            raise StoreError(f"{ref.sha256!r} of {ref.name!r} is no SHA-256 digest")
        kept = self._kept(ref.sha256)
        try:
            body = kept.read_bytes()
        except OSError as error:
            raise StoreError(f"cannot read {ref.name!r} at {kept}: {error.strerror or error}") from error
        if hashlib.sha256(body).hexdigest() != ref.sha256:
            raise StoreError(f"{ref.name!r} at {kept} is damaged: its bytes are not what its digest says")
        return body

    def find(self, run_id: str, name: str) -> ArtifactRef | None:
        """What is shown under a run's name; its media type follows from the name."""
        shown = self._shown(run_id, name)
        try:
            body = shown.read_bytes()
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None
        except OSError as error:
            raise StoreError(f"cannot read {shown}: {error.strerror or error}") from error
        digest = hashlib.sha256(body).hexdigest()
        kept = self._kept(digest)
        if not kept.exists():
            raise StoreError(f"{shown} is damaged: its bytes are not those of any object in {self._root}")
        return ArtifactRef(
            name=name,
            sha256=digest,
            size=len(body),
            media_type=MEDIA_TYPES.get(shown.suffix, "application/octet-stream"),
            location=kept.relative_to(self._root).as_posix(),
        )

    def names(self, run_id: str) -> tuple[str, ...]:
        """Every artifact of a run, sorted; the audit log beside them is not one."""
        folder = self._folder(run_id)
        files = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
        return tuple(sorted(name for name in files if name not in {LOG_FILE, TORN_FILE}))

    def remove(self, run_id: str, name: str) -> None:
        """By the number of names that an object has; where the file system has no hard links, the object stays."""
        shown = self._shown(run_id, name)
        try:
            kept = self._kept(hashlib.sha256(shown.read_bytes()).hexdigest())
            alone = kept.exists() and kept.samefile(shown) and kept.stat().st_nlink == 2  # noqa: PLR2004  # this one
            shown.unlink()
            if alone:
                kept.unlink()
            sync_folder(shown.parent)
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as error:
            raise StoreError(f"cannot remove {shown}: {error.strerror or error}") from error
        for folder in shown.relative_to(self._root / "runs").parents:
            # Those that are empty by now; another's file may come at any moment.
            with suppress(OSError):
                (self._root / "runs" / folder).rmdir()

    def address(self, run_id: str) -> str:
        """The run's folder."""
        return str(self._folder(run_id))

    def web(self, run_id: str, name: str = "run_report.html") -> str:
        """Below ``pages``."""
        return f"{self._pages.rstrip('/')}/{run_id}/{quote(name)}" if self._pages else ""

    def _folder(self, run_id: str) -> Path:
        if not RUN_ID.fullmatch(run_id):
            raise StoreError(f"{run_id!r} is no run id: use letters, digits, dot, dash and underscore")
        return self._root / "runs" / run_id

    def _shown(self, run_id: str, name: str) -> Path:
        folder = self._folder(run_id)
        parts = name.split("/")
        hostile = "\\" in name or any(unicodedata.category(character) in {"Cc", "Cs"} for character in name)
        if hostile or any(part in {"", ".", ".."} for part in parts):
            raise StoreError(f"{name!r} is no artifact name: use a relative path such as 'checks/tests.json'")
        if name in {LOG_FILE, TORN_FILE}:
            raise StoreError(f"{name!r} is the audit log's own file: it is only ever appended to")
        return folder.joinpath(*parts)

    def _kept(self, digest: str) -> Path:
        return self._root / "objects" / digest[:2] / digest[2:]

    def _keep(self, kept: Path, body: bytes) -> None:
        make_folder(kept.parent)
        # An object that is there but damaged is healed here, where its true bytes are at hand.
        if not kept.exists() or kept.read_bytes() != body:
            with self._temporary() as temporary:
                _write_new(temporary, body)
                temporary.replace(kept)
        sync_folder(kept.parent)

    def _show(self, shown: Path, kept: Path, body: bytes) -> None:
        make_folder(shown.parent)
        with self._temporary() as temporary:
            try:
                temporary.hardlink_to(kept)
            except OSError:
                # This file system has no hard links, or this object has too many.
                _write_new(temporary, body)
            temporary.replace(shown)
        sync_folder(shown.parent)

    @contextmanager
    def _temporary(self) -> Iterator[Path]:
        make_folder(self._temporary_files)
        path = self._temporary_files / uuid4().hex
        with _locked(self._temporary_files, fcntl.LOCK_SH):
            try:
                yield path
            finally:
                # Also after success: renaming one link of a file onto another of the same file leaves both.
                path.unlink(missing_ok=True)

    def _remove_leftovers(self) -> None:
        """What killed writers left; while somebody writes, only what is old."""
        if not self._temporary_files.is_dir():
            return
        try:
            with _locked(self._temporary_files, fcntl.LOCK_EX | fcntl.LOCK_NB):
                self._remove_older(math.inf)
        except BlockingIOError:
            # The machine's clock on purpose: it is what the file system stamped them with.
            self._remove_older(time.time() - LEFTOVER_SECONDS)
        except OSError as error:
            raise StoreError(f"cannot look at {self._temporary_files}: {error.strerror or error}") from error

    def _remove_older(self, moment: float) -> None:
        for path in self._temporary_files.iterdir():
            try:
                # The change time, because a fresh link to an old object keeps the object's modification time.
                if path.stat().st_ctime < moment:
                    path.unlink()
            except FileNotFoundError:
                continue
            except OSError as error:
                raise StoreError(f"cannot remove the leftover {path}: {error.strerror or error}") from error


@contextmanager
def _locked(folder: Path, how: int) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, how)
        yield
    finally:
        os.close(descriptor)


def _write_new(path: Path, body: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400)
    with os.fdopen(descriptor, "wb") as file:
        file.write(body)
        file.flush()
        os.fsync(descriptor)
