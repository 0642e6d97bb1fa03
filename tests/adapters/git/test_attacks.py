"""Hostile folders and environments: nothing a repository brings ever runs, hides or changes a byte (P5, P8)."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from adapters.git.mirror import Mirror
from contracts.change import ChangedPath
from ports.repository import RepositoryError

if TYPE_CHECKING:
    from conftest import Clone

Folder = Callable[[], Path]


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    """A file that exists only if something of the repository ran."""
    return tmp_path / "CANARY"


def poison(git_dir: Path, canary: Path) -> None:
    """Every way a git folder can start a program."""
    program = git_dir.parent / "program.sh"
    program.write_text(f"#!/bin/sh\ntouch {canary}\ncat\n")
    program.chmod(0o755)
    (git_dir / "included").write_text(f"[core]\n\tfsmonitor = {program}\n")
    (git_dir / "hooks").mkdir(exist_ok=True)
    for hook in ("pre-commit", "post-checkout", "post-index-change", "reference-transaction", "post-merge"):
        (git_dir / "hooks" / hook).symlink_to(program)
    with (git_dir / "config").open("a") as config:
        config.write(
            f"[include]\n\tpath = included\n[core]\n\tfsmonitor = {program}\n\thooksPath = {git_dir}/hooks\n"
            f'[filter "evil"]\n\tclean = {program}\n\tsmudge = {program}\n\tprocess = {program}\n\trequired = true\n'
            f'[diff "evil"]\n\ttextconv = {program}\n\tcommand = {program}\n[merge "evil"]\n\tdriver = {program}\n'
            f"[diff]\n\texternal = {program}\n[gpg]\n\tprogram = {program}\n[commit]\n\tgpgSign = true\n"
        )


def work_through(mirror: Mirror, base: str, tree: Path, again: Path) -> tuple[ChangedPath, ...]:
    """Everything a run does with a tree."""
    head = mirror.commit_tree(base, tree, "hostile")
    changes = mirror.changed_paths(base, head)
    mirror.diff(base, head)
    mirror.unbundle(mirror.bundle(base, head), base, head)
    merged = mirror.merge(base, head).commit
    mirror.checkout(merged, again)
    mirror.revert(merged, merged)
    return changes


EVIL = "* filter=evil diff=evil merge=evil ident text eol=crlf working-tree-encoding=UTF-16\n"


def test_a_planted_git_folder_runs_nothing(clone: Clone, mirror: Mirror, folder: Folder, canary: Path) -> None:
    """Hooks, fsmonitor, filters, textconv, include.path in a .git the agent put at the top: not looked at."""
    base, tree = mirror.fetch_base(), folder()
    mirror.checkout(base, tree)
    clone.git("init", "--quiet", cwd=tree)
    poison(tree / ".git", canary)
    (tree / ".gitattributes").write_text(EVIL)
    (tree / "a.txt").write_text("changed\n")
    changes = work_through(mirror, base, tree, folder())
    assert [".gitattributes", "a.txt", "program.sh"] == [change.path for change in changes]
    assert not canary.exists()


def test_a_swapped_git_pointer_runs_nothing(
    clone: Clone, mirror: Mirror, folder: Folder, canary: Path, tmp_path: Path
) -> None:
    """A .git file that points at a poisoned folder elsewhere."""
    base, tree = mirror.fetch_base(), folder()
    clone.git("init", "--quiet", "--bare", str(tmp_path / "evil.git"))
    poison(tmp_path / "evil.git", canary)
    mirror.checkout(base, tree)
    (tree / ".git").write_text(f"gitdir: {tmp_path / 'evil.git'}\n")
    (tree / ".gitattributes").write_text(EVIL)
    work_through(mirror, base, tree, folder())
    assert not canary.exists()


def test_git_variables_of_the_worker_do_not_reach_git(
    clone: Clone, mirror: Mirror, folder: Folder, canary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """GIT_CONFIG_*, HOME, GIT_DIR and program names in the environment are dropped."""
    clone.git("init", "--quiet", "--bare", str(tmp_path / "evil.git"))
    poison(tmp_path / "evil.git", canary)
    (tmp_path / ".gitconfig").write_text((tmp_path / "evil.git" / "config").read_text())
    program = str(tmp_path / "program.sh")
    hostile = {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "core.fsmonitor",
        "GIT_CONFIG_VALUE_0": program,
        "GIT_CONFIG_PARAMETERS": f"'core.fsmonitor={program}'",
        "GIT_CONFIG_GLOBAL": str(tmp_path / ".gitconfig"),
        "HOME": str(tmp_path),
        "GIT_DIR": str(tmp_path / "evil.git"),
        "GIT_INDEX_FILE": str(tmp_path / "elsewhere"),
        "GIT_OBJECT_DIRECTORY": str(tmp_path / "objects"),
        "GIT_EXTERNAL_DIFF": program,
        "GIT_SSH_COMMAND": program,
        "GIT_TRACE": str(tmp_path / "trace"),
    }
    for name, value in hostile.items():
        monkeypatch.setenv(name, value)
    base, tree = mirror.fetch_base(), folder()
    mirror.checkout(base, tree)
    (tree / ".gitattributes").write_text(EVIL)
    work_through(mirror, base, tree, folder())
    assert not canary.exists()
    assert [] == [name for name in ("elsewhere", "objects", "trace") if (tmp_path / name).exists()]


def with_submodule(clone: Clone, tmp_path: Path) -> str:
    """A base that has a submodule ``sub``; returns the commit."""
    clone.git("init", "--quiet", "-b", "main", str(tmp_path / "other"))
    (tmp_path / "other" / "x.txt").write_text("12\n")
    (tmp_path / "other" / ".gitattributes").write_text("x.txt filter=evil\n")
    clone.git("add", "--all", cwd=tmp_path / "other")
    clone.git("commit", "--quiet", "-m", "x", cwd=tmp_path / "other")
    clone.git("submodule", "--quiet", "add", str(tmp_path / "other"), "sub")
    return clone.commit({})


def test_a_filled_submodule_of_the_base_runs_nothing(
    clone: Clone, mirror: Mirror, folder: Folder, canary: Path, tmp_path: Path
) -> None:
    """`git add` would start `git status` in a submodule it knows, with the configuration the agent planted there."""
    base, tree = with_submodule(clone, tmp_path), folder()
    mirror.fetch_base()
    mirror.checkout(base, tree)
    clone.git("clone", "--quiet", str(tmp_path / "other"), str(tree / "sub"))
    poison(tree / "sub" / ".git", canary)
    (tree / "sub" / "x.txt").write_text("34\n")
    work_through(mirror, base, tree, folder())
    assert not canary.exists()


def test_an_untouched_submodule_stays_and_a_touched_one_shows(
    clone: Clone, mirror: Mirror, folder: Folder, tmp_path: Path
) -> None:
    """The empty folder of a checkout is no change; files in its place, or no folder, are."""
    base = with_submodule(clone, tmp_path)
    mirror.fetch_base()
    trees = [folder() for _ in range(3)]
    for tree in trees:
        mirror.checkout(base, tree)
    (trees[1] / "sub" / "file").write_text("x")
    (trees[2] / "sub").rmdir()
    seen = [mirror.changed_paths(base, mirror.commit_tree(base, tree, "m")) for tree in trees]
    shown = [[(change.path, change.status, change.old_mode) for change in changes] for changes in seen]
    gone = ("sub", "D", "160000")
    assert [[], [gone, ("sub/file", "A", "000000")], [gone]] == shown


def test_a_nested_repository_shows_as_a_submodule(clone: Clone, mirror: Mirror, folder: Folder, canary: Path) -> None:
    """Its files cannot hide in it: the entry is visible with mode 160000, and nothing of it ran."""
    base, tree = mirror.fetch_base(), folder()
    mirror.checkout(base, tree)
    clone.git("clone", "--quiet", str(clone.bare), str(tree / "nested"))
    poison(tree / "nested" / ".git", canary)
    changes = work_through(mirror, base, tree, folder())
    assert [("nested", "A", "160000")] == [(change.path, change.status, change.new_mode) for change in changes]
    assert not canary.exists()


def test_a_buried_bare_repository_is_plain_files(clone: Clone, mirror: Mirror, folder: Folder, canary: Path) -> None:
    """A folder that looks like a git folder is committed as what it is."""
    base, tree = mirror.fetch_base(), folder()
    mirror.checkout(base, tree)
    clone.git("init", "--quiet", "--bare", str(tree / "buried"))
    poison(tree / "buried", canary)
    changes = work_through(mirror, base, tree, folder())
    assert "buried/config" in {change.path for change in changes}
    assert not canary.exists()


def test_special_files_are_an_error_and_not_a_hang(mirror: Mirror, folder: Folder) -> None:
    """A pipe in place of a file would block a reader for ever."""
    base, tree = mirror.fetch_base(), folder()
    mirror.checkout(base, tree)
    (tree / "a.txt").unlink()
    os.mkfifo(tree / "a.txt")
    with pytest.raises(RepositoryError, match=r"a\.txt"):
        mirror.commit_tree(base, tree, "m")


def test_a_link_cannot_bring_in_files_from_outside(mirror: Mirror, folder: Folder, tmp_path: Path) -> None:
    """A link to a folder outside is committed as a link, and what was behind that name is deleted."""
    base, tree = mirror.fetch_base(), folder()
    mirror.checkout(base, tree)
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "b.txt").write_text("secret")
    (tree / "folder" / "b.txt").unlink()
    (tree / "folder").rmdir()
    (tree / "folder").symlink_to(tmp_path / "secrets")
    changes = work_through(mirror, base, tree, folder())
    assert [("folder", "A", "120000"), ("folder/b.txt", "D", "000000")] == [
        (change.path, change.status, change.new_mode) for change in changes
    ]


HIDING = {
    ".gitattributes": (
        "* text=auto eol=crlf ident export-ignore export-subst filter=lfs\n*.bin working-tree-encoding=UTF-16\n"
    ),
    ".gitignore": "*\n",
    "crlf.txt": b"a\r\nb\r\n",
    "mixed.txt": b"a\nb\r\n$Id$ $Format:%H$\n",
    "some.bin": b"\xff\xfea\x00",
    "t\xe9st/caf\udce9.txt": b"1",
    "export.txt": b"kept",
}


def test_a_checkout_is_the_commit_byte_for_byte(clone: Clone, mirror: Mirror, folder: Folder) -> None:
    """eol, ident, encoding, export-ignore and ignore rules cannot make checked files differ from committed ones."""
    (clone.folder / "link").symlink_to("crlf.txt")
    write_program(clone.folder / "run.sh")
    commit = commit_raw(clone, HIDING)
    mirror.fetch_base()
    tree = folder()
    mirror.checkout(commit, tree)
    assert dict(committed(clone, commit)) == dict(found(tree))
    again = mirror.commit_tree(commit, tree, "nothing")
    assert mirror.tree_of(commit) == mirror.tree_of(again)


def write_program(path: Path) -> None:
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)


def commit_raw(clone: Clone, files: dict[str, str | bytes]) -> str:
    """Commit bytes as they are, whatever the attributes being committed say."""
    (clone.folder / ".git" / "info" / "attributes").write_text("* -text !working-tree-encoding -ident -filter\n")
    return clone.commit(files)


def committed(clone: Clone, commit: str) -> list[tuple[str, tuple[str, str]]]:
    listing = clone.git("ls-tree", "-r", "-z", commit).split("\0")
    entries = [entry.split("\t", 1) for entry in listing if entry]
    return [(path, (facts.split(" ")[0], facts.split(" ")[2])) for facts, path in entries]


def found(tree: Path) -> list[tuple[str, tuple[str, str]]]:
    files = [path for path in tree.rglob("*") if path.is_symlink() or not path.is_dir()]
    return [(str(path.relative_to(tree)), (mode_of(path), blob_id(path))) for path in files]


def mode_of(path: Path) -> str:
    if path.is_symlink():
        return "120000"
    return "100755" if path.stat().st_mode & stat.S_IXUSR else "100644"


def blob_id(path: Path) -> str:
    content = os.fsencode(path.readlink()) if path.is_symlink() else path.read_bytes()
    return hashlib.sha1(b"blob %d\0%s" % (len(content), content), usedforsecurity=False).hexdigest()


def test_replace_refs_are_ignored(clone: Clone, mirror: Mirror, folder: Folder) -> None:
    """A replaced object must not be shown in place of the real one."""
    base = mirror.fetch_base()
    other = mirror.commit_tree(base, folder(), "empty")
    clone.git("replace", base, other, cwd=mirror.path)
    tree = folder()
    mirror.checkout(base, tree)
    assert {"a.txt", "folder"} == {entry.name for entry in tree.iterdir()}
