"""Admission: may this run start? (runbook §3, §7).

The rules, in order; the first that decides, decides:

1. The same workflow run asked before: the same answer. (Another one under the same workflow id: that one is lost.)
2. This (target, kind, mode, date, attempt) has a run, in the books or in the audit logs: ``already_ran``.
3. RESUMING: only the ladder's own smoke. Otherwise a smoke, or anything while PAUSED: refused.
4. More than the mode allows or than anything has earned (see ``earning``), a used-up budget (§6.4: HOLD), or more
   runs than the day's cap: refused.
   A source expansion is no run of the day: no cap of runs is its, but a second one beside it is refused.
5. A run that takes a change out of quarantine, without a grant in force: refused (see ``granting``).
6. Registered with the Installation, a free slot and nobody before it: admitted. Else queued, up to the limit.
"""

import re
from datetime import datetime

from contracts.admission import Admission, AdmitAnswer, AdmitRequest, FinishRequest, Order, OrderState, RunRecord
from contracts.control import Answer
from contracts.modes import GREEN_STATUSES, Mode, RunKind, RunStatus, TargetStatus
from contracts.verdict import Decision, Fact, Verdict
from workflows.control import budget, earning, follow_ups, grants, rollback_records
from workflows.control.earning import RANK
from workflows.control.state import ControlState

_SHORT = {Mode.DRY_RUN: "dry", Mode.PR_ONLY: "pr", Mode.SELECTIVE_AUTO: "auto"}
_SMOKE, _SOURCE = "smoke", "source"


def admit(state: ControlState, request: AdmitRequest, now: datetime) -> AdmitAnswer:
    """Answer at once; never wait (ten waiting updates would lock out the write they wait for)."""
    before = state.terms.earned
    state.terms = state.terms.updated(request.terms)
    _note_earned(state, before)
    earning.note_losses(state, now)
    answer = _admit(state, request, now)
    lost = tuple(
        run
        for run in state.runs.values()
        if run.workflow_id == request.workflow_id and run.status is RunStatus.LOST and not run.report_sha256
    )
    return answer.model_copy(update={"lost": lost})


def _admit(state: ControlState, candidate: AdmitRequest, now: datetime) -> AdmitAnswer:
    for run in state.runs.values():
        if run.workflow_run_id == candidate.workflow_run_id:
            if run.closed_at is not None and run.order.state is not OrderState.CANCELLED:
                reason = f"reset by hand after its end: {run.run_id} is {run.status}"
                return _refusal(
                    run.run_id, run.mode, run.attempt, state, Decision.DENY, reason, Admission.ALREADY_RAN, run
                )
            queued = run.run_id in state.queue
            return _answer(run, Admission.QUEUED if queued else Admission.ADMITTED, "asked before: the same answer")
    _close_predecessor(state, candidate, now)
    request = candidate.request
    terms = candidate.terms
    most, because = earning.ceiling(state, terms.maximum_mode, now)
    mode = request.mode or most
    if request.grant and request.mode is None:
        mode = lower(mode, grants.HIGHEST_MODE)
    attempt = request.attempt
    if request.kind is RunKind.SMOKE:
        # One smoke per ladder: the ladder's epoch makes it new.
        mode, attempt = Mode.DRY_RUN, state.epoch
    elif request.kind is RunKind.SOURCE:
        mode = Mode.DRY_RUN
        attempt = _next_attempt(state, candidate, mode)
    elif request.again or request.grant:
        attempt = _next_attempt(state, candidate, mode)
    dedup = f"{state.target}/{request.kind}/{mode}/{candidate.date}/{attempt}"
    run_id = f"{_stem(state, candidate, mode)}{attempt}"
    known = state.runs.get(run_id)
    if known is not None:
        so_far = "ended" if known.closed_at else "is"
        reason = f"{run_id} {so_far} {known.status}; `--again` makes a new attempt"
        return _refusal(known.run_id, mode, attempt, state, Decision.DENY, reason, Admission.ALREADY_RAN, known)

    if run_id in candidate.taken:
        reason = f"{run_id} has an audit log already; `--again` makes a new attempt"
        return _refusal(run_id, mode, attempt, state, Decision.DENY, reason, Admission.ALREADY_RAN, None)

    # Never the id that the next attempt may get: one run id is one run.
    own = refused_id(state.target, candidate)

    def refuse(reason: str, decision: Decision = Decision.DENY) -> AdmitAnswer:
        state.log("run refused", runId=own, workflowId=candidate.workflow_id, actor=request.actor, reason=reason)
        return _refusal(own, mode, attempt, state, decision, reason, Admission.REFUSED, None)

    smoke, source = request.kind is RunKind.SMOKE, request.kind is RunKind.SOURCE
    ours = state.ladder is not None and candidate.workflow_id == state.ladder.smoke_workflow_id
    if state.status is TargetStatus.RESUMING and not (smoke and ours):
        return refuse("resuming: only the ladder's own smoke run is admitted", Decision.HOLD)
    if (state.registered or state.rewound) and state.status is TargetStatus.PAUSED:
        return refuse(f"the target is PAUSED: {_pause_reasons(state)}", Decision.HOLD)
    if smoke and not ours:
        return refuse("a smoke run is started by the resume ladder only; use mode DRY_RUN instead")
    if RANK[mode] > RANK[most]:
        because = because or f"the target is in {state.mode} and policy allows {terms.maximum_mode}"
        return refuse(f"mode {mode} asked, but {because}")
    if source and (problem := _beside(state)):
        return refuse(problem)
    if not smoke and terms.budget is not None:
        affordable = budget.may_start(state, terms.budget, own, now, counts=not source)
        if not affordable.allowed:
            return refuse(affordable.reason, Decision.HOLD)
    used, cap = _runs_of_the_day(state, candidate), budget.runs_per_day(state, candidate)
    if not (smoke or source) and used >= cap:
        return refuse(f"caps.runs_per_day: {used} of {cap} runs of {candidate.date} are used")
    if request.grant and (problem := grants.may_not_take(state, candidate, mode, now)):
        return refuse(problem)
    room = not state.queue and len(state.occupying()) < terms.max_active
    free = smoke or (state.registered and (source or room))
    if not free and len(state.queue) >= terms.queue_limit:
        return refuse(f"the queue is full ({terms.queue_limit}); control.queue_limit raises it")
    order = Order(revision=state.revision, epoch=state.epoch, state=OrderState.QUEUED)
    state.runs[run_id] = RunRecord(
        run_id=run_id,
        dedup=dedup,
        workflow_id=candidate.workflow_id,
        workflow_run_id=candidate.workflow_run_id,
        kind=request.kind,
        mode=mode,
        date=candidate.date,
        attempt=attempt,
        actor=request.actor,
        policy_digest=candidate.policy_digest,
        status=RunStatus.QUEUED,
        order=order,
        admitted_at=now,
        grant=grants.take(state, request.grant, run_id, now) if request.grant else None,
    )
    facts: dict[str, Fact] = {"runId": run_id, "mode": mode, "actor": request.actor}
    if not (smoke or source):
        facts["periods"] = " ".join(budget.count_run(state, run_id))
    if not free:
        state.queue.append(run_id)
        state.log("run queued", **facts)
        return _answer(state.runs[run_id], Admission.QUEUED, "another run is active, or Control is registering")
    _start(state, run_id)
    state.log("run admitted", **facts)
    return _answer(state.runs[run_id], Admission.ADMITTED, "a slot was free")


