"""The budget's rules (runbook §3, §6.4; P9): money is reserved before it is spent, and settled after.

``reserve`` decides, in order:

1. An exchange with a model, and another attempt makes the step by now: HOLD. Its worker was taken for dead, and is not.
2. Reserved by this very attempt: yes, the same reservation.
3. Reserved by another attempt that never settled: that one is lost; it is booked, then this one is judged.
4. An exchange, and the run, or its target, is paused: HOLD. What waits for money waits after that.
5. A cost of the target is unknown: HOLD until a person states it.
6. The worst case fits what is left of every cap, of the run and the present day, week and month, and of an
   exchange what the charter gives its step: reserved. Else HOLD.

A step's own reservation by another attempt books the exchanges that the one before has left: their worker is dead.

What is reserved counts as spent until it is settled, so runs side by side can not pass a cap together.
"""

from datetime import datetime

from temporalio.exceptions import ApplicationError

from contracts import budget as money
from contracts.admission import AdmitRequest, OrderState
from contracts.control import Answer
from contracts.modes import RunKind, TargetStatus
from contracts.verdict import Decision, Fact, Verdict
from policies.counted import counted, shortened
from policies.verdicts import hold
from workflows.control import budget_book, earning
from workflows.control.budget_alerts import cost_known, cost_unknown, exhausted, weigh
from workflows.control.budget_book import amount, cap_name
from workflows.control.state import ControlState


def roll_periods(state: ControlState, now: datetime, terms: money.BudgetTerms | None = None) -> None:
    """Bring the books up to date: the present periods, and what closed runs left behind."""
    book = state.budget
    before = set(book.present())
    book.terms = terms or book.terms
    if book.terms is None:
        return
    # Never back: a clock that jumps must not open a period that is over.
    book.as_of = max(book.as_of, now) if book.as_of else now
    present = book.present()
    least = {budget_book.kind_of(key): key for key in present}

    def over(period: str) -> bool:
        kind = budget_book.kind_of(period)
        return (
            period < least[kind]
            if kind is not money.Period.RUN
            else not _remembered(state, period.removeprefix("run/"))
        )

    for reservation in list(book.reservations.values()):
        run = state.runs.get(reservation.run_id)
        if reservation.unknown:
            continue
        if run is not None and run.closed_at is not None:
            _book_lost(state, reservation, run.closed_at)
        elif run is None and all(map(over, reservation.periods)):
            _book_lost(state, reservation, now)
    _forget_runs(state)
    book.spent = {period: amounts for period, amounts in book.spent.items() if not over(period)}
    book.caps_set = {line: cap for line, cap in book.caps_set.items() if not over(line.rpartition("/")[0])}
    book.alerted = {line: most for line, most in book.alerted.items() if not over(line.rpartition("/")[0])}
    book.waiting = {run_id: caps for run_id, caps in book.waiting.items() if _open(state, run_id)}
    book.reports = [ref for ref in book.reports if not over(ref.period)][-budget_book.KEPT_REPORTS :]
    if before and before != set(present):
        wake(state, "a new period began")


def reserve(state: ControlState, request: money.ReserveRequest, now: datetime) -> money.ReserveAnswer:
    """Reserve the worst case, or HOLD with every cap that it would pass."""
    roll_periods(state, now, request.terms)
    book = state.budget
    if request.exchange and _overtaken(state, request):
        verdict = hold(money.MAY_ASK, "another attempt makes this step now", key=request.key)
        return money.ReserveAnswer(reserved=False, verdict=verdict)
    known = book.reservations.get(request.key)
    paused = _paused(state, request) if request.exchange else ""
    if known is not None and not known.unknown:
        if known.attempt == request.attempt and paused:
            # It asks again, so nothing has gone up; and nothing will.
            _book(state, known, money.Amounts(), "not begun")
        elif known.attempt == request.attempt:
            return money.ReserveAnswer(reserved=True, verdict=_verdict(Decision.ALLOW, "reserved before", request))
        else:
            _book_lost(state, known, now)
    if not request.exchange:
        _book_left(state, request, now)
    run = state.runs.get(request.run_id)
    if run is not None and run.closed_at is not None:
        return money.ReserveAnswer(reserved=False, verdict=_verdict(Decision.DENY, f"the run is {run.status}", request))
    if paused:
        verdict = hold(money.MAY_ASK, paused, key=request.key)
        return money.ReserveAnswer(reserved=False, verdict=verdict)
    verdict = _may_reserve(state, request)
    if not verdict.allowed:
        if any(child.rule != money.ROLE_HAS_ROOM for child in verdict.children):
            _refused(state, request, verdict)
        return money.ReserveAnswer(reserved=False, verdict=verdict)
    book.waiting.pop(request.run_id, None)
    book.reservations[request.key] = money.Reservation(
        key=request.key,
        attempt=request.attempt,
        run_id=request.run_id,
        worst=request.worst,
        at=now,
        periods=book.present(),
        exchange=request.exchange,
    )
    if request.worst.usd or request.worst.tokens:
        # Minutes alone need no record: a Control reborn without its books loses no money by them.
        state.log("cost reserved", **_logged(book.reservations[request.key]), **_amounts(request.worst))
    return money.ReserveAnswer(reserved=True, verdict=verdict)


