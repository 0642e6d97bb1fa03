"""P1, P9 for each exchange with a model: reserved and settled by itself, refused while paused."""

from __future__ import annotations

import pytest

from activities.control.lost_books import booked_before
from contracts.audit import AuditRecord
from contracts.budget import (
    EVERY_COST_IS_KNOWN,
    MAY_ASK,
    Amounts,
    BookedBefore,
    ReserveAnswer,
    ReserveRequest,
    SettleCost,
)
from contracts.control import InstallationFacts
from contracts.modes import PauseStyle, RunStatus, TargetStatus
from contracts.terms import ControlTerms
from contracts.verdict import Decision
from tests.workflows.books import FIRST
from tests.workflows.money import Till, terms
from workflows.control import budget, pausing
from workflows.control.state import ControlState

MOST = Amounts(usd=1, tokens=400)


def ask(
    till: Till, number: int = 1, usd: float = 0.4, *, attempt: str = "a1", run: str = FIRST, step: str = "code",
    most: Amounts | None = MOST, tokens: int = 100,
) -> ReserveAnswer:  # fmt: skip
    """May this exchange go up?"""
    worst = Amounts(usd=usd, tokens=tokens)
    asked = ReserveRequest(
        run_id=run, key=f"{run}/{step}-{number}", attempt=attempt, worst=worst, terms=terms(), exchange=True,
        step_most=most,
    )  # fmt: skip
    return budget.reserve(till.books.state, asked, till.now)


def told(till: Till, number: int = 1, usd: float | None = 0.1, attempt: str = "a1") -> bool:
    cost = None if usd is None else Amounts(usd=usd, tokens=10)
    said = SettleCost(key=f"{FIRST}/code-{number}", attempt=attempt, cost=cost)
    return budget.settle(till.books.state, said, till.now).accepted


@pytest.mark.parametrize("style", PauseStyle)
@pytest.mark.parametrize("scope", ["target", "installation"])
def test_nothing_goes_up_while_paused(style: PauseStyle, scope: str) -> None:
    """P1: whatever the brake; a step may still reserve its minutes, which sends nothing anywhere."""
    till = Till()
    assert ask(till).reserved
    till.books.pause(style, scope)
    refused = ask(till, 2)
    assert (refused.reserved, refused.verdict.rule, refused.verdict.decision) == (False, MAY_ASK, Decision.HOLD)
    assert refused.verdict.reason == f"paused: {scope} pause by ann: smoke in the room"
    assert till.books.state.budget.waiting == {}
    assert till.reserve(0, tokens=0).reserved


def test_an_exchange_is_in_flight_until_it_is_settled() -> None:
    """P1: quiescent means that no byte is on its way to a model, nor will be."""
    till = Till()
    assert ask(till).reserved
    till.books.pause()
    view = till.books.state.view()
    assert (view.quiescent, view.exchanges) == (False, (f"{FIRST}/code-1",))
    assert told(till)
    view = till.books.state.view()
    assert (view.quiescent, view.exchanges) == (True, ())


def test_one_whose_cost_is_unknown_is_over_all_the_same() -> None:
    till = Till()
    ask(till)
    told(till, usd=None)
    till.books.pause()
    assert till.books.state.view().quiescent
    till = Till()
    ask(till)
    told(till, usd=None)
    refused = ask(till, 2)
    assert [child.rule for child in refused.verdict.children] == [EVERY_COST_IS_KNOWN]


def test_what_a_dead_attempt_left_is_booked_when_the_step_is_made_again() -> None:
    """Whatever its number: the next attempt may make fewer exchanges, and quiescent must not wait for the run's end."""
    till = Till()
    till.reserve(0, tokens=0)
    for number in (1, 2):
        ask(till, number)
    told(till, 1)
    ask(till, 3, step="plan")
    till.books.pause()
    till.reserve(0, tokens=0, attempt="a2")
    assert till.books.state.view().exchanges == (f"{FIRST}/plan-3",)
    assert till.spent() == pytest.approx(0.1 + 0.4)
    assert told(till, 2)
    assert till.spent() == pytest.approx(0.1 + 0.4), "the dead one came back: booked before"


def test_an_attempt_that_was_taken_for_dead_asks_no_more() -> None:
    """Whoever makes the step now is not taken for it: its exchange stays in the books, and in flight."""
    till = Till()
    till.reserve(0, tokens=0)
    assert ask(till, 1).reserved
    till.reserve(0, tokens=0, attempt="a2")
    assert ask(till, 2, attempt="a2").reserved
    for number in (2, 3):
        refused = ask(till, number)
        assert (refused.reserved, refused.verdict.rule, refused.verdict.decision) == (False, MAY_ASK, Decision.HOLD)
        assert refused.verdict.reason == "another attempt makes this step now"
    till.books.pause()
    assert till.books.state.view().exchanges == (f"{FIRST}/code-2",)
    assert told(till, 2, 0.1, "a2")
    assert till.spent() == pytest.approx(0.4 + 0.1)


def test_one_of_a_run_that_has_ended_is_in_flight_no_more() -> None:
    till = Till()
    ask(till)
    till.books.finish(FIRST, RunStatus.FAILED)
    till.books.pause()
    assert till.books.state.view().quiescent
    assert not ask(till, 2).reserved


def test_asked_again_after_a_pause_it_does_not_go_up() -> None:
    """Its first answer was lost, so it has not gone up: nothing was spent, and nothing is in flight."""
    till = Till()
    assert ask(till).reserved
    assert ask(till).reserved
    till.books.pause()
    assert not ask(till).reserved
    assert (till.spent(), till.reserved(), till.books.state.view().quiescent) == (0, 0, True)


