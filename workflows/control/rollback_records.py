"""Rollbacks in Control's books (runbook §6.3, §8): once per run, one at a time, never in a loop.

Whatever asks for one, the mode is DRY_RUN first: nothing else moves while a merge is undone, and only a person's
review leads back up (see ``pausing``).
"""

from datetime import datetime, timedelta

from contracts import rollback as after
from contracts.alert import AlertKind
from contracts.control import Answer, LeftBefore
from contracts.incident import IncidentRecord, IncidentReport, Trigger, incident_id
from contracts.modes import Mode, TargetStatus
from contracts.verdict import Decision, Fact
from policies.counted import counted, shortened
from workflows.api import rollback_run_id
from workflows.control import follow_ups
from workflows.control.incident_records import open_incident
from workflows.control.state import ControlState, clock

KEPT = 60
"""Merges the books remember; one whose rollback goes on is never forgotten."""
_ENDED = {
    after.RollbackStage.RESTORED: "it was rolled back already",
    after.RollbackStage.ESCALATED: "its one rollback was escalated; a person goes on by hand",
}
_MERGED_NOTHING = "it merged nothing, and its follow-up has seen nobody merge its pull request"
_DAY = timedelta(days=1)
_LATER = {stage: number for number, stage in enumerate(after.RollbackStage)}


def merged(state: ControlState, report: after.Merged) -> Answer:
    """A merge of ours is on the base, or a person's of a change of ours. Idempotent.

    A person's of a rollback's pull request, which that left to a person: the base is restored by hand.
    """
    undone = report.run.run_id.removeprefix(rollback_run_id(""))
    if undone != report.run.run_id:
        return _restored_by_hand(state, undone, report)
    if report.run.run_id not in state.merges:
        state.merges[report.run.run_id] = after.MergeRecord(merged=report)
        who: dict[str, Fact] = {"who": report.by} if report.by else {}
        state.log(
            "merged by a person" if report.by else "merged",
            **who,
            runId=report.run.run_id,
            mergeSha=report.merge_sha,
            parentSha=report.parent_sha,
            treeSha=report.tree_sha,
            pullRequest=report.pull_request,
            # Whole, for a Control that has lost its books.
            merge=report.model_dump_json(by_alias=True, exclude_none=True),
        )
        if report.by:
            state.note_became(report.run.run_id, after.became("merged", report.by))
        _forget(state)
    return _answer(state, Decision.ALLOW, "recorded", report.run.run_id)


def regression(state: ControlState, report: after.Regression, now: datetime) -> Answer:
    """A confirmed regression of ours: DRY_RUN, the incident, and the rollback unless a blast cap keeps it.

    Rules, in order: a merge has one rollback, so a repeated report changes nothing · the mode is DRY_RUN from now on ·
    the incident is in the books · over a cap (``reverts_per_day``, ``culprit_hours``) a person goes on · else it is
    due.
    """
    run_id = report.merged.run.run_id
    merged(state, report.merged)
    known = state.merges[run_id]
    if known.stage is not after.RollbackStage.NONE:
        return _answer(state, Decision.ALLOW, f"its rollback is {known.stage} already", run_id)
    if known.incident:
        return _answer(state, Decision.DENY, f"{known.incident} is open, and a person's: {known.reason}", run_id)
    incident = _brake(state, known, report.reason, "", now)
    kept_back = _over_a_cap(state, known, now)
    state.alert(
        AlertKind.REQUIRED_CHECK_FAILED,
        f"regression/{run_id}",
        f"{run_id} broke the base: {report.reason}" + (f"; not rolled back: {kept_back}" if kept_back else ""),
        run_id=run_id,
        incident=incident,
        failing=shortened(", ".join(report.failing), 300),
    )
    if kept_back:
        state.merges[run_id] = known.model_copy(update={"incident": incident, "reason": kept_back})
        state.log("rollback kept back", runId=run_id, incident=incident, reason=kept_back)
        return _answer(state, Decision.DENY, f"not rolled back, a person goes on: {kept_back}", run_id)
    _due(state, known, incident, report.reason, "", now)
    return _answer(state, Decision.ALLOW, f"{incident}: the rollback starts now", run_id)


