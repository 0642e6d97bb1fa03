"""Clearances: may this write begin, and how did it end? (P1, P3, P7).

``begin`` decides, in order:

1. Settled as done under this key: ``settled``, adopt the result.
2. Begun by this very attempt, unsettled, before its deadline: the same clearance; ``look_only`` if it may not now.
3. Begun by another attempt before its deadline: ``busy``.
4. Allowed now (see ``allowed``): ``go``, with a new clearance.
5. Not allowed, but an earlier attempt's deadline has passed unsettled: ``look_only``.
6. Else ``refused``.

The dashboard writes under keys of its own, one at a time (else ``busy``); the books keep its latest only.
"""

from datetime import datetime, timedelta

from contracts.admission import OrderState, RunRecord
from contracts.clearance import (
    TAKES_A_PLACE,
    SettleRequest,
    WriteAnswer,
    WriteAnswerKind,
    WriteOutcome,
    WriteRecord,
    WriteRequest,
)
from contracts.control import Answer
from contracts.dashboard import DASHBOARD
from contracts.effect import Clearance
from contracts.forge_facts import asked_on
from contracts.modes import Mode, TargetStatus, WriteAction, WriteClass
from contracts.verdict import Decision, Verdict
from workflows.api import rollback_run_id
from workflows.control import earning, follow_ups, rollback_records
from workflows.control.earning import RANK
from workflows.control.state import ControlState, clock

_PUBLISHING = frozenset(
    {
        WriteAction.PUSH_BRANCH,
        WriteAction.OPEN_PULL_REQUEST,
        WriteAction.UPDATE_PULL_REQUEST,
        WriteAction.CLOSE_PULL_REQUEST,
        WriteAction.MERGE,
    }
)
_ACTIONS = {
    WriteClass.ADVANCE: _PUBLISHING | {WriteAction.REMOVE_BRANCH, WriteAction.COMMENT},
    WriteClass.REPAIR: _PUBLISHING | {WriteAction.REVERT},
    # Cleared even while paused, so nothing that moves a ref may call itself a record.
    WriteClass.RECORD: frozenset(
        {
            WriteAction.OPEN_TICKET,
            WriteAction.UPDATE_TICKET,
            WriteAction.CLOSE_TICKET,
            WriteAction.COMMENT,
            # Its head only, which says what became of it.
            WriteAction.UPDATE_PULL_REQUEST,
        }
    ),
}

_SAYING = frozenset({WriteAction.COMMENT, WriteAction.UPDATE_PULL_REQUEST})


def begin(state: ControlState, request: WriteRequest, now: datetime) -> WriteAnswer:
    """Answer at once; a ``go`` is counted as in flight until it is settled."""
    known = state.writes.get(request.key)
    if known is not None and known.outcome is WriteOutcome.DONE:
        verdict = _verdict(Decision.ALLOW, "already done under this key", request)
        return WriteAnswer(answer=WriteAnswerKind.SETTLED, verdict=verdict, result=known.result, merged=known.merges)
    expired = False
    if known is not None and known.settled_at is None:
        in_time = now < known.clearance.deadline
        if in_time and known.clearance.attempt == request.attempt:
            # It asks again, so it has not acted yet: after a pause it must not begin (P1).
            verdict = allowed(state, request, now)
            again = WriteAnswerKind.GO if verdict.allowed else WriteAnswerKind.LOOK_ONLY
            return WriteAnswer(answer=again, verdict=verdict, clearance=known.clearance)
        if in_time:
            reason = f"another attempt holds the clearance until {clock(known.clearance.deadline)}"
            wait = (known.clearance.deadline - now).total_seconds()
            verdict = _verdict(Decision.HOLD, reason, request)
            return WriteAnswer(answer=WriteAnswerKind.BUSY, verdict=verdict, retry_after_seconds=wait)
        expired = True
    if request.run_id == DASHBOARD and (other := _forget_dashboards(state, request, now)):
        verdict = _verdict(Decision.HOLD, f"another look writes the dashboard until {clock(other)}", request)
        wait = (other - now).total_seconds()
        return WriteAnswer(answer=WriteAnswerKind.BUSY, verdict=verdict, retry_after_seconds=wait)
    verdict = allowed(state, request, now)
    if not verdict.allowed and not expired:
        state.log("write refused", key=request.key, action=request.action, reason=verdict.reason)
        return WriteAnswer(answer=WriteAnswerKind.REFUSED, verdict=verdict)
    clearance = Clearance(
        key=request.key,
        attempt=request.attempt,
        action=request.action,
        write_class=request.write_class,
        branch=request.branch,
        head_sha=request.head_sha,
        base_sha=request.base_sha,
        policy_digest=request.policy_digest,
        epoch=state.epoch,
        seconds=request.seconds,
        deadline=now + timedelta(seconds=request.seconds),
    )
    state.writes[request.key] = WriteRecord(
        key=request.key,
        run_id=request.run_id,
        clearance=clearance,
        began_at=now,
        merges=request.merges,
        follows=request.follows,
    )
    answer = WriteAnswerKind.GO if verdict.allowed else WriteAnswerKind.LOOK_ONLY
    state.log(
        "write begun",
        key=request.key,
        action=request.action,
        answer=answer,
        headSha=request.head_sha,
        attempt=request.attempt,
        deadline=clock(clearance.deadline),
    )
    return WriteAnswer(answer=answer, verdict=verdict, clearance=clearance)


