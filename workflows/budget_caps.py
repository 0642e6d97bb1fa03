"""A person changes a cap for the present period (update ``set_caps``; runbook §6.4)."""

from __future__ import annotations

from datetime import datetime

from temporalio.exceptions import ApplicationError

from contracts.budget import CapsRequest, Measure, Period
from contracts.control import Answer
from contracts.verdict import Decision, Fact, Verdict
from workflows.budget_book import line_of
from workflows.budget_view import amount
from workflows.budgeting import turn, wake
from workflows.control_state import ControlState

_WHOLE = frozenset({Measure.RUNS, Measure.TOKENS})


def demand_whole(asked: CapsRequest) -> None:
    """Refuse half a run or half a token at its sender: nothing could ever reach such a cap exactly."""
    if asked.measure in _WHOLE and not asked.cap.is_integer():
        near = int(asked.cap)
        reason = f"a cap of {asked.measure} is a whole number: {near} or {near + 1}, not {asked.cap:.10g}"
        raise ApplicationError(reason, type="Malformed", non_retryable=True)


def set_caps(state: ControlState, asked: CapsRequest, now: datetime) -> Answer:
    """Lowering always works; raising needs the present epoch: nothing seen before a pause may loosen after it."""
    turn(state, now)
    book = state.budget

    def answer(decision: Decision, reason: str) -> Answer:
        facts: dict[str, Fact] = {"period": asked.period, "measure": asked.measure, "cap": asked.cap}
        verdict = Verdict(rule="the cap may be set", decision=decision, reason=reason, facts=facts)
        return Answer(accepted=decision is Decision.ALLOW, verdict=verdict, epoch=state.epoch)

    if not book.present():
        return answer(Decision.DENY, "no caps are known yet: the target's policy could not be read so far")
    if asked.period is Period.RUN:
        run = state.runs.get(asked.run_id)
        if asked.measure is Measure.RUNS:
            return answer(Decision.DENY, "a run's number of runs has no cap")
        if run is None or run.closed_at is not None:
            return answer(Decision.DENY, f"{asked.run_id or 'no run named'}: only a run that may go on has a cap")
        period = f"run/{asked.run_id}"
    elif asked.run_id:
        return answer(Decision.DENY, f"a {asked.period} is everybody's: name no run, or use period run")
    else:
        period = book.key_now(asked.period)
    before = book.cap(period, asked.measure)
    if asked.cap > before and asked.expected_epoch != state.epoch:
        return answer(Decision.DENY, f"the epoch is {state.epoch} by now; look again before you raise a cap")
    book.caps_set[line_of(period, asked.measure)] = asked.cap
    state.log(
        "cap set",
        period=period,
        measure=asked.measure,
        before=before,
        cap=asked.cap,
        actor=asked.actor,
        reason=asked.reason,
    )
    if asked.cap > before:
        wake(state, f"{asked.measure} cap of {period} raised by {asked.actor}")
    until = "its end" if asked.period is Period.RUN else f"the end of {period}"
    return answer(Decision.ALLOW, f"{asked.measure}: {amount(before)} before, {amount(asked.cap)} until {until}")
