"""The dead-man's switch (runbook §9): a daily run that did not end in time, and why."""

from datetime import datetime

from contracts.alert import Alert, AlertKind
from contracts.modes import GREEN_STATUSES, RunStatus, TargetStatus
from contracts.watching import TargetSight
from policies.counted import shortened

ENDED = GREEN_STATUSES | {RunStatus.REJECTED, RunStatus.REFUSED, RunStatus.ESCALATED, RunStatus.FAILED}
"""Ends that say something: a run that was cancelled, drained or lost did not happen."""


def missed_deadline(sight: TargetSight, now: datetime) -> Alert | None:
    """The alert, with its cause; None: it is not due, or a run of today ended."""
    if now < sight.deadline or not _expected(sight):
        return None
    if any(run.closed_at is not None and run.status in ENDED for run in sight.today()):
        return None
    cause, why = cause_of(sight)
    return Alert(
        kind=AlertKind.RUN_MISSED_DEADLINE,
        target=sight.target,
        summary=shortened(
            f"no daily run of {sight.target} ended on {sight.date} by {sight.deadline:%H:%M}: {why}", 2000
        ),
        facts={"cause": cause, "date": sight.date, "deadline": sight.deadline.isoformat()},
        fingerprint=f"{AlertKind.RUN_MISSED_DEADLINE}/{sight.target}/{sight.date}",
    )


def cause_of(sight: TargetSight) -> tuple[str, str]:
    """Name and sentence of the first cause that holds, from what a person decided to what nobody knows."""
    status = sight.status
    if status is None:
        if sight.problem:
            return "unknown", f"it could not be found out why: {sight.problem}"
        if sight.schedule is not None and sight.schedule.paused:
            return "schedule paused", f"its schedule is paused: {sight.schedule.note or 'no reason given'}"
        return "no control", "it has no Control: nothing of it ever ran here, or Control was terminated"
    if status.pauses:
        pause = status.pauses[0]
        return "paused", f"paused ({pause.scope}) by {pause.actor}: {pause.reason or 'no reason given'}"
    if status.status is not TargetStatus.ACTIVE:
        return status.status.lower(), status.why.reason
    return _cause_in_runs(sight) or _cause_before_runs(sight)


def _cause_in_runs(sight: TargetSight) -> tuple[str, str] | None:
    today = sight.today()
    still = next((run for run in today if run.closed_at is None), None)
    if still is not None and sight.status is not None and still in sight.status.queued:
        return "queued", f"{still.run_id} waits in the queue behind {len(sight.status.active)} other runs"
    if still is not None and sight.run is not None:
        at = f" at step {sight.run.step}" if sight.run.step else ""
        waits = f", waiting: {sight.run.waiting_for}" if sight.run.waiting_for else ""
        return "still running", f"{still.run_id} is {sight.run.status}{at}{waits} {sight.run.reason}".rstrip()
    if still is not None:
        return "still running", f"{still.run_id} is open, and does not say where it is"
    if sight.blocked is not None and not sight.blocked.allowed:
        return "budget", sight.blocked.reason
    if today:
        return "not ended", f"{today[0].run_id} ended {today[0].status}: {today[0].reason or 'no reason given'}"
    return None


def _cause_before_runs(sight: TargetSight) -> tuple[str, str]:
    if sight.schedule is None:
        return "no schedule", "it has no schedule, and nobody started a run"
    if sight.schedule.paused:
        return "schedule paused", f"its schedule is paused: {sight.schedule.note or 'no reason given'}"
    if sight.unseen_since is not None:
        return "no worker", f"no worker was at work between {sight.unseen_since:%Y-%m-%d %H:%M} UTC and now"
    coming = f"; the next start is at {sight.schedule.next_at:%Y-%m-%d %H:%M} UTC" if sight.schedule.next_at else ""
    return "not started", f"its schedule started no run today{coming}"


def _expected(sight: TargetSight) -> bool:
    """Whether anybody counts on a run: it is scheduled, or was known before the deadline."""
    known = sight.registered_at is not None and sight.registered_at < sight.deadline
    # A target that came after today's deadline has its first one tomorrow.
    return known or (sight.schedule is not None and sight.registered_at is None)
