"""Named places where a test can make the worker die: random kills miss the window between effect and return."""

from __future__ import annotations

import os
import signal
from pathlib import Path

POINTS: frozenset[str] = frozenset(
    {
        "admit.after_answer",
        "push_branch.before_begin",
        "push_branch.after_begin",
        "push_branch.before_effect",
        "push_branch.after_effect",
        "push_branch.before_settle",
        "push_branch.after_settle",
        "open_pull_request.before_begin",
        "open_pull_request.after_begin",
        "open_pull_request.before_effect",
        "open_pull_request.after_effect",
        "open_pull_request.before_settle",
        "open_pull_request.after_settle",
        "open_ticket.before_begin",
        "open_ticket.after_begin",
        "open_ticket.before_effect",
        "open_ticket.after_effect",
        "open_ticket.before_settle",
        "open_ticket.after_settle",
        "escalate.before_effect",
        "escalate.after_pause",
        "escalate.after_effect",
        "audit.before_effect",
        "audit.after_report",
        "audit.after_effect",
        "finish.before_effect",
        "finish.after_effect",
        *(
            f"{step}.{moment}_done"
            for step in ("preflight", "sense", "triage", "plan", "code", "review", "check", "release")
            for moment in ("before", "after")
        ),
    }
)
"""Every point, for the sweep. It fails on a point never reached."""


def crashpoint(name: str) -> None:
    """Die here by SIGKILL if the environment names this point; once only if it names a folder for the marker.

    Raises:
        ValueError: a name missing from ``POINTS``: the sweep would never try it.
    """
    wanted = os.environ.get("AUTONOMY_CRASH_AT")
    unknown = {name, wanted or name} - POINTS
    if unknown:
        raise ValueError(f"not a declared crash point: {', '.join(sorted(unknown))}")
    if wanted != name or not _first_time(name):
        return
    os.kill(os.getpid(), signal.SIGKILL)


def _first_time(name: str) -> bool:
    folder = os.environ.get("AUTONOMY_CRASH_ONCE")
    if not folder:
        return True
    try:
        (Path(folder) / name).touch(exist_ok=False)
    except FileExistsError:
        return False
    return True
