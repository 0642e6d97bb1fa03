"""What a hostile command may take, and that nothing of it is left."""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ports.sandbox import SandboxUnavailable

DOUBLE_FORK = """
import os, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        time.sleep(1000)
    os._exit(0)
time.sleep({seconds})
print("parent done")
"""


def test_hang_is_killed_for_time(room):
    """A command that never ends is killed and says timeout, without an exit status."""
    result = room.sh("echo begun; sleep 1000", seconds=1)
    assert ("timeout", None, b"begun\n") == (result.killed_for, result.exit_code, result.stdout)


def test_sigterm_ignorer_is_killed(room):
    """Ignoring every signal that can be ignored changes nothing."""
    result = room.sh("trap '' TERM INT HUP QUIT; while :; do sleep 1; done", seconds=1)
    assert "timeout" == result.killed_for
    assert [] == room.left_over()


def test_daemon_does_not_outlive_a_timeout(room):
    """A double-forked daemon in its own session dies with the command."""
    assert "timeout" == room.python(DOUBLE_FORK.format(seconds=1000), seconds=1).killed_for
    assert [] == room.left_over()


def test_daemon_does_not_outlive_nor_hold_up_a_normal_end(room):
    """A daemon that keeps the output pipe open neither survives nor makes us wait for it."""
    result = room.python(DOUBLE_FORK.format(seconds=0))
    assert (0, "", b"parent done\n") == (result.exit_code, result.killed_for, result.stdout)
    assert [] == room.left_over()


def test_flood_is_cut_and_killed(room):
    """A gigabyte of output: killed early, head and tail kept within the cap, the worker's memory unharmed."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    result = room.sh("echo first; yes | head -c 1000000000")
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert "output" == result.killed_for
    assert result.output.startswith(b"first\n")
    assert b"bytes left out" in result.output
    assert 65_000 < len(result.output) < 67_000
    assert grown < 64 * 1024


def test_one_endless_line_is_cut(room):
    """A line of 50 MB without an end: head and tail kept, everything counted."""
    result = room.sh("head -c 50000000 /dev/zero; printf end")
    assert (0, 50_000_003) == (result.exit_code, result.output_total)
    assert result.output.endswith(b"end")
    assert len(result.output) < 67_000


def test_fork_bomb_is_bounded(room):
    """No more processes than the limit, and all gone afterwards."""
    script = """
import os, signal
made = 0
try:
    while True:
        if os.fork() == 0:
            signal.pause()
        made += 1
except OSError:
    print(made)
"""
    made = int(room.python(script, processes=32).stdout)
    assert 5 < made < 32


def test_exploding_fork_bomb_ends(room):
    """The classic one, every child forking on."""
    result = room.sh("f() { f | f & }; f; sleep 1000", seconds=2, processes=50)
    assert result.killed_for == "timeout" or result.exit_code != 0
    assert [] == room.left_over()


def test_memory_hog_is_refused_memory(room):
    """One process cannot have more than the limit."""
    result = room.python("print(len(bytearray(10_000_000_000)))")
    assert 1 == result.exit_code
    assert b"MemoryError" in result.output


def test_many_hogs_together_are_killed_for_memory(room):
    """The limit holds for all processes together."""
    script = """
import os, time
for _ in range(8):
    if os.fork() == 0:
        hoard = bytearray(b"x") * 100_000_000
        time.sleep(1000)
time.sleep(1000)
"""
    result = room.python(script, memory_bytes=300_000_000)
    assert ("memory", None) == (result.killed_for, result.exit_code)
    assert [] == room.left_over()


def test_huge_file_is_refused(room):
    """No file larger than the limit."""
    assert room.sh("head -c 100000000 /dev/zero > big").exit_code != 0
    assert 16 << 20 == (room.tree / "big").stat().st_size


@pytest.mark.parametrize("folder", ["/tmp", "/dev/shm", "$HOME"])
def test_temporary_folders_are_bounded(room, folder):
    """Memory-backed folders hold no more than a file may."""
    script = f"for i in 1 2 3 4; do head -c 10000000 /dev/zero > {folder}/$i; done; du -sm {folder} | cut -f1"
    assert int(room.sh(script).stdout) <= 17


def test_processor_hog_is_stopped(room):
    """Processor time is bounded apart from wall time."""
    result = room.python("while True: pass", cpu_seconds=1)
    assert 128 + 24 == result.exit_code


def test_alive_is_called_several_times_a_second(room):
    """Heartbeats go on while a command runs."""
    calls = []
    room.sh("sleep 1", lambda: calls.append(time.monotonic()))
    assert len(calls) >= 5


def test_alive_is_called_during_a_flood(room):
    """A busy reader still beats."""
    calls = []
    room.sh("for i in 1 2 3 4 5 6 7 8; do head -c 1000000 /dev/zero; sleep 0.05; done", lambda: calls.append(1))
    assert len(calls) >= 2


def test_exception_from_alive_kills_everything_and_goes_up(room):
    """A cancelled activity leaves no process behind."""

    def cancelled() -> None:
        raise InterruptedError("cancelled")

    with pytest.raises(InterruptedError, match="cancelled"):
        room.python(DOUBLE_FORK.format(seconds=1000), cancelled)
    assert [] == room.left_over()


def test_killed_worker_leaves_nothing(room):
    """SIGKILL of the worker takes the command and its daemons along, so no orphan can act late (P7)."""
    program = (
        "import sys; from pathlib import Path; from adapters.sandbox.bubblewrap import BubblewrapSandbox\n"
        "from ports.sandbox import Command, Limits\n"
        "argv = ('/bin/sh', '-c', 'setsid sleep 1000 & sleep 1000', sys.argv[2])\n"
        "command = Command(argv, Path(sys.argv[1]), Limits(60, 60, 1 << 29, 64, 1 << 20, 1 << 16))\n"
        "BubblewrapSandbox().run(command, lambda: None)\n"
    )
    root = Path(__file__).parents[3]
    with subprocess.Popen([sys.executable, "-c", program, room.tree, room.marker], cwd=root) as worker:
        _until(lambda: any("/bin/sh" in argv.split("\0")[0] for argv in room.left_over()))
        worker.kill()
    _until(lambda: not room.left_over())


def test_nearly_full_disk_refuses(room, monkeypatch):
    """A command is not begun when what it writes could fill the worker's disk."""
    monkeypatch.setattr("adapters.sandbox.supervision._DISK_RESERVE", 1 << 60)
    monkeypatch.setattr("adapters.sandbox.supervision._DISK_SHARE", 1)
    with pytest.raises(SandboxUnavailable, match="nearly full"):
        room.sh("touch made")
    assert not (room.tree / "made").exists()


def _until(condition) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
