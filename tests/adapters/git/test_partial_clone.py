"""Partial clones: history without contents, the same answers, and no guess when a content cannot be had."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from adapters.git.environment import ClosedGit
from adapters.git.mirror import Mirror
from adapters.git.remotes import push_branch
from ports.repository import RepositoryError

if TYPE_CHECKING:
    from conftest import Clone

Folder = Callable[[], Path]
COMMITS = 60


def grow(clone: Clone, commits: int = 8, size: int = 2_000) -> None:
    """Rewrite a file that nothing can compress, again and again; allow filters."""
    for number in range(commits):
        clone.write({"big.bin": os.urandom(size), "folder/b.txt": f"{number}\n"})
        clone.git("add", "--all")
        clone.git("commit", "--quiet", "-m", f"change {number}")
    clone.git("push", "--quiet", "origin", "HEAD:refs/heads/main")
    clone.git("config", "uploadpack.allowFilter", "true", cwd=clone.bare)


def size(mirror: Mirror) -> int:
    return sum(path.stat().st_size for path in mirror.path.rglob("*") if path.is_file())


def lacking(clone: Clone, mirror: Mirror, *revisions: str) -> list[str]:
    """What the mirror lacks, as plain git sees it."""
    listing = clone.git(
        "rev-list", "--objects", "--quiet", "--missing=print", *revisions, cwd=mirror.path, GIT_NO_LAZY_FETCH="1"
    )
    return listing.split()


@pytest.fixture(params=["url", "path"])
def partial(request: pytest.FixtureRequest, clone: Clone, tmp_path: Path) -> Mirror:
    """A mirror of the remote that leaves out contents."""
    remote = f"file://{clone.bare}" if request.param == "url" else str(clone.bare)
    return Mirror(tmp_path / "mirrors" / "partial.git", remote, "main", partial=True)


def edited(mirror: Mirror, base: str, tree: Path, files: dict[str, str]) -> str:
    mirror.checkout(base, tree)
    for name, content in files.items():
        (tree / name).write_text(content)
    return mirror.commit_tree(base, tree, "edit")


def through(mirror: Mirror, clone: Clone, folder: Folder) -> list[object]:
    """Every operation of a run, and what each said."""
    base = mirror.fetch_base()
    early = clone.git("rev-parse", "main~2")
    branched = edited(mirror, early, folder(), {"a.txt": "ONE\ntwo\nthree\n"})
    head = edited(mirror, base, folder(), {"a.txt": "one\ntwo\nTHREE\n", "new.txt": "n\n"})
    tree = folder()
    mirror.checkout(early, tree)
    with mirror.scratch() as scratch:
        merged = scratch.merge(base, branched)
        drilled = scratch.revert(merged.commit, merged.commit)
    return [
        mirror.survival(*(clone.git("rev-parse", f"main~{ago}") for ago in (6, 3)), base),
        base,
        branched,
        head,
        (tree / "big.bin").read_bytes(),
        mirror.changed_paths(clone.git("rev-parse", "main~3"), head),
        mirror.diff(clone.git("rev-parse", "main~4"), head),
        mirror.facts(clone.git("rev-parse", "main~5")),
        mirror.read(clone.git("rev-parse", "main~6"), "folder/b.txt"),
        mirror.paths(head),
        (merged, drilled),
        mirror.merge(head, branched),
        mirror.revert(clone.git("rev-parse", "main~3"), base),
        mirror.bundle(base, head),
        mirror.landing(early, base),
    ]


def test_history_comes_without_its_contents(clone: Clone, mirror: Mirror, partial: Mirror, folder: Folder) -> None:
    """A fifth of the bytes at most, with one commit's files; and no address is written down."""
    grow(clone, COMMITS, 200_000)
    base = partial.fetch_base()
    assert base == mirror.fetch_base()
    partial.checkout(base, folder())
    print(f"\nfull mirror {size(mirror)} bytes, partial {size(partial)}")
    assert size(partial) * 5 < size(mirror)
    assert [] == lacking(clone, partial, "--no-walk", base)
    assert COMMITS <= len(lacking(clone, partial, base))
    assert "remote" not in (partial.path / "config").read_text()


def test_everything_says_what_a_full_mirror_says(clone: Clone, mirror: Mirror, partial: Mirror, folder: Folder) -> None:
    """Work trees, commits, changes, merges, reverts, bundles: the same bytes and ids."""
    grow(clone)
    expected = through(mirror, clone, folder)
    for _ in range(2):
        assert expected == through(partial, clone, folder)


