"""What Control remembers of a target's money (P9): bounded, and part of its books."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from pydantic import AwareDatetime

from contracts import budget as money
from contracts.artifact import Book
from contracts.verdict import Verdict
from policies.counted import shortened
from policies.verdicts import allow, hold

KEPT_RUNS = 60
"""Closed runs whose cost is remembered; older ones live in the target's audit log."""
KEPT_REPORTS = 12
KEPT_SETTLED = 60
_NONE = money.Amounts()
"""What an amount can hold; a sum stops there, so that the books can always be read again."""


class BudgetBook(Book):
    """Spent and reserved per period; mutated only by the pure rules in ``budgeting``."""

    terms: money.BudgetTerms | None = None
    """As the latest admission's or reservation's policy said."""
    as_of: AwareDatetime | None = None
    spent: dict[str, money.Amounts] = {}
    """By period, for example ``day/2026-11-23``."""
    runs: dict[str, money.RunCost] = {}
    reservations: dict[str, money.Reservation] = {}
    caps_set: dict[str, float] = {}
    """By line: caps a person set for the present period."""
    alerted: dict[str, int] = {}
    """By line: the highest threshold that had its alert."""
    waiting: dict[str, str] = {}
    """Runs whose reservation was refused, and by which caps."""
    to_report: list[money.BudgetAlertReport] = []
    """Exhausted caps whose report has not been written."""
    reports: list[money.BudgetReportRef] = []

    def present(self) -> tuple[str, ...]:
        """Keys of the present day, week and month; none before the terms are known."""
        if self.terms is None or self.as_of is None:
            return ()
        return keys_of(self.as_of, self.terms.time_zone)

    def spent_in(self, period: str) -> money.Amounts:
        """Booked; ``run/<run id>`` for one run."""
        if kind_of(period) is money.Period.RUN:
            run = self.runs.get(period.removeprefix("run/"))
            return run.total if run else _NONE
        return self.spent.get(period, _NONE)

    def reserved_in(self, period: str) -> money.Amounts:
        """Reserved and not settled."""
        total = _NONE
        for each in self.reservations.values():
            if period in each.periods or period == f"run/{each.run_id}":
                total += each.worst
        return total

    def cap(self, period: str, measure: money.Measure) -> float:
        """A person's, else policy's.

        Raises:
            ValueError: the terms are not known yet.
        """
        if self.terms is None:
            raise ValueError("no caps are known before the target's first admission")
        amounts: money.Amounts = getattr(self.terms.caps, kind_of(period))
        return self.caps_set.get(line_of(period, measure), float(getattr(amounts, measure)))

    def used_up(self, period: str, measure: money.Measure) -> bool:
        """Whether nothing of a cap is left. A money cap of 0 forbids spending, not running."""
        cap = self.cap(period, measure)
        used = of(self.spent_in(period), measure) + of(self.reserved_in(period), measure)
        return used >= cap and (cap > 0 or measure in {money.Measure.RUNS, money.Measure.AGENT_MINUTES})

    def has_settled(self, key: str, attempt: str) -> bool:
        """Whether the cost of an attempt was booked, as far back as its run remembers."""
        run = self.runs.get(key.rpartition("/")[0])
        return run is not None and settled_mark(key, attempt) in run.settled

    def exchanging(self) -> list[money.Reservation]:
        """Exchanges with a model that may be under way."""
        return [each for each in self.reservations.values() if each.exchange and not each.unknown]

    def unknown(self) -> list[money.Reservation]:
        """Reservations whose cost nobody knows."""
        return [each for each in self.reservations.values() if each.unknown]

    def key_now(self, period: money.Period) -> str:
        """The present period of a kind; empty before the terms are known."""
        if self.terms is None or self.as_of is None or period not in CALENDAR:
            return ""
        return key_of(period, self.as_of, self.terms.time_zone)

    def counts_today(self) -> bool:
        """Whether the end of the present day changes anything."""
        day = self.key_now(money.Period.DAY)
        if not day:
            return False
        # A used-up week or month ends with a day on which nothing was spent.
        used_up = (self.used_up(period, measure) for period in self.present() for measure in money.Measure)
        return day in self.spent or bool(self.waiting) or any(used_up)

    def rest_of_day(self, now: datetime) -> timedelta:
        """Until the next day there has surely begun."""
        if self.terms is None:
            return timedelta(days=1)
        return max(end_of(money.Period.DAY, now, self.terms.time_zone) - now, timedelta()) + timedelta(seconds=1)


