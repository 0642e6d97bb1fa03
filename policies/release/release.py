"""The outcome policy allows for one change (runbook §4 Release, §6.2; policy defaults "release outcomes")."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from contracts.change import Change, ChangedPath
from contracts.evidence import CheckResult, ChecksReport, CheckStatus, ReviewReport, Severity
from contracts.modes import Mode, Outcome, RiskLevel
from contracts.release import ReleaseDecision, RiskScore
from contracts.task import TaskContract
from contracts.verdict import Decision, Verdict
from policies.counted import counted
from policies.paths.diff_budget import judge_budget, within_auto_merge
from policies.paths.rules import judge_paths, matches, readable, widened
from policies.release.checks import covered_by_tests, how_it_ended, no_tests
from policies.release.rejection import CHECKS_RULE, FailedGate, reject
from policies.settings.schema import EffectivePolicy
from policies.task.planning import terms_digest
from policies.task.risk import LEVELS, score_risk
from policies.verdicts import all_of, allow, ask, deciding, deny

MODE_RULE = "the run's mode is SELECTIVE_AUTO"
REVIEW_RULE = "the reviewer approves"
"""The one condition that tells a DRY_RUN from the others: what a pull request says leaves it out (P3)."""


TESTS_RULE = "tests ran on the merge result"


@dataclass(frozen=True)
class PinnedDigests:
    """What was fixed when the run started, or when the step that made it ended (P6)."""

    contract_digest: str
    policy_digest: str
    base_sha: str
    head_sha: str


@dataclass(frozen=True)
class ReleaseFacts:
    """All the release rules look at; each value measured or read back by an activity."""

    run_id: str
    today: date
    """The run's date, for "not again before"."""
    mode: Mode
    policy: EffectivePolicy
    contract: TaskContract
    change: Change
    base_paths: tuple[str, ...]
    review: ReviewReport
    checks: ChecksReport
    pinned: PinnedDigests
    policy_digest_now: str
    """Of the policy folder as it is now."""
    base_now: str
    """Where the base branch points now."""
    merge_tree_sha: str
    merge_conflicts: tuple[str, ...]
    past_failures: int
    approved_by: str
    """The person who approved the contract, or granted this very change, before the run; empty: policy did."""
    canary_passed: bool
    not_earned: str = ""
    """Of a run in SELECTIVE_AUTO: why Control would clear no merge of this kind of task."""
    granted: tuple[ChangedPath, ...] = ()
    """Protected entries a person released from quarantine."""
    from_quarantine: str = ""
    """The escalated run the change comes from."""
    unproved: tuple[str, ...] = ()
    """Changed paths that nobody showed to be equal."""


def judge_release(facts: ReleaseFacts) -> ReleaseDecision:
    """Decide the outcome from two branches of one verdict tree.

    First, where no tests ran: that (ASK; P18). Then the mandatory gates, in order; the decision is REJECT if any denies
    or escalates (policy defaults: void if any mandatory gate failed):

    1. The change is not empty.
    2. Contract terms, policy, base and head are those that were pinned (P4, P6).
    3. Every path may be touched (P5), and 4. the budgets hold; beyond the policy's, a person reviews (ASK).
    5. The change merges cleanly, and what was checked is exactly that merge result (P4).
    6. Every required check is green; FLAKY goes to a person (ASK), anything else denies (runbook §6.2).
    7. The reviewer approves this head and sees nothing blocking.
    8. The effect is proven: the metric, measured again, moved in the promised direction.
    9. HIGH and CRITICAL risk was approved before the run by a person.

    The conditions of doing without a person, each ASK when unmet: SELECTIVE_AUTO in the run and in the policy's
    maximum · its kind of task has earned it, or a person says so · the target has probes · low risk · auto-merge
    budget · made by a tool · not from quarantine · nothing that checks are made of · nothing of the policy folder ·
    nothing that decides the checks' environment · no protected path at all · shown to be equal in every file · every
    check green, required or not · canary passed.

    Outcome: REJECT; else AUTO_MERGE_ALLOWED when everything holds; CANARY_ALLOWED when only the canary is missing;
    else REQUIRES_HUMAN_REVIEW. DRY_RUN and PR_ONLY therefore never get further than the last, and get the same.
    """
    covered = covered_by_tests(facts.checks.results)
    risk = score_risk(
        facts.change, facts.policy, covered=covered, past_failures=facts.past_failures, task_type=facts.contract.type
    )
    gates = tuple(_gates(facts, risk))
    mandatory = all_of("every mandatory gate passed", [verdict for _, verdict in gates])
    conditions = tuple(_conditions(facts, risk))
    canary = _canary(facts)
    alone = all_of("the change may be released without a person", [*conditions, canary])
    rejected = mandatory.decision not in {Decision.ALLOW, Decision.ASK}
    if rejected:
        outcome = Outcome.REJECT
    elif mandatory.allowed and alone.allowed:
        outcome = Outcome.AUTO_MERGE_ALLOWED
    elif mandatory.allowed and all(condition.allowed for condition in conditions):
        outcome = Outcome.CANARY_ALLOWED
    else:
        outcome = Outcome.REQUIRES_HUMAN_REVIEW
    whole = all_of("the change may be released", [mandatory, alone])
    if whole.decision is Decision.ASK:
        whole = whole.model_copy(update={"reason": f"needs a person: {deciding(whole).reason}"})
    return ReleaseDecision(
        run_id=facts.run_id,
        task_id=facts.contract.task_id,
        mode=facts.mode,
        head_sha=facts.change.head_sha,
        base_sha=facts.change.base_sha,
        merge_tree_sha=facts.merge_tree_sha,
        policy_digest=facts.policy.digest,
        contract_digest=terms_digest(facts.contract),
        outcome=outcome,
        risk=risk,
        verdict=whole,
        rejection=reject(gates, facts.policy, facts.today) if rejected else None,
    )


