"""P9: money is reserved before it is spent and settled after; an unknown cost is a hold, never zero."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import timedelta

import pytest
from pydantic import ValidationError
from temporalio.exceptions import ApplicationError

from contracts.admission import Admission, OrderState
from contracts.budget import Amounts, CapsRequest, CostStatement, Measure, Period, SettleCost
from contracts.modes import RunStatus
from contracts.verdict import Decision
from tests.workflows.books import DAY, FIRST
from tests.workflows.money import TODAY, Till, terms
from workflows.control import budget
from workflows.control.budget import demand_whole
from workflows.control.state import ControlState

SECOND = f"demo-{DAY}-pr-2"


def test_what_is_reserved_counts_until_it_is_settled():
    """P9: reserve, then settle; only the real cost stays."""
    till = Till()
    assert till.reserve(2).reserved
    assert (0, 2) == (till.spent(), till.reserved())
    assert till.settle(0.5).accepted
    assert (0.5, 0) == (till.spent(), till.reserved())
    assert (0.5, 0.5, 0.5) == tuple(till.spent(period) for period in ("week/2026-W10", "month/2026-03", f"run/{FIRST}"))


def test_the_same_question_and_the_same_answer_count_once():
    """P7: idempotent per key and attempt."""
    till = Till()
    assert till.reserve(2).reserved
    assert till.reserve(2).reserved
    assert 2 == till.reserved()
    assert till.settle(1).accepted
    assert till.settle(1).accepted
    assert 1 == till.spent()


@pytest.mark.parametrize(
    ("caps", "name"),
    [
        ({"run": {"usd": 3}}, "caps.usd_per_run"),
        ({"day": {"usd": 3}}, "caps.usd_per_day"),
        ({"week": {"usd": 3}}, "caps.usd_per_week"),
        ({"month": {"usd": 3}}, "caps.usd_per_month"),
        ({"run": {"tokens": 150}}, "caps.tokens_per_run"),
        ({"month": {"tokens": 150}}, "caps.tokens_per_month"),
        ({"run": {"agent_minutes": 15}}, "caps.agent_minutes_per_run"),
        ({"day": {"agent_minutes": 15}}, "caps.agent_minutes_per_day"),
        ({"week": {"agent_minutes": 15}}, "caps.agent_minutes_per_week"),
    ],
)
def test_every_cap_of_every_period_holds_the_step_that_would_pass_it(caps, name):
    """Issue 4, 4: USD, tokens and agent minutes per run, day, week and month; HOLD names the cap and what lifts it."""
    till = Till()
    known = till.books.terms.caps
    changed = {period: getattr(known, period).model_copy(update=update) for period, update in caps.items()}
    till.books.terms = till.books.terms.model_copy(update={"caps": known.model_copy(update=changed)})
    assert till.reserve(2, "sense").reserved
    refused = till.reserve(2, "triage")
    assert not refused.reserved
    assert Decision.HOLD is refused.verdict.decision
    assert [f"{name} has room for the step"] == [child.rule for child in refused.verdict.children]
    assert f"{name}: " in refused.verdict.reason
    assert "starter.py budget set demo" in refused.verdict.reason
    # What is settled below its worst case makes room again.
    till.settle(0, "sense")
    assert till.reserve(1, "triage", minutes=5, tokens=50).reserved


def test_runs_side_by_side_can_not_pass_a_cap_together():
    """P9: what others have reserved is spent, too; two runs of 4 do not fit into a day of 7."""
    till = Till()
    till.books.terms = terms(usd=7)
    till.admit("w2")
    assert till.reserve(4).reserved
    assert not till.reserve(4, run=SECOND).reserved
    till.settle(3.5)
    assert not till.reserve(4, run=SECOND).reserved
    assert till.reserve(3.5, run=SECOND).reserved


def test_an_attempt_that_died_is_booked_by_the_next():
    """Design, table: minutes since it began, money and tokens at the worst case; and it never blocks."""
    till = Till()
    till.reserve(2, minutes=10)
    till.books.wait(180)
    assert till.reserve(1, attempt="a2").reserved
    assert (2, 1) == (till.spent(), till.reserved())
    assert 3 == till.spent(measure=Measure.AGENT_MINUTES)
    # The dead one wakes up: nothing is booked twice.
    assert till.settle(1.5, attempt="a1").accepted
    assert 2 == till.spent()
    assert till.settle(1, attempt="a2").accepted
    assert 3 == till.spent()
    assert 1 == till.books.state.budget.runs[FIRST].lost


def test_a_run_that_closes_leaves_no_reservation():
    """A terminated run's money is booked at the worst case, minutes at most as reserved."""
    till = Till()
    till.reserve(2, minutes=10)
    till.books.wait(3600)
    till.books.state.close(FIRST, till.now, RunStatus.LOST)
    budget.roll_periods(till.books.state, till.now)
    assert (2, 0) == (till.spent(), till.reserved())
    assert 10 == till.spent(measure=Measure.AGENT_MINUTES)


