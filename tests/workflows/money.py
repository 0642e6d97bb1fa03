"""A ledger without a server: small caps, and short forms of every question about money."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from contracts.admission import AdmitAnswer
from contracts.budget import (
    Amounts,
    BudgetTerms,
    Caps,
    CapsRequest,
    CostStatement,
    Measure,
    Period,
    ReserveAnswer,
    ReserveRequest,
    SettleCost,
)
from contracts.control import Answer
from tests.workflows.books import DAY, FIRST, Books
from workflows.control import budget
from workflows.control.budget_book import of

CAPS = Caps(
    run=Amounts(usd=5, tokens=1000, agent_minutes=60),
    day=Amounts(usd=10, tokens=10_000, agent_minutes=600, runs=20),
    week=Amounts(usd=40, tokens=50_000, agent_minutes=3000, runs=100),
    month=Amounts(usd=100, tokens=200_000, agent_minutes=9000, runs=400),
)
TODAY = f"day/{DAY}"


def terms(zone: str = "UTC", **day: Any) -> BudgetTerms:
    """The caps above, some of a day's changed."""
    caps = CAPS.model_copy(update={"day": CAPS.day.model_copy(update=day)})
    return BudgetTerms(caps=caps, thresholds=(50, 80, 100), time_zone=zone)


@dataclass
class Till:
    """Books with an open target and one admitted run."""

    books: Books = field(default_factory=lambda: Books(terms=terms(), max_active=5, runs_per_day=1000).opened())

    def __post_init__(self) -> None:
        self.admit("w1")

    @property
    def now(self) -> datetime:
        """The books' clock."""
        return self.books.now

    def admit(self, execution: str, **spec: Any) -> AdmitAnswer:
        """One more run."""
        return self.books.admit(execution, again=True, **spec)

    def reserve(
        self, usd: float = 2, step: str = "code", attempt: str = "a1", run: str = FIRST, **more: Any
    ) -> ReserveAnswer:
        """A step asks."""
        worst = Amounts(usd=usd, tokens=more.get("tokens", 100), agent_minutes=more.get("minutes", 10))
        assert self.books.terms is not None
        asked = ReserveRequest(run_id=run, key=f"{run}/{step}", attempt=attempt, worst=worst, terms=self.books.terms)
        return budget.reserve(self.books.state, asked, self.now)

    def settle(
        self, usd: float | None = 1, step: str = "code", attempt: str = "a1", run: str = FIRST, minutes: float = 1
    ) -> Answer:
        """A step says what it cost; None: it does not know."""
        cost = None if usd is None else Amounts(usd=usd, tokens=10, agent_minutes=minutes)
        said = SettleCost(key=f"{run}/{step}", attempt=attempt, cost=cost, agent_minutes=minutes, note="it said NaN")
        return budget.settle(self.books.state, said, self.now)

    def pay(self, usd: float, run: str = FIRST) -> None:
        """Spend at once."""
        step = f"s{len(self.books.state.budget.runs.get(run).settled) if run in self.books.state.budget.runs else 0}"
        assert self.reserve(0, step=step, run=run, minutes=0, tokens=0).reserved
        assert self.settle(usd, step=step, run=run, minutes=0).accepted

    def state_cost(self, usd: float = 3, step: str = "code", run: str = FIRST) -> Answer:
        """A person looked it up."""
        cost = Amounts(usd=usd, tokens=5)
        said = CostStatement(key=f"{run}/{step}", cost=cost, evidence="the bill", actor="ann")
        return budget.state_cost(self.books.state, said, self.now)

    def set_cap(
        self, cap: float, period: Period = Period.DAY, measure: Measure = Measure.USD, run: str = "", epoch: int = 0
    ) -> Answer:
        """A person changes a cap."""
        seen = self.books.state.epoch + epoch
        asked = CapsRequest(
            expected_epoch=seen, period=period, measure=measure, cap=cap, run_id=run, reason="as agreed", actor="ann"
        )
        return budget.set_caps(self.books.state, asked, self.now)

    def spent(self, period: str = TODAY, measure: Measure = Measure.USD) -> float:
        """Booked."""
        return of(self.books.state.budget.spent_in(period), measure)

    def reserved(self, period: str = TODAY) -> float:
        """USD reserved."""
        return self.books.state.budget.reserved_in(period).usd

    def alerts(self) -> list[str]:
        """Fingerprints of the alerts raised so far, without the target's name."""
        return [alert.fingerprint.removeprefix("budget/demo/") for alert in self.books.state.to_alert]

    def logged(self) -> list[str]:
        """Events of the target's audit log."""
        return [event.event for event in self.books.state.to_log]
