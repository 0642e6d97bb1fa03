"""The governance review of a window (runbook §11), from facts alone."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Literal

from contracts.governance import (
    GovernanceReport,
    Metric,
    MetricGroup,
    Pattern,
    ReviewFacts,
    RunFacts,
    Standing,
)
from policies.counted import counted, joined
from policies.governance.baselines import WEEK, Window, metrics
from policies.governance.calibration import calibration

_SAID, _NAMED = 3, 2
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
    whole = Window(begins, facts.until, facts.runs, facts.days)
    everything = _group("all", "all runs", whole)
    overdue = tuple(
        each
        for each in facts.incidents
        if not each.prevented and each.due_on and each.due_on < f"{facts.until:%Y-%m-%d}"
    )
    return GovernanceReport(
        since=facts.since,
        until=facts.until,
        sentence=_sentence(everything, len(overdue), len(facts.unreadable)),
        groups=(everything, *_groups(whole)),
        patterns=tuple(_patterns(whole)),
        incidents=tuple(each for each in facts.incidents if each.opened_at >= facts.since),
        overdue=overdue,
        regressed=tuple(run.run_id for run in whole.merges if run.regressed),
        rolled_back=tuple(run.run_id for run in whole.merges if run.rolled_back),
        weeks=tuple(_weeks(whole)),
        tokens_by_step=_tokens(whole),
        calibration=calibration(facts.runs),
        unreadable=facts.unreadable,
    )


def _group(by: By, name: str, window: Window) -> MetricGroup:
    return MetricGroup(by=by, name=name, runs=len(window.ended), metrics=metrics(window))


def _groups(whole: Window) -> Iterator[MetricGroup]:
    for by, of in _GROUPS:
        names = sorted({of(run) for run in whole.runs} - {""})
        for name in names:
            runs = [run for run in whole.runs if of(run) == name]
            # A day's budget is the target's; it is no mode's and no task's.
            days = [day for day in whole.days if by == "target" and day.target == name]
            yield _group(by, name, Window(whole.begins, whole.until, runs, days))


def _weeks(whole: Window) -> Iterator[MetricGroup]:
    begins = whole.begins
    while begins < whole.until:
        until = min(begins + WEEK, whole.until)
        days = [day for day in whole.days if f"{begins:%Y-%m-%d}" <= day.day < f"{until:%Y-%m-%d}"]
        yield _group("all", f"{begins:%Y-%m-%d}", Window(begins, until, whole.runs, days))
        begins = until


def _tokens(window: Window) -> dict[str, float]:
    """Runs of which a part is not known tell no mean."""
    runs = [run for run in window.ended if not run.unknown_cost]
    steps = sorted({step for run in runs for step in run.tokens_by_step})
    return {step: sum(run.tokens_by_step.get(step, 0) for run in runs) / len(runs) for step in steps}


def _patterns(window: Window) -> Iterator[Pattern]:
    """What was accepted, closed and rejected, the most frequent first."""
    found: dict[tuple[Kind, str], list[tuple[datetime, str]]] = defaultdict(list)
    for run in window.answered:
        kind: Kind = "accepted" if run.merged_at else "closed by a person"
        found[kind, run.idea or "an unknown idea"].append((run.ended_at, run.said))
    for run in window.ended:
        if run.rejection:
            found["rejected", run.rejection].append((run.ended_at, run.reason))
    for (kind, what), cases in sorted(found.items(), key=lambda each: (-len(each[1]), each[0])):
        said = tuple(dict.fromkeys(words for _, words in sorted(cases, reverse=True) if words))[:_SAID]
        yield Pattern(what=what, kind=kind, count=len(cases), said=said)


def _sentence(everything: MetricGroup, overdue: int, unreadable: int) -> str:
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
    if unreadable:
        told += f" What could not be read is in no number: {counted(unreadable, 'record')}."
    return told


def _named(group: MetricGroup, standing: Standing) -> list[str]:
    found: list[Metric] = [each for each in group.metrics if each.standing is standing]
    return [each.name for each in found]