def _note_earned(state: ControlState, before: dict[str, str] | None) -> None:
    """What was earned, and what was lost, is a fact of its own in the log."""
    had, has = ({kind for kind, lacks in (each or {}).items() if not lacks} for each in (before, state.terms.earned))
    if had != has:
        state.log("earned modes changed", earned=", ".join(sorted(has - had)), lost=", ".join(sorted(had - has)))


def refused_id(target: str, request: AdmitRequest) -> str:
    """Of an attempt that did not start: by its execution, so that asking again gives the same, and no run gets it."""
    execution = re.sub(r"[^0-9A-Za-z]", "", request.workflow_run_id)
    # The end: server ids of one minute begin alike.
    return f"{target}-{request.date}-refused-{execution[-12:]}"


def promote(state: ControlState) -> None:
    """Give freed slots to the queue, first come first served."""
    while state.registered and state.status is TargetStatus.ACTIVE and state.queue:
        room = len(state.occupying()) < max(1, state.terms.max_active)
        free = [run_id for run_id in state.queue if room or state.runs[run_id].kind is RunKind.SOURCE]
        if not free:
            return
        run_id = free[0]
        state.queue.remove(run_id)
        _start(state, run_id)
        state.log("run admitted from the queue", runId=run_id)


def finish(state: ControlState, report: FinishRequest, now: datetime) -> bool:
    """Close a run that says how it ended. True if this is news."""
    run = state.runs.get(report.run_id)
    if report.merged is not None:
        # Also of a run that was taken for lost: what is on the base is on the base.
        rollback_records.merged(state, report.merged)
    if run is None or run.closed_at is not None:
        return False
    state.close(
        report.run_id,
        now,
        report.status,
        outcome=report.outcome,
        reason=report.reason,
        audit_head=report.audit_head,
        report_sha256=report.report_sha256,
        kept_out=report.kept_out,
    )
    if report.follow_up is None:
        follow_ups.follow_anyway(state, report.run_id)
    return True


def heard(state: ControlState, *, news: bool) -> Answer:
    """A run may always say how it ended."""
    reason = "closed" if news else "was closed already, or is unknown here"
    return state.answer("a run may always say how it ended", Decision.ALLOW, reason)


