"""From the chosen candidate to the one bounded contract of a run (runbook §4 Planning; task contracts)."""

from collections.abc import Iterator
from typing import Any

from contracts.modes import RiskLevel, Role
from contracts.task import (
    AskedBy,
    AskedTask,
    Candidate,
    CandidateTasks,
    MeasureKind,
    Risk,
    RollbackPlan,
    Scope,
    TaskContract,
    TaskState,
    TaskType,
    VerificationPlan,
)
from contracts.verdict import Verdict
from policies.counted import counted
from policies.digests import digest
from policies.paths.diff_budget import deletions_allowed
from policies.paths.rules import hostile_name, matches, protection, reachable, readable
from policies.settings.schema import EffectivePolicy
from policies.task.asked import rationale
from policies.task.compliance import is_licence_text
from policies.task.measure_words import objective
from policies.task.risk import BLOCKED_UNLESS_APPROVED, LEVELS, estimate_level, is_runtime
from policies.verdicts import all_of, allow, ask, deny


def make_contract(candidate: Candidate, policy: EffectivePolicy, run_id: str) -> TaskContract:
    """Bound a candidate: exactly its paths, the policy's budget, the target's checks and rollback."""
    budget, target = policy.autopilot.diff_budget, policy.target
    required = tuple(check.name for check in target.checks if check.required)
    delta = candidate.expected_after - candidate.before
    level, task = estimate_level(candidate.paths, policy, candidate.type), candidate.asked
    if task is not None:
        # Which files an agent will touch is not known yet.
        level = max(level, RiskLevel.MEDIUM, key=LEVELS.index)
    return TaskContract(
        task_id=candidate.task_id,
        run_id=run_id,
        type=candidate.type,
        state=TaskState.PROPOSED,
        title=candidate.title,
        objective=objective(task)
        if task
        else (f"Bring {candidate.metric} from {candidate.before} to {candidate.expected_after}."),
        rationale=rationale(task)
        if task
        else (f"Found by {candidate.tool}, rule {candidate.rule}; confidence {candidate.confidence:.2f}."),
        asked=task,
        tool=candidate.tool,
        rule=candidate.rule,
        metric=candidate.metric,
        measure=candidate.measure,
        words=candidate.words,
        metric_before=candidate.before,
        expected_metric_delta=delta,
        test_strategy="Existing checks, run on the exact merge result; the metric measured again on the changed tree.",
        scope=Scope(
            allowed_paths=candidate.paths,
            blocked_paths=tuple(
                pattern
                for rule in policy.protected_paths.protected
                if candidate.type not in rule.unless
                for pattern in rule.patterns
            )
            + _measured_by(task, policy),
            max_files=budget.files if task else min(len(candidate.paths), budget.files),
            max_lines=budget.lines,
            max_new_files=budget.new_files if task else 0,
        ),
        risk=Risk(level=level, category=candidate.type.value, blast_radius=_blast_radius(candidate.paths)),
        verification=VerificationPlan(
            required_checks=required,
            acceptance_criteria=(
                objective(task) if task else f"{candidate.metric} is lower than {candidate.before}",
                "every required check is green on the merge result",
            ),
            non_regression_focus=() if task else candidate.paths,
        ),
        rollback=RollbackPlan(strategy=target.rollback_strategy, maximum_minutes=target.rollback_minutes),
        evidence=candidate.evidence,
        assumptions=(f"No change to these files on {target.base_branch} meanwhile.",),
        owner_role=Role.CODING,
        next_role=Role.REVIEW,
    )


def judge_contract(contract: TaskContract, policy: EffectivePolicy, candidates: CandidateTasks) -> Verdict:
    """Whether policy approves the contract before the run, a person must, or nobody may.

    Rules, in order (DENY unless said otherwise):

    1. It is a proposal for one listed candidate, with the candidate's measure and no path more (P6).
    2. Every path in scope is honest, unprotected, and one the target allows (P5).
    3. Its limits are within the diff budget (policy defaults).
    4. It requires every required check of the target, at least one, and no unknown check.
    5. It names the target's rollback, no slower (policy defaults: every run names a rollback strategy).
    6. It promises a measurable effect (task contracts).
    7. Its risk is not understated; above ``approval.highest_risk``, and always from HIGH, a person approves (ASK).
    8. Its type is one policy approves by itself, and opens nothing protected and no deletion, or is an update that the
       target's ``[dependencies]`` asks for; else a person approves (ASK).
    """
    return all_of(
        "the contract is approved for the run",
        [
            _from_candidate(contract, candidates),
            all_of("every path in scope is allowed", _scope(contract, policy)),
            all_of("the contract is within the diff budget", _budget(contract, policy)),
            _checks(contract, policy),
            _rollback(contract, policy),
            _effect(contract),
            _risk(contract, policy),
            _type(contract, policy),
        ],
    )


