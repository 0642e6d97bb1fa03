"""The mirror: clear errors, exact work trees, repeatable commits, one winner."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from adapters.git.mirror import Mirror
from ports.repository import RepositoryError

if TYPE_CHECKING:
    from conftest import Clone

ROOT = Path(__file__).parents[3]


def test_fetching_brings_the_remotes_newest_base(clone: Clone, mirror: Mirror) -> None:
    """Each fetch returns what the remote shows now, a rewritten history included."""
    first = clone.git("rev-parse", "HEAD")
    assert first == mirror.fetch_base()
    assert clone.commit({"a.txt": "two\n"}) == mirror.fetch_base()
    clone.git("push", "--quiet", "--force", "origin", f"{first}:refs/heads/main")
    assert first == mirror.fetch_base()


def test_an_unreachable_remote_is_named(tmp_path: Path) -> None:
    """The error says which remote."""
    with pytest.raises(RepositoryError, match=r"nowhere\.git cannot be reached"):
        Mirror(tmp_path / "m.git", str(tmp_path / "nowhere.git"), "main").fetch_base()


def test_an_empty_remote_says_so(clone: Clone, tmp_path: Path) -> None:
    """The error says what to do."""
    clone.git("init", "--quiet", "--bare", str(tmp_path / "empty.git"))
    with pytest.raises(RepositoryError, match="is empty: push a first commit to main"):
        Mirror(tmp_path / "m.git", str(tmp_path / "empty.git"), "main").fetch_base()


def test_a_missing_base_branch_names_the_ones_there_are(clone: Clone, tmp_path: Path) -> None:
    """The error lists the remote's branches."""
    clone.git("push", "--quiet", "origin", "main:refs/heads/other")
    with pytest.raises(RepositoryError, match="no branch 'trunk'; it has: main, other"):
        Mirror(tmp_path / "m.git", str(clone.bare), "trunk").fetch_base()


def test_a_shallow_remote_is_refused_even_after_a_good_fetch(clone: Clone, mirror: Mirror) -> None:
    """Git only warns and succeeds; we must not answer with the commit of last time."""
    mirror.fetch_base()
    clone.commit({"a.txt": "more\n"})
    clone.git("clone", "--quiet", "--bare", "--depth", "1", f"file://{clone.bare}", f"{clone.bare}.shallow")
    clone.bare.rename(clone.bare.with_name("full.git"))
    Path(f"{clone.bare}.shallow").rename(clone.bare)
    with pytest.raises(RepositoryError, match="shallow clone"):
        mirror.fetch_base()


def test_a_shallow_remote_is_refused_as_often_as_it_is_asked(clone: Clone, mirror: Mirror) -> None:
    """The second fetch has nothing more to send, and git calls that a success."""
    for number in range(3):
        clone.commit({"b.py": f"x = {number}\n"})
    clone.git("clone", "--quiet", "--bare", "--depth", "1", f"file://{clone.bare}", f"{clone.bare}.shallow")
    whole = clone.bare.rename(f"{clone.bare}.whole")
    Path(f"{clone.bare}.shallow").rename(clone.bare)
    for _ in range(3):
        with pytest.raises(RepositoryError, match="shallow clone"):
            mirror.fetch_base()
    shutil.rmtree(clone.bare)
    whole.rename(clone.bare)
    assert clone.git("rev-parse", "HEAD") == mirror.fetch_base()


@pytest.mark.parametrize(
    "remote",
    [
        "ext::sh -c 'touch x'",
        "--upload-pack=touch x",
        "-x",
        "fd::3",
        "relative/path",
        "",
        "a\nb",
        "ftp://h/r",
        "https://me:secret@localhost.invalid/r.git",
    ],
)
def test_a_dangerous_remote_is_refused(tmp_path: Path, remote: str) -> None:
    """Nothing git could read as an option or a program, and no password; the password is not repeated."""
    with pytest.raises(RepositoryError) as caught:
        Mirror(tmp_path / "m.git", remote, "main")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("branch", ["-x", "a..b", "a b", "x.lock", "a//b", "a/", "/a", ".a", "a@{1}", "a:b", "a~1", ""])