def settle(state: ControlState, report: SettleRequest, now: datetime) -> Answer:
    """Accept the end of a write from the attempt that began it, or by looking after its deadline."""
    known = state.writes.get(report.key)

    def answer(decision: Decision, reason: str) -> Answer:
        return state.answer("the write may be settled", decision, reason, key=report.key)

    if known is None:
        return answer(Decision.DENY, "no write was begun under this key")
    if known.settled_at is not None:
        same = known.outcome is report.outcome
        return answer(Decision.ALLOW if same else Decision.DENY, f"already settled as {known.outcome}")
    if known.clearance.attempt != report.attempt and not (report.looked and now >= known.clearance.deadline):
        return answer(Decision.DENY, f"another attempt holds it until {clock(known.clearance.deadline)}")
    state.writes[report.key] = known.model_copy(
        update={
            "settled_at": now,
            "outcome": report.outcome,
            "result": report.result,
            "merges": report.merged or known.merges,
        }
    )
    # Until the log has it, it counts as in flight to a Control that is new: looked up again after its deadline.
    state.mention(
        known.run_id,
        "write settled",
        key=report.key,
        outcome=report.outcome,
        result=report.result,
        looked=report.looked,
        attempt=known.clearance.attempt,
    )
    if report.outcome is WriteOutcome.DONE and (merged := report.merged or known.merges) is not None:
        rollback_records.merged(state, merged)
    follow_ups.settled(state, known.run_id)
    return answer(Decision.ALLOW, "settled")


def take_over(state: ControlState, in_flight: tuple[WriteRecord, ...]) -> None:
    """What an earlier Control let begin counts as in flight until it is settled: by its attempt, or by looking."""
    for write in in_flight:
        if write.key not in state.writes and write.run_id != DASHBOARD:
            state.writes[write.key] = write
            state.log(
                "write taken over",
                key=write.key,
                action=write.clearance.action,
                attempt=write.clearance.attempt,
                deadline=clock(write.clearance.deadline),
            )


def allowed(state: ControlState, request: WriteRequest, now: datetime) -> Verdict:
    """The write classes: ``advance`` never in PAUSED or DRY_RUN, ``repair`` for an open incident, ``record`` always.

    But a question on an issue (a record) begins something, and may what an ``advance`` may.
    """
    if request.action not in _ACTIONS[request.write_class]:
        return _verdict(Decision.DENY, f"{request.action} is no {request.write_class} write", request)
    if request.run_id == DASHBOARD:
        return _dashboard(request)
    if request.write_class is WriteClass.RECORD and request.action in _SAYING and _ended(state, request):
        return _verdict(Decision.ALLOW, "says what became of a pull request of ours", request)
    if request.write_class is WriteClass.RECORD and request.action is WriteAction.UPDATE_PULL_REQUEST:
        return _verdict(Decision.DENY, "it is neither followed nor undone in Control's books", request)
    if request.write_class is WriteClass.RECORD and request.run_id in state.incidents:
        # An incident outlives its run; the clearance is for its own ticket, under its own key.
        return _verdict(Decision.ALLOW, "a record of an incident in the books", request)
    if request.write_class is WriteClass.REPAIR:
        # A rollback outlives its run: it is booked under its own id, and its incident is what allows it.
        return _repair(state, request)
    run = state.runs.get(request.run_id)
    if run is None or run.closed_at is not None:
        return _verdict(Decision.DENY, "the run is not open in Control's books", request)
    if request.policy_digest != run.policy_digest:
        return _verdict(Decision.HOLD, "the policy is not the one this run was admitted under", request)
    # A DRY_RUN did nothing that could be said on a pull request; a question on an issue waits while nothing goes on.
    silent = request.action is WriteAction.COMMENT and (run.mode is Mode.DRY_RUN or asked_on(request.key) is not None)
    if request.write_class is WriteClass.RECORD and not silent:
        return _verdict(Decision.ALLOW, "a record never moves a ref", request)
    if run.grant is not None and run.grant.expires_at <= now:
        return _verdict(Decision.DENY, f"the grant of this change ended at {clock(run.grant.expires_at)}", request)
    return _advance(state, request, run, now)


