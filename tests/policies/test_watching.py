"""The dead-man's switch and stuck workflows (runbook §9): tables over what the watch sees."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from activities.operate.watching import deadline_of
from contracts.admission import Order, RunRecord, RunView
from contracts.alert import Progress
from contracts.control import PauseRecord, StatusView
from contracts.verdict import Verdict
from contracts.watching import ScheduleSight, StepSight, TargetSight, WorkflowSight
from policies.run.dead_man import cause_of, missed_deadline
from policies.run.stuck import progress, stuck

NOW = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
DEADLINE = NOW.replace(hour=9, minute=0)
TODAY = "2026-11-23"
ORDER = Order(revision=1, epoch=1, state="proceed")


def run(status: str = "RUNNING", date: str = TODAY, **more: Any) -> RunRecord:
    fields = {
        "run_id": f"demo-{date}-pr-1",
        "dedup": "x",
        "workflow_id": "w",
        "workflow_run_id": "r",
        "kind": "daily",
        "mode": "PR_ONLY",
        "date": date,
        "attempt": 1,
        "actor": "schedule",
        "policy_digest": "d",
        "status": status,
        "order": ORDER,
        "admitted_at": NOW,
        "closed_at": None if status == "RUNNING" else NOW,
    }
    return RunRecord(**(fields | more))


def books(**more: Any) -> StatusView:
    fields = {
        "target": "demo",
        "status": "ACTIVE",
        "mode": "PR_ONLY",
        "epoch": 1,
        "installation_epoch": 1,
        "quiescent": False,
        "writes_in_flight": 0,
        "pauses": (),
        "ladder": None,
        "active": (),
        "queued": (),
        "recent": (),
        "writes": (),
        "why": Verdict(rule="r", decision="hold", reason="resuming: waiting for a green smoke"),
    }
    return StatusView(**(fields | more))


def sight(**more: Any) -> TargetSight:
    fields = {"target": "demo", "date": TODAY, "deadline": DEADLINE, "registered_at": NOW - timedelta(days=9)}
    return TargetSight(**({"status": books(), "schedule": ScheduleSight(paused=False)} | fields | more))


def view(**more: Any) -> RunView:
    fields = {"run": None, "status": "RUNNING", "step": "check", "order": None, "task_id": None, "base_sha": ""}
    return RunView(**(fields | {"waiting_for": "", "subject": "", "verdicts": (), "reason": ""} | more))


PAUSE = PauseRecord(scope="target", style="checkpoint", reason="odd diff", actor="ann@desk", at=NOW, epoch=1)
CAUSES: dict[str, tuple[TargetSight, str, str]] = {
    "paused by whom": (sight(status=books(status="PAUSED", pauses=(PAUSE,))), "paused", "by ann@desk: odd diff"),
    "resuming": (sight(status=books(status="RESUMING")), "resuming", "green smoke"),
    "no schedule": (sight(schedule=None), "no schedule", "no schedule"),
    "schedule paused": (
        sight(schedule=ScheduleSight(paused=True, note="holidays (bob)")),
        "schedule paused",
        "holidays (bob)",
    ),
    "not started": (sight(), "not started", "started no run"),
    "no worker": (sight(unseen_since=NOW - timedelta(hours=5)), "no worker", "between 2026-11-23 04:30 UTC and now"),
    "budget": (
        sight(blocked=Verdict(rule="b", decision="deny", reason="the day's USD cap is used up")),
        "budget",
        "the day's USD cap",
    ),
    "still running": (sight(status=books(active=(run(),)), run=view()), "still running", "RUNNING at step check"),
    "waits for a person": (
        sight(status=books(active=(run(),)), run=view(status="WAITING", waiting_for="decide on the contract")),
        "still running",
        "waiting: decide on the contract",
    ),
    "does not say": (sight(status=books(active=(run(),))), "still running", "does not say where it is"),
    "queue": (sight(status=books(active=(run(date="2026-11-22"),), queued=(run(),))), "queued", "behind 1 other"),
    "cancelled": (sight(status=books(recent=(run("CANCELLED", reason="by hand"),))), "not ended", "CANCELLED: by hand"),
    "lost": (sight(status=books(recent=(run("LOST"),))), "not ended", "LOST"),
    "no Control": (sight(status=None), "no control", "no Control"),
    "unknown": (sight(status=None, problem="nobody answers"), "unknown", "nobody answers"),
}


@pytest.mark.parametrize("name", CAUSES)
def test_9_run_missed_its_deadline_with_the_cause(name: str) -> None:
    """Issue, item 5: the dead-man's alert says why, as far as anybody can know."""
    seen, cause, said = CAUSES[name]
    alert = missed_deadline(seen, NOW)

    assert alert is not None
    assert (cause, said in alert.summary) == (alert.facts["cause"], True), alert.summary
    assert (cause, f"run_missed_deadline/demo/{TODAY}") == (cause_of(seen)[0], alert.fingerprint)


@pytest.mark.parametrize(
    "status", ["PR_OPENED", "MERGED", "DRY_RUN_COMPLETE", "NOTHING_TO_DO", "REJECTED", "FAILED", "ESCALATED"]
)
def test_a_run_that_ended_missed_nothing(status: str) -> None:
    """However it ended: that has an alert of its own where it needs one."""
    assert missed_deadline(sight(status=books(recent=(run(status),))), NOW) is None