def _gates(facts: ReleaseFacts, risk: RiskScore) -> Iterator[tuple[FailedGate, Verdict]]:
    if untested := no_tests(facts.checks):
        yield FailedGate.CHECKS, ask(TESTS_RULE, untested)
    yield FailedGate.NOT_EMPTY, _not_empty(facts.change)
    yield FailedGate.NO_DRIFT, all_of("nothing drifted since it was pinned", _pins(facts))
    yield FailedGate.PATHS, judge_paths(facts.change, facts.policy, facts.contract, facts.base_paths, facts.granted)
    yield FailedGate.BUDGET, judge_budget(facts.change, widened(facts.contract, facts.granted), facts.policy)
    yield FailedGate.MERGE, _merge(facts)
    yield FailedGate.CHECKS, all_of(CHECKS_RULE, _required_checks(facts))
    yield FailedGate.REVIEW, _review(facts)
    yield FailedGate.EFFECT, _effect(facts)
    yield FailedGate.RISK, _risk(facts, risk)


def _not_empty(change: Change) -> Verdict:
    rule = "the change is not empty"
    return allow(rule, counted(len(change.paths), "path")) if change.paths else deny(rule, "nothing was changed")


def _pins(facts: ReleaseFacts) -> Iterator[Verdict]:
    pinned = facts.pinned
    for what, expected, found in (
        ("contract terms", pinned.contract_digest, terms_digest(facts.contract)),
        ("policy of the run", pinned.policy_digest, facts.policy.digest),
        ("policy folder", pinned.policy_digest, facts.policy_digest_now),
        ("base of the change", pinned.base_sha, facts.change.base_sha),
        ("base branch", pinned.base_sha, facts.base_now),
        ("head", pinned.head_sha, facts.change.head_sha),
    ):
        same = bool(expected) and expected == found
        reason = (
            "as pinned"
            if same
            else f"{what} drifted: {expected[:12] or 'nothing'} pinned, {found[:12] or 'nothing'} now"
        )
        yield (allow if same else deny)(f"{what} did not drift", reason, pinned=expected, found=found)


def _merge(facts: ReleaseFacts) -> Verdict:
    rule, checks = "the merge result is clean and is what was checked", facts.checks
    if facts.merge_conflicts:
        return deny(
            rule,
            f"merging it conflicts in {', '.join(facts.merge_conflicts[:5])}",
            conflicts=len(facts.merge_conflicts),
        )
    tested = (checks.tree_sha, checks.base_sha, checks.head_sha)
    if tested != (facts.merge_tree_sha, facts.pinned.base_sha, facts.pinned.head_sha):
        return deny(rule, "the checks ran on another tree", tree=facts.merge_tree_sha, checked=checks.tree_sha)
    return allow(rule, "checked exactly as it would be merged", tree=facts.merge_tree_sha)


def _required_checks(facts: ReleaseFacts) -> Iterator[Verdict]:
    results = {result.name: result for result in facts.checks.results}
    named = {check.name for check in facts.policy.target.checks if check.required}
    for name in sorted(named | set(facts.contract.verification.required_checks)):
        yield _required_check(name, results.get(name))


def _required_check(name: str, result: CheckResult | None) -> Verdict:
    rule = f"check {name} is green"
    if result is None:
        return deny(rule, f"check {name} did not run")
    if result.status is CheckStatus.GREEN:
        return allow(rule, "green", attempts=len(result.attempts))
    if result.status is CheckStatus.FLAKY:
        return ask(rule, f"{how_it_ended(result)}: a person looks", attempts=len(result.attempts))
    return deny(rule, how_it_ended(result), status=result.status.value)


