"""What the budget shows of itself: lines, and whether new runs may start (P12)."""

from __future__ import annotations

from collections.abc import Iterator

from contracts.budget import Amounts, BudgetLine, BudgetView, Measure, Period, Reservation, RunCost
from contracts.verdict import Decision, Verdict
from policies.counted import shortened
from workflows.budget_book import BudgetBook, line_of, of
from workflows.periods import end_of, kind_of

BIGGEST = 10


def view(book: BudgetBook, target: str, epoch: int, run_id: str = "") -> BudgetView:
    """The answer of the ``budget`` query."""
    asked = [run for run in book.runs.values() if run.run_id == run_id]
    others = [run for run in book.runs.values() if run.run_id != run_id]
    return BudgetView(
        target=target,
        epoch=epoch,
        as_of=book.as_of,
        lines=lines(book),
        reservations=tuple(book.reservations.values()),
        runs=(*asked, *biggest(others)),
        blocked=blocked(book, target),
        reports=tuple(book.reports),
    )


def lines(book: BudgetBook) -> tuple[BudgetLine, ...]:
    """Every measure of the present periods, then of the runs that spend or wait for money now."""
    if book.terms is None or book.as_of is None:
        return ()
    open_runs = {each.run_id for each in book.reservations.values()} | set(book.waiting)
    periods = (*book.present(), *(f"run/{run_id}" for run_id in sorted(open_runs)))
    return tuple(_line(book, period, measure) for period in periods for measure in measures_of(period))


def measures_of(period: str) -> tuple[Measure, ...]:
    """What is capped in a period: a run's number of runs is not."""
    return tuple(each for each in Measure if (kind_of(period), each) != (Period.RUN, Measure.RUNS))


def blocked(book: BudgetBook, target: str) -> Verdict:
    """Whether new runs may start, as far as the budget goes: HOLD while a cost is unknown or a cap is used up."""
    rule = "the budget lets new runs start"
    children = [unknown_cost(each, target) for each in book.unknown()]
    children += [_used_up(book, target, period, measure) for period, measure in used_up(book)]
    if not children:
        return Verdict(rule=rule, decision=Decision.ALLOW, reason="no cap is used up, no cost is unknown")
    reason = shortened("; ".join(child.reason for child in children), 2000)
    return Verdict(rule=rule, decision=Decision.HOLD, reason=reason, children=tuple(children))


def used_up(book: BudgetBook) -> list[tuple[str, Measure]]:
    """Lines of the present periods of which nothing is left."""
    return [
        (period, measure)
        for period in book.present()
        for measure in measures_of(period)
        if book.used_up(period, measure)
    ]


def unknown_cost(reservation: Reservation, target: str) -> Verdict:
    """The hold of a cost nobody knows, and what lifts it."""
    said = f" ({reservation.note})" if reservation.note else ""
    return Verdict(
        rule="every cost is known",
        decision=Decision.HOLD,
        reason=(
            f"the cost of {reservation.key} is unknown{said}; `starter.py budget state-cost {target} {reservation.key} "
            "--usd … --tokens … --evidence …` states it"
        ),
        facts={"key": reservation.key, "since": reservation.at.isoformat(timespec="seconds")},
    )


def cap_name(period: str, measure: Measure) -> str:
    """The setting's name, for example ``caps.usd_per_day``."""
    return f"caps.{measure}_per_{kind_of(period)}"


def lifted_by(book: BudgetBook, target: str, period: str, measure: Measure) -> tuple[str, ...]:
    """What lifts a cap that is used up."""
    kind = kind_of(period)
    which = f" --run {period.removeprefix('run/')}" if kind is Period.RUN else ""
    ways = [f"`starter.py budget set {target} --period {kind}{which} --measure {measure} --cap … --reason …`"]
    if kind is not Period.RUN and book.terms is not None and book.as_of is not None:
        ends = end_of(kind, book.as_of, book.terms.time_zone).isoformat(timespec="minutes")
        ways += [f"a higher {cap_name(period, measure)} in policies/autopilot.toml", f"the next {kind}, from {ends}"]
    return tuple(ways)


def biggest(runs: list[RunCost]) -> tuple[RunCost, ...]:
    """Dearest first: by money, then tokens, then minutes."""

    def size(run: RunCost) -> tuple[float, int, float]:
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


def _used_up(book: BudgetBook, target: str, period: str, measure: Measure) -> Verdict:
    cap, spent = book.cap(period, measure), of(book.spent_in(period), measure)
    reserved = of(book.reserved_in(period), measure)
    also = f" and {amount(reserved)} reserved" if reserved else ""
    ways = "; or ".join(lifted_by(book, target, period, measure))
    when = period.partition("/")[2]
    return Verdict(
        rule=f"{cap_name(period, measure)} is not used up",
        decision=Decision.HOLD,
        reason=(
            f"{cap_name(period, measure)}: {amount(spent)} of {amount(cap)} {measure} of {when} are used{also}. "
            f"Lifted by {ways}"
        ),
        facts={"period": period, "cap": cap, "spent": spent, "reserved": reserved},
    )


def _line(book: BudgetBook, period: str, measure: Measure) -> BudgetLine:
    spent: Amounts = book.spent_in(period)
    ends = None
    if kind_of(period) is not Period.RUN and book.terms is not None and book.as_of is not None:
        ends = end_of(kind_of(period), book.as_of, book.terms.time_zone)
    return BudgetLine(
        period=period,
        measure=measure,
        cap=book.cap(period, measure),
        spent=of(spent, measure),
        reserved=of(book.reserved_in(period), measure),
        ends_at=ends,
        set_by_hand=line_of(period, measure) in book.caps_set,
    )
