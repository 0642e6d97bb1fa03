"""A base beyond its limits is refused in the time its limits take, whatever it would unfold to; and stale locks."""

from __future__ import annotations

import os
import resource
import subprocess
import time
from pathlib import Path

import pytest

from adapters.git.environment import ClosedGit
from adapters.git.mirror import Mirror
from policies.paths.base_limits import BaseLimits
from ports.repository import RepositoryError, TreeRefused
from tests.adapters.git.conftest import Clone

LIMITS = BaseLimits(files=1000, megabytes=10, depth=20, path_bytes=500)
WIDE = 30


def object_of(clone: Clone, body: bytes, kind: str) -> str:
    """Write an object as its bytes say, checked by nobody."""
    argv = ["git", "hash-object", "-t", kind, "-w", "--literally", "--stdin"]
    return subprocess.run(argv, input=body, cwd=clone.folder, capture_output=True, check=True).stdout.decode().strip()


def tree(clone: Clone, *entries: tuple[str, str, str]) -> str:
    """A tree of (mode, name, id), in order."""
    return object_of(clone, b"".join(f"{m} {n}\0".encode() + bytes.fromhex(i) for m, n, i in entries), "tree")


def push(clone: Clone, top: str) -> None:
    """Make this tree the base's."""
    commit = clone.git("commit-tree", top, "-m", "Hostile").strip()
    clone.git("push", "--quiet", "--force", str(clone.bare), f"{commit}:refs/heads/main")


def nested(clone: Clone, levels: int, width: int, inside: str = "") -> str:
    """Folders of ``width`` times the same folder, ``levels`` deep; a few objects, width ** levels entries."""
    each = inside or tree(clone, ("100644", "x", object_of(clone, b"x", "blob")))
    for _ in range(levels):
        each = tree(clone, *(("40000", f"d{number:02}", each) for number in range(width)))
    return each


def bases(clone: Clone, name: str) -> str:
    """Trees that no disk could hold, or no path name."""
    blob = object_of(clone, b"x" * (1 << 20), "blob")
    if name in {"bytes", "files"}:
        small = object_of(clone, b"x", "blob")
        many, what = (11, blob) if name == "bytes" else (1001, small)
        return tree(clone, *(("100644", f"f{number:04}", what) for number in range(many)))
    if name == "deep":
        return nested(clone, 600, 1)
    if name == "long":
        return tree(clone, ("100644", "n" * 256, blob))
    # Ten levels, of files or of nothing but folders.
    return nested(clone, 10, WIDE, tree(clone) if name == "folders" else "")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("files", "more than 1000 files"),
        ("unfolding", "more than 1000 folders"),
        ("folders", "more than 1000 folders"),
        ("bytes", "more than 10 MiB"),
        ("deep", "folders deep"),
        ("long", "256 bytes long"),
    ],
)
def test_a_base_beyond_its_limits_is_refused_soon(name: str, reason: str, clone: Clone, tmp_path: Path) -> None:
    """In every use that would read the whole tree; nothing is written, and little held."""
    push(clone, bases(clone, name))
    mirror = Mirror(tmp_path / "m.git", str(clone.bare), "main", limits=LIMITS)
    base = mirror.fetch_base()
    before, begun = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
    for use in (mirror.facts, mirror.paths, lambda commit: mirror.checkout(commit, tmp_path / "into")):
        with pytest.raises(TreeRefused, match=reason):
            use(base)
    assert time.monotonic() - begun < 30
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50 << 10
    assert not (tmp_path / "into").exists()


def test_an_answer_too_large_for_memory_is_an_error(clone: Clone) -> None:
    """Whatever asks for it: git is stopped at the limit, not the worker by the kernel."""
    blob = object_of(clone, b"\0" * (1 << 20), "blob")
    git = ClosedGit(clone.folder / ".git")
    assert (1 << 20) == len(git.run("cat-file", "blob", blob, most=1 << 20).out)
    with pytest.raises(RepositoryError, match="answered more than"):
        git.run("cat-file", "blob", blob, most=(1 << 20) - 1)


def test_the_lock_of_a_killed_git_stops_nobody_for_ever(mirror: Mirror, clone: Clone) -> None:
    """Git was killed while it moved a ref: the lock goes once it is too old to be held by anybody."""
    mirror.fetch_base()
    lock = mirror.path / "refs" / "remotes" / "origin" / "main.lock"
    lock.touch()
    minutes_ago = time.time() - 600
    os.utime(lock, (minutes_ago, minutes_ago))
    assert clone.commit({"a.txt": "two\n"}) == mirror.fetch_base()
    assert not lock.exists()


def test_a_lock_that_may_be_held_stays(mirror: Mirror) -> None:
    """Another git may be at work: that is an error, for now."""
    mirror.fetch_base()
    lock = mirror.path / "packed-refs.lock"
    lock.touch()
    with pytest.raises(RepositoryError, match=r"packed-refs\.lock"):
        ClosedGit(mirror.path).run("-c", "core.packedRefsTimeout=0", "pack-refs", "--all")
    assert lock.exists()


def test_git_needs_no_folder_to_write_to(clone: Clone, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in the child of an effect, which may write nowhere: what is given to a command goes by memory."""
    monkeypatch.setattr("tempfile.tempdir", "/nonexistent")
    git = ClosedGit(clone.folder / ".git")
    assert "blob" in git.run("cat-file", "--batch-check", stdin=b"HEAD:a.txt\n").text
