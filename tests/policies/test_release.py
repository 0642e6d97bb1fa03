"""The release decision: four outcomes, each for its reasons (runbook §4; P4, P5, P6, P12)."""

from dataclasses import replace
from datetime import date

import pytest

from contracts.evidence import CheckStatus, ReviewRemark, Severity
from contracts.modes import Mode, Outcome
from contracts.release import Rejection
from contracts.verdict import Decision
from policies.release.release import judge_release
from policies.run import known_bad
from policies.run.known_bad import bad_releases, entry, good_facts, unmerged_releases
from policies.verdicts import deciding, explain
from tests.policies.sample_policy import auto_policy, policy

AUTO = good_facts(auto_policy())
MANUAL = replace(good_facts(policy()), mode=Mode.PR_ONLY, canary_passed=False)


def with_status(facts, name, status, *, required=True):
    """Facts in which one check ended differently."""
    results = tuple(
        result.model_copy(update={"status": status, "required": required}) if result.name == name else result
        for result in facts.checks.results
    )
    return replace(facts, checks=facts.checks.model_copy(update={"results": results}))


def with_change(facts, *paths):
    """Facts with another change."""
    return replace(facts, change=known_bad.change(*paths))


@pytest.mark.parametrize(
    ("facts", "outcome", "decision"),
    [
        (AUTO, Outcome.AUTO_MERGE_ALLOWED, Decision.ALLOW),
        (replace(AUTO, canary_passed=False), Outcome.CANARY_ALLOWED, Decision.ASK),
        (replace(AUTO, unproved=("src/a.py",)), Outcome.REQUIRES_HUMAN_REVIEW, Decision.ASK),
        (replace(AUTO, unproved=("src/a.py",), canary_passed=False), Outcome.REQUIRES_HUMAN_REVIEW, Decision.ASK),
        (replace(AUTO, mode=Mode.PR_ONLY), Outcome.REQUIRES_HUMAN_REVIEW, Decision.ASK),
        (replace(AUTO, mode=Mode.DRY_RUN), Outcome.REQUIRES_HUMAN_REVIEW, Decision.ASK),
        (good_facts(policy()), Outcome.REQUIRES_HUMAN_REVIEW, Decision.ASK),
        (MANUAL, Outcome.REQUIRES_HUMAN_REVIEW, Decision.ASK),
        (with_status(AUTO, "tests", CheckStatus.FLAKY), Outcome.REQUIRES_HUMAN_REVIEW, Decision.ASK),
        (with_change(AUTO, entry("src/a.py", lines=81)), Outcome.REQUIRES_HUMAN_REVIEW, Decision.ASK),
        (with_change(AUTO, entry("pyproject.toml")), Outcome.REQUIRES_HUMAN_REVIEW, Decision.ASK),
        (with_change(AUTO, entry("src/AGENTS.md")), Outcome.REJECT, Decision.ESCALATE),
        (with_change(AUTO, entry("src/a.py", lines=401)), Outcome.REQUIRES_HUMAN_REVIEW, Decision.ASK),
        (with_change(AUTO, entry("src/oauth.py")), Outcome.REQUIRES_HUMAN_REVIEW, Decision.ASK),
        (replace(with_change(AUTO, entry("src/oauth.py")), approved_by=""), Outcome.REJECT, Decision.DENY),
        (with_change(AUTO, entry(".env", "A")), Outcome.REJECT, Decision.ESCALATE),
    ],
)
def test_outcomes(facts, outcome, decision):
    """All four outcomes exist; the automatic ones only in SELECTIVE_AUTO, and only when policy enables it."""
    found = judge_release(facts)

    assert (outcome, decision) == (found.outcome, found.verdict.decision), explain(found.verdict)
    assert (found.rejection is not None) == (outcome is Outcome.REJECT)


@pytest.mark.parametrize(("name", "facts"), list(bad_releases(auto_policy())))
def test_each_failed_gate_voids_the_decision(name, facts):
    """One point differs from facts that would be merged; every one of them rejects, and says what to do."""
    found = judge_release(facts)

    assert found.outcome is Outcome.REJECT
    assert found.rejection.failed_gate in {child.rule for child in found.verdict.children[0].children}
    assert found.rejection.recommended_remediation


@pytest.mark.parametrize("status", [CheckStatus.RED, CheckStatus.FLAKY, CheckStatus.TIMEOUT])
def test_a_check_that_is_not_required_only_stops_the_automatic_way(status):
    """It is shown; a person decides."""
    optional = {"name": "optional", "required": False, "status": status}
    extra = AUTO.checks.results[0].model_copy(update=optional)
    results = (*AUTO.checks.results, extra)
    facts = replace(AUTO, checks=AUTO.checks.model_copy(update={"results": results}))

    assert judge_release(facts).outcome is Outcome.REQUIRES_HUMAN_REVIEW


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (
            with_status(MANUAL, "tests", CheckStatus.RED),
            Rejection(
                reason_code="check_failed",
                failed_gate="every required check is green",
                recommended_remediation="check tests is red. Read the failing check's output under checks/, "
                "and fix what it names.",
                can_retry=True,
                retry_after="2000-01-31",
            ),
        ),
        (
            with_status(MANUAL, "lint", CheckStatus.INFRASTRUCTURE),
            Rejection(
                reason_code="check_not_run",
                failed_gate="every required check is green",
                recommended_remediation="check lint could not be run. Repair the check environment or raise the limit, "
                "then run again.",
                can_retry=True,
                retry_after=None,
            ),
        ),
        (
            with_change(MANUAL, entry(".env", "A"), entry("../x", "A")),
            Rejection(
                reason_code="policy_violation",
                failed_gate="every changed path may be touched",
                recommended_remediation=".env is protected: secrets. A person decides: all runs are paused; "
                "see the incident and the quarantined change.",
                can_retry=False,
                retry_after=None,
            ),
        ),
    ],
)
def test_a_whole_rejection(facts, expected):
    """Reason code, failed gate, remediation, whether and when to retry (task contracts)."""
    assert expected == judge_release(facts).rejection


