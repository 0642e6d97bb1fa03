"""Every baseline metric of the runbook: formula, target, and how many cases it takes to say anything."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median
from typing import Literal

from contracts.governance import DayCost, Metric, RunFacts, SourceLowered, Standing, TrialFacts

ENOUGH_RUNS, ENOUGH_MERGES, ENOUGH_ANSWERS, ENOUGH_WEEKS = 20, 10, 10, 2.0
"""Below these a share says nothing yet."""
_Z = 1.96
WEEK = timedelta(days=7)


@dataclass(frozen=True)
class Window:
    """Runs of a group and the time they are looked at in; ``begins`` is not before the first run of all."""

    begins: datetime
    until: datetime
    runs: Sequence[RunFacts]
    days: Sequence[DayCost]
    trials: Sequence[TrialFacts] = ()
    lowered: Sequence[SourceLowered] = ()

    def holds(self, moment: datetime | None) -> bool:
        """Whether something happened in it."""
        return moment is not None and self.begins <= moment < self.until

    @property
    def ended(self) -> list[RunFacts]:
        """Runs that ended in it."""
        return [run for run in self.runs if self.holds(run.ended_at)]

    @property
    def opened(self) -> list[RunFacts]:
        """Runs whose pull request was opened in it."""
        return [run for run in self.runs if self.holds(run.opened_at)]

    @property
    def merges(self) -> list[RunFacts]:
        """Runs whose change was merged in it, by a person or by themselves."""
        return [run for run in self.runs if self.holds(run.merged_at)]

    @property
    def answered(self) -> list[RunFacts]:
        """Runs whose pull request a person merged or closed in it."""
        by_people = (run for run in self.runs if run.closed_at or run.merged_by)
        return [run for run in by_people if self.holds(run.closed_at or run.merged_at)]

    @property
    def weeks(self) -> float:
        """Its length."""
        return max((self.until - self.begins) / WEEK, 0)


def wilson(bad: float, of: float) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson 1927), 0.0 to 1.0; of nothing, all of it."""
    if of == 0:
        return 0, 1
    share, square = bad / of, _Z**2
    middle = (share + square / (2 * of)) / (1 + square / of)
    reach = _Z / (1 + square / of) * math.sqrt(share * (1 - share) / of + square / (4 * of**2))
    return max(middle - reach, 0), min(middle + reach, 1)


def metrics(window: Window) -> tuple[Metric, ...]:
    """All of them, in the runbook's order."""
    return (*(_share(rule, window) for rule in _SHARES), *_others(window), *_sources(window))


@dataclass(frozen=True)
class _Share:
    """A share of cases, in per cent, and its target."""

    name: str
    formula: str
    target: str
    cases: Callable[[Window], list[RunFacts]]
    counts: Callable[[RunFacts], bool]
    enough: int
    meets: Callable[[float], bool]


_SHARES = (
    _Share(
        "policy violations",
        "runs with a policy violation / runs that ended",
        "below 1 %",
        lambda window: window.ended,
        lambda run: run.violation,
        ENOUGH_RUNS,
        lambda share: share < 1,
    ),
    _Share(
        "post-merge regressions",
        "merges that broke the base / merges",
        "below 5 %",
        lambda window: window.merges,
        lambda run: run.regressed,
        ENOUGH_MERGES,
        lambda share: share < 5,  # noqa: PLR2004  # the runbook's numbers, here and below, beside their words
    ),
    _Share(
        "all checks green",
        "runs with every check green / runs that came to the checks",
        "above 90 %",
        lambda window: [run for run in window.ended if run.all_green is not None],
        lambda run: run.all_green is True,
        ENOUGH_RUNS,
        lambda share: share > 90,  # noqa: PLR2004
    ),
    _Share(
        "rollbacks",
        "merges that were rolled back / merges",
        "below 3 %",
        lambda window: window.merges,
        lambda run: run.rolled_back,
        ENOUGH_MERGES,
        lambda share: share < 3,  # noqa: PLR2004
    ),
    _Share(
        "pull request acceptance",
        "pull requests that a person merged / that a person answered",
        "above 60 %",
        lambda window: window.answered,
        lambda run: run.merged_at is not None,
        ENOUGH_ANSWERS,
        lambda share: share > 60,  # noqa: PLR2004
    ),
)