def roll_back(state: ControlState, request: after.RollbackRequest, now: datetime) -> Answer:
    """A person orders a rollback, or lets one go on that a pause holds. The blast caps bind the system, not a person.

    Refused, in order: a blank name or reason (P14) · a run nobody knows · one that merged nothing · rolled back or
    escalated already · a rollback of this target that is running (unless it is this one, and a pause newer than its
    command holds it).
    """
    if not request.actor.strip() or not request.reason.strip():
        return _answer(state, Decision.DENY, "who orders it, and why? Blank is not an answer", request.run_id)
    known = state.merges.get(request.run_id)
    if known is None:
        reason = _MERGED_NOTHING if request.run_id in state.runs else "no such run is in Control's books"
        return _answer(state, Decision.DENY, reason, request.run_id)
    if known.stage in _ENDED:
        return _answer(state, Decision.DENY, _ENDED[known.stage], request.run_id)
    if known.stage is not after.RollbackStage.NONE:
        return _command(state, known, request)
    if going := state.rolling_back():
        return _answer(state, Decision.DENY, f"{going[0].merged.run.run_id} is being rolled back; wait", request.run_id)
    incident = _brake(state, known, request.reason, request.actor, now)
    _due(state, known, incident, request.reason, request.actor, now)
    return _answer(state, Decision.ALLOW, f"{incident}: the rollback starts now, in mode DRY_RUN", request.run_id)


def rolled_back(state: ControlState, report: after.RollbackResult, now: datetime) -> Answer:
    """How a rollback ended: the incident is tagged, the hardening task queued, the idea quarantined. Idempotent.

    One that was called over (terminated by hand), was reset, and found that it had restored the base: restored it is.
    """
    known = state.merges.get(report.run_id)
    restored = report.outcome is after.RollbackOutcome.RESTORED
    after_all = known is not None and known.stage is after.RollbackStage.ESCALATED and restored
    if known is None or (known.stage in _ENDED and not after_all):
        return _answer(state, Decision.ALLOW, "known already, or not in these books", report.run_id)
    tag = after.RollbackTag(
        outcome=after.RollbackOutcome.RESTORED if restored else after.RollbackOutcome.ESCALATED,
        reason=shortened(report.reason, 500),
        seconds=report.seconds,
        impact=shortened(report.impact, 1000),
        revert_sha=report.revert_sha,
        restored_tree=report.restored_tree,
    )
    stage = after.RollbackStage.RESTORED if restored else after.RollbackStage.ESCALATED
    state.merges[report.run_id] = known.model_copy(update={"stage": stage, "result": tag})
    record = state.incidents.get(report.incident)
    if record is not None:
        state.incidents[report.incident] = record.model_copy(update={"rollback": tag, "tagged": False})
    leave(state, known, report, now)
    state.log(
        "rollback ended",
        runId=report.run_id,
        incident=report.incident,
        outcome=report.outcome,
        reason=shortened(report.reason, 500),
        seconds=round(report.seconds, 1),
        impact=shortened(report.impact, 300),
        tree=report.restored_tree,
    )
    if after_all:
        summary = (
            f"the base was restored after all: the rollback of {report.run_id}, which needed a person: {report.reason}"
        )
        state.alert(AlertKind.RUN_FAILED, f"rollback-restored/{report.run_id}", summary, run_id=report.run_id)
    if not restored:
        # What it left open on the forge is a person's now, and watched like any pull request of ours.
        follow_ups.follow_anyway(state, rollback_run_id(report.run_id))
        summary = f"the rollback of {report.run_id} needs a person: {report.reason}"
        state.alert(AlertKind.RUN_FAILED, f"rollback/{report.run_id}", summary, run_id=report.run_id)
    return _answer(state, Decision.ALLOW, "recorded", report.run_id)


def take_over(state: ControlState, left: LeftBefore, now: datetime) -> None:
    """What an earlier Control knew, from the audit logs; what these books know better stays.

    A rollback that had not ended goes on, in DRY_RUN, as far as a pause lets it; a review that is due stays due.
    """
    for merge in left.merges:
        run_id, known = merge.merged.run.run_id, state.merges.get(merge.merged.run.run_id)
        if known is None or _LATER[merge.stage] > _LATER[known.stage]:
            state.merges[run_id] = merge
            state.log("merge taken over", runId=run_id, mergeSha=merge.merged.merge_sha, rollback=merge.stage)
        if merge.stage is after.RollbackStage.DUE and merge.incident not in state.incidents_done:
            record = IncidentRecord(
                incident=merge.incident,
                run_id=run_id,
                trigger=Trigger.REGRESSION,
                reason=merge.reason,
                opened_at=merge.begun_at or now,
                ordered_by=merge.commanded_by,
            )
            state.incidents.setdefault(merge.incident, record)
    if left.review_due:
        state.review_due, state.mode = left.review_due, Mode.DRY_RUN
    _forget(state)