@pytest.mark.parametrize(("name", "facts"), list(unmerged_releases(auto_policy())))
def test_each_condition_alone_missing_merges_nothing(name, facts):
    """P4: everything else holds; a person decides."""
    found = judge_release(facts)

    assert found.outcome in {Outcome.REQUIRES_HUMAN_REVIEW, Outcome.CANARY_ALLOWED}
    assert (found.outcome is Outcome.CANARY_ALLOWED) == (name == "no canary")


def test_a_blocking_remark_outweighs_an_approval():
    """The reviewer cannot approve over its own blocking remark."""
    remark = ReviewRemark(severity=Severity.BLOCKING, path="src/a.py", message="deletes data")
    facts = replace(AUTO, review=AUTO.review.model_copy(update={"remarks": (remark,)}))

    found = judge_release(facts)
    assert found.rejection.reason_code == "review_refused"
    assert deciding(found.verdict).reason == "1 blocking remark, first: deletes data"


@pytest.mark.parametrize(
    ("path", "rule"),
    [
        ("CHANGES.md", "no protected path is changed"),
        ("tox.ini", "nothing checks are made of is changed"),
        ("oauth.py", "the risk is low enough"),
        ("policies/autopilot.toml", "no policy is changed"),
        ("web/package.json", "the checks' environment is the base's"),
    ],
)
def test_each_condition_of_the_automatic_way_stops_it(path, rule):
    """Even what a task type may touch is never merged unseen."""
    opened = {"patterns": ["/CHANGES.md"], "reason": "released text", "unless": ["code_improvement"]}
    keyed = {"prepare": [["npm", "ci"]], "keyed_by": ["package.json"]}
    target = {"maximum_mode": None, "protected": [opened], "policy_folder": {}, "environment": keyed}
    own = policy({"modes": {"maximum": Mode.SELECTIVE_AUTO}}, target)

    alone = judge_release(with_change(good_facts(own), entry(path))).verdict.children[1]
    assert rule in {child.rule for child in alone.children if child.decision is Decision.ASK}


def test_dry_run_and_pr_only_get_the_same():
    """Nothing but the mode and its one condition differs (P3)."""
    dry = judge_release(replace(MANUAL, mode=Mode.DRY_RUN, today=date(2000, 1, 1)))
    real = judge_release(MANUAL)

    assert dry.model_dump(exclude={"mode", "verdict"}) == real.model_dump(exclude={"mode", "verdict"})
    assert dry.verdict.children[0] == real.verdict.children[0]


def test_the_whole_tree_of_a_pull_request():
    """The explanation a person reads, rule by rule (P12)."""
    tree = [line.split(":")[0].strip() for line in explain(judge_release(MANUAL).verdict).splitlines()]

    assert [
        "ASK the change may be released",
        "ALLOW every mandatory gate passed",
        "ALLOW the change is not empty",
        "ALLOW nothing drifted since it was pinned",
        "ALLOW contract terms did not drift",
        "ALLOW policy of the run did not drift",
        "ALLOW policy folder did not drift",
        "ALLOW base of the change did not drift",
        "ALLOW base branch did not drift",
        "ALLOW head did not drift",
        "ALLOW every changed path may be touched",
        "ALLOW paths are allowed",
        "ALLOW the change is within its budgets",
        "ALLOW files are within budget",
        "ALLOW lines are within budget",
        "ALLOW new files are within budget",
        "ALLOW deletions are within budget",
        "ALLOW the merge result is clean and is what was checked",
        "ALLOW every required check is green",
        "ALLOW check lint is green",
        "ALLOW check security is green",
        "ALLOW check tests is green",
        "ALLOW the reviewer approves",
        "ALLOW the effect is proven",
        "ALLOW the risk is acceptable",
        "ASK the change may be released without a person",
        "ASK the run's mode is SELECTIVE_AUTO",
        "ASK policy enables SELECTIVE_AUTO",
        "ALLOW the target has probes",
        "ALLOW the risk is low enough",
        "ALLOW the change is within the auto-merge budget",
        "ALLOW files are within auto-merge",
        "ALLOW lines are within auto-merge",
        "ALLOW new files are within auto-merge",
        "ALLOW deletions are within auto-merge",
        "ALLOW nothing checks are made of is changed",
        "ALLOW no protected path is changed",
        "ALLOW every check is green",
        "ASK the canary passed",
    ] == tree


def rules_of(verdict):
    """Every rule of a tree."""
    return [verdict.rule, *(rule for child in verdict.children for rule in rules_of(child))]


@pytest.mark.parametrize(("name", "facts"), [*bad_releases(auto_policy()), *unmerged_releases(auto_policy())])
def test_every_no_says_what_is_the_case(name, facts):
    """A sentence of its own, without the names of the rules that failed before it (item 41)."""
    verdict = judge_release(facts).verdict
    reason = verdict.reason.removeprefix("needs a person: ")
    assert reason == deciding(verdict).reason
    assert [] == [rule for rule in rules_of(verdict) if reason.startswith(f"{rule}:")], name
