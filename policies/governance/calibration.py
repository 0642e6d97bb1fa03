"""The risk score against what happened (runbook §10, §11): a reliability table, and whether it says anything."""

from collections.abc import Sequence
from itertools import pairwise
from statistics import fmean

from contracts.governance import Calibration, RiskBin, RunFacts
from contracts.later_review import Fate
from policies.counted import counted
from policies.governance.baselines import wilson

_EDGES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0)
ENOUGH = 10
"""Changes in a bin, before it says anything; and it takes two such bins."""


def calibration(runs: Sequence[RunFacts]) -> Calibration:
    """Of changes that a person answered or that were merged: those that were closed, regressed or undone since.

    The score is read as the chance of that. It is calibrated where in each bin with enough changes the mean score lies
    within the interval of the bad ones' share; that higher scores went worse is asked first, as it needs less.
    """
    known = [run for run in runs if run.risk is not None and (run.closed_at or run.merged_at)]
    bins = tuple(found for low, high in pairwise(_EDGES) if (found := _bin(known, low, high)))
    telling = [one for one in bins if one.changes >= ENOUGH]
    if len(telling) < 2:  # noqa: PLR2004  # a curve has two points
        return Calibration(bins=bins, verdict=f"Not enough data: {counted(len(known), 'change')} with a known end.")
    shares = [one.bad / one.changes for one in telling]
    if any(after.share_high < before.share_low for before, after in pairwise(telling)):
        return Calibration(bins=bins, verdict="Not calibrated: changes with a higher score went better.")
    off = [one for one in telling if not one.share_low <= one.mean_score <= one.share_high]
    if off:
        worst = max(off, key=lambda one: abs(one.mean_score - one.bad / one.changes))
        share = worst.bad / worst.changes
        told = f"scores of about {worst.mean_score:.2f} went badly in {100 * share:.0f} % of {worst.changes} changes"
        return Calibration(bins=bins, verdict=f"Not calibrated: {told}.")
    spread = f"{100 * min(shares):.0f} to {100 * max(shares):.0f} %"
    return Calibration(bins=bins, verdict=f"Calibrated: the bad share ({spread}) agrees with the score in every bin.")


def _bin(runs: Sequence[RunFacts], low: float, high: float) -> RiskBin | None:
    held = [run for run in runs if run.risk is not None and (low <= run.risk < high or run.risk == high == _EDGES[-1])]
    if not held:
        return None
    bad = sum(_went_badly(run) for run in held)
    share = wilson(bad, len(held))
    return RiskBin(
        low=low,
        high=high,
        changes=len(held),
        mean_score=fmean(run.risk or 0 for run in held),
        bad=bad,
        share_low=share[0],
        share_high=share[1],
    )


def _went_badly(run: RunFacts) -> bool:
    moments = run.later.moments if run.later else ()
    return bool(run.closed_at or run.regressed or run.rolled_back or any(m.fate is Fate.REVERTED for m in moments))