def _restored_by_hand(state: ControlState, run_id: str, report: after.Merged) -> Answer:
    known = state.merges.get(run_id)
    if known is None:
        return _answer(state, Decision.ALLOW, "not in these books", run_id)
    quarantined = state.quarantined.get(known.merged.task_id)
    result = after.RollbackResult(
        run_id=run_id,
        incident=known.incident,
        outcome=after.RollbackOutcome.RESTORED,
        reason=f"{report.by} merged its pull request {report.pull_request}; nobody looked whether the base is healthy",
        revert_sha=report.merge_sha,
        restored_tree=report.tree_sha,
        seconds=(report.merged_at - (known.begun_at or report.merged_at)).total_seconds(),
        impact=known.result.impact if known.result else "",
        idea=quarantined.idea if quarantined else None,
    )
    return rolled_back(state, result, report.merged_at)


def over(state: ControlState, run_id: str) -> str:
    """Why the rollback of a run may write nothing more; empty while it may, or where its merge is not in the books."""
    known = state.merges.get(run_id)
    if known is None or known.stage in {after.RollbackStage.DUE, after.RollbackStage.RUNNING}:
        return ""
    return f"the rollback of {run_id} is {known.stage}: it writes nothing"


def to_start(state: ControlState) -> after.MergeRecord | None:
    """The next rollback, first ordered first; none while another one is running."""
    if running(state):
        return None
    return min(
        state.rolling_back(), key=lambda one: (one.begun_at is None, one.begun_at, one.merged.run.run_id), default=None
    )


def running(state: ControlState) -> str:
    """The run that is being rolled back, or empty."""
    going = (one for one in state.merges.values() if one.stage is after.RollbackStage.RUNNING)
    return next((one.merged.run.run_id for one in going), "")


def start_of(record: after.MergeRecord) -> after.RollbackInput:
    """The input of its workflow."""
    return after.RollbackInput(
        merged=record.merged, incident=record.incident, reason=record.reason, commanded_by=record.commanded_by
    )


def started(state: ControlState, run_id: str) -> None:
    """Its workflow runs."""
    known = state.merges[run_id]
    if known.stage is after.RollbackStage.DUE:
        state.merges[run_id] = known.model_copy(update={"stage": after.RollbackStage.RUNNING})


def to_tag(state: ControlState) -> list[str]:
    """Incidents whose workflow has not heard how the rollback ended."""
    return [name for name, record in state.incidents.items() if record.started and not record.tagged]


def target_memory(state: ControlState) -> after.TargetMemory:
    """What later runs, and people, must know."""
    return after.TargetMemory(
        merges=tuple(state.merges.values()),
        hardening=tuple(state.hardening.values()),
        quarantined=tuple(state.quarantined.values()),
        review_due=state.review_due,
    )


def _brake(state: ControlState, known: after.MergeRecord, reason: str, actor: str, now: datetime) -> str:
    """DRY_RUN first, then the incident: everything else may fail and be tried again while nothing moves.

    ``actor`` is the person who ordered it, whose reason nothing measured; empty: a confirmed regression.
    """
    incident = known.incident or incident_id(known.merged.run.run_id, Trigger.REGRESSION)
    who = actor or f"regression of {known.merged.run.run_id}"
    state.log("mode set", before=state.mode, mode=Mode.DRY_RUN, actor=who, reason=shortened(reason, 500))
    state.mode = Mode.DRY_RUN
    state.review_due = incident
    report = IncidentReport(
        incident=incident,
        run_id=known.merged.run.run_id,
        trigger=Trigger.REGRESSION,
        reason=shortened(reason, 500),
        ordered_by=actor,
    )
    open_incident(state, report, now)
    return incident


