"""Incidents in Control's books (runbook §6, §12): opened once, shown until the prevention is done.

The record of an incident lives in its own workflow and its artifacts; the books hold what Control needs: which
workflows to start, which tickets may be written, and whether a higher mode is barred.
"""

from datetime import datetime

from contracts.alert import AlertKind
from contracts.control import Answer
from contracts.incident import IncidentNews, IncidentRecord, IncidentReport, IncidentStart, IncidentState
from contracts.modes import Mode
from contracts.verdict import Decision
from policies.counted import shortened
from workflows.control import earning
from workflows.control.state import ControlState

KEPT_DONE = 60
"""Ids of finished incidents the books remember, so that a late report of one does not open it again."""
_LISTED = 5


def open_incident(state: ControlState, report: IncidentReport, now: datetime) -> Answer:
    """Open an incident; whoever reports it paused first. Idempotent."""
    if report.incident not in state.incidents and report.incident not in state.incidents_done:
        state.incidents[report.incident] = IncidentRecord(
            incident=report.incident,
            run_id=report.run_id,
            trigger=report.trigger,
            reason=shortened(report.reason, 500),
            opened_at=now,
            runs=report.runs,
            ordered_by=report.ordered_by,
        )
        state.log("incident opened", incident=report.incident, runId=report.run_id, trigger=report.trigger)
        earning.note_losses(state, now)
    return _taken(state, report.incident)


def take_news(state: ControlState, report: IncidentNews) -> Answer:
    """Follow an ``Incident``: owner, due date, overdue, done. Books that never knew it learn it here."""
    told = report.record.model_copy(update={"started": True})
    known = state.incidents.get(told.incident)
    if known is not None:
        # These are Control's own to state.
        ours = ("commanded_by", "commanded_epoch", "rollback", "tagged")
        told = told.model_copy(update={name: getattr(known, name) for name in ours})
    if report.done:
        if known is not None:
            del state.incidents[told.incident]
            state.log("incident done", incident=told.incident, owner=told.owner)
        state.hardening.pop(told.incident, None)
        state.writes = {key: write for key, write in state.writes.items() if write.run_id != told.incident}
        remembered = [name for name in state.incidents_done if name != told.incident]
        state.incidents_done = [*remembered, told.incident][-KEPT_DONE:]
        return _taken(state, told.incident)
    if told.incident in state.incidents_done:
        # Of an Incident that was reset by hand: what is done stays done.
        return _taken(state, told.incident)
    if known is None:
        state.log("incident known again", incident=told.incident, trigger=told.trigger)
    elif known.state is not told.state:
        state.log("incident closed", incident=told.incident, owner=told.owner, dueOn=told.due_on)
    if told.overdue and not (known and known.overdue):
        state.log("prevention overdue", incident=told.incident, owner=told.owner, dueOn=told.due_on)
        if state.mode is Mode.SELECTIVE_AUTO:
            # A bar only for whoever asks for the mode would be none for a target that has it.
            state.log("mode set", before=state.mode, mode=Mode.PR_ONLY, actor="control", reason="prevention overdue")
            state.mode = Mode.PR_ONLY
        state.alert(
            AlertKind.PREVENTION_OVERDUE,
            f"overdue/{told.incident}/{told.due_on}",
            f"the prevention of {told.incident} was due on {told.due_on}; its owner is {told.owner}",
            run_id=told.run_id,
            incident=told.incident,
            owner=told.owner,
            dueOn=told.due_on,
        )
    state.incidents[told.incident] = told
    return _taken(state, told.incident)


def to_start(state: ControlState) -> list[IncidentRecord]:
    """Incidents whose workflow has not been started, oldest first."""
    waiting = (record for record in state.incidents.values() if not record.started)
    return sorted(waiting, key=lambda record: (record.opened_at, record.incident))


def evidence_is_complete(state: ControlState) -> bool:
    """Whether the runs of these incidents have ended and everything about them is logged."""
    about = {run_id for record in to_start(state) for run_id in (record.run_id, *record.runs)}
    open_runs = {run.run_id for run in (*state.active(), *(state.runs[run_id] for run_id in state.queue))}
    return not state.to_log and not about & open_runs


def start_of(state: ControlState, record: IncidentRecord) -> IncidentStart:
    """The input of its workflow."""
    about = dict.fromkeys((*record.runs, record.run_id))
    runs = tuple(state.runs[run_id] for run_id in about if run_id in state.runs)
    return IncidentStart(target=state.target, record=record, runs=runs)


def started(state: ControlState, incident: str) -> None:
    """Its workflow runs."""
    if incident in state.incidents:
        state.incidents[incident] = state.incidents[incident].model_copy(update={"started": True})


def barred(state: ControlState) -> str:
    """Why no higher mode than PR_ONLY may be set; empty when nothing bars it."""
    bars = [
        f"{record.incident} is open" if record.state is IncidentState.OPEN else f"the prevention of {name} is overdue"
        for name, record in state.incidents.items()
        if record.state is IncidentState.OPEN or record.overdue
    ]
    return "; ".join(bars[:_LISTED]) + (f" and {len(bars) - _LISTED} more" if len(bars) > _LISTED else "")


def _taken(state: ControlState, incident: str) -> Answer:
    return state.answer("an incident is always taken", Decision.ALLOW, "recorded", id=incident)