def settle(state: ControlState, report: money.SettleCost, now: datetime) -> Answer:
    """Book what a step really cost. Late, twice or after a lost ledger: never lost, and never booked twice."""
    roll_periods(state, now)
    book = state.budget
    run_id = report.key.rpartition("/")[0]
    known = book.reservations.get(report.key)
    if known is None or known.attempt != report.attempt:
        if book.has_settled(report.key, report.attempt):
            return _answer(state, Decision.ALLOW, "booked before", report.key)
        if known is not None or not book.present():
            return _answer(state, Decision.DENY, "this attempt has reserved nothing", report.key)
        # Reserved from a Control that has lost its books since: the money is spent all the same.
        known = money.Reservation(
            key=report.key, attempt=report.attempt, run_id=run_id, worst=money.Amounts(), at=now, periods=book.present()
        )
    if known.unknown:
        return _answer(state, Decision.ALLOW, "its cost is unknown already; a person states it", report.key)
    if report.cost is not None:
        cost = report.cost.model_copy(update={"agent_minutes": report.agent_minutes, "runs": 0})
        _book(state, known, cost, "settled")
        earning.note_losses(state, now)
        return _answer(state, Decision.ALLOW, "booked", report.key)
    worst = known.worst.model_copy(update={"agent_minutes": report.agent_minutes})
    held = known.model_copy(update={"unknown": True, "note": report.note, "worst": worst})
    book.reservations[report.key] = held
    cost_so_far = _run(book, run_id)
    book.runs[run_id] = cost_so_far.model_copy(update={"unknown": (*cost_so_far.unknown, report.key)})
    state.log("cost unknown", **_logged(held), **_amounts(worst), note=report.note)
    cost_unknown(state, report.key, budget_book.unknown_cost(held, state.target).reason)
    return _answer(state, Decision.ALLOW, "unknown: nothing more is reserved until a person states it", report.key)


def state_cost(state: ControlState, report: money.CostStatement, now: datetime) -> Answer:
    """A person says what an unknown cost was; the target goes on."""
    roll_periods(state, now)
    known = state.budget.reservations.get(report.key)
    if known is None or not known.unknown:
        waiting = ", ".join(each.key for each in state.budget.unknown()) or "none"
        return _answer(state, Decision.DENY, f"no cost is unknown under this key; unknown now: {waiting}", report.key)
    minutes = report.cost.agent_minutes or known.worst.agent_minutes
    cost = report.cost.model_copy(update={"agent_minutes": minutes, "runs": 0})
    cost_known(state, report.key)
    _book(state, known, cost, "stated", actor=report.actor, evidence=report.evidence)
    return _answer(
        state, Decision.ALLOW, f"booked: {amount(cost.usd)} USD, {counted(cost.tokens, 'token')}", report.key
    )


def may_start(
    state: ControlState, terms: money.BudgetTerms, run_id: str, now: datetime, *, counts: bool = True
) -> Verdict:
    """Whether the budget lets a new run start (runbook §6.4): HOLD lifts with a cap, a statement or the next period.

    ``counts``: it is one of the runs that are capped in number.
    """
    roll_periods(state, now, terms)
    verdict = budget_book.blocked(state.budget, state.target, counts=counts)
    if verdict.allowed:
        return verdict
    for period, measure in budget_book.used_up(state.budget):
        exhausted(state, period, measure, verdict.reason, run_id)
    return verdict


