"""The governance review of a window (runbook §11), from facts alone."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Literal

from contracts.governance import (
    Fates,
    GovernanceReport,
    Metric,
    MetricGroup,
    Pattern,
    ReviewFacts,
    RunFacts,
    Standing,
)
from contracts.later_review import DAYS, Fate
from policies.after.later_review import objective_met
from policies.counted import counted, joined, shortened
from policies.governance.baselines import WEEK, Window, metrics
from policies.governance.calibration import calibration
from policies.governance.flakes import flakes

_SAID, _NAMED, _UNDONE, _CHARACTERS = 3, 2, 20, 200
By = Literal["all", "target", "mode", "task type"]
Kind = Literal["accepted", "closed by a person", "rejected"]
_GROUPS: tuple[tuple[By, Callable[[RunFacts], str]], ...] = (
    ("target", lambda run: run.target),
    ("mode", lambda run: run.mode.value),
    ("task type", lambda run: run.task_type),
)


def governance_review(facts: ReviewFacts) -> GovernanceReport:
    """Every baseline over all runs, then by target, mode and task type; patterns, incidents, calibration."""
    begins = max(facts.since, facts.first or facts.until)
    later = Window(begins, facts.until, facts.runs, ())
    ours = [run for run in facts.runs if _is_of(later, run)]
    whole = Window(begins, facts.until, ours, facts.days, facts.trials, facts.lowered)
    everything = _group("all", "all runs", whole)
    overdue = tuple(
        each
        for each in facts.incidents
        if not each.prevented and each.due_on and each.due_on < f"{facts.until:%Y-%m-%d}"
    )
    flaky = flakes([each for run in whole.ended for each in run.checks], facts.known_flakes, facts.until.date())
    return GovernanceReport(
        since=facts.since,
        until=facts.until,
        sentence=_sentence(everything, len(overdue), sum(each.overdue for each in flaky), len(facts.unreadable)),
        groups=(everything, *_groups(whole)),
        patterns=tuple(_patterns(whole)),
        incidents=tuple(each for each in facts.incidents if each.opened_at >= facts.since),
        overdue=overdue,
        regressed=tuple(run.run_id for run in whole.merges if run.regressed),
        rolled_back=tuple(run.run_id for run in whole.merges if run.rolled_back),
        weeks=tuple(_weeks(whole)),
        tokens_by_step=_mean(whole, lambda run: run.tokens_by_step),
        usd_by_step=_mean(whole, lambda run: run.usd_by_step),
        fates=tuple(_fates(later, days) for days in DAYS) if any(run.later for run in facts.runs) else (),
        undone=tuple(_undone(later))[:_UNDONE],
        objectives_met=_objectives(whole).count(True),
        objectives_missed=_objectives(whole).count(False),
        flakes=flaky,
        trials=tuple(sorted(facts.trials, key=lambda each: each.ended_at, reverse=True)),
        lowered=tuple(sorted(facts.lowered, key=lambda each: each.at, reverse=True)),
        calibration=calibration(whole.runs),
        unreadable=facts.unreadable,
    )


def _group(by: By, name: str, window: Window) -> MetricGroup:
    return MetricGroup(by=by, name=name, runs=len(window.ended), metrics=metrics(window))


def _groups(whole: Window) -> Iterator[MetricGroup]:
    for by, of in _GROUPS:
        names = sorted({of(run) for run in whole.runs} - {""})
        for name in names:
            runs = [run for run in whole.runs if of(run) == name]
            # A day's budget is the target's, and so is a source; neither is a mode's or a task's.
            mine = name if by == "target" else None
            days = [day for day in whole.days if day.target == mine]
            trials = [each for each in whole.trials if each.target == mine]
            lowered = [each for each in whole.lowered if each.target == mine]
            yield _group(by, name, Window(whole.begins, whole.until, runs, days, trials, lowered))


def _weeks(whole: Window) -> Iterator[MetricGroup]:
    begins = whole.begins
    while begins < whole.until:
        until = min(begins + WEEK, whole.until)
        days = [day for day in whole.days if f"{begins:%Y-%m-%d}" <= day.day < f"{until:%Y-%m-%d}"]
        week = Window(begins, until, whole.runs, days, whole.trials, whole.lowered)
        yield _group("all", f"{begins:%Y-%m-%d}", week)
        begins = until


def _mean(window: Window, of: Callable[[RunFacts], Mapping[str, float]]) -> dict[str, float]:
    """Per step; runs of which a part is not known tell no mean."""
    runs = [run for run in window.ended if not run.unknown_cost]
    steps = sorted({step for run in runs for step in of(run)})
    return {step: sum(of(run).get(step, 0) for run in runs) / len(runs) for step in steps}


def _is_of(window: Window, run: RunFacts) -> bool:
    """Whether anything but a later look at its merge lies in the window."""
    return any(map(window.holds, (run.ended_at, run.opened_at, run.merged_at, run.closed_at)))


def _fates(window: Window, days: int) -> Fates:
    merges = [(run, each) for run in window.runs if run.later for each in run.later.moments if each.days == days]
    here = [each for _, each in merges if window.holds(each.at)]
    waiting = sum(window.holds(run.merged_at) and each.at >= window.until for run, each in merges)
    known = [each for each in here if each.fate in {Fate.KEPT, Fate.REWRITTEN, Fate.REVERTED}]
    counts = Counter(each.fate for each in here)
    return Fates(
        days=days,
        counts={fate: waiting if fate is Fate.NOT_YET else counts[fate] for fate in Fate},
        added=sum(each.added for each in known),
        standing=sum(each.standing for each in known),
    )


def _undone(window: Window) -> Iterator[str]:
    """The latest first."""
    for run in sorted(window.runs, key=lambda run: run.merged_at or run.ended_at, reverse=True):
        moments = run.later.moments if run.later else ()
        gone = any(each.fate in {Fate.REVERTED, Fate.REWRITTEN} and window.holds(each.at) for each in moments)
        if run.later and (gone or (run.rolled_back and window.holds(run.merged_at))):
            yield f"{run.run_id}: {run.later.sentence}"


def _objectives(window: Window) -> list[bool | None]:
    measured = (run.later.objective for run in window.merges if run.later)
    return [objective_met(objective) for objective in measured if objective]


def _patterns(window: Window) -> Iterator[Pattern]:
    """What was accepted, closed and rejected, the most frequent first."""
    found: dict[tuple[Kind, str], list[tuple[datetime, str]]] = defaultdict(list)
    for run in window.answered:
        kind: Kind = "accepted" if run.merged_at else "closed by a person"
        found[kind, run.idea or "an unknown idea"].append((run.ended_at, _words(run)))
    for run in window.ended:
        if run.rejection:
            found["rejected", run.rejection].append((run.ended_at, run.reason))
    for (kind, what), cases in sorted(found.items(), key=lambda each: (-len(each[1]), each[0])):
        quotes = tuple(dict.fromkeys(words for _, words in sorted(cases, reverse=True) if words))[:_SAID]
        yield Pattern(what=what, kind=kind, count=len(cases), said=quotes)


def _words(run: RunFacts) -> str:
    """People's own, each under its name; else the follow-up's."""
    comments = run.later.said if run.later else ()
    return "; ".join(f"{each.author}: “{shortened(each.text, _CHARACTERS)}”" for each in comments[-_SAID:]) or run.said


def _sentence(everything: MetricGroup, overdue: int, flaky: int, unreadable: int) -> str:
    missed = _named(everything, Standing.MISSED)
    met = _named(everything, Standing.MET)
    few = _named(everything, Standing.TOO_FEW)
    if missed:
        told = f"{counted(len(missed), 'target is', 'targets are')} missed: {joined(missed)}"
    else:
        told = f"No target is missed, {counted(len(met), 'is', 'are')} met"
    if few:
        which = joined(few) if len(few) <= _NAMED else f"{len(few)} others"
        told += f"; for {which} there is not enough data yet"
    told = f"{counted(everything.runs, 'run')}. {told}."
    if overdue:
        told += f" {counted(overdue, 'prevention is', 'preventions are')} overdue."
    if flaky:
        told += f" {counted(flaky, 'flaky check is', 'flaky checks are')} overdue."
    if unreadable:
        told += f" What could not be read is in no number: {counted(unreadable, 'record')}."
    return told


def _named(group: MetricGroup, standing: Standing) -> list[str]:
    found: list[Metric] = [each for each in group.metrics if each.standing is standing]
    return [each.name for each in found]
