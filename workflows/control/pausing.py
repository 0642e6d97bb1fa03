"""Pause and the resume ladder (runbook §7; P1, P2).

Pause: the epoch rises, the status is PAUSED, queued runs are cancelled and stay as records, running ones get
their order. It is never refused. Resume: a person names cause and evidence under the epoch they saw →
RESUMING → the ladder's own DRY_RUN smoke, green under the current policy → ACTIVE in PR_ONLY.
"""

from datetime import datetime
from typing import Literal

from activities.api import SyncScheduleInput
from contracts.admission import FinishRequest, OrderState
from contracts.alert import AlertKind
from contracts.budget import BookedBefore
from contracts.control import (
    Answer,
    InstallationFacts,
    InstallationNotice,
    Ladder,
    ModeRequest,
    PauseRecord,
    ResumeRequest,
)
from contracts.incident import IncidentReport, Trigger, incident_id
from contracts.modes import Mode, PauseStyle, RunKind, RunStatus, TargetStatus
from contracts.verdict import Decision, Fact
from policies.counted import counted, shortened
from workflows.api import smoke_id
from workflows.control import clearances, earning, follow_ups, rollback_records, source_records
from workflows.control.admission import smoke_is_green
from workflows.control.budget import recover
from workflows.control.earning import RANK, override_of
from workflows.control.incident_records import barred, open_incident
from workflows.control.state import ControlState, clock
from workflows.epochs import epoch_at, is_newer

RESET = "reset by hand"
_ORDER = {
    PauseStyle.CHECKPOINT: OrderState.HOLD,
    PauseStyle.DRAIN: OrderState.DRAIN,
    PauseStyle.ABORT: OrderState.ABORT,
}
_HARDNESS = (OrderState.PROCEED, OrderState.HOLD, OrderState.DRAIN, OrderState.ABORT)


def pause(state: ControlState, record: PauseRecord) -> None:
    """Brake. ``record.epoch`` is ignored: the epoch is ours to raise."""
    # At least the clock's: a Control that was reset by hand has forgotten its latest epochs and orders.
    present = epoch_at(record.at)
    state.epoch = max(state.epoch + 1, present)
    state.revision = max(state.revision, present)
    state.status = TargetStatus.PAUSED
    state.ladder = None
    state.smoke_due = False
    record = record.model_copy(update={"epoch": state.epoch})
    # One pause per scope is in force; the log keeps them all.
    state.pauses = [known for known in state.pauses if known.scope != record.scope] + [record]
    state.log(
        "paused",
        scope=record.scope,
        style=record.style,
        actor=record.actor,
        reason=record.reason,
        reviewOn=record.review_on,
        raw=record.raw,
    )
    for run_id in list(state.queue):
        state.order(run_id, OrderState.CANCELLED, "cancelled by a pause while queued")
        state.close(run_id, record.at, RunStatus.CANCELLED, reason="cancelled by a pause while queued")
    for run in state.active():
        # A smoke proves nothing once its ladder is gone.
        wanted = OrderState.ABORT if run.kind is RunKind.SMOKE else _ORDER[record.style]
        hardest = max(run.order.state, wanted, key=_HARDNESS.index)
        state.order(run.run_id, hardest, f"{record.scope} pause by {record.actor}: {record.reason}")


def resume(state: ControlState, request: ResumeRequest, now: datetime) -> Answer:
    """Lift this target's own pause and climb the ladder; refused while the Installation is paused."""

    def answer(decision: Decision, reason: str) -> Answer:
        facts: dict[str, Fact] = {"epoch": state.epoch, "status": state.status}
        return state.answer("the target may resume", decision, reason, **facts)

    if refused := may_resume(state, request):
        return answer(Decision.DENY, refused)
    _climb(state, cause=request.cause, evidence=request.evidence, actor=request.actor, now=now)
    if state.ladder is not None and not state.rolling_back():
        # Nobody reviews what has not ended: while a rollback goes on, the ladder ends in DRY_RUN.
        state.ladder = state.ladder.model_copy(update={"reviews": state.review_due})
    return answer(Decision.ALLOW, "resuming: the DRY_RUN smoke starts now")


def may_resume(state: ControlState, request: ResumeRequest) -> str:
    """Why not; empty: it may."""
    if request.expected_epoch != state.epoch:
        return f"a newer pause raised the epoch to {state.epoch}; look again before you resume"
    if not state.registered:
        return "not yet registered with the Installation; try again"
    if state.status is TargetStatus.ACTIVE and state.review_due:
        # After a regression the mode is DRY_RUN, and the review is the way up (runbook §6.3).
        if state.rolling_back():
            return f"the rollback of {state.review_due} has not ended yet"
    elif state.status is not TargetStatus.PAUSED:
        return f"the target is {state.status}, not PAUSED"
    if state.installation_paused:
        return "the whole installation is paused; resume it first (--all)"
    if state.open_writes():
        return "a write is still in flight; wait until it is settled"
    return ""