def _ended(state: ControlState, request: WriteRequest) -> bool:
    """Of a run that is over, whose merge or pull request is followed; or of the rollback of an open incident."""
    if request.run_id in state.followed or request.run_id in state.to_follow:
        return True
    incident = state.incidents.get(request.incident)
    return incident is not None and request.run_id == rollback_run_id(incident.run_id)


def _dashboard(request: WriteRequest) -> Verdict:
    if request.write_class is WriteClass.RECORD and request.action is WriteAction.UPDATE_TICKET:
        # Also while paused, and under any policy: it says what is true, and moves nothing.
        return _verdict(Decision.ALLOW, "the dashboard is kept in every state", request)
    return _verdict(Decision.DENY, f"the dashboard only updates its ticket: {request.action} is not its to do", request)


def _forget_dashboards(state: ControlState, request: WriteRequest, now: datetime) -> datetime | None:
    """Drop all its writes that are over, but the latest settled one; or until when another one is in flight."""
    others = [write for write in state.writes.values() if write.run_id == DASHBOARD and write.key != request.key]
    flying = [write.clearance.deadline for write in others if write.settled_at is None]
    settled = [write.key for write in others if write.settled_at is not None]
    over = {write.key for write in others if write.settled_at is None and write.clearance.deadline <= now}
    over.update(settled[:-1])
    state.writes = {key: write for key, write in state.writes.items() if key not in over}
    return max((deadline for deadline in flying if deadline > now), default=None)


def _advance(state: ControlState, request: WriteRequest, run: RunRecord, now: datetime) -> Verdict:
    if run.mode is Mode.DRY_RUN:
        return _verdict(Decision.DENY, "the run is a DRY_RUN: no advance write can begin", request)
    if request.action is WriteAction.MERGE and run.mode is not Mode.SELECTIVE_AUTO:
        return _verdict(Decision.DENY, f"{run.mode} never merges", request)
    if state.status is not TargetStatus.ACTIVE:
        return _verdict(Decision.HOLD, f"the target is {state.status}", request)
    if RANK[state.mode] < RANK[run.mode]:
        return _verdict(Decision.DENY, f"the target's mode was lowered to {state.mode}", request)
    if run.mode is Mode.SELECTIVE_AUTO and (request.action is WriteAction.MERGE or request.task_type):
        alone = earning.merges_alone(state, request.task_type, now)
        if not alone.allowed:
            return _verdict(Decision.DENY, alone.reason, request)
    if run.order.state is not OrderState.PROCEED:
        return _verdict(Decision.HOLD, f"the run's order is {run.order.state}", request)
    most = state.terms.open_pull_requests
    if most and request.action in TAKES_A_PLACE:
        taken = follow_ups.taken_places(state, request.run_id, request.open_pulls)
        if taken >= most:
            reason = f"caps.open_pull_requests: {taken} of {most} wait for a person, or are being opened by other runs"
            return _verdict(Decision.DENY, reason, request)
    return _verdict(Decision.ALLOW, f"active in mode {state.mode}", request)


def _repair(state: ControlState, request: WriteRequest) -> Verdict:
    incident = state.incidents.get(request.incident)
    if incident is None:
        return _verdict(Decision.DENY, "a repair must name an open incident", request)
    if request.run_id != rollback_run_id(incident.run_id):
        return _verdict(Decision.DENY, f"{incident.incident} is about {incident.run_id}, not about this", request)
    if ended := rollback_records.over(state, incident.run_id):
        # Reset by hand after Control gave it up: a person may be at work on the base.
        return _verdict(Decision.DENY, ended, request)
    if state.mode is not Mode.DRY_RUN:
        # Somebody raised it meanwhile: the next write would not be the only thing that moves.
        return _verdict(Decision.HOLD, f"a repair waits until the mode is DRY_RUN; it is {state.mode}", request)
    commanded = incident.commanded_by and incident.commanded_epoch == state.epoch
    if state.status is TargetStatus.PAUSED and not commanded:
        return _verdict(Decision.HOLD, "in PAUSED a repair needs a person's command, newer than the pause", request)
    return _verdict(Decision.ALLOW, f"repairs incident {incident.incident}", request)


def _verdict(decision: Decision, reason: str, request: WriteRequest) -> Verdict:
    return Verdict(
        rule=f"{request.action} may begin",
        decision=decision,
        reason=reason,
        facts={"key": request.key, "class": request.write_class, "branch": request.branch, "headSha": request.head_sha},
    )