def test_a_name_that_is_no_branch_is_refused(tmp_path: Path, branch: str) -> None:
    """Branch names are arguments: only plain ones pass."""
    with pytest.raises(RepositoryError, match="branch name"):
        Mirror(tmp_path / "m.git", str(tmp_path), branch)


@pytest.mark.parametrize("commit", ["HEAD", "--output=x", "main", "0" * 39, "refs/remotes/origin/main", "^" + "a" * 39])
def test_a_name_that_is_no_commit_id_is_refused(mirror: Mirror, tmp_path: Path, commit: str) -> None:
    """Every entry that takes a commit takes a full id only."""
    base = mirror.fetch_base()
    calls: list[Callable[[], object]] = [
        lambda: mirror.facts(commit),
        lambda: mirror.tree_of(commit),
        lambda: mirror.paths(commit),
        lambda: mirror.read(commit, "a.txt"),
        lambda: mirror.checkout(commit, tmp_path / "t"),
        lambda: mirror.commit_tree(commit, tmp_path, "m"),
        lambda: mirror.changed_paths(base, commit),
        lambda: mirror.diff(commit, base),
        lambda: mirror.bundle(commit, base),
        lambda: mirror.unbundle(b"", commit, base),
        lambda: mirror.merge(base, commit),
        lambda: mirror.revert(commit, base),
        lambda: mirror.move("x", commit, base),
    ]
    for call in calls:
        with pytest.raises(RepositoryError, match="not a full commit id"):
            call()


def test_reading_shows_bytes_as_committed(clone: Clone, mirror: Mirror) -> None:
    """Files, links and odd names are read; folders and missing files are None; a missing commit is an error."""
    (clone.folder / "link").symlink_to("a.txt")
    commit = clone.commit({"new\nline.txt": b"\xff\r\n", "ünï.md": "x\n"})
    mirror.fetch_base()
    assert (b"\xff\r\n", b"x\n", b"a.txt") == tuple(
        mirror.read(commit, name) for name in ("new\nline.txt", "ünï.md", "link")
    )
    assert [None] * 5 == [mirror.read(commit, name) for name in ("folder", "none", "../a.txt", "a\0b", "")]
    with pytest.raises(RepositoryError, match="not in the mirror"):
        mirror.read("a" * 40, "a.txt")


def test_facts_count_what_the_tree_holds(clone: Clone, mirror: Mirror) -> None:
    """Files, bytes and suffixes, and every path sorted."""
    commit = clone.commit({"x.PY": b"12345", b"caf\xe9.txt".decode(errors="surrogateescape"): b"1"})
    mirror.fetch_base()
    facts = mirror.facts(commit)
    assert (4, 14 + 2 + 6, {".txt": 3, ".py": 1}) == (facts.files, facts.bytes, facts.suffixes)
    assert ("a.txt", "caf\udce9.txt", "folder/b.txt", "x.PY") == mirror.paths(commit)


def test_equal_folders_give_equal_commits(mirror: Mirror, folder: Callable[[], Path]) -> None:
    """P7: committing the same tree again gives the same id, so a retry makes nothing new."""
    base = mirror.fetch_base()
    heads = set()
    for _ in range(2):
        tree = folder()
        mirror.checkout(base, tree)
        (tree / "new.txt").write_text("n\n")
        (tree / "__pycache__").mkdir()
        (tree / "__pycache__" / "x.pyc").write_bytes(os.urandom(8))
        heads.add(mirror.commit_tree(base, tree, "add"))
    assert 1 == len(heads)
    assert ["new.txt"] == [change.path for change in mirror.changed_paths(base, heads.pop())]


def test_a_checkout_refuses_a_folder_in_use(mirror: Mirror, folder: Callable[[], Path]) -> None:
    """What was there before must not end up among the checked files."""
    tree = folder()
    (tree / "left").write_text("x")
    with pytest.raises(RepositoryError, match="is not empty"):
        mirror.checkout(mirror.fetch_base(), tree)