def smoke_is_green(report: FinishRequest, run: RunRecord) -> Verdict:
    """Whether a smoke opens the target: green end, under the policy that is still current (P2)."""
    current = bool(report.policy_digest) and report.policy_digest == run.policy_digest
    green = report.status in GREEN_STATUSES
    facts: dict[str, Fact] = {
        "status": report.status,
        "policyNow": report.policy_digest,
        "policyThen": run.policy_digest,
    }
    if not green:
        reason = f"the smoke ended {report.status}: {report.reason or 'see its report'}"
    elif not current:
        reason = "the policy changed while the smoke ran"
    else:
        reason = "the smoke is green under the current policy"
    decision = Decision.ALLOW if green and current else Decision.DENY
    return Verdict(rule="the smoke run is green", decision=decision, reason=reason, facts=facts)


def lower(one: Mode, other: Mode) -> Mode:
    """The lesser of two modes."""
    return min(one, other, key=RANK.__getitem__)


def _start(state: ControlState, run_id: str) -> None:
    state.runs[run_id] = state.runs[run_id].model_copy(update={"status": RunStatus.RUNNING})
    state.order(run_id, OrderState.PROCEED)


def _beside(state: ControlState) -> str:
    """Why a source expansion may not start beside what runs; empty: it may."""
    found = [run for run in state.runs.values() if run.kind is RunKind.SOURCE and run.closed_at is None]
    return f"{found[0].run_id} is {found[0].status}: a target has one source expansion at a time" if found else ""


def _stem(state: ControlState, request: AdmitRequest, mode: Mode) -> str:
    """A run's id without its attempt."""
    of_kind = {RunKind.SMOKE: _SMOKE, RunKind.SOURCE: _SOURCE}
    return f"{state.target}-{request.date}-{of_kind.get(request.request.kind, _SHORT[mode])}-"


def _next_attempt(state: ControlState, request: AdmitRequest, mode: Mode) -> int:
    taken = [
        run.attempt
        for run in state.runs.values()
        if (run.kind, run.mode, run.date) == (request.request.kind, mode, request.date)
    ]
    prefix = _stem(state, request, mode)
    # Somebody's copy of a log ("…-1.bak") is no attempt, and must not break Control.
    logged = [run_id.removeprefix(prefix) for run_id in request.taken if run_id.startswith(prefix)]
    return max([request.request.attempt - 1, *taken, *(int(number) for number in logged if number.isdecimal())]) + 1


def _runs_of_the_day(state: ControlState, request: AdmitRequest) -> int:
    """Counted from the audit logs, too: forgotten records still count."""
    others = tuple(f"{state.target}-{request.date}-{kind}-" for kind in (_SMOKE, _SOURCE))
    logged = {run_id for run_id in request.taken if not run_id.startswith(others)}
    booked = {run.run_id for run in state.runs.values() if run.date == request.date and run.kind is RunKind.DAILY}
    return len(logged | booked)


def _close_predecessor(state: ControlState, request: AdmitRequest, now: datetime) -> None:
    """Two runs never share a workflow id: whoever is still open under this one was terminated by hand."""
    for run in list(state.runs.values()):
        if run.workflow_id == request.workflow_id and run.closed_at is None and run.kind is not RunKind.SMOKE:
            state.close(run.run_id, now, RunStatus.LOST, reason="its workflow id was started again")
            follow_ups.follow_anyway(state, run.run_id)
            promote(state)


def _pause_reasons(state: ControlState) -> str:
    return "; ".join(f"{pause.scope} pause by {pause.actor}: {pause.reason}" for pause in state.pauses) or "no reason"


def _answer(run: RunRecord, answer: Admission, reason: str) -> AdmitAnswer:
    verdict = Verdict(
        rule="the run may start",
        decision=Decision.ALLOW if answer is Admission.ADMITTED else Decision.HOLD,
        reason=reason,
        facts={"runId": run.run_id, "mode": run.mode},
    )
    return AdmitAnswer(
        answer=answer,
        run_id=run.run_id,
        mode=run.mode,
        attempt=run.attempt,
        order=run.order,
        verdict=verdict,
        grant=run.grant,
    )


def _refusal(
    run_id: str,
    mode: Mode,
    attempt: int,
    state: ControlState,
    decision: Decision,
    reason: str,
    answer: Admission,
    previous: RunRecord | None,
) -> AdmitAnswer:
    verdict = Verdict(
        rule="the run may start",
        decision=decision,
        reason=reason,
        facts={"runId": run_id, "mode": mode, "epoch": state.epoch},
        children=(state.why(),),
    )
    order = Order(revision=state.revision, epoch=state.epoch, state=OrderState.CANCELLED, reason=reason)
    return AdmitAnswer(
        answer=answer, run_id=run_id, mode=mode, attempt=attempt, order=order, verdict=verdict, previous=previous
    )
