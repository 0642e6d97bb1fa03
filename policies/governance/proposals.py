"""At most one bounded step of one threshold (runbook §11: adjusted cautiously). A person takes it, or not."""

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import tomlkit

from contracts.governance import GovernanceReport, Metric, Standing
from contracts.proposal import PolicyEdit, PolicyProposal, Value

FILE = "autopilot.toml"
REST = timedelta(days=28)
"""After a step that was taken: so long it is looked at before the same threshold moves again."""
_Z = 1.96


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


def is_step(table: str, key: str, before: Value, after: Value) -> bool:
    """Whether this is exactly one step of a threshold that may be moved, within its bounds."""
    if isinstance(before, bool) or not isinstance(before, int | float):
        return False
    levers = (lever for lever in _LEVERS if (lever.table, lever.name) == (table, key))
    return any(_stepped(lever, before) == after for lever in levers)


def spoken_for(metric: str) -> tuple[str, ...]:
    """Thresholds that move where this metric is missed, each with the reason; empty: none does."""
    return tuple(
        f"{lever.table}.{lever.name}: {lever.because}"
        for lever in _LEVERS
        if lever.metric == metric and not lever.towards_more
    )


def propose(
    found: GovernanceReport, text: str, earlier: Sequence[GovernanceReport], withdrawn: Collection[str] = ()
) -> PolicyProposal | str:
    """The step, or why there is none.

    Rules, in order: the review read everything there is · what was proposed, not taken yet and not withdrawn is
    proposed again, and nothing else · the first metric, safety's first, that misses its target by more than noise moves
    its threshold by one step · not within four weeks of a step of the same threshold that was taken, or turned down ·
    never back on an earlier one · never beyond its bounds.

    Args:
        found: the review.
        text: ``autopilot.toml`` as it is.
        earlier: reviews before this one, newest first.
        withdrawn: ids of proposals that a person turned down.
    """
    if found.unreadable:
        return "not everything could be read: nothing is concluded from a part"
    values = tomlkit.parse(text).unwrap()
    past = [(report.until, report.proposal) for report in earlier if report.proposal]
    if past:
        _, last = past[0]
        [moved] = last.edits
        if last.proposal_id not in withdrawn and values.get(moved.table, {}).get(moved.key) == moved.before:
            return last
    metrics = {metric.name: metric for metric in found.groups[0].metrics}
    kept_back = ""
    for lever in _LEVERS:
        metric = metrics[lever.metric]
        if metric.standing is not Standing.MISSED or not lever.speaks(metric):
            continue
        if lever.towards_more and not _well(metrics, besides=metric):
            continue
        edit = _step(lever, values)
        if edit is None:
            kept_back = kept_back or f"{lever.table}.{lever.name} is not in {FILE}, or as far as it goes"
        elif reason := _not_now(edit, found, past):
            kept_back = kept_back or reason
        else:
            return _proposal(edit, lever, metric, found.until)
    return kept_back or "no metric misses its target by more than noise"


def _proposal(edit: PolicyEdit, lever: _Lever, metric: Metric, made_at: datetime) -> PolicyProposal:
    shown = "unknown" if metric.value is None else f"{metric.value:.3g}"
    unit = "" if metric.unit == "count" else f" {metric.unit}"
    text = f"{metric.name}: {shown}{unit} ({metric.count:g} of {round(metric.of, 1):g}); wanted is {metric.target}"
    return PolicyProposal(
        proposal_id=f"{made_at:%G-W%V}-{edit.name}",
        kind="threshold",
        file=FILE,
        edits=(edit,),
        because=lever.because,
        measured=(text,),
        made_at=made_at,
    )


def _well(metrics: dict[str, Metric], besides: Metric) -> bool:
    accepted = metrics["pull request acceptance"].standing is Standing.MET
    return accepted and all(each is besides or each.standing is not Standing.MISSED for each in metrics.values())


def _step(lever: _Lever, values: dict[str, dict[str, float]]) -> PolicyEdit | None:
    now = values.get(lever.table, {}).get(lever.name)
    if now is None or (after := _stepped(lever, now)) is None:
        return None
    return PolicyEdit(table=lever.table, key=lever.name, before=now, after=after)


def _stepped(lever: _Lever, now: float) -> float | None:
    """None: it is as far as it goes."""
    after = lever.step(now)
    within = min(now, lever.end) <= after <= max(now, lever.end)
    return after if within and after != now else None


def _not_now(edit: PolicyEdit, found: GovernanceReport, past: Sequence[tuple[datetime, PolicyProposal]]) -> str:
    for until, proposal in past:
        [before] = proposal.edits
        if before.name != edit.name:
            continue
        if _upwards(before) != _upwards(edit):
            return f"{edit.name} was moved the other way on {until:%Y-%m-%d}: a person decides, or nobody"
        if found.until - until < REST:
            return f"{edit.name} was proposed to move on {until:%Y-%m-%d}: it is looked at for {REST.days} days first"
    return ""


def _upwards(edit: PolicyEdit) -> bool:
    return float(edit.after or 0) > float(edit.before or 0)
