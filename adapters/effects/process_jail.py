"""Bubblewrap as a process jail: nothing started inside outlives its end, its caller or its kill."""

import contextlib
import json
import os
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from adapters.sandbox.bwrap_program import find_bwrap

# A home or a remote may be there, and is seen like everything else.
_SHARED_MEMORY = ("--ro-bind-try", "/dev/shm", "/dev/shm")  # noqa: S108  # no temporary file of ours


@dataclass(frozen=True)
class JailEnd:
    """How the jailed program ended."""

    code: int
    out: bytes
    error: str


def run_jailed(argv: Sequence[str], stdin: bytes, environment: Mapping[str, str], writable: Sequence[Path]) -> JailEnd:
    """Run a program that sees this machine read-only except ``writable``; an exception kills it and all it started."""
    binds = [part for path in writable for part in ("--bind", str(path), str(path))]
    told, telling = os.pipe()
    try:
        jail = [str(find_bwrap()), "--die-with-parent", "--unshare-pid", "--info-fd", str(telling)]
        view = ["--ro-bind", "/", "/", "--dev", "/dev", *_SHARED_MEMORY, "--proc", "/proc", *binds]
        # A file and not a pipe: what a pipe does not hold, communicate() never sends once its first wait was too short.
        with tempfile.TemporaryFile() as stdin_file:
            stdin_file.write(stdin)
            stdin_file.seek(0)
            process = subprocess.Popen(
                [*jail, *view, "--", *argv],
                stdin=stdin_file,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=dict(environment),
                cwd="/",
                pass_fds=(telling,),
                start_new_session=True,
            )
    except BaseException:
        os.close(told)
        raise
    finally:
        os.close(telling)
    try:
        return _wait(process)
    except BaseException:
        _kill(process, told)
        raise
    finally:
        os.close(told)


def _wait(process: subprocess.Popen[bytes]) -> JailEnd:
    while True:
        try:
            # Short waits, so that a cancellation raised in this thread arrives.
            out, error = process.communicate(timeout=0.05)
        except subprocess.TimeoutExpired:
            continue
        else:
            return JailEnd(process.returncode, out, error.decode(errors="replace").strip())


def _kill(process: subprocess.Popen[bytes], told: int) -> None:
    """Kill the jail's first process: the outer one ends only after the kernel has ended everything inside."""
    with contextlib.suppress(ValueError, KeyError, ProcessLookupError):
        first = json.loads(os.read(told, 4096))["child-pid"]
        os.kill(first, signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=5)
    process.kill()
    process.communicate()
