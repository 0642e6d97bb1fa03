"""Mirrors that a thousand runs went through become small again, and nothing in them is lost."""

from __future__ import annotations

import os
import resource
import threading
from pathlib import Path

import pytest

from adapters.git.environment import ClosedGit
from adapters.git.mirror import Mirror
from adapters.git.private import PRIVATE, locked
from adapters.git.upkeep import has_grown, looked_after, tend, tend_all
from ports.removal import held_folder
from ports.repository import RepositoryError
from tests.adapters.git.conftest import Clone

RUNS = 1000
QUICKLY = ("-c", "fastimport.unpackLimit=0", "-c", "core.fsync=none")


def packs(mirror: Mirror) -> set[Path]:
    return set((mirror.path / "objects" / "pack").glob("*.pack"))


def loose(mirror: Mirror) -> int:
    return sum(1 for _ in (mirror.path / "objects").glob("[0-9a-f][0-9a-f]/*"))


def loose_refs(mirror: Mirror) -> int:
    return sum(1 for place in (mirror.path / "refs").rglob("*") if place.is_file())


def grown(mirror: Mirror, runs: int = RUNS) -> list[str]:
    """What as many runs leave: a pack each that no ref names, an anchor each. All objects, by id."""
    mirror.fetch_base()
    stream = "".join(f"blob\nmark :{n}\ndata 5\n{n:05d}\ncheckpoint\n" for n in range(1, runs + 1))
    git = ClosedGit(mirror.path)
    git.run(*QUICKLY, "fast-import", "--quiet", stdin=stream.encode())
    head = git.run("hash-object", "-w", "--stdin", stdin=b"head").text
    anchors = "".join(f"update refs/autonomy/anchors/run/{n} {head}\n" for n in range(runs))
    git.run("update-ref", "--stdin", stdin=anchors.encode())
    return objects(mirror)


def objects(mirror: Mirror) -> list[str]:
    """Every object that is here, named by a ref or not."""
    form = ("cat-file", "--batch-all-objects", "--batch-check=%(objectname)")
    return ClosedGit(mirror.path).run(*form).text.split()


def test_a_thousand_runs_leave_few_packs_and_no_object_is_lost(clone: Clone, mirror: Mirror, tmp_path: Path) -> None:
    """Neither one that only an artifact names (no ref holds it), nor an anchor."""
    base = mirror.fetch_base()
    mirror.checkout(base, tmp_path / "tree")
    (tmp_path / "tree" / "new.txt").write_text("made by a run\n")
    change = mirror.commit_tree(base, tmp_path / "tree", "change")
    grown(mirror)
    kept = objects(mirror)
    assert change in kept
    assert len(packs(mirror)) >= RUNS
    anchors = mirror.anchors()

    tend_all(mirror.path.parent)

    assert len(packs(mirror)) <= 3
    assert (loose(mirror), loose_refs(mirror)) == (0, 0)
    assert objects(mirror) == kept
    assert mirror.anchors() == anchors
    assert [path.path for path in mirror.changed_paths(base, change)] == ["new.txt"]
    assert not mirror.damage(60)
    assert clone.commit({"a.txt": "two\n"}) == mirror.fetch_base()


def test_what_has_not_grown_is_left_alone(mirror: Mirror) -> None:
    mirror.fetch_base()
    assert not has_grown(mirror.path)
    assert not tend(mirror.path)
    assert loose(mirror) > 0


def test_loose_objects_alone_are_growth(mirror: Mirror) -> None:
    mirror.fetch_base()
    names = mirror.path / "names"
    names.mkdir()
    for n in range(2000):
        (names / str(n)).write_text(str(n))
    listed = "".join(f"{names}/{n}\n" for n in range(2000))
    ClosedGit(mirror.path).run("hash-object", "-w", "--stdin-paths", stdin=listed.encode())
    kept = objects(mirror)
    assert tend(mirror.path)
    assert loose(mirror) == 0
    assert objects(mirror) == kept


def test_it_never_waits_for_who_holds_the_mirror(mirror: Mirror) -> None:
    """Somebody makes it anew, or small, right now."""
    grown(mirror, 60)
    with locked(mirror.path.with_name(f"{mirror.path.name}.healing")):
        assert not tend(mirror.path)
    assert tend(mirror.path)


def test_it_is_in_no_ones_way(clone: Clone, mirror: Mirror) -> None:
    """A fetch that holds the mirror's fetch lock, and one that begins while it is tended, are not waited for."""
    grown(mirror, 60)
    with locked(mirror.path / "fetch.lock"):
        assert tend(mirror.path)
    grown(mirror, 60)
    tending = threading.Thread(target=tend, args=(mirror.path,))
    tending.start()
    assert clone.commit({"a.txt": "two\n"}) == mirror.fetch_base()
    tending.join()
    assert not mirror.damage(60)


