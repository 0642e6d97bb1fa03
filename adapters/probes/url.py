"""ports.probes.UrlProbes: one killable child per question."""

import json
from collections.abc import Callable
from pathlib import Path

from adapters.killable_child import answer_of
from ports.probes import UrlAnswer

_PROGRAM = Path(__file__).with_name("__main__.py")


class ChildUrlProbes:
    """A slow name server, a dripping answer, an endless body: the child is killed when its time is over."""

    def ask(self, url: str, seconds: float, alive: Callable[[], None]) -> UrlAnswer:
        """Ask in a child; see the port."""
        told = answer_of(_PROGRAM, json.dumps({"url": url, "seconds": seconds}).encode(), seconds, alive)
        if told is None:
            return UrlAnswer(None, f"no answer within {seconds:g} s")
        out, status = told
        try:
            answer = json.loads(out)
            return UrlAnswer(answer["status"], str(answer["detail"]))
        except (ValueError, KeyError, TypeError):
            return UrlAnswer(None, f"the probing process failed ({status})")