def terms_digest(contract: TaskContract) -> str:
    """What was approved: the contract without its run id and state, so that it is equal in every mode.

    What it is called is no term. ``measure`` is one unless it is the first there was: terms that were pinned before it
    had a name stay equal.
    """
    usual = {"measure"} if contract.measure is MeasureKind.FINDINGS else set()
    usual |= {name for name in ("trial", "promotion", "asked") if getattr(contract, name) is None}
    left_out: dict[str, Any] = dict.fromkeys({"run_id", "state", "words"} | usual, True)
    if contract.asked is not None and contract.asked.by is not AskedBy.REMEDIATION:
        left_out["asked"] = {"tool", "rule", "before"}
    return digest(contract.model_dump(mode="json", exclude=left_out))


def _measured_by(task: AskedTask | None, policy: EffectivePolicy) -> tuple[str, ...]:
    """What a task's benchmark is made of: who is measured by it leaves it alone (P6)."""
    standing = policy.standing.named(task.key) if task else None
    return standing.benchmark.files if standing and standing.benchmark else ()


def _blast_radius(paths: tuple[str, ...]) -> str:
    runtime = sum(is_runtime(path) for path in paths)
    return f"{counted(len(paths), 'file')}, {runtime} of them code that runs"


def _from_candidate(contract: TaskContract, candidates: CandidateTasks) -> Verdict:
    rule = "the contract is for a listed candidate"
    chosen = next((c for c in candidates.candidates if c.task_id == contract.task_id), None)
    if chosen is None:
        return deny(rule, f"task {contract.task_id} is not among the candidates", listed=len(candidates.candidates))
    if chosen.needs_person:
        return deny(rule, f"task {chosen.task_id} waits for a person, no run takes it")
    if contract.state is not TaskState.PROPOSED:
        return deny(rule, f"the contract's state is {contract.state.value}, not PROPOSED")
    expected = (chosen.type, chosen.tool, chosen.rule, chosen.measure, chosen.metric, chosen.before)
    stated = (contract.type, contract.tool, contract.rule, contract.measure, contract.metric, contract.metric_before)
    if stated != expected or contract.asked != chosen.asked:
        reason = "the contract's type, tool, rule, measure, metric or its value before differ from the candidate's"
        return deny(rule, reason)
    if extra := set(contract.scope.allowed_paths) - set(chosen.paths):
        return deny(rule, f"{readable(min(extra))} is not a path of the candidate", extra=len(extra))
    return allow(rule, f"{chosen.task_id}, {len(contract.scope.allowed_paths)} of {counted(len(chosen.paths), 'path')}")


def _scope(contract: TaskContract, policy: EffectivePolicy) -> Iterator[Verdict]:
    rule = "path may be in scope"
    for path in contract.scope.allowed_paths:
        shown = readable(path)
        if protecting := protection(path, policy, contract.type):
            yield deny(rule, f"{shown} is protected: {protecting.reason}", path=shown)
        elif is_licence_text(path, policy):
            yield deny(rule, f"{shown} is a licence text: a person's business", path=shown)
        elif contract.asked is not None and ("*" in path or path.endswith("/")):
            yield allow(rule, f"{shown} is a pattern: each path of the change is judged by itself", path=shown)
        elif reason := hostile_name(path):
            yield deny(rule, f"{shown} is refused: {reason}", path=shown)
        elif not reachable(path, policy, contract.type):
            yield deny(rule, f"{shown} is outside what the target allows", path=shown)
        else:
            yield allow(rule, f"{shown} may be changed", path=shown)


