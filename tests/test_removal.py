"""One clean-up for whatever a repository or a killed process left: it never fails."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from ports.removal import held_folder, remove_tree
from settings import ROOT

DEEP = 3000
"""Beyond Python's recursion limit, a process's open files, and the longest path the kernel takes."""


def nest(folder: Path, levels: int) -> None:
    """Folders in folders, each made from inside the last: no path is long enough to name the last one."""
    inside = os.open(folder, os.O_RDONLY)
    for _ in range(levels):
        os.mkdir("d", dir_fd=inside)
        deeper = os.open("d", os.O_RDONLY, dir_fd=inside)
        os.close(inside)
        inside = deeper
    os.close(os.open("file", os.O_CREAT, dir_fd=inside))
    os.close(inside)


def dead(root: Path, script: str) -> None:
    """A process that makes a folder under ``root``, does this in it, and is killed."""
    code = (
        "import os, signal, sys\nfrom pathlib import Path\nfrom ports.removal import held_folder\n"
        "from tests.test_removal import nest\n"
        f"with held_folder(Path(sys.argv[1])) as folder:\n    {script}\n    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(root)], cwd=ROOT, check=False)
    assert -signal.SIGKILL == done.returncode
    assert 1 == len(list(root.iterdir()))


def test_no_depth_is_too_deep(tmp_path: Path) -> None:
    """Gone without an exception; a work folder's own end is the same."""
    with held_folder(tmp_path) as folder:
        nest(folder, DEEP)
    assert [] == list(tmp_path.iterdir())


@pytest.mark.parametrize("script", [f"nest(folder, {DEEP})", "(folder / 'file').touch(); folder.chmod(0)"])
def test_what_a_killed_process_left_fails_nobody(script: str, tmp_path: Path) -> None:
    """However deep it is, and whether or not it may be entered: the next one to come removes it and goes on."""
    dead(tmp_path, script)
    with held_folder(tmp_path) as folder:
        assert [folder] == list(tmp_path.iterdir())


def test_strange_things_beside_the_folders_fail_nobody(tmp_path: Path) -> None:
    """A pipe would be waited for, a link followed: they are not ours to open."""
    os.mkfifo(tmp_path / "pipe")
    elsewhere = tmp_path / "elsewhere"
    root = tmp_path / "root"
    for folder in (elsewhere, root):
        folder.mkdir()
    (elsewhere / "kept").touch()
    (root / "link").symlink_to(elsewhere)
    os.mkfifo(root / "pipe")
    (root / "file").touch()
    with held_folder(root):
        pass
    assert {"link", "pipe", "file"} == {path.name for path in root.iterdir()}
    assert (elsewhere / "kept").exists()


def test_closed_folders_are_opened_to_be_emptied(tmp_path: Path) -> None:
    """By somebody who is not root, whom a closed folder stops."""
    code = (
        "import os, sys\nfrom pathlib import Path\nfrom ports.removal import remove_tree\n"
        + "os.setgroups([]) or os.setgid(65534) or os.setuid(65534)\n" * (os.geteuid() == 0)
        + "tree = Path(sys.argv[1])\n(tree / 'a/b').mkdir(parents=True)\n(tree / 'a/b/file').touch()\n"
        "(tree / 'a/b').chmod(0)\n(tree / 'a').chmod(0)\nremove_tree(tree)\n"
    )
    with tempfile.TemporaryDirectory() as made:
        Path(made).chmod(0o777)
        subprocess.run([sys.executable, "-c", code, f"{made}/tree"], cwd=ROOT, check=True)
        assert [] == list(Path(made).iterdir())


def test_nothing_to_remove_and_nothing_to_remove_with_are_no_errors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no program can be started the folder stays, and the step that is over stays over."""
    remove_tree(tmp_path / "nowhere")
    (tmp_path / "folder").mkdir()
    monkeypatch.setattr("ports.removal._PROGRAMS", {"PATH": str(tmp_path)})
    monkeypatch.setenv("PATH", str(tmp_path))
    remove_tree(tmp_path / "folder")


def test_the_operators_own_folder_may_be_a_link(tmp_path: Path) -> None:
    """To a quicker disk, say; what a killed process left behind the link goes as well."""
    (tmp_path / "quick").mkdir()
    (tmp_path / "scratch").symlink_to("quick")
    dead(tmp_path / "scratch", "pass")
    with held_folder(tmp_path / "scratch") as folder:
        assert [folder.name] == [path.name for path in (tmp_path / "quick").iterdir()]
    assert [] == list((tmp_path / "quick").iterdir())