def test_a_bundle_and_a_push_carry_the_change(clone: Clone, partial: Mirror, folder: Folder, tmp_path: Path) -> None:
    """Into a fresh partial mirror and from there to the remote, also when its base moved on to what we never saw."""
    grow(clone)
    base = partial.fetch_base()
    head = edited(partial, base, folder(), {"a.txt": "mine\n"})
    other = Mirror(tmp_path / "other.git", f"file://{clone.bare}", "main", partial=True)
    assert base == other.fetch_base()
    other.unbundle(partial.bundle(base, head), base, head)
    theirs = clone.commit({"big.bin": os.urandom(1000)})
    pushed = push_branch(ClosedGit(other.path), f"file://{clone.bare}", "autonomy/x", head, "", 60)
    assert (True, "") == (pushed.accepted, pushed.reason)
    assert {"main": theirs, "autonomy/x": head} == other.remote_heads()
    clone.git("fsck", "--full", "--strict", cwd=clone.bare)


def test_several_merge_bases_are_completed(clone: Clone, mirror: Mirror, partial: Mirror) -> None:
    """A criss-cross merge reads the bases, too, and gives the same commit."""
    clone.git("config", "uploadpack.allowFilter", "true", cwd=clone.bare)
    lines = [f"{number}\n" for number in range(30)]
    clone.commit({"x.txt": "".join(lines)}, "root")
    clone.git("checkout", "--quiet", "-b", "one")
    one = clone.commit({"x.txt": "".join(["one\n", *lines[1:]])})
    clone.git("checkout", "--quiet", "-b", "two", "HEAD^")
    clone.write({"x.txt": "".join([*lines[:-1], "two\n"])})
    clone.git("commit", "--quiet", "-am", "two")
    two = clone.git("rev-parse", "HEAD")
    clone.git("merge", "--quiet", "-m", "first", one)
    clone.write({"x.txt": "".join(["one\n", *lines[1:15], "left\n", *lines[16:-1], "two\n"])})
    clone.git("commit", "--quiet", "-am", "left")
    left = clone.git("rev-parse", "HEAD")
    clone.git("checkout", "--quiet", "one")
    clone.git("merge", "--quiet", "-m", "second", two)
    clone.write({"x.txt": "".join(["one\n", *lines[1:5], "right\n", *lines[6:-1], "two\n"])})
    clone.git("commit", "--quiet", "-am", "right")
    right = clone.git("rev-parse", "HEAD")
    clone.git("merge", "--quiet", "-m", "all", left)
    clone.git("push", "--quiet", "--force", "origin", "HEAD:refs/heads/main")
    assert 2 == len(clone.git("merge-base", "--all", left, right).split())
    assert mirror.fetch_base() == partial.fetch_base()
    assert mirror.merge(left, right) == partial.merge(left, right)
    assert partial.merge(left, right).clean


def test_a_server_without_filters_sends_everything(
    clone: Clone, mirror: Mirror, partial: Mirror, folder: Folder
) -> None:
    """Git warns; nothing is missing and everything works."""
    grow(clone)
    clone.git("config", "uploadpack.allowFilter", "false", cwd=clone.bare)
    assert through(mirror, clone, folder) == through(partial, clone, folder)
    assert [] == lacking(clone, partial, clone.git("rev-parse", "main"))


def test_a_server_that_no_longer_filters(clone: Clone, partial: Mirror, folder: Folder) -> None:
    """What it sends then builds on contents we never got: they come anew."""
    text = "".join(f"{os.urandom(20).hex()}\n" for _ in range(3000))
    clone.commit({"text.txt": text})
    clone.git("config", "uploadpack.allowFilter", "true", cwd=clone.bare)
    partial.fetch_base()
    clone.git("config", "uploadpack.allowFilter", "false", cwd=clone.bare)
    newer = clone.commit({"text.txt": text + "more\n"})
    clone.git("repack", "-a", "-d", "-f", "--quiet", cwd=clone.bare)
    assert newer == partial.fetch_base()
    partial.checkout(newer, tree := folder())
    assert text + "more\n" == (tree / "text.txt").read_text()


