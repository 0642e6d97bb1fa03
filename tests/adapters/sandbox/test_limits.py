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


FOLDERS = "for f in /tmp /dev/shm $HOME; do head -c 60000000 /dev/zero > $f/x; done"
UNNAMED = """
import os, time
held = [os.open(folder, os.O_TMPFILE | os.O_RDWR) for folder in ("/tmp", "/dev/shm", os.environ["HOME"])]
for file in held:
    os.write(file, bytes(60_000_000))
time.sleep(1000)
"""


@pytest.mark.parametrize("name", ["named", "unnamed"])
def test_what_lies_in_memory_folders_counts(room, name):
    """Three folders, each of them below the limit of one: together they are beyond what the command may have."""
    limits = {"memory_bytes": 150_000_000, "file_bytes": 64 << 20}
    # An address space is limited to the same number: 100 MB are plenty for the interpreter.
    result = room.sh(f"{FOLDERS}; sleep 1000", **limits) if name == "named" else room.python(UNNAMED, **limits)
    assert ("memory", None) == (result.killed_for, result.exit_code), result.output


def test_many_empty_files_in_memory_count(room):
    """They hold nothing but the kernel's own records of them."""
    script = "import time\nfor n in range(120_000): open(f'/tmp/{n}', 'w').close()\ntime.sleep(1000)"
    assert "memory" == room.python(script, memory_bytes=100_000_000).killed_for


def test_memory_folders_within_the_limit_are_no_offence(room):
    """The counterpart: the same command with room enough."""
    assert 0 == room.sh(FOLDERS, memory_bytes=400_000_000, file_bytes=64 << 20).exit_code


UNMAPPED = {
    "memfd": "import os; os.memfd_create('x')",
    "secret": "ctypes.CDLL(None).syscall(447, 0) >= 0 or sys.exit(1)",
    "segment": "ctypes.CDLL(None).shmget(0, 1 << 20, 0o1600) >= 0 or sys.exit(1)",
    "semaphores": "ctypes.CDLL(None).semget(0, 32000, 0o1600) >= 0 or sys.exit(1)",
}


@pytest.mark.parametrize("name", UNMAPPED)
def test_memory_that_shows_nowhere_cannot_be_had(room, name):
    """Written, unmapped, and handed over a socket, it is in no process and no folder: no look could count it."""
    assert 0 != room.python(f"import ctypes, sys\n{UNMAPPED[name]}").exit_code


def test_what_databases_and_pools_need_can_be_had(room):
    """A small System V segment, a few semaphores, POSIX shared memory."""
    script = """
import ctypes, mmap, os
c = ctypes.CDLL(None, use_errno=True)
assert c.shmget(0, 4096, 0o1600) >= 0 and c.semget(0, 16, 0o1600) >= 0, os.strerror(ctypes.get_errno())
shared = os.open("/dev/shm/pool", os.O_CREAT | os.O_RDWR)
os.ftruncate(shared, 1 << 20)
mmap.mmap(shared, 1 << 20)[:4] = b"good"
mmap.mmap(-1, 1 << 20)[:4] = b"good"
"""
    result = room.python(script)
    assert 0 == result.exit_code, result.output


@pytest.mark.parametrize("ends", ["", "; sleep 1000"])
def test_too_many_files_are_an_end(room, ends):
    """While it runs, and when it was quick."""
    result = room.sh("mkdir a; cd a; seq 3000 | xargs touch; mkdir $(seq 4000 5000)" + ends, files=3000)
    assert ("files", None) == (result.killed_for, result.exit_code), result.output


def test_files_within_the_limit_are_no_offence(room):
    """What was there before counts as well, and fits."""
    assert 0 == room.sh("seq 2900 | xargs touch", files=3000).exit_code


def test_filter_is_made_for_machines_that_are_known(room, monkeypatch):
    """Elsewhere its numbers would mean other calls: refused, instead of filtering something else."""
    monkeypatch.setattr("platform.machine", lambda: "sparc64")
    with pytest.raises(SandboxUnavailable, match="system calls of sparc64"):
        room.sh("true")


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