QUIET: dict[str, tuple[TargetSight, datetime]] = {
    "before the deadline": (sight(), DEADLINE - timedelta(seconds=1)),
    "known since after the deadline": (sight(registered_at=DEADLINE + timedelta(minutes=1)), NOW),
    "never ran and has no schedule": (sight(registered_at=None, schedule=None, status=None), NOW),
}


@pytest.mark.parametrize("name", QUIET)
def test_nobody_waits_for_that_run(name: str) -> None:
    """No alert without somebody who counts on the run."""
    seen, now = QUIET[name]
    assert missed_deadline(seen, now) is None


@pytest.mark.parametrize("other", [run("PR_OPENED", "2026-11-22"), run("DRY_RUN_COMPLETE", kind="smoke")])
def test_yesterdays_run_and_a_smoke_do_not_count(other: RunRecord) -> None:
    """One daily run a day."""
    assert missed_deadline(sight(status=books(recent=(other,))), NOW) is not None


@pytest.mark.parametrize(
    ("now", "zone", "day", "deadline"),
    [
        ("2026-11-23T09:30:00Z", "UTC", "2026-11-23", "2026-11-23T09:00:00Z"),
        ("2026-11-23T23:30:00Z", "Asia/Tokyo", "2026-11-24", "2026-11-24T00:00:00Z"),
        ("2026-11-23T01:00:00Z", "America/Los_Angeles", "2026-11-22", "2026-11-22T17:00:00Z"),
        # The day summer time ends, and the day it begins.
        ("2026-10-25T12:00:00Z", "Europe/Oslo", "2026-10-25", "2026-10-25T08:00:00Z"),
        ("2026-03-29T12:00:00Z", "Europe/Oslo", "2026-03-29", "2026-03-29T07:00:00Z"),
    ],
)
def test_the_deadline_is_in_the_targets_time_zone(now: str, zone: str, day: str, deadline: str) -> None:
    """Issue, bad input: "clock, period and DST edges"."""
    today, found = deadline_of(datetime.fromisoformat(now), ZoneInfo(zone), "09:00")
    assert (day, datetime.fromisoformat(deadline)) == (today.isoformat(), found)


def workflow(**more: Any) -> WorkflowSight:
    fields = {"workflow_id": "w", "workflow_run_id": "r", "kind": "DailyRun", "target": "demo", "run_id": "demo-1"}
    return WorkflowSight(**(fields | {"status": "RUNNING", "events": 40} | more))


def look(sights: list[WorkflowSight], minutes: float = 60) -> list[str]:
    """Look three times within an hour, with a patience of an hour."""
    going: tuple[Progress, ...] = ()
    found: tuple[Any, ...] = ()
    for number, seen in enumerate(sights):
        now = NOW + timedelta(minutes=minutes * number / (len(sights) - 1))
        going = progress([seen], going, now)
        found = stuck([seen], going, now, timedelta(minutes=60))
    return [alert.summary for alert in found]


STEP = StepSight(name="code", attempt=4, failure="no space left")
STUCK: dict[str, tuple[list[WorkflowSight], str]] = {
    "stands still": ([workflow(steps=(STEP,))] * 3, "no progress for 60 minutes, in code, attempt 4: no space left"),
    "goes on": ([workflow(events=number) for number in (1, 2, 3)], ""),
    "waits at its gate": ([workflow(status="HELD")] * 3, ""),
    "waits for a person": ([workflow(status="WAITING")] * 3, ""),
    "went on after a hold": ([workflow(status="HELD"), workflow(status="HELD"), workflow()], ""),
    "is another run now": ([workflow(), workflow(), workflow(workflow_run_id="s")], ""),
    "a quiet Control": ([workflow(kind="Control")] * 3, ""),
    "a Control that fails": ([workflow(kind="Control", task_attempt=5)] * 2, "its workflow task failed 4 times"),
    "an incident that fails": ([workflow(kind="Incident", task_attempt=3)] * 2, "its workflow task failed 2 times"),
    "one bad moment": ([workflow(kind="Control", task_attempt=2)] * 2, ""),
    "a log that cannot be written": (
        [workflow(kind="Control", steps=(StepSight(name="log_target", attempt=11, failure="disk"),))] * 2,
        "log_target failed 10 times: disk",
    ),
}


@pytest.mark.parametrize("name", STUCK)
def test_run_stuck(name: str) -> None:
    """P15: a stuck run alerts; so do Control and incidents. Waiting for a person is not stuck."""
    sights, said = STUCK[name]
    assert [bool(said)] * bool(said) == [said in summary for summary in look(sights)]


def test_no_patience_means_standing_still_is_not_looked_at() -> None:
    """``stuck_minutes = 0``; what fails again and again is still told."""
    still = [Progress(workflow_id="w", workflow_run_id="r", events=40, since=NOW - timedelta(days=9))]
    assert () == stuck([workflow()], still, NOW, timedelta())
    assert 1 == len(stuck([workflow(task_attempt=9)], still, NOW, timedelta()))
