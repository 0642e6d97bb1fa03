"""Whether a kind of task has earned SELECTIVE_AUTO, and what is missing (runbook, "before ``SELECTIVE_AUTO``")."""

from datetime import UTC, date, datetime, timedelta

from contracts.governance import ReviewFacts, RunFacts
from contracts.incident import CRITICAL
from contracts.modes import Mode
from contracts.verdict import Verdict
from policies.counted import counted
from policies.governance.baselines import ENOUGH_MERGES
from policies.verdicts import all_of, allow, deny

BEGINNING = datetime.min.replace(tzinfo=UTC)
"""A target is judged by all it ever did."""
BASELINE_DAYS = 14
"""In DRY_RUN, and then in PR_ONLY."""
PULL_REQUESTS = 20
QUIET = timedelta(days=30)
"""Without a critical incident, and with a stable budget."""
MOST_REGRESSIONS = 5
"""Per cent of the merges; the baseline's."""


def earned(facts: ReviewFacts, target: str, task_type: str) -> Verdict:
    """From everything that ever happened on a target; the reason is the first thing that is missing.

    Rules: runs ended on 14 days in DRY_RUN · and on 14 in PR_ONLY · 20 pull requests of this kind of task in PR_ONLY ·
    of its merges, ten at least, fewer than 5 % broke the base · no policy violation and no regression in 30 days ·
    a budget that was known and not used up on any of the last 30 days, which reach back so far.
    """
    ours = [run for run in facts.runs if run.target == target]
    return all_of(
        f"{task_type} has earned SELECTIVE_AUTO on {target}",
        [
            _days(ours, Mode.DRY_RUN),
            _days(ours, Mode.PR_ONLY),
            _pull_requests(ours, task_type),
            _regressions(ours, task_type),
            _quiet(facts, target),
            _budget(facts, ours, target),
        ],
    )


def _days(runs: list[RunFacts], mode: Mode) -> Verdict:
    rule = f"{counted(BASELINE_DAYS, 'day')} of baseline in {mode.value}"
    days = {run.ended_at.date() for run in runs if run.mode is mode}
    reason = f"runs ended in {mode.value} on {counted(len(days), 'day')}, of {BASELINE_DAYS}"
    return (allow if len(days) >= BASELINE_DAYS else deny)(rule, reason, days=len(days))


def _pull_requests(runs: list[RunFacts], task_type: str) -> Verdict:
    rule = f"{counted(PULL_REQUESTS, 'pull request')} in PR_ONLY"
    opened = sum(run.opened_at is not None for run in runs if run.mode is Mode.PR_ONLY and run.task_type == task_type)
    reason = f"{counted(opened, 'pull request')} of {task_type} in PR_ONLY, of {PULL_REQUESTS}"
    return (allow if opened >= PULL_REQUESTS else deny)(rule, reason, opened=opened)


def _regressions(runs: list[RunFacts], task_type: str) -> Verdict:
    rule = "the regression rate is below its target"
    merges = [run for run in runs if run.merged_at and run.task_type == task_type]
    if len(merges) < ENOUGH_MERGES:
        return deny(rule, f"not enough data: {counted(len(merges), 'merge')} of {task_type}, of {ENOUGH_MERGES}")
    bad = sum(run.regressed for run in merges)
    reason = (
        f"{bad} of {counted(len(merges), 'merge')} of {task_type} broke the base; below {MOST_REGRESSIONS} % is wanted"
    )
    return (allow if 100 * bad < MOST_REGRESSIONS * len(merges) else deny)(rule, reason, merges=len(merges), bad=bad)


def _quiet(facts: ReviewFacts, target: str) -> Verdict:
    rule = f"no critical incident in {counted(QUIET.days, 'day')}"
    since = facts.until - QUIET
    found = [each for each in facts.incidents if each.target == target and each.trigger in CRITICAL]
    late = max((each for each in found if each.opened_at >= since), key=lambda each: each.opened_at, default=None)
    if late is None:
        return allow(rule, "none")
    return deny(rule, f"{late.incident} was opened on {late.opened_at:%Y-%m-%d}")


def _budget(facts: ReviewFacts, runs: list[RunFacts], target: str) -> Verdict:
    rule = f"{counted(QUIET.days, 'day')} of stable budget"
    since = facts.until - QUIET
    days = {date.fromisoformat(each.day): each.used for each in facts.days if each.target == target}
    if not days or min(days) > since.date():
        began = f"since {min(days)}" if days else "not yet"
        return deny(rule, f"spending is booked {began}, for less than {counted(QUIET.days, 'day')}")
    over = sorted(day for day, used in days.items() if day >= since.date() and used > 1)
    if over:
        return deny(rule, f"{over[-1]} used more than its cap")
    unknown = sorted(run.run_id for run in runs if run.ended_at >= since and run.unknown_cost)
    if unknown:
        return deny(rule, f"nobody has stated what {unknown[-1]} cost (`starter.py budget state-cost`)")
    return allow(rule, "every day was within its caps")