def settled_mark(key: str, attempt: str) -> str:
    """How a run remembers that an attempt was settled: a key is used again, by the next one."""
    return f"{key}@{attempt}"


def line_of(period: str, measure: money.Measure) -> str:
    """One measure of one period."""
    return f"{period}/{measure}"


def of(amounts: money.Amounts, measure: money.Measure) -> float:
    """One measure of an amount."""
    return float(getattr(amounts, measure))


# Calendar periods in a target's time zone: their keys, and when they end. Control asks for the same ones at each turn.

CALENDAR = (money.Period.DAY, money.Period.WEEK, money.Period.MONTH)


@lru_cache(256)
def key_of(period: money.Period, now: datetime, zone: str) -> str:
    """For example ``day/2026-11-23``, ``week/2026-W48`` (ISO), ``month/2026-11``; of one kind, later sorts later."""
    day = now.astimezone(ZoneInfo(zone)).date()
    if period is money.Period.DAY:
        return f"day/{day.isoformat()}"
    if period is money.Period.WEEK:
        year, week, _ = day.isocalendar()
        return f"week/{year}-W{week:02}"
    return f"month/{day:%Y-%m}"


@lru_cache(256)
def keys_of(now: datetime, zone: str) -> tuple[str, ...]:
    """Day, week and month."""
    return tuple(key_of(period, now, zone) for period in CALENDAR)