def _review(facts: ReleaseFacts) -> Verdict:
    rule, review = REVIEW_RULE, facts.review
    blocking = [remark for remark in review.remarks if remark.severity is Severity.BLOCKING]
    if (review.head_sha, review.task_id) != (facts.pinned.head_sha, facts.contract.task_id):
        return deny(rule, "the review is of another change", head=review.head_sha)
    if blocking:
        return deny(
            rule, f"{counted(len(blocking), 'blocking remark')}, first: {blocking[0].message}", blocking=len(blocking)
        )
    answer, reason = (allow, review.summary) if review.approve else (deny, f"the reviewer says no: {review.summary}")
    return answer(rule, reason, reviewer=review.reviewer, confidence=review.confidence)


def _effect(facts: ReleaseFacts) -> Verdict:
    rule, change, contract = "the effect is proven", facts.change, facts.contract
    measured = {"before": change.metric_before, "after": change.metric_after, "delta": contract.expected_metric_delta}
    if change.metric != contract.metric:
        return deny(rule, f"{change.metric} was measured, {contract.metric} was promised", **measured)
    moved = change.metric_after - change.metric_before
    answer = allow if moved * contract.expected_metric_delta > 0 else deny
    return answer(rule, f"{change.metric} went from {change.metric_before} to {change.metric_after}", **measured)


def _risk(facts: ReleaseFacts, risk: RiskScore) -> Verdict:
    rule = "the risk is acceptable"
    score = {"level": risk.level.value, "score": risk.total}
    if risk.level not in {RiskLevel.HIGH, RiskLevel.CRITICAL}:
        return allow(rule, f"{risk.level.value} risk", **score)
    if facts.approved_by:
        return ask(rule, f"{risk.level.value} risk, approved before the run by {facts.approved_by}", **score)
    return deny(rule, f"{risk.level.value} risk must be approved by a person before the run", **score)


def _conditions(facts: ReleaseFacts, risk: RiskScore) -> Iterator[Verdict]:
    policy, paths = facts.policy, [path.path for path in facts.change.paths]
    most = policy.autopilot.auto_merge.highest_risk
    protected = tuple(pattern for rule in policy.protected_paths.protected for pattern in rule.patterns)
    yield _unless(MODE_RULE, facts.mode is Mode.SELECTIVE_AUTO, f"mode is {facts.mode.value}")
    if facts.not_earned:
        yield ask("this kind of task merges by itself", facts.not_earned)
    maximum = policy.autopilot.modes.maximum
    yield _unless("policy enables SELECTIVE_AUTO", maximum is Mode.SELECTIVE_AUTO, f"modes.maximum is {maximum.value}")
    probes = len(policy.target.probes)
    yield _unless("the target has probes", probes > 0, "no [[probes]]: nothing could say it is healthy", f"{probes}")
    low = LEVELS.index(risk.level) <= LEVELS.index(most)
    yield _unless(
        "the risk is low enough", low, f"{risk.level.value} risk; at most {most.value} may be merged without a person"
    )
    yield within_auto_merge(facts.change, policy)
    if facts.contract.asked is not None:
        yield ask("a tool made the change", "an agent made it: whether it is what was asked is a person's to say")
    if facts.from_quarantine:
        yield ask("the change is no quarantined one", f"it was in quarantine after {facts.from_quarantine}")
    free = not any(matches(path, policy.protected_paths.check_defining) for path in paths)
    yield _unless(
        "nothing checks are made of is changed", free, "checks or agent instructions are changed", "unchanged"
    )
    if folder := policy.target.policy_folder:
        inside = [path for path in paths if path.startswith(f"{folder.path}/")]
        if inside:
            yield ask("no policy is changed", f"{readable(inside[0])}: a change of the policy is a person's to merge")
    if keyed := policy.target.environment.keyed_by:
        other = [readable(path) for path in paths if matches(path, keyed)]
        what = f"{', '.join(other[:3])} decides what the checks run with, which was prepared again"
        yield _unless("the checks' environment is the base's", not other, what, "unchanged")
    free = not any(matches(path, protected) for path in paths)
    yield _unless("no protected path is changed", free, "a protected path is changed by permission", "none")
    if facts.unproved:
        left = [f"{readable(path)} ({facts.review.unproved.get(path, 'nobody looked')})" for path in facts.unproved]
        yield ask(
            "the change is shown to be equal", f"not shown to be equal: {'; '.join(left[:3])}", unproved=len(left)
        )
    doubtful = [result.name for result in facts.checks.results if result.status is not CheckStatus.GREEN]
    yield _unless("every check is green", not doubtful, f"not green: {', '.join(doubtful)}", "all green")


def _canary(facts: ReleaseFacts) -> Verdict:
    return _unless("the canary passed", facts.canary_passed, "no canary has passed for this commit", "passed")


def _unless(rule: str, holds: bool, reason: str, held: str = "") -> Verdict:
    return allow(rule, held or reason) if holds else ask(rule, reason)
