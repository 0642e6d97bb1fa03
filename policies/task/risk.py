"""The risk score (task contracts: files touched, sensitive paths, runtime impact, test coverage, past failures)."""

from collections.abc import Mapping

from contracts.change import Change
from contracts.modes import RiskLevel
from contracts.release import RiskScore
from contracts.task import TaskType
from policies.paths.rules import matches
from policies.release.checks import runs_tests
from policies.settings.schema import EffectivePolicy

LEVELS = tuple(RiskLevel)
"""From least to most."""

BLOCKED_UNLESS_APPROVED = frozenset({RiskLevel.HIGH, RiskLevel.CRITICAL})
"""Such a change is rejected unless a person approved it before the run."""

_NOT_RUNTIME = (
    "docs/", "doc/", "examples/", "tests/", "test/", "test_*.py", "*_test.py", "conftest.py",
    "*.md", "*.rst", "*.txt", "LICENSE*", "CHANGES*", "CHANGELOG*", "AUTHORS*", "README*",
)  # fmt: skip


def score_risk(
    change: Change,
    policy: EffectivePolicy,
    *,
    covered: bool,
    past_failures: int,
    task_type: TaskType = TaskType.CODE_IMPROVEMENT,
) -> RiskScore:
    """Score a measured change.

    Args:
        change: measured from two commits.
        policy: weights, thresholds, patterns.
        task_type: of its contract.
        covered: tests ran, and were green, on the exact merge result.
        past_failures: earlier runs that tried this task and failed.

    Each input is 0.0 to 1.0; the total is their weighted sum, at most 1.0 (weights: policy ``[risk]``):

    1. files_touched = files / the policy's file limit (not the contract's: a tight contract is no risk).
    2. sensitive_paths = 1 if any path is sensitive or protected (one is enough), 0.5 for the lock files of
       a dependency update, else 0.
    3. runtime_impact = changed lines outside documentation and tests / all changed lines.
    4. test_coverage = 0 if nothing at run time changed or tests covered it, else 1.
    5. past_failures = failed attempts / attempts allowed per task.

    The level is the highest of MEDIUM, HIGH and CRITICAL whose threshold the total reaches, else LOW.
    """
    lines: dict[str, int] = {}
    for path in change.paths:
        lines[path.path] = path.added + path.removed
    return _score(lines, policy, task_type, covered, past_failures)


def estimate_level(
    paths: tuple[str, ...], policy: EffectivePolicy, task_type: TaskType = TaskType.CODE_IMPROVEMENT
) -> RiskLevel:
    """What the same formulas say before there is a change: equal lines per path, no failures yet.

    Covered is what the target's required tests will cover; without any, Release could not call it covered either.
    """
    return _score(dict.fromkeys(paths, 1), policy, task_type, covered=_will_be_covered(policy), past_failures=0).level


def worst_level(paths: tuple[str, ...], policy: EffectivePolicy, task_type: TaskType) -> RiskLevel:
    """The same, if nearly all changed lines are in those of the files that run: no spread of lines is worse."""
    lines = {path: 1_000_000 if is_runtime(path) else 1 for path in paths}
    return _score(lines, policy, task_type, covered=_will_be_covered(policy), past_failures=0).level


def _will_be_covered(policy: EffectivePolicy) -> bool:
    return any(check.required and runs_tests(check.kind, check.argv) for check in policy.target.checks)


def is_runtime(path: str) -> bool:
    """Whether a path is neither documentation nor tests."""
    return not matches(path, _NOT_RUNTIME)


def _score(
    lines: Mapping[str, int], policy: EffectivePolicy, task_type: TaskType, covered: bool, past_failures: int
) -> RiskScore:
    weights = policy.autopilot.risk
    protecting, opened = list(weights.sensitive), list[str]()
    for rule in policy.protected_paths.protected:
        lock_files = task_type is TaskType.DEPENDENCY_UPDATE and task_type in rule.unless
        (opened if lock_files else protecting).extend(rule.patterns)
    half = 0.5 if any(matches(path, opened) for path in lines) else 0.0
    runtime = [path for path in lines if is_runtime(path)]
    # A mode change or an emptied file counts as one line: nothing that is touched weighs nothing.
    runtime_lines = sum(max(1, lines[path]) for path in runtime)
    all_lines = sum(max(1, count) for count in lines.values())
    inputs = {
        "files_touched": min(1.0, len(lines) / policy.autopilot.diff_budget.files),
        "sensitive_paths": 1.0 if any(matches(path, protecting) for path in lines) else half,
        "runtime_impact": runtime_lines / all_lines if all_lines else 0.0,
        "test_coverage": 0.0 if covered or not runtime else 1.0,
        "past_failures": min(1.0, past_failures / policy.autopilot.caps.attempts_per_task),
    }
    total = min(1.0, sum(value * getattr(weights, name) for name, value in inputs.items()))
    total = round(total, 4)
    rounded = {name: round(value, 4) for name, value in inputs.items()}
    return RiskScore(**rounded, total=total, level=_level(total, policy))


def _level(total: float, policy: EffectivePolicy) -> RiskLevel:
    thresholds = policy.autopilot.risk
    if total >= thresholds.critical_from:
        return RiskLevel.CRITICAL
    if total >= thresholds.high_from:
        return RiskLevel.HIGH
    return RiskLevel.MEDIUM if total >= thresholds.medium_from else RiskLevel.LOW
