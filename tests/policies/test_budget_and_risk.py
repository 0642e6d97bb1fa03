"""Size and danger of a change (policy defaults)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.modes import RiskLevel
from contracts.release import RiskScore
from contracts.task import TaskType
from contracts.verdict import Decision, Verdict
from policies.paths.diff_budget import judge_budget, within_auto_merge
from policies.run import known_bad
from policies.run.known_bad import entry
from policies.task.risk import LEVELS, estimate_level, score_risk
from tests.policies.sample_policy import policy

POLICY = policy()
CONTRACT = known_bad.contract(POLICY)


def contract(**scope: int):
    """A contract with other limits."""
    return CONTRACT.model_copy(update={"scope": CONTRACT.scope.model_copy(update=scope)})


@pytest.mark.parametrize("case", list(known_bad.bad_sizes(POLICY)), ids=lambda case: case.name)
def test_known_bad_sizes_are_refused(case):
    """Beyond policy a person reviews; beyond the contract nobody may."""
    assert judge_budget(case.change, CONTRACT, POLICY).decision in {case.expected, Decision.DENY}


def test_a_whole_budget_verdict():
    """Every measure is shown with both its limits."""
    found = judge_budget(known_bad.change(entry("a.py", lines=400)), contract(max_files=1, max_lines=400), POLICY)

    assert found.children[1] == Verdict(
        rule="lines are within budget",
        decision=Decision.ALLOW,
        reason="400 lines",
        facts={"found": 400, "contract": 400, "policy": 400},
    )
    assert [Decision.ALLOW] * 4 == [child.decision for child in found.children]


@pytest.mark.parametrize(
    ("paths", "scope", "expected"),
    [
        ([entry("a", lines=401)], {"max_lines": 500}, Decision.ASK),
        ([entry("a", lines=501)], {"max_lines": 500}, Decision.DENY),
        ([entry(f"{n}") for n in range(9)], {"max_files": 20}, Decision.ASK),
        ([entry(f"{n}", "A") for n in range(6)], {"max_new_files": 6}, Decision.ASK),
        ([entry("a", "A")], {"max_new_files": 0}, Decision.DENY),
        ([entry("a", "D")], {"max_deletions": 1}, Decision.ASK),
        ([entry("a", "D")], {"max_deletions": 0}, Decision.DENY),
        ([entry("a"), entry("b")], {"max_files": 1}, Decision.DENY),
    ],
)
def test_edges_of_the_budget(paths, scope, expected):
    """One beyond each limit."""
    assert judge_budget(known_bad.change(*paths), contract(**scope), POLICY).decision is expected


def test_listed_task_types_may_delete():
    """``deletions_allowed_for`` opens deletions up to the file budget."""
    opened = policy({"diff_budget": {"deletions_allowed_for": [TaskType.CODE_IMPROVEMENT]}})
    change = known_bad.change(entry("a", "D"), entry("b", "D"))

    assert judge_budget(change, contract(max_deletions=2), opened).decision is Decision.ALLOW


@given(st.integers(1, 20), st.integers(0, 200))
def test_auto_merge_has_the_smaller_budget(files, lines):
    """What auto-merge takes, the ordinary budget takes."""
    change = known_bad.change(*(entry(f"{n}.py", lines=lines) for n in range(files)))

    limits = POLICY.autopilot.auto_merge
    assert within_auto_merge(change, POLICY).allowed == (files <= limits.files and files * lines <= limits.lines)
    if within_auto_merge(change, POLICY).allowed:
        assert judge_budget(change, CONTRACT, POLICY).allowed


def test_a_whole_risk_score():
    """Five inputs, each by its formula; the total is their weighted sum."""
    change = known_bad.change(entry("src/module.py", lines=30), entry("tests/test_module.py", lines=10))

    assert score_risk(change, POLICY, covered=False, past_failures=1) == RiskScore(
        files_touched=0.25,
        sensitive_paths=0.0,
        runtime_impact=0.75,
        test_coverage=1.0,
        past_failures=0.3333,
        total=0.3875,
        level=RiskLevel.MEDIUM,
    )


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        (("README.md",), RiskLevel.LOW),
        (("tests/test_a.py", "docs/x.rst"), RiskLevel.LOW),
        (("src/a.py",), RiskLevel.LOW),
        (("src/a.py", "src/b.py", "src/c.py"), RiskLevel.MEDIUM),
        (("src/oauth.py",), RiskLevel.HIGH),
        (("src/Billing/x.py",), RiskLevel.HIGH),
        ((".github/workflows/ci.yml",), RiskLevel.HIGH),
    ],
)
def test_the_estimate_before_there_is_a_change(paths, expected):
    """Documentation and tests are LOW; sensitive code is HIGH."""
    assert estimate_level(paths, POLICY) is expected


@given(st.booleans(), st.integers(0, 9), st.integers(1, 8))
def test_risk_never_falls_when_an_input_rises(covered, failures, files):
    """No combination hides a risk: more failures, less coverage or more files never lower the score."""
    change = known_bad.change(*(entry(f"src/{n}.py") for n in range(files)))
    more = known_bad.change(*(entry(f"src/{n}.py") for n in range(files + 1)))

    score = score_risk(change, POLICY, covered=covered, past_failures=failures)
    worse = [
        score_risk(change, POLICY, covered=False, past_failures=failures),
        score_risk(change, POLICY, covered=covered, past_failures=failures + 1),
        score_risk(more, POLICY, covered=covered, past_failures=failures),
    ]
    assert all(each.total >= score.total for each in worse)
    assert all(LEVELS.index(each.level) >= LEVELS.index(score.level) for each in worse)
