"""A damaged or deleted mirror is recognised, set aside and fetched anew by whichever method meets it (A10)."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from adapters.git.healing import damage
from adapters.git.mirror import Mirror
from ports.repository import MirrorRenewed, RemoteUnavailable, RepositoryError

if TYPE_CHECKING:
    from conftest import Clone

BASE = "refs/remotes/origin/main"


def objects(place: Path) -> list[Path]:
    """Every file that holds an object."""
    return [path for path in (place / "objects").rglob("*") if path.is_file()]


def emptied(place: Path) -> None:
    """As after a power cut: the names are there, the contents are not."""
    for path in objects(place):
        path.chmod(0o600)
        path.write_bytes(b"")


def flipped(place: Path) -> None:
    """A bad disk: one byte in the middle of each object's file is another one."""
    for path in objects(place):
        path.chmod(0o600)
        body = bytearray(path.read_bytes())
        body[len(body) // 2] ^= 0xFF
        path.write_bytes(body)


def without_objects(place: Path) -> None:
    """Somebody freed space."""
    shutil.rmtree(place / "objects")
    (place / "objects").mkdir()


DAMAGE: dict[str, Callable[[Path], None]] = {
    "deleted": shutil.rmtree,
    "head": lambda place: (place / "HEAD").unlink(),
    "config": lambda place: void((place / "config").write_text("[core\n\0")),
    "refs": lambda place: void((place / "refs/remotes/origin/main").write_text("no commit\n")),
    "objects": without_objects,
    "folder of objects": lambda place: shutil.rmtree(place / "objects"),
    "emptied": emptied,
    "flipped": flipped,
}


def void(_given: object) -> None:
    """Nothing comes of it."""


@pytest.fixture
def healer(clone: Clone, tmp_path: Path) -> Mirror:
    """As the product opens it, with one base fetched and one head of an audit log."""
    mirror = Mirror(tmp_path / "mirrors" / "demo.git", str(clone.bare), "main", heals=True)
    mirror.fetch_base()
    mirror.anchor("target/demo", "f" * 64)
    return mirror


@pytest.fixture
def asked(healer: Mirror, clone: Clone, folder: Callable[[], Path]) -> dict[str, Callable[[], object]]:
    """What steps ask of a mirror."""
    base = clone.git("rev-parse", "HEAD")
    return {
        "fetch": healer.fetch_base,
        "facts": lambda: healer.facts(base).files,
        "read": lambda: healer.read(base, "a.txt"),
        "checkout": lambda: healer.checkout(base, folder()),
        "commit": lambda: healer.commit_tree(base, folder(), "all is gone"),
        "merge": lambda: healer.merge(base, base),
        "anchor": lambda: healer.anchor("run/demo", "e" * 64),
    }


@pytest.mark.parametrize("step", ["fetch", "facts", "read", "checkout", "commit", "merge"])
@pytest.mark.parametrize("harm", DAMAGE)
def test_whatever_meets_the_damage_mends_it(
    healer: Mirror, asked: dict[str, Callable[[], object]], harm: str, step: str
) -> None:
    """The same answer as of a whole one; and once the base was fetched, too, the mirror is whole."""
    wanted = asked[step]()
    DAMAGE[harm](healer.path)
    assert wanted == asked[step]()
    assert asked["facts"]() == 2
    assert b"one\ntwo\nthree\n" == asked["read"]()
    # What one does not touch, another meets; every run fetches.
    asked["fetch"]()
    assert "" == damage(healer.path, BASE)


def test_what_was_damaged_is_kept_and_its_readable_anchors_are_taken_along(healer: Mirror, clone: Clone) -> None:
    """P10: the heads of the audit logs are the one thing the remote does not have."""
    tree = clone.git("rev-parse", "HEAD^{tree}")
    place = healer.path / "objects" / tree[:2] / tree[2:]
    place.chmod(0o600)
    place.write_bytes(b"no tree")
    assert 2 == healer.facts(clone.git("rev-parse", "HEAD")).files
    assert "f" * 64 == healer.anchored("target/demo")
    aside = healer.path.with_name("demo.git.damaged")
    assert (b"no tree", True) == ((aside / place.relative_to(healer.path)).read_bytes(), damage(aside, BASE) != "")


def test_a_drill_on_a_damaged_mirror_is_told_to_try_again(
    healer: Mirror, clone: Clone, folder: Callable[[], Path]
) -> None:
    """A scratch repository reads the mirror's objects."""
    base = clone.git("rev-parse", "HEAD")
    emptied(healer.path)
    with pytest.raises(MirrorRenewed), healer.scratch() as scratch:
        scratch.checkout(base, folder())
    with healer.scratch() as scratch:
        scratch.checkout(base, folder())


def test_a_whole_mirror_is_left_alone(healer: Mirror, clone: Clone) -> None:
    """A commit nobody has is an error as before, and no reason to fetch everything again."""
    inode = healer.path.stat().st_ino
    for wrong in ("0" * 40, clone.git("rev-parse", "HEAD^{tree}")):
        with pytest.raises(RepositoryError):
            healer.read(wrong, "a.txt")
    assert (inode, False) == (healer.path.stat().st_ino, healer.path.with_name("demo.git.damaged").exists())


def test_a_remote_that_is_away_is_said_and_the_mirror_is_left_alone(healer: Mirror, clone: Clone) -> None:
    """P13: what cannot be fetched is not set aside for it."""
    inode = healer.path.stat().st_ino
    clone.bare.rename(clone.bare.with_name("away.git"))
    with pytest.raises(RemoteUnavailable, match="cannot be reached"):
        healer.fetch_base()
    assert inode == healer.path.stat().st_ino
