"""Named places where a test can make the worker die: random kills miss the window between effect and return."""

import os
import signal
from pathlib import Path

SOURCE_STEPS = ("scout", "plan_trial", "fetch_trial", "judge_trial")
POINTS: frozenset[str] = frozenset(
    {
        "admit.after_answer",
        *(
            f"{write}.{moment}"
            for write in (
                "push_branch",
                "open_pull_request",
                "update_pull_request",
                "close_pull_request",
                "open_ticket",
                "update_ticket",
                "close_ticket",
                "merge",
                "revert",
                "remove_branch",
                "comment",
            )
            for moment in (
                "before_begin",
                "after_begin",
                "before_effect",
                "after_effect",
                "before_settle",
                "after_settle",
            )
        ),
        "spend.after_reserve",
        "spend.before_settle",
        "spend.after_settle",
        *(
            f"exchange.{moment}"
            for moment in ("before_reserve", "after_reserve", "midway", "before_settle", "after_settle")
        ),
        "report_budget.before_effect",
        "report_budget.after_effect",
        "respond.before_effect",
        "respond.after_pause",
        "respond.after_report",
        "respond.after_alert",
        "respond.after_effect",
        "collect.before_effect",
        "collect.after_bundle",
        "collect.after_effect",
        "write_report.before_effect",
        "write_report.after_log",
        "write_report.after_effect",
        "tell.before_effect",
        "tell.after_effect",
        "mind_schedule.before_effect",
        "mind_schedule.after_effect",
        "prepare_revert.before_effect",
        "prepare_revert.after_effect",
        "audit.before_effect",
        "audit.after_report",
        "audit.after_effect",
        "finish.before_effect",
        "finish.after_effect",
        "review_governance.after_report",
        "review_governance.after_effect",
        "deliver.before_effect",
        "deliver.after_effect",
        *(
            f"{step}.{moment}_done"
            for step in ("preflight", "sense", "triage", "plan", "code", "review", "check", "release")
            for moment in ("before", "after")
        ),
        *(
            f"{step}.{moment}_done"
            for step in ("ci", "merge_check", "canary", "merge_release", *SOURCE_STEPS)
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