def test_a_bundle_carries_a_change_to_another_mirror(
    clone: Clone, mirror: Mirror, folder: Callable[[], Path], tmp_path: Path
) -> None:
    """Any worker can go on: same head, same tree; twice is harmless; ordinary git accepts it."""
    base = mirror.fetch_base()
    head = commit_of(mirror, base, folder(), "changed\n")
    bundle = mirror.bundle(base, head)
    assert bundle == mirror.bundle(base, head)
    other = Mirror(tmp_path / "other.git", str(clone.bare), "main")
    other.fetch_base()
    for _ in range(2):
        other.unbundle(bundle, base, head)
    assert mirror.tree_of(head) == other.tree_of(head)
    (tmp_path / "b").write_bytes(bundle)
    clone.git("bundle", "verify", str(tmp_path / "b"))


def test_what_is_here_whole_is_not_taken_in_again(
    clone: Clone, mirror: Mirror, folder: Callable[[], Path], tmp_path: Path
) -> None:
    """Each step of a run asks for the same change: its pack comes once, into a mirror made anew once more."""
    base = mirror.fetch_base()
    head = commit_of(mirror, base, folder(), "changed\n")
    bundle = mirror.bundle(base, head)
    mirror.unbundle(bundle, base, head)
    assert not list((mirror.path / "objects" / "pack").iterdir())

    other = Mirror(tmp_path / "other.git", str(clone.bare), "main")
    for _ in range(2):
        other.fetch_base()
        for _ in range(2):
            other.unbundle(bundle, base, head)
            assert 1 == len(list((other.path / "objects" / "pack").glob("*.pack")))
        shutil.rmtree(other.path)


def test_a_commit_that_is_here_without_its_contents_is_completed(
    clone: Clone, mirror: Mirror, folder: Callable[[], Path], tmp_path: Path
) -> None:
    """That the commit is here proves nothing of its tree: a death between two objects leaves it so."""
    base = mirror.fetch_base()
    head = commit_of(mirror, base, folder(), "changed\n")
    bundle = mirror.bundle(base, head)
    other = Mirror(tmp_path / "other.git", str(clone.bare), "main")
    other.fetch_base()
    alone = Path("objects", head[:2], head[2:])
    (other.path / alone).parent.mkdir(exist_ok=True)
    shutil.copy(mirror.path / alone, other.path / alone)
    other.unbundle(bundle, base, head)
    assert b"changed\n" == other.read(head, "a.txt")


def test_a_bundle_that_is_not_what_it_says_is_an_error(
    clone: Clone, mirror: Mirror, folder: Callable[[], Path]
) -> None:
    """Not a bundle, cut, another head, another base: each refused."""
    base = mirror.fetch_base()
    head = commit_of(mirror, base, folder(), "changed\n")
    later = clone.commit({"b": "b\n"})
    mirror.fetch_base()
    bundle = mirror.bundle(base, head)
    for content, wanted_base, wanted_head in [
        (b"", base, head),
        (b"# v2 git bundle\n", base, head),
        (bundle[:-30], base, head),
        (bundle, base, later),
        (bundle, later, head),
    ]:
        with pytest.raises(RepositoryError):
            mirror.unbundle(content, wanted_base, wanted_head)


def commit_of(mirror: Mirror, base: str, tree: Path, content: str) -> str:
    mirror.checkout(base, tree)
    (tree / "a.txt").write_text(content)
    return mirror.commit_tree(base, tree, "change")


def test_one_of_twenty_racers_moves_a_branch(mirror: Mirror, folder: Callable[[], Path]) -> None:
    """Compare-and-swap: exactly one sees True, whoever it is; the others see False, not an error."""
    base = mirror.fetch_base()
    assert mirror.move("race", base, "")
    heads = [mirror.merge(base, commit_of(mirror, base, folder(), f"{number}\n")).commit for number in range(4)] * 5
    with ThreadPoolExecutor(20) as pool:
        won = list(pool.map(lambda head: mirror.move("race", head, base), heads))
    assert 1 == won.count(True)


