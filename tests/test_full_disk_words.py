"""A full disk is called that, wherever it was met."""

from __future__ import annotations

import errno
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from adapters.git.environment import ClosedGit
from adapters.temporal.activity_failures import NamesFullDisk
from commands.failures import explain
from ports.full_disk import is_full_disk, named
from ports.repository import RepositoryError
from ports.store import StoreError

FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/home/x")


def caused(error: Exception, by: Exception) -> Exception:
    """One that came from another."""
    error.__cause__ = by
    return error


@pytest.mark.parametrize(
    ("problem", "full"),
    [
        (FULL, True),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), True),
        (caused(StoreError("cannot store it"), FULL), True),
        (RuntimeError("database or disk is full (13)"), True),
        (RepositoryError("git fetch failed (128): fatal: write error: No space left on device"), True),
        (OSError(errno.EACCES, "Permission denied"), False),
        (ValueError("x"), False),
    ],
)
def test_a_command_names_it(problem: Exception, full: bool) -> None:
    """Whoever's words it came with; nothing else is called so."""
    assert full is is_full_disk(problem)
    assert full is explain(problem).args[0].startswith("the disk is full: make room")
    assert named(named(problem)) == named(problem)


class _Fails:
    def __init__(self, error: Exception) -> None:
        self.error = error

    async def execute_activity(self, _given: object) -> Any:
        raise self.error


async def test_an_activitys_failure_names_it_and_stays_what_it_was() -> None:
    """Same type, same patience: retry policies see no difference."""
    known = ApplicationError("No space left on device", type="Known", non_retryable=True)
    for error, name in ((FULL, "OSError"), (StoreError("No space left on device"), "StoreError"), (known, "Known")):
        with pytest.raises(ApplicationError, match="the disk is full") as raised:
            await NamesFullDisk().intercept_activity(_Fails(error)).execute_activity(None)  # type: ignore[arg-type]
        assert (name, error is known) == (raised.value.type, raised.value.non_retryable)
    other = ValueError("x")
    with pytest.raises(ValueError, match="x"):
        await NamesFullDisk().intercept_activity(_Fails(other)).execute_activity(None)  # type: ignore[arg-type]


@pytest.fixture
def small() -> Iterator[Path]:
    """A disk of a few kilobytes."""
    with tempfile.TemporaryDirectory() as place:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", place], check=True)
        try:
            yield Path(place)
        finally:
            subprocess.run(["umount", "--lazy", place], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small disk")
def test_git_on_a_full_disk_names_it(small: Path) -> None:
    """Git's own words are not the only ones."""
    git = ClosedGit(small / "m.git")
    git.run("init", "--quiet", "--bare", "--template=", str(small / "m.git"))
    with pytest.raises(RepositoryError, match=r"the disk is full: make room.*git hash-object failed"):
        git.run("hash-object", "-w", "--stdin", stdin=os.urandom(1 << 20))
