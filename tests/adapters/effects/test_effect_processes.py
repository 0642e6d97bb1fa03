"""The child process of an effect: alone with the credential, never late, and nothing left running."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from adapters.effects.order import EffectOrder
from adapters.effects.process_jail import run_jailed
from adapters.effects.runner import EffectRunner
from contracts.effect import Effect, EffectResult
from ports.clock import since_boot
from ports.forge import ForgeError

if TYPE_CHECKING:
    from conftest import Place

ROOT = Path(__file__).parents[3]


def test_the_credential_reaches_the_child_alone(place: Place) -> None:
    """The child's git sees it; this process's environment and every argument list do not."""
    seen = place.remote / "seen"
    hook = place.remote / "hooks" / "pre-receive"
    hook.write_text(f"#!/bin/sh\nenv > {seen}\ncat /proc/[0-9]*/cmdline >> {seen}.arguments\n")
    hook.chmod(0o755)
    os.environ["AUTONOMY_CANARY"] = "leaked"
    try:
        runner = EffectRunner(place.mirrors, place.home, lambda _: {"FORGE_TOKEN": "s3cr3t"})
        effect = place.effect()
        assert runner.perform(place.target, effect, place.clearance(effect), since_boot() + 60, False).done
    finally:
        del os.environ["AUTONOMY_CANARY"]
    assert "FORGE_TOKEN=s3cr3t" in seen.read_text()
    assert "leaked" not in seen.read_text()
    assert "s3cr3t" not in Path(f"{seen}.arguments").read_text()


def test_the_cage_writes_only_where_it_is_told(place: Place) -> None:
    """Looking gets no writable folder at all; that is what makes it unable to write."""
    env = {"PATH": os.environ["PATH"]}
    ends = [run_jailed(["touch", str(place.remote / "x")], b"", env, writable) for writable in ((), (place.home,))]
    assert ["Read-only file system"] * 2 == [end.error.rpartition(": ")[2] for end in ends]
    assert 0 == run_jailed(["touch", str(place.remote / "x")], b"", env, (place.remote,)).code


def test_a_long_order_reaches_a_slow_child() -> None:
    """More than a pipe holds, to a child that begins to read late."""
    end = run_jailed(["sh", "-c", "sleep 0.3; wc -c"], b"x" * 300_000, {"PATH": os.defpath}, ())
    assert b"300000" == end.out.strip()


def slow_hook(place: Place) -> Path:
    """A remote that says it is busy, then takes its time."""
    started = place.remote / "started"
    hook = place.remote / "hooks" / "pre-receive"
    hook.write_text(f"#!/bin/sh\necho $$ > {started}\nexec sleep 30\n")
    hook.chmod(0o755)
    return started


def wait_for(path: Path) -> None:
    end = time.monotonic() + 30
    while not (path.exists() and path.read_text()):
        assert time.monotonic() < end, f"{path} never came"
        time.sleep(0.02)


def processes_naming(text: str) -> list[str]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            arguments = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            directory = str((folder / "cwd").readlink())
        except OSError:
            continue
        if int(folder.name) != os.getpid() and text in f"{arguments} {directory}":
            found.append(arguments)
    return found


def gone(text: str) -> bool:
    end = time.monotonic() + 10
    while processes_naming(text):
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def test_the_kernel_ends_an_effect_at_its_deadline(place: Place) -> None:
    """The child dies at kill_at with everything it started; whether it was done is unknown, so an error."""
    slow_hook(place)
    with pytest.raises(ForgeError, match="killed when its clearance ended"):
        place.perform(place.effect(), seconds=5)
    assert gone(str(place.remote))
    assert not place.remote_head()


def test_the_kernels_timer_goes_on_while_the_machine_sleeps() -> None:
    """Its clock is the one since boot, suspend included."""
    program = "from adapters.effects.child import die_at\nfrom ports.clock import since_boot\n"
    program += "die_at(since_boot() + 100)\nprint(open('/proc/self/timers').read())"
    said = subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    assert [f"ClockID: {time.CLOCK_BOOTTIME}"] == [line for line in said.splitlines() if line.startswith("ClockID")]


def test_a_clearance_that_ended_while_the_machine_slept_is_over(place: Place) -> None:
    """Seen from an hour of sleep later, by which no other clock moved: nothing begins."""
    effect = place.effect()
    order = EffectOrder(
        effect=effect,
        clearance=place.clearance(effect),
        kill_at=since_boot() + 60,
        look_only=False,
        remote=place.target.remote,
        mirror=str(place.mirror.path),
        records=str(place.home),
    )
    child = [sys.executable, "-I", str(ROOT / "adapters" / "effects" / "__main__.py")]
    later = ["unshare", "--user", "--map-root-user", "--time", "--boottime", "3600", *child]
    given = order.model_dump_json().encode()
    ends = [subprocess.run(argv, check=True, input=given, capture_output=True) for argv in (later, child)]
    slept, awake = [EffectResult.model_validate_json(end.stdout) for end in ends]
    assert (False, True) == (slept.done, awake.done)
    assert "time was over" in slept.refused


def start_worker(place: Place, effect: Effect, variables: dict[str, str]) -> subprocess.Popen[bytes]:
    """A separate process that performs one effect, as a worker does."""
    program = (
        "import json, sys\n"
        "from pathlib import Path\n"
        "from adapters.effects.runner import EffectRunner\n"
        "from contracts.clearance import Clearance\n"
        "from contracts.effect import Effect\n"
        "from policies.settings.schema import Target\n"
        "from ports.clock import since_boot\n"
        "mirrors, home, target, effect, clearance = json.loads(sys.argv[1])\n"
        "runner = EffectRunner(Path(mirrors), Path(home))\n"
        "runner.perform(Target.model_validate_json(target), Effect.model_validate_json(effect),"
        " Clearance.model_validate_json(clearance), since_boot() + 60, False)\n"
    )
    models = [model.model_dump_json() for model in (place.target, effect, place.clearance(effect))]
    arguments = json.dumps([str(place.mirrors), str(place.home), *models])
    return subprocess.Popen([sys.executable, "-c", program, arguments], cwd=ROOT, env=os.environ | variables)


def test_a_killed_worker_leaves_no_process_and_no_late_write(place: Place) -> None:
    """P1, P7: SIGKILL the worker while the remote is busy: the whole jail dies, the branch never lands."""
    started = slow_hook(place)
    worker = start_worker(place, place.effect(), {})
    wait_for(started)
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    assert gone(str(place.remote))
    assert not place.remote_head()


class Cancelled(BaseException):
    """What an activity's thread gets."""