def test_many_threads_share_a_mirror_that_does_not_exist_yet(clone: Clone, tmp_path: Path) -> None:
    """First use may come from everywhere at once: one mirror, no error, nothing half made."""

    def work(number: int) -> str:
        mirror = Mirror(tmp_path / "shared" / "m.git", str(clone.bare), "main")
        return commit_of(mirror, mirror.fetch_base(), tmp_path / f"t{number}", "same\n")

    with ThreadPoolExecutor(8) as pool:
        assert 1 == len(set(pool.map(work, range(8))))
    assert {"m.git", "m.git.lock"} == {entry.name for entry in (tmp_path / "shared").iterdir()}


def test_leftover_locks_and_folders_of_the_dead_are_harmless(mirror: Mirror, folder: Callable[[], Path]) -> None:
    """A worker killed in the middle leaves an index lock; the next one neither waits nor keeps the rest."""
    base = mirror.fetch_base()
    (mirror.path / "index.lock").touch()
    program = (
        "import os, signal, sys\nfrom pathlib import Path\nfrom adapters.git.private import private_folder\n"
        "with private_folder(Path(sys.argv[1])) as folder:\n"
        "    (folder / 'index.lock').touch()\n    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    dead = subprocess.run([sys.executable, "-c", program, str(mirror.path / "private")], cwd=ROOT, check=False)
    assert -signal.SIGKILL == dead.returncode
    commit_of(mirror, base, folder(), "x\n")
    assert [".lock"] == [entry.name for entry in (mirror.path / "private").iterdir()]


def test_a_scratch_repository_leaves_the_mirror_alone(clone: Clone, mirror: Mirror, folder: Callable[[], Path]) -> None:
    """The drill merges, moves and reverts in it; the mirror's refs and objects stay, the scratch goes."""
    base = mirror.fetch_base()
    head = commit_of(mirror, base, folder(), "x\n")
    before = listing(clone, mirror)
    with mirror.scratch() as scratch:
        merged = scratch.merge(base, head).commit
        assert scratch.move("main", merged, base)
        assert scratch.tree_of(base) == scratch.revert(merged, merged).tree
        assert listing(clone, mirror) == before
    assert [".lock"] == [entry.name for entry in (mirror.path / "private").iterdir()]


def listing(clone: Clone, mirror: Mirror) -> tuple[str, str]:
    refs = clone.git("for-each-ref", cwd=mirror.path)
    return refs, clone.git("count-objects", "-v", cwd=mirror.path)


def test_an_anchor_is_kept_and_replaced(mirror: Mirror) -> None:
    """The newest text under a name; None for a name never used."""
    mirror.anchor("audit/target/demo", "one")
    mirror.anchor("audit/target/demo", "two")
    assert ("two", None) == (mirror.anchored("audit/target/demo"), mirror.anchored("audit/other"))


def test_nothing_about_the_remote_is_written_down(mirror: Mirror) -> None:
    """No credential can stay in a configuration that names no remote."""
    mirror.fetch_base()
    assert "remote" not in (mirror.path / "config").read_text()


def test_what_was_changed_together_is_counted_on_the_branchs_own_line(clone, mirror):
    """Also by merges, under odd names; a commit that changes everything relates nothing."""
    clone.commit({"a.py": "1", "tests/test_a.py": "1", "odd\nname é.txt": "1"})
    clone.commit({"a.py": "2", "tests/test_a.py": "2"})
    clone.commit({"b.py": "1", "docs/b.md": "1"})
    clone.git("checkout", "--quiet", "-b", "side")
    clone.write({"a.py": "3", "docs/a.md": "3"})
    clone.git("add", "--all")
    clone.git("commit", "--quiet", "-m", "side")
    clone.git("checkout", "--quiet", "-")
    clone.git("merge", "--quiet", "--no-ff", "-m", "merge", "side")
    clone.commit({f"all/{number}.py": "1" for number in range(50)} | {"a.py": "4"})
    head = clone.commit({"c.py": "1"})
    mirror.fetch_base()
    assert mirror.together(head, ["a.py"], 100) == {"tests/test_a.py": 2, "odd\nname é.txt": 1, "docs/a.md": 1}
    assert mirror.together(head, ["a.py"], 1) == {}
    assert mirror.together(head, ["nothing"], 100) == {}
