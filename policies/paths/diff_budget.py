"""How big a change may be (policy defaults "diff budget"; runbook §4)."""

from collections.abc import Iterator

from contracts.change import Change
from contracts.task import TaskContract
from contracts.verdict import Verdict
from policies.counted import counted
from policies.settings.schema import EffectivePolicy
from policies.verdicts import all_of, allow, ask, deny


def judge_budget(change: Change, contract: TaskContract, policy: EffectivePolicy) -> Verdict:
    """Compare four measures of the change with two limits.

    Rules, in order:

    1. Files, lines, new files and deletions stay within the contract's scope (DENY; runbook §4 "inside the
       contract's scope").
    2. They stay within the policy's diff budget; deletions only for the task types it lists (ASK: beyond it a human
       reviews; policy defaults).
    """
    scope, budget = contract.scope, policy.autopilot.diff_budget
    bounds = (
        ("files", len(change.paths), scope.max_files, budget.files),
        ("lines", change.lines, scope.max_lines, budget.lines),
        ("new files", _count(change, "A"), scope.max_new_files, budget.new_files),
        ("deletions", _count(change, "D"), scope.max_deletions, deletions_allowed(contract, policy)),
    )
    return all_of("the change is within its budgets", _judge(bounds))


def deletions_allowed(contract: TaskContract, policy: EffectivePolicy) -> int:
    """Deleted files the policy allows: its number, or as many as files for the task types it lists."""
    budget = policy.autopilot.diff_budget
    return budget.files if contract.type in budget.deletions_allowed_for else budget.deletions


def within_auto_merge(change: Change, policy: EffectivePolicy) -> Verdict:
    """The smaller budget of auto-merge (policy defaults): files, lines, new files; no deletion at all (ASK beyond)."""
    limits = policy.autopilot.auto_merge
    bounds = (
        ("files", len(change.paths), limits.files),
        ("lines", change.lines, limits.lines),
        ("new files", _count(change, "A"), limits.new_files),
        ("deletions", _count(change, "D"), 0),
    )
    return all_of(
        "the change is within the auto-merge budget",
        [
            (allow if found <= most else ask)(
                f"{what} are within auto-merge",
                f"{counted(found, what.removesuffix('s'))}; at most {most} may be merged without a person",
                found=found,
                most=most,
            )
            for what, found, most in bounds
        ],
    )


def _judge(bounds: tuple[tuple[str, int, int, int], ...]) -> Iterator[Verdict]:
    for what, found, contracted, budgeted in bounds:
        rule, facts = f"{what} are within budget", {"found": found, "contract": contracted, "policy": budgeted}
        if found > contracted:
            yield deny(rule, f"{counted(found, what.removesuffix('s'))}; the contract allows {contracted}", **facts)
        elif found > budgeted:
            yield ask(
                rule, f"{counted(found, what.removesuffix('s'))}; policy lets {budgeted} pass without a person", **facts
            )
        else:
            yield allow(rule, f"{counted(found, what.removesuffix('s'))}", **facts)


def _count(change: Change, status: str) -> int:
    return sum(path.status == status for path in change.paths)