def test_a_death_while_a_pack_is_written_is_harmless(mirror: Mirror) -> None:
    """Its git dies of a limit on what it may write; what it left is removed once nobody can be writing it any more."""
    grown(mirror, 60)
    contents = b"".join(b"blob\ndata 100000\n%s\n" % os.urandom(50_000).hex().encode() for _ in range(5))
    ClosedGit(mirror.path).run(*QUICKLY, "fast-import", "--quiet", stdin=contents)
    kept = objects(mirror)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, before[1]))
    try:
        with pytest.raises(RepositoryError):
            tend(mirror.path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert objects(mirror) == kept
    assert not mirror.damage(60)
    left = [place for place in (mirror.path / "objects" / "pack").iterdir() if "tmp" in place.name]
    assert left
    for place in left:
        os.utime(place, (0, 0))
    assert tend(mirror.path)
    assert objects(mirror) == kept
    assert not [place for place in left if place.exists()]


def test_a_death_before_the_old_packs_are_gone_is_harmless(mirror: Mirror) -> None:
    grown(mirror, 60)
    kept = objects(mirror)
    ClosedGit(mirror.path).run("repack", "--geometric=2", "-q", "-n")
    assert len(packs(mirror)) > 60
    assert tend(mirror.path)
    assert len(packs(mirror)) <= 3
    assert objects(mirror) == kept


def test_a_partial_mirror_stays_one(clone: Clone, tmp_path: Path) -> None:
    """What came without its contents keeps the mark that says so: fetched again, and completed, as before."""
    clone.git("config", "uploadpack.allowFilter", "true", cwd=clone.bare)
    clone.git("config", "uploadpack.allowAnySHA1InWant", "true", cwd=clone.bare)
    partial = Mirror(tmp_path / "mirrors" / "p.git", f"file://{clone.bare}", "main", partial=True)
    grown(partial, 60)
    places = partial.path / "objects" / "pack"
    fetched = {mark.with_suffix(".pack") for mark in places.glob("*.promisor")}
    assert tend(partial.path)
    assert len(packs(partial)) < 10
    # As they were: what is rolled into another pack has lost its mark.
    assert fetched
    assert fetched <= set(places.glob("*.pack"))
    base = clone.commit({"a.txt": "two\n"})
    assert base == partial.fetch_base()
    assert partial.read(base, "a.txt") == b"two\n"
    assert not partial.damage(60)


def test_an_anchor_whose_content_is_lost_is_an_error_and_not_absent(mirror: Mirror) -> None:
    mirror.anchor("run/1", "head")
    assert (mirror.anchored("run/1"), mirror.anchored("run/2")) == ("head", None)
    for place in (mirror.path / "objects").glob("[0-9a-f][0-9a-f]/*"):
        place.unlink()
    with pytest.raises(RepositoryError):
        mirror.anchored("run/1")
    with pytest.raises(RepositoryError):
        mirror.anchors()


def test_a_worker_looks_after_its_mirrors(mirror: Mirror) -> None:
    """From the moment it works, without anybody waiting for it; it ends with the worker."""
    grown(mirror, 60)
    with looked_after(mirror.path.parent, every=0.01):
        (thread,) = (each for each in threading.enumerate() if each.name == "mirror upkeep")
        # Beside a mirror that is held, and again once it is not.
        while has_grown(mirror.path):
            thread.join(0.01)
    thread.join()
    assert len(packs(mirror)) <= 3


def test_what_a_killed_user_left_is_taken_away_though_nobody_comes_again(mirror: Mirror) -> None:
    """A target that is paused gets no other step: its worker's next start, and each look after, is what comes."""
    mirror.fetch_base()
    private = mirror.path / PRIVATE
    with held_folder(private) as used:
        (private / "killed").mkdir()
        tend_all(mirror.path.parent)
        assert [place for place in private.iterdir() if place.is_dir()] == [used]


def test_what_a_killed_creator_left_is_taken_away(clone: Clone, tmp_path: Path) -> None:
    """The next one makes the mirror, and nothing of the half one stays."""
    place = tmp_path / "mirrors" / "demo.git"
    half = place.with_name(".new-demo.git")
    (half / "objects" / "pack").mkdir(parents=True)
    (half / "HEAD").write_text("ref: refs/heads/none\n")
    mirror = Mirror(place, str(clone.bare), "main")
    assert mirror.fetch_base()
    assert ["demo.git", "demo.git.lock"] == sorted(path.name for path in place.parent.iterdir())
