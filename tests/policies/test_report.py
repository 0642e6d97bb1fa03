"""The run report answers runbook §10 from facts, and says when it does not know."""

from __future__ import annotations

import pytest

from contracts.modes import Outcome, RiskLevel
from contracts.report import RunReport
from contracts.task import AskedBy, AskedTask, MeasureKind
from policies.texts.run_report import build_report
from tests.reporting.sample_run import (
    CHANGE,
    CONTRACT,
    FLAKY_LINT,
    GREEN_TESTS,
    INPUT,
    OPENED,
    PUSHED,
    RED_TESTS,
    REFUSED,
    SLOW_TYPES,
    checks_report,
    decision,
)

HEAD = "ab" * 32


def test_10_a_run_that_ended_at_once_claims_nothing() -> None:
    """Without contract, change, checks and decision every answer says so; an unknown cost is not zero."""
    review = build_report(INPUT, None, None, None, None, HEAD).review

    assert ("none: no task was planned", "nothing", "nothing") == (review.objective, review.expected, review.achieved)
    assert review.risk_score is None
    assert "no risk was scored" in review.risk_against_outcome
    assert "no check ran" == review.check_stability
    assert review.cost_usd is None
    assert "Not measured is not zero" in review.cost_note
    assert () == review.policy_updates_suggested


@pytest.mark.parametrize(
    ("after", "judged"),
    [(0, "14 → 0, as expected"), (3, "14 → 3, 3 short of what was expected"), (-1, "14 → -1, 1 better than expected")],
)
def test_10_objective_is_compared_with_what_was_measured(after: int, judged: str) -> None:
    """The change's own measurement counts, not the plan's promise."""
    change = CHANGE.model_copy(update={"metric_after": after})
    review = build_report(INPUT, None, CONTRACT, change, None, HEAD).review

    assert "ruff UP findings: 14 → 0" == review.expected
    assert f"ruff UP findings: {judged}" == review.achieved
    assert (after > 0) == any("did less than expected" in update for update in review.policy_updates_suggested)


def test_what_an_agent_was_asked_for_is_no_rule_to_drop() -> None:
    """An asked task has no rule in the charter: who asked can ask otherwise, or somebody else."""
    asked = AskedTask(by=AskedBy.PERSON, key="person-1", title="A title", measure=MeasureKind.NEW_TEST)
    contract = CONTRACT.model_copy(update={"asked": asked})
    change = CHANGE.model_copy(update={"metric_after": 3})

    (suggested,) = build_report(INPUT, None, contract, change, None, HEAD).review.policy_updates_suggested

    assert suggested.startswith("the agent did not do what it was asked for")
    assert "drop the rule" not in suggested


def test_a_growing_metric_is_better_when_higher() -> None:
    """For a metric that should rise, more is better."""
    contract = CONTRACT.model_copy(update={"expected_metric_delta": 5})
    change = CHANGE.model_copy(update={"metric_after": 20})

    assert "14 → 20, 1 better than expected" in build_report(INPUT, None, contract, change, None, HEAD).review.achieved


@pytest.mark.parametrize(
    ("level", "result", "judged"),
    [
        (RiskLevel.LOW, GREEN_TESTS, "borne out so far"),
        (RiskLevel.LOW, RED_TESTS, "underestimated"),
        (RiskLevel.LOW, SLOW_TYPES, "underestimated"),
        (RiskLevel.LOW, FLAKY_LINT, "unknown"),
        (RiskLevel.HIGH, GREEN_TESTS, "not borne out so far"),
        (RiskLevel.HIGH, RED_TESTS, "borne out:"),
        (RiskLevel.LOW, GREEN_TESTS.model_copy(update={"required": False}), "unknown"),
    ],
)
def test_10_risk_score_is_held_against_the_checks(level: RiskLevel, result: object, judged: str) -> None:
    """A low score with a red check was too low; a high one with green checks was too careful."""
    review = build_report(INPUT, decision(level), CONTRACT, CHANGE, checks_report(result), HEAD).review

    assert review.risk_against_outcome.startswith(judged)
    assert ("underestimated" == judged) == any("score was too low" in text for text in review.policy_updates_suggested)


def test_10_check_stability_counts_reruns_and_names_the_unstable() -> None:
    """Every attempt counts, also one that a rerun made good."""
    checks = checks_report(GREEN_TESTS, FLAKY_LINT, SLOW_TYPES)

    assert (
        "1 of 3 checks green; 1 flaky (ruff); 1 timeout (mypy); 4 attempts, 1 of them reruns, 1 timed out"
        == build_report(INPUT, None, None, None, checks, HEAD).review.check_stability
    )


def test_10_suggestions_name_the_setting_to_look_at() -> None:
    """A time limit, a flaky check and an overrun of the contract each lead to their setting."""
    contract = CONTRACT.model_copy(update={"scope": CONTRACT.scope.model_copy(update={"max_lines": 50})})
    checks = checks_report(SLOW_TYPES, FLAKY_LINT)
    late, flaky, large = build_report(INPUT, None, contract, CHANGE, checks, HEAD).review.policy_updates_suggested

    assert "`mypy` was killed after 300 s" in late
    assert "targets/demo.toml" in late
    assert "`ruff` is flaky" in flaky
    assert "2 files, 82 lines" in large


def test_what_was_not_written_is_listed() -> None:
    """A write that did not happen is a refused write, and its pull request is never claimed."""
    report = build_report(INPUT, decision(), CONTRACT, CHANGE, None, HEAD)

    assert (REFUSED.planned,) == report.refused_writes
    assert report.pull_request is None
    assert (Outcome.REJECT, "CHECK_RED") == (report.outcome, report.rejection.reason_code)


def test_an_adopted_pull_request_is_the_runs_own() -> None:
    """A pull request found done by an earlier attempt is reported once, and nothing is refused."""
    given = INPUT.model_copy(update={"writes": (PUSHED, OPENED)})
    report = build_report(given, None, None, None, None, HEAD)

    assert OPENED.pull_request == report.pull_request
    assert () == report.refused_writes
    assert report == RunReport.model_validate_json(report.model_dump_json())