@lru_cache(256)
def end_of(period: money.Period, now: datetime, zone: str) -> datetime:
    """The first moment of the next period (UTC): midnight there, whatever the clocks did that day."""
    day = now.astimezone(ZoneInfo(zone)).date()
    if period is money.Period.DAY:
        after = day + timedelta(days=1)
    elif period is money.Period.WEEK:
        after = day + timedelta(days=7 - day.weekday())
    else:
        after = date(day.year + day.month // 12, day.month % 12 + 1, 1)
    # Where clocks skip midnight, this is the moment they do.
    return datetime.combine(after, time(), ZoneInfo(zone)).astimezone(UTC)


@lru_cache(1024)
def kind_of(key: str) -> money.Period:
    """The kind of a period's key."""
    return money.Period(key.partition("/")[0])


def is_zone(name: str) -> bool:
    """Whether a time zone is known."""
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True


# What the budget shows of itself: lines, and whether new runs may start (P12).

BIGGEST = 10


def view(book: BudgetBook, target: str, epoch: int, run_id: str = "") -> money.BudgetView:
    """The answer of the ``budget`` query."""
    runs = [run for run in book.runs.values() if run.run_id == run_id]
    others = [run for run in book.runs.values() if run.run_id != run_id]
    return money.BudgetView(
        target=target,
        epoch=epoch,
        as_of=book.as_of,
        lines=lines(book),
        reservations=tuple(book.reservations.values()),
        runs=(*runs, *biggest(others)),
        blocked=blocked(book, target),
        reports=tuple(book.reports),
    )


def lines(book: BudgetBook) -> tuple[money.BudgetLine, ...]:
    """Every measure of the present periods, then of the runs that spend or wait for money now."""
    if book.terms is None or book.as_of is None:
        return ()
    open_runs = {each.run_id for each in book.reservations.values()} | set(book.waiting)
    periods = (*book.present(), *(f"run/{run_id}" for run_id in sorted(open_runs)))
    return tuple(_line(book, period, measure) for period in periods for measure in measures_of(period))


@lru_cache(1024)
def measures_of(period: str) -> tuple[money.Measure, ...]:
    """What is capped in a period: a run's number of runs is not."""
    return tuple(each for each in money.Measure if (kind_of(period), each) != (money.Period.RUN, money.Measure.RUNS))


def blocked(book: BudgetBook, target: str, *, counts: bool = True) -> Verdict:
    """Whether new runs may start, as far as the budget goes: HOLD while a cost is unknown or a cap is used up.

    ``counts``: also by the caps of the number of runs.
    """
    rule = "the budget lets new runs start"
    children = [unknown_cost(each, target) for each in book.unknown()]
    gone = [line for line in used_up(book) if counts or line[1] is not money.Measure.RUNS]
    children += [_used_up(book, target, period, measure) for period, measure in gone]
    if not children:
        return allow(rule, "no cap is used up, no cost is unknown")
    reason = shortened("; ".join(child.reason for child in children), 2000)
    return hold(rule, reason).model_copy(update={"children": tuple(children)})


def used_up(book: BudgetBook) -> list[tuple[str, money.Measure]]:
    """Lines of the present periods of which nothing is left."""
    return [
        (period, measure)
        for period in book.present()
        for measure in measures_of(period)
        if book.used_up(period, measure)
    ]


def unknown_cost(reservation: money.Reservation, target: str) -> Verdict:
    """The hold of a cost nobody knows, and what lifts it."""
    text = f" ({reservation.note})" if reservation.note else ""
    return hold(
        money.EVERY_COST_IS_KNOWN,
        f"the cost of {reservation.key} is unknown{text}; `starter.py budget state-cost {target} {reservation.key} "
        "--usd … --tokens … --evidence …` states it",
        key=reservation.key,
        since=reservation.at.isoformat(timespec="seconds"),
    )


def cap_name(period: str, measure: money.Measure) -> str:
    """The setting's name, for example ``caps.usd_per_day``."""
    return f"caps.{measure}_per_{kind_of(period)}"


def lifted_by(book: BudgetBook, target: str, period: str, measure: money.Measure) -> tuple[str, ...]:
    """What lifts a cap that is used up."""
    kind = kind_of(period)
    which = f" --run {period.removeprefix('run/')}" if kind is money.Period.RUN else ""
    ways = [f"`starter.py budget set {target} --period {kind}{which} --measure {measure} --cap … --reason …`"]
    if kind is not money.Period.RUN and book.terms is not None and book.as_of is not None:
        ends = end_of(kind, book.as_of, book.terms.time_zone).isoformat(timespec="minutes")
        ways += [f"a higher {cap_name(period, measure)} in policies/autopilot.toml", f"the next {kind}, from {ends}"]
    return tuple(ways)


def biggest(runs: list[money.RunCost]) -> tuple[money.RunCost, ...]:
    """Dearest first: by money, then tokens, then minutes."""

    def size(run: money.RunCost) -> tuple[float, int, float]:
        return (run.total.usd, run.total.tokens, run.total.agent_minutes)

    return tuple(sorted(runs, key=size, reverse=True)[:BIGGEST])


def details(book: BudgetBook, target: str) -> Iterator[str]:
    """Markdown lines for the Temporal UI."""
    verdict = blocked(book, target)
    if not verdict.allowed:
        yield f"- **budget**: {verdict.reason}"
    for line in lines(book):
        if line.spent or line.reserved:
            reserved = f" + {amount(line.reserved)} reserved" if line.reserved else ""
            yield f"- {line.period} {line.measure}: {amount(line.spent)}{reserved} of {amount(line.cap)}"


def amount(value: float) -> str:
    """A number as people read it."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _used_up(book: BudgetBook, target: str, period: str, measure: money.Measure) -> Verdict:
    cap, spent = book.cap(period, measure), of(book.spent_in(period), measure)
    reserved = of(book.reserved_in(period), measure)
    also = f" and {amount(reserved)} reserved" if reserved else ""
    ways = "; or ".join(lifted_by(book, target, period, measure))
    when = period.partition("/")[2]
    name = cap_name(period, measure)
    used = f"{name}: {amount(spent)} of {amount(cap)} {measure} of {when} are used{also}. Lifted by {ways}"
    return hold(f"{name} is not used up", used, period=period, cap=cap, spent=spent, reserved=reserved)


def _line(book: BudgetBook, period: str, measure: money.Measure) -> money.BudgetLine:
    spent: money.Amounts = book.spent_in(period)
    ends = None
    if kind_of(period) is not money.Period.RUN and book.terms is not None and book.as_of is not None:
        ends = end_of(kind_of(period), book.as_of, book.terms.time_zone)
    return money.BudgetLine(
        period=period,
        measure=measure,
        cap=book.cap(period, measure),
        spent=of(spent, measure),
        reserved=of(book.reserved_in(period), measure),
        ends_at=ends,
        set_by_hand=line_of(period, measure) in book.caps_set,
    )