def runs_per_day(state: ControlState, request: AdmitRequest) -> int:
    """Policy's, or what a person set for that day."""
    return int(
        state.budget.caps_set.get(
            budget_book.line_of(f"day/{request.date}", money.Measure.RUNS), request.terms.runs_per_day
        )
    )


def count_run(state: ControlState, run_id: str) -> tuple[str, ...]:
    """A run was admitted or queued; returns the periods it counts in."""
    book = state.budget
    periods = book.present()
    for period in periods:
        book.spent[period] = book.spent_in(period) + money.Amounts(runs=1)
    book.runs[run_id] = _run(book, run_id).model_copy(update={"periods": periods})
    weigh(state, periods, run_id)
    return periods


def wake(state: ControlState, reason: str, besides: str = "") -> None:
    """Runs that wait for money try again at once, ``besides`` one; one held by a pause stays held."""
    for run_id in state.budget.waiting:
        if run_id != besides and _open(state, run_id) and state.runs[run_id].order.state is OrderState.PROCEED:
            state.order(run_id, OrderState.PROCEED, reason)


def _may_reserve(state: ControlState, request: money.ReserveRequest) -> Verdict:
    book = state.budget
    children = [budget_book.unknown_cost(each, state.target) for each in book.unknown()]
    for period in (f"run/{request.run_id}", *book.present()):
        for measure in budget_book.measures_of(period):
            wanted = budget_book.of(request.worst, measure)
            spent, reserved = (
                budget_book.of(book.spent_in(period), measure),
                budget_book.of(book.reserved_in(period), measure),
            )
            cap = book.cap(period, measure)
            if not wanted or spent + reserved + wanted <= cap + 1e-9:
                continue
            reason = (
                f"{cap_name(period, measure)}: {amount(spent)} spent + {amount(reserved)} reserved + {amount(wanted)} "
                f"at worst is more than {amount(cap)}. Lifted by "
                + "; or ".join(budget_book.lifted_by(book, state.target, period, measure))
            )
            rule = f"{cap_name(period, measure)} has room for the step"
            children.append(hold(rule, reason, period=period, measure=measure, cap=cap, spent=spent))
    children += _step_caps(state, request)
    if not children:
        return _verdict(Decision.ALLOW, "its worst case fits every cap", request)
    reason = shortened("; ".join(child.reason for child in children), 2000)
    return _verdict(Decision.HOLD, reason, request).model_copy(update={"children": tuple(children)})


def _step_caps(state: ControlState, request: money.ReserveRequest) -> list[Verdict]:
    """What a role may cost in one run, over all exchanges of its step."""
    if request.step_most is None:
        return []
    step, found = money.step_of(request.key), []
    so_far = _run(state.budget, request.run_id).exchanges.get(step, money.Amounts())
    for each in state.budget.reservations.values():
        so_far = so_far + each.worst if each.exchange and money.step_of(each.key) == step else so_far
    for measure in (money.Measure.USD, money.Measure.TOKENS):
        wanted, used = budget_book.of(request.worst, measure), budget_book.of(so_far, measure)
        most = budget_book.of(request.step_most, measure)
        if wanted and used + wanted > most + 1e-9:
            reason = (
                f"the role's {measure}: {amount(used)} spent or reserved + {amount(wanted)} at worst is more than the "
                f"{amount(most)} that charter.toml gives it for one run"
            )
            found.append(hold(money.ROLE_HAS_ROOM, reason, measure=measure, cap=most))
    return found


def _paused(state: ControlState, request: money.ReserveRequest) -> str:
    """Why no byte of an exchange may go up (P1); empty: it may."""
    run = state.runs.get(request.run_id)
    if run is None:
        return "Control does not know the run (any more)"
    if run.order.state is not OrderState.PROCEED:
        return f"paused: {run.order.reason or f'the order of the run is {run.order.state}'}"
    climbing = state.status is TargetStatus.RESUMING and run.kind is RunKind.SMOKE
    return "" if state.status is TargetStatus.ACTIVE or climbing else f"paused: the target is {state.status}"