def _due(state: ControlState, known: after.MergeRecord, incident: str, reason: str, actor: str, now: datetime) -> None:
    run_id = known.merged.run.run_id
    changes = {
        "stage": after.RollbackStage.DUE,
        "incident": incident,
        "reason": shortened(reason, 500),
        "begun_at": now,
    }
    state.merges[run_id] = known.model_copy(update={**changes, "commanded_by": actor})
    _commanded(state, incident, actor)
    who = actor or "a confirmed regression"
    state.log(
        "rollback ordered", runId=run_id, incident=incident, actor=who, person=actor, reason=shortened(reason, 500)
    )


def _command(state: ControlState, known: after.MergeRecord, request: after.RollbackRequest) -> Answer:
    record = state.incidents.get(known.incident)
    held = record is not None and not (record.commanded_by and record.commanded_epoch == state.epoch)
    if state.status is not TargetStatus.PAUSED or not held:
        return _answer(state, Decision.DENY, f"its rollback is {known.stage} already", request.run_id)
    _commanded(state, known.incident, request.actor)
    state.log(
        "rollback commanded while paused",
        runId=request.run_id,
        actor=request.actor,
        reason=shortened(request.reason, 500),
    )
    return _answer(state, Decision.ALLOW, "the rollback that the pause held goes on", request.run_id)


def _commanded(state: ControlState, incident: str, actor: str) -> None:
    record = state.incidents.get(incident)
    if actor and record is not None:
        command = {"commanded_by": actor, "commanded_epoch": state.epoch}
        state.incidents[incident] = record.model_copy(update=command)


def _over_a_cap(state: ControlState, known: after.MergeRecord, now: datetime) -> str:
    caps = state.terms.rollback_caps
    recent = [m for m in state.merges.values() if m.begun_at is not None and now - m.begun_at < _DAY]
    if len(recent) >= caps.reverts_per_day:
        return f"{counted(len(recent), 'rollback')} within 24 hours, at most {caps.reverts_per_day}"
    age = (now - known.merged.merged_at).total_seconds() / 3600
    if age > caps.culprit_hours:
        return f"the merge is {counted(round(age), 'hour old', 'hours old')}, at most {caps.culprit_hours:g}"
    return ""


def _forget(state: ControlState) -> None:
    idle = [m for m in state.merges.values() if m.stage not in {after.RollbackStage.DUE, after.RollbackStage.RUNNING}]
    for old in sorted(idle, key=lambda m: m.merged.merged_at)[: max(0, len(state.merges) - KEPT)]:
        del state.merges[old.merged.run.run_id]


def _answer(state: ControlState, decision: Decision, reason: str, run_id: str) -> Answer:
    rule = "the merge may be rolled back"
    return state.answer(rule, decision, reason, runId=run_id, mode=state.mode, status=state.status)


# What a rollback leaves in Control's books (runbook §8): the idea in quarantine, a hardening task.

KEPT_TASKS = 40
"""Of each list."""


def leave(state: ControlState, known: after.MergeRecord, report: after.RollbackResult, now: datetime) -> None:
    """The idea goes into quarantine, the hardening task onto the list, however the rollback ended."""
    # One that was terminated, or never came to a plan, says nothing of the idea; its task's id is known.
    task = known.merged.task_id
    idea = report.idea or after.Idea(task_id=task, title=task, tool="", rule="", paths=())
    until = now + state.terms.rollback_caps.quarantine_days * timedelta(days=1)
    reason = shortened(f"rolled back: {known.reason}", 300)
    state.quarantined[idea.task_id] = after.Quarantined(idea=idea, reason=reason, until=until)
    state.hardening[report.incident] = after.HardeningTask(
        incident=report.incident,
        run_id=report.run_id,
        title=shortened(f"Harden: a check that would have caught {report.run_id} ({known.reason})", 200),
        idea=idea,
        at=now,
    )
    state.log("idea quarantined", task=idea.task_id, until=clock(until), reason=reason)
    state.log("hardening task queued", incident=report.incident, runId=report.run_id)
    _bound(state, now)


def _bound(state: ControlState, now: datetime) -> None:
    """Expired quarantines go; of both lists the oldest beyond what the books can carry."""
    live = {name: one for name, one in state.quarantined.items() if one.until > now}
    state.quarantined = dict(sorted(live.items(), key=lambda item: item[1].until)[-KEPT_TASKS:])
    state.hardening = dict(sorted(state.hardening.items(), key=lambda item: item[1].at)[-KEPT_TASKS:])
