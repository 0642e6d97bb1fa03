"""Runs and follow-ups that closed without saying so, and writes nobody settled (Control reaps)."""

from datetime import datetime

from contracts.admission import FinishRequest
from contracts.alert import AlertKind
from contracts.control import CheckupResult, RunCheckup
from contracts.modes import RunStatus
from workflows.api import follow_up_id
from workflows.control import admission, clearances, follow_ups, pausing
from workflows.control.state import ControlState


def due(state: ControlState, now: datetime) -> RunCheckup:
    """What to look at: every open run, open writes past their deadline, every follow-up."""
    queued = [state.runs[run_id] for run_id in state.queue]
    late = tuple(write for write in state.open_writes() if write.clearance.deadline <= now)
    followed = {run_id: follow_up_id(run_id) for run_id in state.followed}
    return RunCheckup(target=state.target, runs=tuple(state.active() + queued), writes=late, followed=followed)


def apply(state: ControlState, found: CheckupResult, now: datetime) -> None:
    """Settle what was found on the remote; a run that is gone becomes LOST and frees its slot."""
    for settled in found.settled:
        clearances.settle(state, settled, now)
    for seen in found.runs:
        run = state.runs.get(seen.run_id)
        if seen.open or run is None or run.closed_at is not None:
            continue
        reason = f"its workflow is {seen.status} and never said so"
        report = FinishRequest(
            run_id=run.run_id,
            status=RunStatus.LOST,
            reason=reason,
            audit_head=seen.audit_head,
            report_sha256=seen.report_sha256,
        )
        admission.finish(state, report, now)
        pausing.smoke_ended(state, report, now)
        state.alert(AlertKind.RUN_FAILED, f"{AlertKind.RUN_FAILED}/{run.run_id}", f"{run.run_id}: {reason}", run.run_id)
        pausing.escalate_failures(state, now)
    for seen in found.follow_ups:
        if not seen.open:
            follow_ups.lost(state, seen.run_id, seen.status)
