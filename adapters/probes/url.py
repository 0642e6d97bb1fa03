"""ports.probes.UrlProbes: one killable child per question."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from ports.probes import UrlAnswer

_PROGRAM = Path(__file__).with_name("__main__.py")
_PASSED_ON = ("PATH", "SSL_CERT_FILE", "SSL_CERT_DIR")


class ChildUrlProbes:
    """A slow name server, a dripping answer, an endless body: the child is killed when its time is over."""

    def ask(self, url: str, seconds: float, alive: Callable[[], None]) -> UrlAnswer:
        """Ask in a child; see the port."""
        end = time.monotonic() + seconds
        given = json.dumps({"url": url, "seconds": seconds}).encode()
        environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        with subprocess.Popen(
            [sys.executable, "-I", str(_PROGRAM)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            cwd="/",
        ) as child:
            try:
                out = _wait(child, given, end, alive)
            finally:
                child.kill()
        if out is None:
            return UrlAnswer(None, f"no answer within {seconds:g} s")
        try:
            answer = json.loads(out)
            return UrlAnswer(answer["status"], str(answer["detail"]))
        except (ValueError, KeyError, TypeError):
            return UrlAnswer(None, f"the probing process failed ({child.returncode})")


def _wait(child: subprocess.Popen[bytes], given: bytes, end: float, alive: Callable[[], None]) -> bytes | None:
    unsent: bytes | None = given
    while time.monotonic() < end:
        try:
            return child.communicate(unsent, timeout=0.1)[0]
        except subprocess.TimeoutExpired:
            unsent = None
            alive()
    return None