def _overtaken(state: ControlState, request: money.ReserveRequest) -> bool:
    step = state.budget.reservations.get(money.step_of(request.key))
    return step is not None and step.attempt != request.attempt


def _book_left(state: ControlState, request: money.ReserveRequest, now: datetime) -> None:
    """Whoever makes the step again is another attempt: the one before has no exchange under way any more."""
    for each in state.budget.exchanging():
        if money.step_of(each.key) == request.key and each.attempt != request.attempt:
            _book_lost(state, each, now)


def _refused(state: ControlState, request: money.ReserveRequest, verdict: Verdict) -> None:
    """Say it once: a run that waits asks again and again."""
    caps = "; ".join(child.rule for child in verdict.children)
    if state.budget.waiting.get(request.run_id) != caps:
        state.log("cost refused", key=request.key, reason=shortened(verdict.reason, 500))
    state.budget.waiting[request.run_id] = caps
    for child in verdict.children:
        if "period" in child.facts:
            period, measure = str(child.facts["period"]), money.Measure(str(child.facts["measure"]))
            exhausted(state, period, measure, child.reason, request.run_id)


def _book_lost(state: ControlState, lost: money.Reservation, now: datetime) -> None:
    """An attempt died and can not say: its minutes so far, at most those reserved, and its money at the worst case."""
    # Of an exchange none are reserved: they are its step's.
    minutes = max(0.0, (now - lost.at).total_seconds() / 60)
    cost = lost.worst.model_copy(update={"agent_minutes": min(minutes, lost.worst.agent_minutes)})
    run = _run(state.budget, lost.run_id)
    state.budget.runs[lost.run_id] = run.model_copy(update={"lost": run.lost + 1})
    _book(state, lost, cost, "lost")


def _book(state: ControlState, known: money.Reservation, cost: money.Amounts, how: str, **more: Fact) -> None:
    book = state.budget
    book.reservations.pop(known.key, None)
    for period in known.periods:
        book.spent[period] = book.spent_in(period) + cost
    run = _run(book, known.run_id)
    exchanges = run.exchanges
    if known.exchange:
        step = money.step_of(known.key)
        exchanges = {**exchanges, step: exchanges.get(step, money.Amounts()) + cost}
    book.runs[known.run_id] = run.model_copy(
        update={
            "exchanges": exchanges,
            "total": run.total + cost,
            "periods": known.periods,
            "unknown": tuple(key for key in run.unknown if key != known.key),
            "settled": (*run.settled, budget_book.settled_mark(known.key, known.attempt))[-budget_book.KEPT_SETTLED :],
        }
    )
    facts: dict[str, Fact] = {**_logged(known), **_amounts(cost), "how": how, **more}
    if cost.usd or cost.tokens:
        state.log("cost booked", **facts)
    else:
        state.mention(known.run_id, "cost booked", **facts)
    weigh(state, tuple(period for period in known.periods if period in book.present()), known.run_id)
    # Its own step, whose exchange was refused, frees nothing for the next one: it would begin again, and again.
    wake(state, "the budget changed", besides="" if how == "stated" else known.run_id)


def _forget_runs(state: ControlState) -> None:
    """Runs that may go on are kept; of the others the newest, as long as one of their periods lasts."""
    book = state.budget
    book.runs = {run_id: run for run_id, run in book.runs.items() if _remembered(state, run_id)}
    closed = [run_id for run_id in book.runs if not _open(state, run_id) and not book.runs[run_id].unknown]
    for run_id in closed[: max(0, len(closed) - budget_book.KEPT_RUNS)]:
        del book.runs[run_id]


def _remembered(state: ControlState, run_id: str) -> bool:
    run = state.budget.runs.get(run_id)
    if _open(state, run_id) or (run is not None and run.unknown):
        return True
    return run is not None and not set(run.periods).isdisjoint(state.budget.present())


def _open(state: ControlState, run_id: str) -> bool:
    return run_id in state.runs and state.runs[run_id].closed_at is None


def _run(book: budget_book.BudgetBook, run_id: str) -> money.RunCost:
    return book.runs.get(run_id, money.RunCost(run_id=run_id))


