"""Which open workflows do not get on (runbook §9; P15: a stuck run alerts)."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from contracts.alert import Alert, AlertKind, Progress
from contracts.modes import RunStatus
from contracts.verdict import Fact
from contracts.watching import WorkflowSight
from policies.counted import counted, shortened

FAILING_TASKS = 3
"""Attempts of one workflow task after which it is failing, not unlucky."""
FAILING_STEPS = 10
"""The same for an activity, whose first retries come quickly."""
RUN = "DailyRun"
WAITING = frozenset({RunStatus.HELD, RunStatus.WAITING, RunStatus.QUEUED})
"""Runs that wait for a person or for their turn, and say so."""


def progress(seen: Iterable[WorkflowSight], before: Iterable[Progress], now: datetime) -> tuple[Progress, ...]:
    """Since when each open run's history has had its present length."""
    known = {(each.workflow_id, each.workflow_run_id): each for each in before}
    found = []
    for sight in seen:
        if sight.kind != RUN:
            continue
        old = known.get((sight.workflow_id, sight.workflow_run_id))
        same = old is not None and old.events == sight.events and sight.status not in WAITING
        found.append(
            Progress(
                workflow_id=sight.workflow_id,
                workflow_run_id=sight.workflow_run_id,
                events=sight.events,
                since=old.since if same and old is not None else now,
            )
        )
    return tuple(found)


def stuck(
    seen: Iterable[WorkflowSight], lasting: Iterable[Progress], now: datetime, patience: timedelta
) -> tuple[Alert, ...]:
    """One alert for each workflow that keeps failing, and for each run that stands still."""
    since = {(each.workflow_id, each.workflow_run_id): each.since for each in lasting}
    found = []
    for sight in seen:
        why = _failing(sight)
        still = now - since.get((sight.workflow_id, sight.workflow_run_id), now)
        if not why and patience and still >= patience:
            minutes = still.total_seconds() / 60
            why = f"no progress for {counted(round(minutes), 'minute')}{_doing(sight)}"
        if why:
            found.append(_alert(sight, why))
    return tuple(found)


def _failing(sight: WorkflowSight) -> str:
    if sight.task_attempt >= FAILING_TASKS:
        return f"its workflow task failed {counted(sight.task_attempt - 1, 'time')}: the worker's log says why"
    worst = max(sight.steps, key=lambda step: step.attempt, default=None)
    if worst is not None and worst.attempt >= FAILING_STEPS:
        return f"{worst.name} failed {counted(worst.attempt - 1, 'time')}: {worst.failure or 'no reason known'}"
    return ""


def _doing(sight: WorkflowSight) -> str:
    if not sight.steps:
        return ""
    step = sight.steps[0]
    failure = f": {step.failure}" if step.failure else ""
    return f", in {step.name}, attempt {step.attempt}{failure}"


def _alert(sight: WorkflowSight, why: str) -> Alert:
    facts: dict[str, Fact] = {"workflow": sight.workflow_id, "status": sight.status}
    facts |= {f"attempts of {step.name}": step.attempt for step in sight.steps[:3]}
    return Alert(
        kind=AlertKind.RUN_STUCK,
        target=sight.target[:200],
        run_id=sight.run_id[:400],
        summary=shortened(f"{sight.run_id or sight.workflow_id} is stuck: {why}", 2000),
        facts=facts,
        fingerprint=f"{AlertKind.RUN_STUCK}/{sight.workflow_id}/{sight.workflow_run_id}"[:300],
    )
