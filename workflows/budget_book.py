"""What Control remembers of a target's money (P9): bounded, and part of its books."""

from __future__ import annotations

from datetime import datetime, timedelta

from pydantic import AwareDatetime, BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from contracts.budget import (
    Amounts,
    BudgetAlertReport,
    BudgetReportRef,
    BudgetTerms,
    Measure,
    Period,
    Reservation,
    RunCost,
)
from workflows.periods import CALENDAR, end_of, key_of, keys_of, kind_of

KEPT_RUNS = 60
"""Closed runs whose cost is remembered; older ones live in the target's audit log."""
KEPT_REPORTS = 12
KEPT_SETTLED = 60
_MOST = Amounts(usd=1e9, tokens=10**15, agent_minutes=1e9, runs=10**9)
"""What an amount can hold; a sum stops there, so that the books can always be read again."""


class BudgetBook(BaseModel):
    """Spent and reserved per period; mutated only by the pure rules in ``budgeting``."""

    model_config = ConfigDict(
        extra="forbid",
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
    )

    terms: BudgetTerms | None = None
    """As the latest admission's or reservation's policy said."""
    as_of: AwareDatetime | None = None
    spent: dict[str, Amounts] = {}
    """By period, for example ``day/2026-11-23``."""
    runs: dict[str, RunCost] = {}
    reservations: dict[str, Reservation] = {}
    caps_set: dict[str, float] = {}
    """By line: caps a person set for the present period."""
    alerted: dict[str, int] = {}
    """By line: the highest threshold that had its alert."""
    waiting: dict[str, str] = {}
    """Runs whose reservation was refused, and by which caps."""
    to_report: list[BudgetAlertReport] = []
    """Exhausted caps whose report has not been written."""
    reports: list[BudgetReportRef] = []

    def present(self) -> tuple[str, ...]:
        """Keys of the present day, week and month; none before the terms are known."""
        if self.terms is None or self.as_of is None:
            return ()
        return keys_of(self.as_of, self.terms.time_zone)

    def spent_in(self, period: str) -> Amounts:
        """Booked; ``run/<run id>`` for one run."""
        if kind_of(period) is Period.RUN:
            run = self.runs.get(period.removeprefix("run/"))
            return run.total if run else Amounts()
        return self.spent.get(period, Amounts())

    def reserved_in(self, period: str) -> Amounts:
        """Reserved and not settled."""
        total = Amounts()
        for each in self.reservations.values():
            if period in each.periods or period == f"run/{each.run_id}":
                total = plus(total, each.worst)
        return total

    def cap(self, period: str, measure: Measure) -> float:
        """A person's, else policy's.

        Raises:
            ValueError: the terms are not known yet.
        """
        if self.terms is None:
            raise ValueError("no caps are known before the target's first admission")
        amounts: Amounts = getattr(self.terms.caps, kind_of(period))
        return self.caps_set.get(line_of(period, measure), float(getattr(amounts, measure)))

    def used_up(self, period: str, measure: Measure) -> bool:
        """Whether nothing of a cap is left. A money cap of 0 forbids spending, not running."""
        cap = self.cap(period, measure)
        used = of(self.spent_in(period), measure) + of(self.reserved_in(period), measure)
        return used >= cap and (cap > 0 or measure in {Measure.RUNS, Measure.AGENT_MINUTES})

    def unknown(self) -> list[Reservation]:
        """Reservations whose cost nobody knows."""
        return [each for each in self.reservations.values() if each.unknown]

    def key_now(self, period: Period) -> str:
        """The present period of a kind; empty before the terms are known."""
        if self.terms is None or self.as_of is None or period not in CALENDAR:
            return ""
        return key_of(period, self.as_of, self.terms.time_zone)

    def counts_today(self) -> bool:
        """Whether the end of the present day changes anything."""
        day = self.key_now(Period.DAY)
        if not day:
            return False
        # A used-up week or month ends with a day on which nothing was spent.
        used_up = (self.used_up(period, measure) for period in self.present() for measure in Measure)
        return day in self.spent or bool(self.waiting) or any(used_up)

    def rest_of_day(self, now: datetime) -> timedelta:
        """Until the next day there has surely begun."""
        if self.terms is None:
            return timedelta(days=1)
        return max(end_of(Period.DAY, now, self.terms.time_zone) - now, timedelta()) + timedelta(seconds=1)


def line_of(period: str, measure: Measure) -> str:
    """One measure of one period."""
    return f"{period}/{measure}"


def of(amounts: Amounts, measure: Measure) -> float:
    """One measure of an amount."""
    return float(getattr(amounts, measure))


def plus(one: Amounts, other: Amounts) -> Amounts:
    """The sum, as far as an amount can hold it."""
    return Amounts(
        usd=min(round(one.usd + other.usd, 6), _MOST.usd),
        tokens=min(one.tokens + other.tokens, _MOST.tokens),
        agent_minutes=min(round(one.agent_minutes + other.agent_minutes, 6), _MOST.agent_minutes),
        runs=min(one.runs + other.runs, _MOST.runs),
    )