def test_an_unknown_cost_holds_everything_until_a_person_states_it():
    """P9: unknown is neither zero nor a crash; the reservation stays, the hold names the command."""
    till = Till()
    till.admit("w2")
    till.reserve(2)
    assert till.settle(None, minutes=7).accepted
    assert 2 == till.reserved()
    for refused in (till.reserve(0, attempt="a2"), till.reserve(0, run=SECOND, minutes=0, tokens=0)):
        assert Decision.HOLD is refused.verdict.decision
        assert f"starter.py budget state-cost demo {FIRST}/code" in refused.verdict.reason
    new = till.admit("w3")
    assert (Admission.REFUSED, Decision.HOLD) == (new.answer, new.verdict.decision)
    assert not till.state_cost(step="sense").accepted
    assert till.state_cost(3).accepted
    assert (3, 0, 7) == (till.spent(), till.reserved(), till.spent(measure=Measure.AGENT_MINUTES))
    assert not till.state_cost(3).accepted
    assert till.reserve(1, attempt="a2").reserved
    assert [f"run/{FIRST}/code/unknown"] == till.alerts()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1.0, -1e-9, 1e300, "NaN", None])
def test_no_contract_takes_an_amount_that_is_none(value):
    """Issue 4, bad input: NaN, negative and huge costs are refused at the sender."""
    with pytest.raises(ValidationError):
        Amounts.model_validate({"usd": value})
    with pytest.raises(ValidationError):
        SettleCost.model_validate({"key": "k", "attempt": "a", "cost": {"usd": value}})
    with pytest.raises(ValidationError):
        CostStatement.model_validate({"key": "k", "cost": {"usd": value}, "evidence": "bill", "actor": "ann"})
    with pytest.raises(ValidationError):
        CapsRequest.model_validate(
            {"expectedEpoch": 1, "period": "day", "measure": "usd", "cap": value, "reason": "why", "actor": "ann"}
        )


@pytest.mark.parametrize(
    ("measure", "cap", "fits"),
    [
        ("runs", 1.5, False),
        ("tokens", 0.1, False),
        ("runs", 2.0, True),
        ("usd", 1.5, True),
        ("agent_minutes", 0.5, True),
    ],
)
def test_half_of_what_is_whole_is_no_cap(measure, cap, fits):
    """Asked in the update's validator: a history that holds one already goes on replaying."""
    asked = CapsRequest(expected_epoch=1, period="day", measure=measure, cap=cap, reason="why", actor="ann")
    reason = f"a cap of {measure} is a whole number: {int(cap)} or {int(cap) + 1}"
    with nullcontext() if fits else pytest.raises(ApplicationError, match=reason):
        demand_whole(asked)


def test_sums_stop_where_an_amount_ends():
    """Huge but valid costs must never make books that can not be read again (continue-as-new)."""
    till = Till()
    for _ in range(3):
        till.pay(1e9)
    again = ControlState.model_validate_json(till.books.state.model_dump_json())
    assert again == till.books.state
    assert 1e9 == till.spent()


def test_9_budget_threshold_alerts_once_per_period_and_the_last_makes_a_report():
    """Runbook §6.4, §9: 50, 80, 100 per cent, and ``budget_alert_report.json`` once per period and measure."""
    till = Till()
    for usd in (4.9, 0.1, 0, 3, 0.5, 1.5, 1):
        till.pay(usd)
    day = f"{TODAY}/usd"
    assert [f"{day}/50", f"{day}/80", f"{day}/100"] == till.alerts()
    [report] = till.books.state.budget.to_report
    assert (TODAY, Measure.USD, FIRST, "demo") == (report.period, report.measure, report.run_id, report.target)
    assert [FIRST] == [run.run_id for run in report.biggest_runs]
    assert any("budget set demo --period day --measure usd" in way for way in report.lifted_by)
    assert "the next day, from 2026-03-03T00:00+00:00" in report.lifted_by
    # The next day is another line.
    till.books.wait(86400)
    till.pay(5)
    assert [f"day/{DAY}/usd/100", "week/2026-W10/usd/50"] != till.alerts()[-2:]
    assert "day/2026-03-03/usd/50" in till.alerts()


def test_one_booking_over_several_thresholds_is_one_alert():
    """Noise is no news."""
    till = Till()
    till.pay(8.5)
    assert [f"{TODAY}/usd/80"] == till.alerts()


def test_6_4_a_used_up_period_refuses_new_runs_and_pauses_nobody():
    """6.4: a block of its own; the running run goes on where it needs no money, and the next day lifts it."""
    till = Till()
    till.pay(10)
    refused = till.admit("w2")
    assert (Admission.REFUSED, Decision.HOLD) == (refused.answer, refused.verdict.decision)
    assert "caps.usd_per_day: 10 of 10 usd of 2026-03-02 are used" in refused.verdict.reason
    assert "the next day, from 2026-03-03T00:00+00:00" in refused.verdict.reason
    view = till.books.state.view()
    assert ("ACTIVE", Decision.HOLD) == (view.status, view.why.decision)
    assert view.budget is not None
    assert Decision.HOLD is view.budget.blocked.decision
    assert "caps.usd_per_day" in till.books.state.details()
    till.books.wait(15 * 3600)
    assert Admission.ADMITTED is till.admit("w3", date="2026-03-03").answer


