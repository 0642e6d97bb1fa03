"""Home is its owner's alone, where files are kept."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from adapters.effects.process_jail import run_jailed
from adapters.store.private_home import HomeUnusable, home_mark, open_home
from commands.home import server_of
from settings import ROOT


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o777])
def test_home_is_private_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    """A new one; nobody else gets to anything below it."""
    before = os.umask(umask)
    try:
        open_home(tmp_path / "home")
    finally:
        os.umask(before)
    assert 0 == mode(tmp_path / "home") & 0o077


def test_a_home_that_was_open_is_closed(tmp_path: Path) -> None:
    """Of an older version, or made by hand; also by way of a link."""
    (tmp_path / "home").mkdir(mode=0o777)
    (tmp_path / "link").symlink_to("home")
    open_home(tmp_path / "link")
    assert 0o700 == mode(tmp_path / "home")


def test_a_home_that_cannot_be_closed_is_refused(tmp_path: Path) -> None:
    """Somebody else's, or on a file system that is read-only."""
    home = tmp_path / "home"
    home.mkdir()
    home.chmod(0o755)
    program = f"import sys\nsys.path.insert(0, {str(ROOT)!r})\nfrom adapters.store.private_home import open_home\n"
    program += f"from pathlib import Path\nopen_home(Path({str(home)!r}))"
    end = run_jailed([sys.executable, "-c", program], b"", {"PATH": os.defpath}, ())
    assert "HomeUnusable" in end.error
    assert "Read-only file system" in end.error


@pytest.mark.parametrize("home", ["/proc/self/home", "/sys/home", "/dev/home", "/dev/mqueue/home", "/dev/shm/../home"])
def test_a_place_that_keeps_no_files_is_refused_at_once(home: str) -> None:
    """By every command that would keep something there."""
    with pytest.raises(HomeUnusable, match="AUTONOMY_HOME"):
        open_home(Path(home))


@pytest.mark.parametrize("command", [["starter.py", "up"], ["starter.py", "init", "REMOTE"], ["-m", "worker"]])
def test_commands_refuse_such_a_home(tmp_path: Path, command: list[str]) -> None:
    """Before anything else, with what to do."""
    remote = tmp_path / "demo"
    subprocess.run(["git", "init", "--quiet", str(remote)], check=True)
    settings = {"AUTONOMY_HOME": "/dev/home", "AUTONOMY_POLICIES": str(tmp_path), "AUTONOMY_SERVER_PORT": "0"}
    argv = [sys.executable, *(str(remote) if word == "REMOTE" else word for word in command)]
    ended = subprocess.run(argv, cwd=ROOT, check=False, capture_output=True, text=True, env=os.environ | settings)
    assert (11, True) == (ended.returncode, "set AUTONOMY_HOME" in ended.stderr)


@pytest.mark.parametrize("kind", ["a file", "a link to a file", "a link to nothing", "a link to itself"])
def test_what_is_no_folder_is_said_to_be_none(tmp_path: Path, kind: str) -> None:
    """Not that somebody else owns it, nor a file of ours in it that nobody knows."""
    home, file = tmp_path / "home", tmp_path / "file"
    file.write_text("")
    links = {"a link to a file": "file", "a link to nothing": "nowhere", "a link to itself": "home"}
    home.symlink_to(links[kind]) if kind in links else home.write_text("")
    with pytest.raises(HomeUnusable, match="is no folder"):
        open_home(home)
    assert server_of(file) is None


@pytest.mark.parametrize("kept", [b"", b" \n", b"\xe8\xff\x00", b"one two", b"x" * 101])
def test_what_is_no_id_is_not_taken_for_one(tmp_path: Path, kept: bytes) -> None:
    """Cut off or overwritten: two such homes would be one installation's."""
    first = home_mark(tmp_path)
    (tmp_path / "home_id").write_bytes(kept)
    with pytest.raises(HomeUnusable, match="does not hold this home's id"):
        home_mark(tmp_path)
    (tmp_path / "home_id").write_text(f"{first.id}\n")
    assert first == home_mark(tmp_path)


def test_a_home_in_shared_memory_is_seen_by_writes() -> None:
    """The jail shows it as it shows every file system: read-only, but for the one place."""
    home = Path(tempfile.mkdtemp(dir="/dev/shm"))
    try:
        for name in ("mirror", "records"):
            (home / name).mkdir()
        (home / "mirror" / "HEAD").write_text("seen")
        script = f"cat {home}/mirror/HEAD; touch {home}/records/one; touch {home}/mirror/two"
        end = run_jailed(["sh", "-c", script], b"", {"PATH": os.defpath}, (home / "records",))
        assert (b"seen", True) == (end.out, "Read-only" in end.error)
        assert ["one"] == [path.name for path in (home / "records").iterdir()]
    finally:
        shutil.rmtree(home)
