"""At most one bounded step of one threshold (runbook §11: adjusted cautiously). A person takes it, or not."""

import difflib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import tomlkit

from contracts.governance import GovernanceReport, Metric, Proposal, Standing
from contracts.release import WhatIf

FILE = "autopilot.toml"
REST = timedelta(days=28)
"""After a step that was taken: so long it is looked at before the same threshold moves again."""
_Z = 1.96


@dataclass(frozen=True)
class Step:
    """A threshold as it is and as it might be."""

    table: str
    name: str
    before: float
    after: float
    because: str

    @property
    def key(self) -> str:
        """``candidates.minimum_confidence``."""
        return f"{self.table}.{self.name}"


@dataclass(frozen=True)
class _Lever:
    """A threshold, the metric that speaks for moving it, and how far it may ever go."""

    table: str
    name: str
    metric: str
    speaks: Callable[[Metric], bool]
    """Whether the metric misses its target by more than noise."""
    step: Callable[[float], float]
    end: float
    """No step goes beyond."""
    because: str
    towards_more: bool = False
    """Only where people accept what they get, and nothing else is missed."""


def _worse(bound: float) -> Callable[[Metric], bool]:
    return lambda metric: metric.low is not None and metric.low > bound


def _fewer(bound: float) -> Callable[[Metric], bool]:
    return lambda metric: metric.high is not None and metric.high < bound


def _rate(sign: int, bound: float) -> Callable[[Metric], bool]:
    """Counts scatter by their root (Poisson)."""

    def speaks(metric: Metric) -> bool:
        nearest = metric.count - sign * _Z * math.sqrt(max(metric.count, 1))
        return bool(metric.of) and sign * nearest / metric.of > sign * bound

    return speaks


_LEVERS = (
    # Towards less first. None of these is a gate: what may be released is decided as ever.
    _Lever("auto_merge", "lines", "post-merge regressions", _worse(5), lambda now: math.floor(now * 0.75), 10,
           "merges break the base too often: merge smaller changes alone"),
    _Lever("auto_merge", "lines", "rollbacks", _worse(3), lambda now: math.floor(now * 0.75), 10,
           "merges are rolled back too often: merge smaller changes alone"),
    _Lever("candidates", "minimum_confidence", "pull request acceptance", _fewer(60), lambda now: round(now + 0.05, 2),
           0.9, "people close too many pull requests: try only ideas that are surer"),
    _Lever("caps", "open_pull_requests", "pull requests a week", _rate(1, 10), lambda now: now - 1, 1,
           "more pull requests than people look at: let fewer wait at a time"),
    _Lever("candidates", "minimum_confidence", "pull requests a week", _rate(-1, 3), lambda now: round(now - 0.05, 2),
           0.5, "few pull requests, and people accept them: try ideas that are a little less sure",
           towards_more=True),
)  # fmt: skip


def propose(found: GovernanceReport, text: str, earlier: Sequence[GovernanceReport]) -> Step | str:
    """The step, or why there is none.

    Rules, in order: the review read everything there is · what was proposed and not taken yet is proposed again, and
    nothing else · the first metric, safety's first, that misses its target by more than noise moves its threshold by
    one step · not within four weeks of a step of the same threshold that was taken · never back on an earlier one ·
    never beyond its bounds.

    Args:
        found: the review.
        text: ``autopilot.toml`` as it is.
        earlier: reviews before this one, newest first.
    """
    if found.unreadable:
        return "not everything could be read: nothing is concluded from a part"
    values = tomlkit.parse(text).unwrap()
    past = [(report.until, report.proposal) for report in earlier if report.proposal]
    if past:
        _, last = past[0]
        table, _, name = last.key.partition(".")
        if values.get(table, {}).get(name) == last.before:
            return Step(table, name, last.before, last.after, last.because)
    metrics = {metric.name: metric for metric in found.groups[0].metrics}
    kept_back = ""
    for lever in _LEVERS:
        metric = metrics[lever.metric]
        if metric.standing is not Standing.MISSED or not lever.speaks(metric):
            continue
        if lever.towards_more and not _well(metrics, besides=metric):
            continue
        step = _step(lever, values)
        if step is None:
            kept_back = kept_back or f"{lever.table}.{lever.name} is not in {FILE}, or as far as it goes"
        elif reason := _not_now(step, found, past):
            kept_back = kept_back or reason
        else:
            return step
    return kept_back or "no metric misses its target by more than noise"


def proposal(step: Step, text: str, replayed: WhatIf) -> Proposal:
    """The step as a person is shown it."""
    return Proposal(
        key=step.key,
        before=step.before,
        after=step.after,
        because=step.because,
        patch=patch(text, step),
        what_if=replayed,
    )


def edited(text: str, step: Step) -> str:
    """The file with this step taken: every comment, blank line and order as before."""
    document = tomlkit.parse(text)
    table = document[step.table]
    assert isinstance(table, dict)  # noqa: S101  # `propose` found the value in it
    table[step.name] = int(step.after) if isinstance(table[step.name], int) else step.after
    return tomlkit.dumps(document)


def patch(text: str, step: Step) -> str:
    """A unified diff, from the policy folder."""
    lines = (text.splitlines(keepends=True), edited(text, step).splitlines(keepends=True))
    return "".join(difflib.unified_diff(*lines, f"a/{FILE}", f"b/{FILE}"))


def _well(metrics: dict[str, Metric], besides: Metric) -> bool:
    accepted = metrics["pull request acceptance"].standing is Standing.MET
    return accepted and all(each is besides or each.standing is not Standing.MISSED for each in metrics.values())


def _step(lever: _Lever, values: dict[str, dict[str, float]]) -> Step | None:
    now = values.get(lever.table, {}).get(lever.name)
    if now is None:
        return None
    after = lever.step(now)
    within = min(now, lever.end) <= after <= max(now, lever.end)
    return Step(lever.table, lever.name, now, after, lever.because) if within and after != now else None


def _not_now(step: Step, found: GovernanceReport, past: Sequence[tuple[datetime, Proposal]]) -> str:
    for until, proposal in past:
        if proposal.key != step.key:
            continue
        if (proposal.after > proposal.before) != (step.after > step.before):
            return f"{step.key} was moved the other way on {until:%Y-%m-%d}: a person decides, or nobody"
        if found.until - until < REST:
            return f"{step.key} was moved on {until:%Y-%m-%d}: it is looked at for {REST.days} days first"
    return ""