def notice(state: ControlState, told: InstallationNotice, now: datetime) -> None:
    """Follow the Installation; the highest epoch wins, whatever the order of arrival."""
    if not is_newer(told.epoch, state.installation_epoch, now):
        return
    state.installation_epoch = told.epoch
    if told.status is TargetStatus.PAUSED:
        state.installation_paused = True
        pause(
            state,
            PauseRecord(scope="installation", style=told.style, reason=told.reason, actor=told.actor, at=now, epoch=0),
        )
        return
    state.installation_paused = False
    was_held = any(known.scope == "installation" for known in state.pauses)
    state.pauses = [known for known in state.pauses if known.scope != "installation"]
    state.log("installation resumed", actor=told.actor, cause=told.cause)
    # A target that was paused separately stays paused.
    if was_held and not state.pauses and state.status is TargetStatus.PAUSED:
        _climb(state, cause=told.cause, evidence=told.evidence, actor=told.actor, now=now)


def register(state: ControlState, facts: InstallationFacts, now: datetime, *, again: bool = False) -> None:
    """Take over what the Installation knows. Only a target nobody ever knew opens itself.

    ``again``: after a reset. The books have a ledger as of then, and may have missed how the Installation fared since.
    """
    state.registered = True
    state.terms = state.terms.updated(facts.terms)
    state.installation_epoch = max(state.installation_epoch, facts.epoch)
    if again:
        state.installation_paused = False
        state.pauses = [known for known in state.pauses if known.scope != "installation"]
        # What is on its way to a model since then is so all the same (P1).
        open_now = tuple(each for each in facts.booked.reservations if each.exchange)
        recover(state, facts.terms.budget, BookedBefore(reservations=open_now), now)
    else:
        recover(state, facts.terms.budget, facts.booked, now)
    clearances.take_over(state, facts.in_flight)
    rollback_records.take_over(state, facts.left, now)
    follow_ups.take_over(state, facts.left.follows)
    source_records.take_over(state, facts.left)
    if not facts.fresh:
        # Also while everybody is paused: its own pause, forgotten now, must not end with theirs.
        reason = RESET if again else "this Control is new, its target is not (terminated by hand?)"
        pause(state, brake("start", reason, "control", now))
    if facts.status is TargetStatus.PAUSED:
        state.installation_paused = True
        pause(state, brake("installation", facts.reason, "installation", now))
    elif facts.fresh and state.pauses:
        # Paused before it ever opened: that pause is reason enough, but what was queued goes.
        pause(state, state.pauses[-1])
    elif facts.fresh:
        state.status = TargetStatus.ACTIVE
        state.mode = facts.terms.first_mode
        state.log("target opened", mode=state.mode)


def smoke_ended(state: ControlState, report: FinishRequest, now: datetime) -> None:
    """The ladder's next rung: open in PR_ONLY, or back to PAUSED with the reason."""
    ladder = state.ladder
    run = state.runs.get(report.run_id)
    if ladder is None or run is None or run.workflow_id != ladder.smoke_workflow_id:
        return
    verdict = smoke_is_green(report, run)
    if not verdict.allowed:
        pause(state, brake("target", verdict.reason, "resume ladder", now))
        return
    state.ladder = None
    state.pauses = []
    state.status = TargetStatus.ACTIVE
    if state.review_due == ladder.reviews:
        state.mode, state.review_due = Mode.PR_ONLY, ""
    else:
        # A resume of the whole installation, or one before the rollback ended, reviews no regression.
        state.mode = Mode.DRY_RUN
    state.log("resumed", mode=state.mode, smoke=report.run_id, cause=ladder.cause, actor=ladder.actor)
    for held in state.active():
        if held.order.state is OrderState.HOLD:
            state.order(held.run_id, OrderState.PROCEED, "resumed")


def set_mode(state: ControlState, request: ModeRequest, now: datetime) -> Answer:
    """Lowering always works; raising needs an active target (P2), and SELECTIVE_AUTO what ``_unmet`` says.

    Whoever sets SELECTIVE_AUTO says so for a while, and stands in for what has not been earned (``earning``).
    """

    def answer(decision: Decision, reason: str, **more: Fact) -> Answer:
        facts: dict[str, Fact] = {"mode": state.mode, "asked": request.mode, "epoch": state.epoch, **more}
        return state.answer("the mode may be set", decision, reason, **facts)

    raising = RANK[request.mode] > RANK[state.mode]
    if raising and request.expected_epoch != state.epoch:
        return answer(Decision.DENY, f"the epoch is {state.epoch} by now; look again before you raise the mode")
    if raising and state.status is not TargetStatus.ACTIVE:
        return answer(Decision.DENY, f"the target is {state.status}; only the resume ladder opens it")
    if raising and state.review_due:
        how = "`starter.py resume` names cause and evidence; a green smoke then leads to PR_ONLY"
        return answer(Decision.DENY, f"a person must review {state.review_due} first: {how}")
    if raising and RANK[request.mode] > RANK[Mode.PR_ONLY] and (obstacle := _unmet(state, request)):
        return answer(Decision.DENY, obstacle)
    details: dict[str, Fact] = {}
    if override := override_of(request, now):
        kinds = ", ".join(override.task_types) or "every kind of task"
        details = {"overrideUntil": clock(override.until), "overrideFor": kinds}
    state.log("mode set", before=state.mode, mode=request.mode, actor=request.actor, reason=request.reason, **details)
    state.mode, state.override = request.mode, override
    earning.note_losses(state, now)
    return answer(Decision.ALLOW, f"mode is {request.mode}", **details)