def _logged(known: money.Reservation) -> dict[str, Fact]:
    """What a Control that has lost its books needs to book it again."""
    return {
        "key": known.key,
        "attempt": known.attempt,
        "periods": " ".join(known.periods),
        "since": known.at.isoformat(),
        **({"exchange": True} if known.exchange else {}),
    }


def _amounts(cost: money.Amounts) -> dict[str, Fact]:
    return {"usd": cost.usd, "tokens": cost.tokens, "agentMinutes": cost.agent_minutes}


def _verdict(decision: Decision, reason: str, request: money.ReserveRequest) -> Verdict:
    facts: dict[str, Fact] = {"key": request.key, **_amounts(request.worst)}
    return Verdict(rule=money.FITS_THE_BUDGET, decision=decision, reason=reason, facts=facts)


def _answer(state: ControlState, decision: Decision, reason: str, key: str) -> Answer:
    return state.answer("the cost may be booked", decision, reason, key=key)


# A person changes a cap for the present period (update ``set_caps``; runbook §6.4).

_WHOLE = frozenset({money.Measure.RUNS, money.Measure.TOKENS})


def demand_whole(request: money.CapsRequest) -> None:
    """Refuse half a run or half a token at its sender: nothing could ever reach such a cap exactly."""
    if request.measure in _WHOLE and not request.cap.is_integer():
        near = int(request.cap)
        reason = f"a cap of {request.measure} is a whole number: {near} or {near + 1}, not {request.cap:.10g}"
        raise ApplicationError(reason, type="Malformed", non_retryable=True)


def set_caps(state: ControlState, request: money.CapsRequest, now: datetime) -> Answer:
    """Lowering always works; raising needs the present epoch: nothing seen before a pause may loosen after it."""
    roll_periods(state, now)
    book = state.budget

    def answer(decision: Decision, reason: str) -> Answer:
        about: dict[str, Fact] = {"period": request.period, "measure": request.measure, "cap": request.cap}
        return state.answer("the cap may be set", decision, reason, **about)

    if not book.present():
        return answer(Decision.DENY, "no caps are known yet: the target's policy could not be read so far")
    if request.period is money.Period.RUN:
        run = state.runs.get(request.run_id)
        if request.measure is money.Measure.RUNS:
            return answer(Decision.DENY, "a run's number of runs has no cap")
        if run is None or run.closed_at is not None:
            return answer(Decision.DENY, f"{request.run_id or 'no run named'}: only a run that may go on has a cap")
        period = f"run/{request.run_id}"
    elif request.run_id:
        return answer(Decision.DENY, f"a {request.period} is everybody's: name no run, or use period run")
    else:
        period = book.key_now(request.period)
    before = book.cap(period, request.measure)
    if request.cap > before and request.expected_epoch != state.epoch:
        return answer(Decision.DENY, f"the epoch is {state.epoch} by now; look again before you raise a cap")
    book.caps_set[budget_book.line_of(period, request.measure)] = request.cap
    state.log(
        "cap set",
        period=period,
        measure=request.measure,
        before=before,
        cap=request.cap,
        actor=request.actor,
        reason=request.reason,
    )
    if request.cap > before:
        wake(state, f"{request.measure} cap of {period} raised by {request.actor}")
    until = "its end" if request.period is money.Period.RUN else f"the end of {period}"
    return answer(Decision.ALLOW, f"{request.measure}: {amount(before)} before, {amount(request.cap)} until {until}")


# A Control that lost its books (terminated by hand) takes over what the target's audit log says was booked.


def recover(state: ControlState, terms: money.BudgetTerms | None, booked: money.BookedBefore, now: datetime) -> None:
    """Add it to what was booked since, without what was settled meanwhile; periods that are over go at once."""
    book = state.budget
    for each in booked.periods:
        book.spent[each.period] = book.spent_in(each.period) + each.amounts
    for reservation in booked.reservations:
        if not book.has_settled(reservation.key, reservation.attempt):
            book.reservations.setdefault(reservation.key, reservation)
    if booked.periods or booked.reservations:
        state.log("budget recovered from the audit log", periods=len(booked.periods), open=len(booked.reservations))
    roll_periods(state, now, terms)
