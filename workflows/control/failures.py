"""Repeated run failures escalate (policy): Control pauses itself, then opens the incident.

A daily run that ends FAILED or LOST counts. One that ends in an answer (a pull request, a rejection, nothing to do)
starts the count again, and so does a resume; a run that a person or a pause ended says nothing either way, nor does one
that the forge did not let work: its own alert says what to do, and an incident would teach nobody anything.
"""

from datetime import datetime

from contracts.alert import AlertKind
from contracts.control import PauseRecord
from contracts.incident import IncidentReport, Trigger, incident_id
from contracts.modes import PauseStyle
from policies.counted import counted, shortened
from workflows.control.incident_records import open_incident
from workflows.control.pausing import pause
from workflows.control.state import ControlState


def escalate_failures(state: ControlState, now: datetime) -> bool:
    """Pause and open an incident when too many runs in a row failed. True when that was so."""
    failed = state.failed_in_a_row
    if len(failed) < state.terms.failures_in_a_row:
        return False
    last = shortened(state.runs[failed[-1]].reason, 200)
    reason = f"{counted(len(failed), 'run in a row failed', 'runs in a row failed')}, the last one {failed[-1]}: {last}"
    brake = PauseRecord(scope="target", style=PauseStyle.CHECKPOINT, reason=reason, actor="control", at=now, epoch=0)
    pause(state, brake)
    incident = incident_id(failed[-1], Trigger.REPEATED_FAILURES)
    said = IncidentReport(
        incident=incident,
        run_id=failed[-1],
        trigger=Trigger.REPEATED_FAILURES,
        reason=reason,
        runs=tuple(failed[:-1]),
    )
    open_incident(state, said, now)
    state.alert(AlertKind.RUN_FAILED, f"repeated_failures/{incident}", reason, run_id=failed[-1], incident=incident)
    state.failed_in_a_row = []
    return True