@pytest.mark.parametrize("measure", [Measure.USD, Measure.TOKENS])
def test_a_money_cap_of_zero_forbids_spending_not_running(measure):
    """Tools call no model: their known zero fits into a cap of nothing."""
    till = Till()
    till.books.terms = terms(**{measure: 0})
    assert Admission.ADMITTED is till.admit("w2").answer
    assert till.reserve(0, tokens=0, run=SECOND).reserved
    assert not till.reserve(1, tokens=1, run=SECOND, step="plan").reserved


def test_runs_count_when_they_are_admitted_and_smokes_do_not():
    """Runs are one of the four measures; the last allowed one is a plan, the refused one is news."""
    till = Till()
    till.books.terms = terms(runs=2)
    assert Admission.ADMITTED is till.admit("w2").answer
    assert [f"{TODAY}/runs/80"] == till.alerts()
    refused = till.admit("w3")
    assert "caps.runs_per_day: 2 of 2 runs of 2026-03-02 are used" in refused.verdict.reason
    assert f"{TODAY}/runs/100" == till.alerts()[-1]
    assert till.set_cap(3, measure=Measure.RUNS).accepted
    assert Admission.ADMITTED is till.admit("w4").answer
    till.books.pause()
    till.books.resume()
    till.books.smoke()
    assert 3 == till.spent(measure=Measure.RUNS)


def test_a_raised_cap_needs_the_present_epoch_and_wakes_who_waits():
    """P2, P9: a late command must not loosen after a newer pause; lowering always works."""
    till = Till()
    till.reserve(4, "sense")
    assert not till.reserve(4).reserved
    assert not till.set_cap(9, Period.RUN, run=FIRST, epoch=-1).accepted
    before = till.books.state.runs[FIRST].order
    assert till.set_cap(9, Period.RUN, run=FIRST).accepted
    after = till.books.state.runs[FIRST].order
    assert OrderState.PROCEED is after.state
    assert after.revision > before.revision
    assert till.reserve(4).reserved
    assert till.set_cap(1, Period.RUN, run=FIRST, epoch=-1).accepted
    assert "cap set" in till.logged()


def test_a_paused_run_is_not_woken_by_money():
    """P1: the brake is stronger than any cap."""
    till = Till()
    till.reserve(4, "sense")
    till.reserve(4)
    till.books.pause()
    assert till.set_cap(9, Period.RUN, run=FIRST).accepted
    assert OrderState.HOLD is till.books.state.runs[FIRST].order.state


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"period": Period.RUN}, "only a run that may go on has a cap"),
        ({"period": Period.RUN, "run": "demo-2026-03-02-pr-9"}, "only a run that may go on has a cap"),
        ({"period": Period.RUN, "run": FIRST, "measure": Measure.RUNS}, "has no cap"),
        ({"period": Period.DAY, "run": FIRST}, "name no run"),
    ],
)
def test_a_cap_that_makes_no_sense_is_refused(more, reason):
    """P14: answered, with the reason."""
    answer = Till().set_cap(5, **more)
    assert not answer.accepted
    assert reason in answer.verdict.reason


def test_a_set_cap_ends_with_its_period():
    """Policy's own cap returns with the next period; a week's survives the day."""
    till = Till()
    assert till.set_cap(30).accepted
    assert till.set_cap(12, Period.WEEK).accepted
    till.pay(11)
    assert Admission.ADMITTED is till.admit("w2").answer
    till.books.wait(86400)
    book = till.books.state.budget
    budget.roll_periods(till.books.state, till.now)
    assert (10, 12) == (book.cap("day/2026-03-03", Measure.USD), book.cap("week/2026-W10", Measure.USD))


def test_months_of_periods_keep_the_books_small():
    """Issue 4, done when: months of periods; old ones go, the present ones add up."""
    till, last = Till(), FIRST
    for day in range(200):
        till.pay(1, last)
        till.books.state.to_log.clear()
        till.books.finish(last)
        till.books.wait(86400)
        run = till.admit(f"d{day}", date=till.now.date().isoformat())
        assert Admission.ADMITTED is run.answer, run.verdict.reason
        last = run.run_id
    till.pay(1, last)
    book = till.books.state.budget
    assert 3 >= len(book.spent)
    assert 70 >= len(book.runs)
    assert len(book.model_dump_json()) < 100_000
    assert till.spent(f"month/{till.now:%Y-%m}") >= till.now.day


def test_a_clock_that_jumps_back_opens_nothing():
    """A period that is over stays over, and its successor keeps what was spent."""
    till = Till()
    till.books.wait(86400)
    till.pay(10)
    till.books.now -= timedelta(days=1)
    assert Admission.REFUSED is till.admit("w2").answer
    assert 10 == till.spent("day/2026-03-03")