def _share(rule: _Share, window: Window) -> Metric:
    cases = rule.cases(window)
    count = sum(map(rule.counts, cases))
    value = 100 * count / len(cases) if cases else None
    low, high = wilson(count, len(cases))
    enough = value is not None and len(cases) >= rule.enough
    met = enough and value is not None and rule.meets(value)
    return Metric(
        name=rule.name,
        formula=rule.formula,
        target=rule.target,
        unit="%",
        count=count,
        of=len(cases),
        value=value,
        low=100 * low if cases else None,
        high=100 * high if cases else None,
        standing=(Standing.MET if met else Standing.MISSED) if enough else Standing.TOO_FEW,
    )


def _others(window: Window) -> tuple[Metric, ...]:
    ended, merges = window.ended, window.merges
    touched = sum(run.protected for run in ended)
    # Of less than a week a rate is a guess.
    weekly = len(window.opened) / window.weeks if window.weeks >= 1 else None
    days = [day.used for day in window.days]
    waits = [(run.opened_at - run.started_at) / timedelta(hours=1) for run in window.opened if run.opened_at]
    usd = sum(run.usd for run in ended)
    # What is not known is not zero: then no mean of it is, either.
    known = not any(run.unknown_cost for run in ended)
    tokens = sum(run.tokens for run in ended)
    return (
        _plain("protected paths touched", "runs whose change touched one", "none", "count", touched, len(ended),
               touched if ended else None, met=touched == 0, enough=bool(ended)),
        _plain("pull requests a week", "opened / weeks", "3 to 10", "a week", len(window.opened), window.weeks, weekly,
               met=weekly is not None and 3 <= weekly <= 10, enough=window.weeks >= ENOUGH_WEEKS),  # noqa: PLR2004
        _plain("daily budget use", "the most of a cap that one day used", "at most 100 %", "%",
               len(days), len(days), 100 * max(days) if days else None,
               met=max(days, default=0) <= 1, enough=bool(days)),
        _plain("time to pull request", "median, from the run's start", "", "hours", len(waits), len(waits),
               median(waits) if waits else None),
        _plain("cost per run", "USD of all runs / runs", "", "USD", usd, len(ended),
               usd / len(ended) if ended and known else None),
        _plain("cost per merged change", "USD of all runs / merges", "", "USD", usd, len(merges),
               usd / len(merges) if merges and known else None),
        _plain("tokens per run", "tokens of all runs / runs", "", "tokens", tokens, len(ended),
               tokens / len(ended) if ended and known else None),
    )  # fmt: skip


def _sources(window: Window) -> tuple[Metric, ...]:
    """Runbook §5; the runbook names no targets: each source has thresholds of its own."""
    trials = [each for each in window.trials if window.holds(each.ended_at)]
    passed = [each for each in trials if each.passed]
    promoted = sum(each.promoted for each in passed)
    uses = [each for run in window.ended for each in run.sources]
    ages = [each.freshness_hours for each in uses if each.freshness_hours is not None]
    lowered = [each for each in window.lowered if window.holds(each.at)]
    names = {each.source for each in uses} | {each.source for each in lowered}
    return (
        _plain("source trial success", "trials passed / trials that ended", "", "%", len(passed), len(trials),
               100 * len(passed) / len(trials) if trials else None),
        _plain("source promotions", "promoted by a person / trials passed", "", "count", promoted, len(passed),
               promoted if passed else None),
        _plain("source demotions", "times a source was lowered / sources", "", "count", len(lowered), len(names),
               len(lowered) if names else None),
        _plain("source freshness", "median age of the newest record, when asked", "", "hours", len(ages), len(ages),
               median(ages) if ages else None),
    )  # fmt: skip


def _plain(
    name: str, formula: str, target: str, unit: Literal["%", "a week", "USD", "hours", "tokens", "count"],
    count: float, of: float, value: float | None, *, met: bool = False, enough: bool = False,
) -> Metric:  # fmt: skip
    standing = Standing.NO_TARGET
    if target:
        standing = (Standing.MET if met else Standing.MISSED) if enough else Standing.TOO_FEW
    return Metric(
        name=name, formula=formula, target=target, unit=unit, count=count, of=of, value=value, standing=standing
    )