def test_the_setting_may_change_both_ways(clone: Clone, mirror: Mirror, tmp_path: Path, folder: Folder) -> None:
    """Full, partial, full, partial on one folder: the same answers; switched off, the base's history is completed."""
    grow(clone)
    expected = through(mirror, clone, folder)
    old = clone.git("rev-parse", "main")
    place = tmp_path / "mirrors" / "switched.git"
    full, partial = (Mirror(place, f"file://{clone.bare}", "main", partial=wanted) for wanted in (False, True))
    assert expected == through(partial, clone, folder)
    assert lacking(clone, full, old)
    assert b"1\n" == full.read(clone.git("rev-parse", "main~6"), "folder/b.txt")
    assert expected == through(full, clone, folder)
    assert [] == lacking(clone, full, old)
    newer = clone.commit({"big.bin": os.urandom(2000)})
    assert newer == full.fetch_base()
    assert [] == lacking(clone, full, newer)
    newest = clone.commit({"big.bin": os.urandom(2000)})
    assert newest == partial.fetch_base()
    assert 1 == len(lacking(clone, partial, newest))
    partial.checkout(newest, folder())
    assert newest == full.fetch_base()


def test_a_base_rewritten_while_partial_can_still_be_read(clone: Clone, tmp_path: Path, folder: Folder) -> None:
    """Switched off after the base was rewritten: the old commit's contents come from the remote that still has them."""
    grow(clone, 3)
    place = tmp_path / "mirrors" / "switched.git"
    full, partial = (Mirror(place, f"file://{clone.bare}", "main", partial=wanted) for wanted in (False, True))
    old = partial.fetch_base()
    clone.git("push", "--quiet", "--force", "origin", "HEAD~2:refs/heads/main")
    full.fetch_base()
    full.checkout(old, tree := folder())
    assert (clone.folder / "big.bin").read_bytes() == (tree / "big.bin").read_bytes()


def test_a_remote_that_is_gone_is_no_answer(clone: Clone, partial: Mirror, folder: Folder) -> None:
    """Nothing is made up from what happens to be here; once it is back, everything works."""
    grow(clone, 3)
    base = partial.fetch_base()
    gone = clone.bare.rename(f"{clone.bare}.gone")
    other = clone.git("rev-parse", "main~2")
    calls: list[Callable[[], object]] = [
        lambda: partial.facts(base),
        lambda: partial.read(base, "a.txt"),
        lambda: partial.checkout(base, folder()),
        lambda: partial.commit_tree(base, folder(), "m"),
        lambda: partial.changed_paths(other, base),
        lambda: partial.diff(other, base),
        lambda: partial.bundle(other, base),
        lambda: partial.merge(base, other),
        lambda: partial.revert(other, base),
    ]
    for call in calls:
        with pytest.raises(RepositoryError, match=r"contents could not be fetched from .*remote\.git"):
            call()
    gone.rename(clone.bare)
    assert 3 == partial.facts(base).files


def test_a_content_the_remote_lost_is_no_answer(clone: Clone, partial: Mirror, folder: Folder) -> None:
    """A rewritten and cleaned up remote cannot give what it promised."""
    grow(clone, 3)
    base = partial.fetch_base()
    clone.git("push", "--quiet", "--force", "origin", "HEAD~2:refs/heads/main")
    clone.git("gc", "--quiet", "--prune=now", cwd=clone.bare)
    with pytest.raises(RepositoryError, match="contents could not be fetched"):
        partial.checkout(base, folder())


def test_a_shallow_remote_is_refused_as_often_as_it_is_asked(clone: Clone, partial: Mirror) -> None:
    """Also without contents."""
    grow(clone, 3)
    clone.git("clone", "--quiet", "--bare", "--depth", "1", f"file://{clone.bare}", f"{clone.bare}.shallow")
    clone.git("config", "uploadpack.allowFilter", "true", cwd=Path(f"{clone.bare}.shallow"))
    whole = clone.bare.rename(f"{clone.bare}.whole")
    Path(f"{clone.bare}.shallow").rename(clone.bare)
    for _ in range(3):
        with pytest.raises(RepositoryError, match="shallow clone"):
            partial.fetch_base()
    shutil.rmtree(clone.bare)
    whole.rename(clone.bare)
    assert clone.git("rev-parse", "HEAD") == partial.fetch_base()


def test_a_whole_mirror_is_never_asked_what_it_lacks(clone: Clone, mirror: Mirror, folder: Folder) -> None:
    """Without the setting no command is added."""
    mirror.fetch_base()
    seen: list[str] = []
    run = ClosedGit.run

    def watched(git: ClosedGit, *arguments: str, **options: object) -> object:
        seen.append(arguments[0])
        return run(git, *arguments, **options)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(ClosedGit, "run", watched)
        mirror.checkout(clone.git("rev-parse", "HEAD"), folder())
    assert ["read-tree"] == seen
