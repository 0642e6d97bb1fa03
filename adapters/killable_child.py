"""A question asked by a child process that can be killed, whatever it waits for."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

_PASSED_ON = ("PATH", "SSL_CERT_FILE", "SSL_CERT_DIR")


def answer_of(program: Path, payload: bytes, seconds: float, alive: Callable[[], None]) -> tuple[bytes, int] | None:
    """What a program of the standard library prints, and its exit status; None: killed when its time was over.

    Nothing of this process' environment is handed on but where programs and certificates are.

    Args:
        program: run isolated (``python -I``).
        payload: its standard input.
        seconds: how long it may take.
        alive: called several times a second; an exception from it kills the child and goes on up.
    """
    end = time.monotonic() + seconds
    with subprocess.Popen(
        [sys.executable, "-I", str(program)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={name: os.environ[name] for name in _PASSED_ON if name in os.environ},
        cwd="/",
    ) as child:
        try:
            unsent: bytes | None = payload
            while time.monotonic() < end:
                try:
                    return child.communicate(unsent, timeout=0.1)[0], child.returncode
                except subprocess.TimeoutExpired:
                    unsent = None
                    alive()
        finally:
            child.kill()
    return None