def _budget(contract: TaskContract, policy: EffectivePolicy) -> Iterator[Verdict]:
    scope, budget = contract.scope, policy.autopilot.diff_budget
    for what, wanted, most in (
        ("files", scope.max_files, budget.files),
        ("lines", scope.max_lines, budget.lines),
        ("new files", scope.max_new_files, budget.new_files),
        ("deletions", scope.max_deletions, deletions_allowed(contract, policy)),
    ):
        answer = allow if wanted <= most else deny
        yield answer(
            f"{what} in the contract are within budget",
            f"{what} of the contract: {wanted} asked, {most} allowed",
            asked=wanted,
            most=most,
        )


def _checks(contract: TaskContract, policy: EffectivePolicy) -> Verdict:
    rule = "the contract requires the target's checks"
    known = {check.name for check in policy.target.checks}
    required = {check.name for check in policy.target.checks if check.required}
    named = set(contract.verification.required_checks)
    if not required:
        return deny(rule, f"targets/{policy.target.name}.toml has no required check; add one under [[checks]]")
    if unknown := named - known:
        return deny(
            rule, f"the contract requires unknown checks: {', '.join(sorted(unknown))}", known=", ".join(sorted(known))
        )
    if missing := required - named:
        return deny(rule, f"required checks are left out: {', '.join(sorted(missing))}")
    return allow(rule, ", ".join(sorted(named)))


def _rollback(contract: TaskContract, policy: EffectivePolicy) -> Verdict:
    plan, target = contract.rollback, policy.target
    rule = "the contract names the target's rollback"
    facts = {"strategy": plan.strategy, "minutes": plan.maximum_minutes}
    if plan.strategy != target.rollback_strategy or not 0 < plan.maximum_minutes <= target.rollback_minutes:
        return deny(
            rule,
            f"the target wants {target.rollback_strategy} in {counted(target.rollback_minutes, 'minute')}",
            **facts,
        )
    return allow(rule, f"{plan.strategy} within {counted(plan.maximum_minutes, 'minute')}", **facts)


def _effect(contract: TaskContract) -> Verdict:
    rule = "the contract promises a measurable effect"
    delta = contract.expected_metric_delta
    answer = deny if delta == 0 else allow
    return answer(rule, f"{contract.metric} changes by {delta}", before=contract.metric_before, delta=delta)


def _risk(contract: TaskContract, policy: EffectivePolicy) -> Verdict:
    rule = "the risk may be taken without a person"
    stated, estimate = contract.risk.level, estimate_level(contract.scope.allowed_paths, policy, contract.type)
    most = policy.autopilot.approval.highest_risk
    facts = {"stated": stated.value, "estimate": estimate.value, "most": most.value}
    if LEVELS.index(stated) < LEVELS.index(estimate):
        return deny(rule, f"the risk is stated as {stated.value}, but its paths make it {estimate.value}", **facts)
    if stated in BLOCKED_UNLESS_APPROVED or LEVELS.index(stated) > LEVELS.index(most):
        return ask(rule, f"{stated.value} risk must be approved before the run", **facts)
    return allow(rule, f"{stated.value} risk", **facts)


def _type(contract: TaskContract, policy: EffectivePolicy) -> Verdict:
    rule = "the task type is approved by policy"
    if contract.type is TaskType.DEPENDENCY_UPDATE and policy.target.dependencies:
        # Whoever wrote the table has said yes to this type, and it reaches no file but those (rule 2).
        return allow(rule, f"{contract.type.value}: the target has [dependencies]")
    if contract.type not in policy.autopilot.approval.task_types:
        return ask(rule, f"{contract.type.value} is not in approval.task_types, so a person approves it")
    # The type is the proposer's word: where it opens what is closed to others, a person has to believe it (P6).
    opened = [
        path
        for path in contract.scope.allowed_paths
        for protected in policy.protected_paths.protected
        if contract.type in protected.unless and matches(path, protected.patterns)
    ]
    if opened:
        return ask(
            rule, f"as {contract.type.value} it may touch the protected {readable(opened[0])}; a person approves"
        )
    if contract.scope.max_deletions and contract.type in policy.autopilot.diff_budget.deletions_allowed_for:
        deleted = counted(contract.scope.max_deletions, "file")
        return ask(rule, f"as {contract.type.value} it may delete {deleted}; a person approves")
    return allow(rule, contract.type.value)