def test_a_cancelled_activity_kills_the_jail(place: Place) -> None:
    """An exception thrown into the waiting thread goes up only when nothing runs any more."""
    started = slow_hook(place)
    left: list[list[str]] = []

    def perform() -> None:
        try:
            place.perform(place.effect())
        except Cancelled:
            left.append(processes_naming(str(place.remote)))

    thread = threading.Thread(target=perform)
    thread.start()
    wait_for(started)
    assert 1 == ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(Cancelled))
    thread.join(30)
    assert [[]] == left
    assert not place.remote_head()


@pytest.mark.parametrize(("point", "landed"), [("before_effect", False), ("after_effect", True)])
def test_a_crash_around_the_effect_is_repaired_by_the_retry(place: Place, point: str, landed: bool) -> None:
    """P7: the worker dies at the named point once; the retry does it, or adopts it."""
    markers = place.home / "markers"
    markers.mkdir()
    variables = {"AUTONOMY_CRASH_AT": f"push_branch.{point}", "AUTONOMY_CRASH_ONCE": str(markers)}
    assert -signal.SIGKILL == start_worker(place, place.effect(), variables).wait(60)
    assert landed == bool(place.remote_head())
    assert 0 == start_worker(place, place.effect(), variables).wait(60)
    assert place.head == place.remote_head()
