"""What an ordinary command gets, and how its result is told."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from adapters.sandbox.bubblewrap import BubblewrapSandbox
from adapters.sandbox.unprivileged import _give
from ports.sandbox import Command, SandboxUnavailable

ROOT = Path(__file__).parents[3]


def test_result_carries_exit_status_and_output(room):
    """Exit status, both streams together, and stdout alone."""
    result = room.sh("echo out; echo err >&2; exit 7")
    assert (7, "", b"out\n", 8) == (result.exit_code, result.killed_for, result.stdout, result.output_total)
    assert {b"out", b"err"} == set(result.output.split())


def test_command_that_does_not_exist_is_no_sandbox_failure(room):
    """A missing program is the command's result, 127, not a broken sandbox."""
    assert 127 == room.run(("no-such-program",)).exit_code


def test_tree_is_writable_and_ours_again_afterwards(room):
    """What the command wrote is there, owned by us, and removable even from a closed folder."""
    room.sh("mkdir -p a/b && echo x > a/b/c && chmod 4755 a/b/c && chmod 000 a/b")
    assert os.geteuid() == (room.tree / "a" / "b" / "c").stat().st_uid
    assert "x\n" == (room.tree / "a" / "b" / "c").read_text()
    assert not (room.tree / "a" / "b" / "c").stat().st_mode & 0o4000 or os.geteuid() != 0


def test_read_only_tree_cannot_be_written(room):
    """A tree mounted read-only stays as it is."""
    command = Command(("/bin/sh", "-c", "echo x > /work/x"), room.tree, room.limits, read_only_tree=True)
    assert BubblewrapSandbox().run(command, lambda: None).exit_code != 0
    assert [] == list(room.tree.iterdir())


def test_further_folders_are_shown_read_only(room, tmp_path):
    """A mount appears where it was asked for, even from below a folder that is closed to others."""
    closed = tmp_path / "closed"
    (closed / "shown").mkdir(parents=True)
    (closed / "shown" / "file").write_text("shown")
    closed.chmod(0o700)
    argv = ("/bin/sh", "-c", "cat /opt/shown/file; echo x > /opt/shown/file")
    result = BubblewrapSandbox().run(_command(room, argv, ((closed / "shown", "/opt/shown"),)), lambda: None)
    assert b"shown" == result.stdout
    assert "shown" == (closed / "shown" / "file").read_text()


def test_planted_link_is_not_mounted(room, tmp_path):
    """A link in place of a folder could show any folder of the host: refused."""
    (tmp_path / "link").symlink_to("/etc")
    with pytest.raises(SandboxUnavailable, match="symbolic link"):
        BubblewrapSandbox().run(_command(room, ("/bin/true",), ((tmp_path / "link", "/opt/link"),)), lambda: None)


def test_environment_is_the_given_one(room):
    """Nothing but the four variables the sandbox sets and what the command was given."""
    command = Command(("/usr/bin/env",), room.tree, room.limits, environment={"GIVEN": "yes"})
    lines = BubblewrapSandbox().run(command, lambda: None).stdout.decode().splitlines()
    assert {"HOME", "PATH", "LANG", "TMPDIR", "GIVEN", "PWD"} >= {line.partition("=")[0] for line in lines}
    assert "GIVEN=yes" in lines


def test_command_runs_as_an_ordinary_user(room):
    """Inside: user 1000 with a name and a home. On the host: never root."""
    result = room.sh('id -un; echo "$HOME"; touch "$HOME/x" /tmp/y; touch made; stat -c %u made')
    assert ["sandbox", "/home/sandbox", "1000"] == result.stdout.decode().split()


def test_loopback_works_inside(room):
    """Tests that talk to themselves over 127.0.0.1 or localhost run."""
    script = (
        "import socket; s = socket.create_server(('localhost', 0));"
        "c = socket.create_connection(s.getsockname()); print('connected')"
    )
    assert b"connected\n" == room.python(script).stdout


def test_two_commands_at_once_have_two_users(room, tmp_path):
    """Each concurrent command counts its processes alone."""
    other = tmp_path / "other"
    other.mkdir()
    seen = []

    def nested() -> None:
        if not seen:
            seen.append(room.tree.stat().st_uid)
            command = Command(("/bin/true",), other, room.limits)
            BubblewrapSandbox().run(command, lambda: seen.append(other.stat().st_uid))

    room.sh("sleep 0.5", nested)
    assert os.geteuid() != 0 or seen[0] != seen[-1]


def test_name_carries_the_version():
    """Reports name the sandbox and its version."""
    assert BubblewrapSandbox().name.startswith("bubblewrap ")


def _command(room, argv, read_only):
    return Command(argv, room.tree, room.limits, read_only=read_only)


def test_terminal_of_the_worker_is_out_of_reach(room):
    """What runs inside could type into it, and the operator's shell would read it afterwards."""
    ours, theirs = pty.openpty()
    program = (
        "import sys\nfrom pathlib import Path\nfrom tests.adapters.sandbox.conftest import Room\n"
        "open('/dev/tty').close()\n"
        "print(Room(Path(sys.argv[1])).sh('exec 3</dev/tty && echo reached').output.decode())\n"
    )
    argv = ["setsid", "--ctty", "--wait", sys.executable, "-c", program, str(room.tree)]
    said = subprocess.run(argv, cwd=ROOT, stdin=theirs, capture_output=True, text=True, check=True, timeout=60).stdout
    os.close(ours)
    os.close(theirs)
    assert "/dev/tty" in said
    assert "reached" not in said


def test_lending_a_tree_gives_away_nothing_a_link_points_to(room, tmp_path):
    """A command may plant links to files of the host; the tree changes hands, they do not."""
    outside = tmp_path / "outside"
    outside.touch()
    (room.tree / "link").symlink_to(outside)
    (room.tree / "dangling").symlink_to("/nowhere/at/all")
    before = outside.stat().st_ctime_ns
    _give(room.tree, os.geteuid())
    assert before == outside.stat().st_ctime_ns