def _unmet(state: ControlState, request: ModeRequest) -> str:
    """What a person must see to before a target may merge by itself; empty when nothing."""
    if RANK[request.maximum] < RANK[request.mode]:
        return f"policy allows {request.maximum} at most; raise modes.maximum and the target's maximum_mode first"
    if not request.probes:
        return "the target has no [[probes]]: nothing could say that a merge result is healthy"
    troubled = barred(state)
    return f"no higher mode before this is dealt with: {troubled}" if troubled else ""


def brake(scope: Literal["target", "installation", "start"], reason: str, actor: str, now: datetime) -> PauseRecord:
    """A pause that nobody sent: the system pulls its own brake."""
    return PauseRecord(scope=scope, style=PauseStyle.CHECKPOINT, reason=reason, actor=actor, at=now, epoch=0)


def _climb(state: ControlState, *, cause: str, evidence: str, actor: str, now: datetime) -> None:
    # A new epoch for each ladder, so that its smoke has an id and a run of its own.
    state.epoch += 1
    state.status = TargetStatus.RESUMING
    state.ladder = Ladder(
        cause=cause,
        evidence=evidence,
        actor=actor,
        epoch=state.epoch,
        began_at=now,
        smoke_workflow_id=smoke_id(state.target, state.epoch),
    )
    state.smoke_due = True
    state.failed_in_a_row = []
    state.log("resume begun", cause=cause, evidence=evidence, actor=actor)


# Repeated run failures escalate (policy): Control pauses itself, then opens the incident.
#
# A daily run that ends FAILED or LOST counts. One that ends in an answer (a pull request, a rejection, nothing to do)
# starts the count again, and so does a resume; a run that a person or a pause ended says nothing either way, nor does
# one that the forge did not let work: its own alert says what to do, and an incident would teach nobody anything.


def escalate_failures(state: ControlState, now: datetime) -> bool:
    """Pause and open an incident when too many runs in a row failed. True when that was so."""
    failed = state.failed_in_a_row
    if len(failed) < state.terms.failures_in_a_row:
        return False
    last = shortened(state.runs[failed[-1]].reason, 200)
    reason = f"{counted(len(failed), 'run in a row failed', 'runs in a row failed')}, the last one {failed[-1]}: {last}"
    pause(state, brake("target", reason, "control", now))
    incident = incident_id(failed[-1], Trigger.REPEATED_FAILURES)
    report = IncidentReport(
        incident=incident,
        run_id=failed[-1],
        trigger=Trigger.REPEATED_FAILURES,
        reason=reason,
        runs=tuple(failed[:-1]),
    )
    open_incident(state, report, now)
    state.alert(AlertKind.RUN_FAILED, f"repeated_failures/{incident}", reason, run_id=failed[-1], incident=incident)
    state.failed_in_a_row = []
    return True


# A target's Schedule is paused while the target is, and goes on with it (runbook §7). Convenience, never the brake: a
# Schedule that is triggered by hand starts a run, and admission refuses it.

_LONGEST_NOTE = 500


def schedule_due(state: ControlState) -> SyncScheduleInput | None:
    """What the Schedule must be told now, or None.

    Rules, in order: not before the target is registered · PAUSED under an epoch the Schedule's note is not of: pause
    it · ACTIVE again after that: let it go on · RESUMING: it stays as it is.
    """
    if not state.registered:
        return None
    if state.status is TargetStatus.PAUSED and not (state.schedule_paused and state.schedule_epoch == state.epoch):
        return SyncScheduleInput(target=state.target, paused=True, reason=_schedule_reason(state))
    if state.status is TargetStatus.ACTIVE and state.schedule_paused:
        return SyncScheduleInput(target=state.target, paused=False, reason=f"resumed, epoch {state.epoch}")
    return None


def schedule_begun(state: ControlState, told: SyncScheduleInput) -> None:
    """It is being told: from now on it may be paused by us, whatever becomes of the answer."""
    state.schedule_paused = state.schedule_paused or told.paused


def schedule_synced(state: ControlState, told: SyncScheduleInput, epoch: int) -> None:
    """It was told; what changed meanwhile is due again."""
    state.schedule_paused = told.paused
    state.schedule_epoch = epoch


def _schedule_reason(state: ControlState) -> str:
    text = "; ".join(
        f"{pause.scope} pause by {pause.actor}: {pause.reason or 'no reason given'}" for pause in state.pauses
    )
    return shortened(f"{text or 'paused'} (epoch {state.epoch})", _LONGEST_NOTE)