def test_a_smoke_may_ask_while_the_ladder_is_climbed() -> None:
    till = Till()
    till.books.pause()
    till.books.resume()
    till.books.smoke()
    assert till.books.state.status is TargetStatus.RESUMING
    run = next(run.run_id for run in till.books.state.active() if run.run_id != FIRST)
    assert ask(till, run=run).reserved
    assert not ask(till).reserved, "the run that was held is still held"


def test_after_the_resume_it_goes_on() -> None:
    till = Till()
    till.books.pause()
    till.books.resume()
    till.books.smoke()
    smoke = next(run.run_id for run in till.books.state.active() if run.run_id != FIRST)
    till.books.finish(smoke, RunStatus.DRY_RUN_COMPLETE)
    assert ask(till).reserved


def test_a_run_nobody_knows_asks_no_model() -> None:
    assert not ask(Till(), run="demo-2026-03-02-pr-9").reserved


def test_a_role_has_one_budget_for_all_its_exchanges() -> None:
    """Of whatever attempt or turn: what was spent before, and what is under way now."""
    till = Till()
    ask(till, 1, 0.4)
    told(till, 1, 0.3)
    till.reserve(0, tokens=0, attempt="a2")
    assert ask(till, 1, 0.5, attempt="a2").reserved
    refused = ask(till, 2, 0.3, attempt="a2")
    assert not refused.reserved
    assert "the role's usd: 0.8 spent or reserved + 0.3 at worst is more than the 1 that charter.toml gives it" in (
        refused.verdict.reason
    )
    assert ask(till, 3, 0.2, attempt="a2").reserved
    assert ask(till, 4, 0.9, step="plan").reserved, "another step's is its own"


def test_a_role_has_one_budget_of_tokens_too() -> None:
    till = Till()
    assert ask(till, 1, tokens=390).reserved
    assert "the role's tokens" in ask(till, 2, tokens=20).verdict.reason


def test_a_role_whose_money_is_used_up_alerts_nobody() -> None:
    """It is the charter's word for one role, not a cap of the target."""
    till = Till()
    ask(till, usd=2)
    assert till.alerts() == []
    assert till.books.state.budget.waiting == {}, "no cap that is raised lifts it"


def test_the_run_s_cap_holds_an_exchange_as_it_does_a_step() -> None:
    till = Till()
    refused = ask(till, usd=6, most=None)
    assert [child.rule for child in refused.verdict.children] == ["caps.usd_per_run has room for the step"]


def test_a_run_whose_exchange_was_refused_is_not_woken_by_its_own_step() -> None:
    """It would start its agent again and again; what others free, or a person says, wakes it."""
    till = Till()
    other = till.admit("w2").run_id
    till.reserve(0, tokens=0)
    till.reserve(1, run=other)
    assert not ask(till, usd=6, most=None).reserved

    def revision() -> int:
        return till.books.state.runs[FIRST].order.revision

    before = revision()
    till.settle(0)
    assert before == revision()
    till.settle(1, run=other)
    assert before < revision()


def test_a_control_without_books_knows_what_is_under_way() -> None:
    """From the audit log: it is in flight until its attempt settles it, or the next one makes the step again."""
    till = Till()
    ask(till, 1)
    ask(till, 2)
    told(till, 1)
    till.books.state.log_mentions()
    records = [
        AuditRecord(seq=n, at=till.now, log="target/demo", previous="", hash="", **event.model_dump())
        for n, event in enumerate(till.books.state.to_log)
    ]
    found = booked_before(records, till.now)
    assert [(each.key, each.exchange) for each in found.reservations] == [(f"{FIRST}/code-2", True)]
    reborn = ControlState(target="demo")
    budget.recover(reborn, terms(), found, till.now)
    assert [each.key for each in reborn.budget.exchanging()] == [f"{FIRST}/code-2"]


def test_a_control_that_was_reset_knows_what_is_under_way() -> None:
    """What went up after the point that it was reset to; what it has in its books already, it has once."""
    till = Till()
    ask(till, 1)
    known = till.books.state.budget.reservations[f"{FIRST}/code-1"]
    later = known.model_copy(update={"key": f"{FIRST}/code-2"})
    booked = BookedBefore(reservations=(known, later, known.model_copy(update={"key": "step", "exchange": False})))
    facts = InstallationFacts(
        epoch=1, status=TargetStatus.ACTIVE, ready=True, fresh=False, reason="", terms=ControlTerms(), booked=booked
    )
    pausing.register(till.books.state, facts, till.now, again=True)
    view = till.books.state.view()
    assert (view.quiescent, view.exchanges) == (False, (f"{FIRST}/code-1", f"{FIRST}/code-2"))
    assert "step" not in till.books.state.budget.reservations


def test_what_was_settled_while_a_control_read_its_log_is_not_open_again() -> None:
    """Else no pause of this target would ever be quiescent: nobody settles it twice."""
    till = Till()
    ask(till, 1)
    known = till.books.state.budget.reservations[f"{FIRST}/code-1"]
    told(till, 1)
    facts = InstallationFacts(
        epoch=1, status=TargetStatus.ACTIVE, ready=True, fresh=False, reason="", terms=ControlTerms(),
        booked=BookedBefore(reservations=(known,)),
    )  # fmt: skip
    pausing.register(till.books.state, facts, till.now, again=True)
    assert (True, ()) == (till.books.state.view().quiescent, till.books.state.view().exchanges)
