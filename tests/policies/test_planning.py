"""The one contract of a run: bounded by construction, judged before it is approved (runbook §4; task contracts)."""

from datetime import date

import pytest

from contracts.modes import RiskLevel
from contracts.task import (
    CandidateTasks,
    Risk,
    RollbackPlan,
    Scope,
    TaskContract,
    TaskState,
    TaskType,
    VerificationPlan,
)
from contracts.verdict import Decision
from policies.digests import digest
from policies.task.candidates import Memory, rank
from policies.task.planning import judge_contract, make_contract, terms_digest
from policies.verdicts import explain
from tests.policies.sample_policy import policy
from tests.policies.test_candidates import found

POLICY = policy()
CANDIDATES = CandidateTasks(
    run_id="r1",
    base_sha="b" * 40,
    candidates=rank(
        (*found("src/a.py"), *found("src/b.py"), *found("src/c.py")), POLICY, Memory(today=date(2026, 11, 23))
    ).candidates,
)
CONTRACT = make_contract(CANDIDATES.candidates[0], POLICY, "r1")


def changed(**fields):
    """The contract with other terms."""
    return CONTRACT.model_copy(update=fields)


def scope(**fields):
    """The contract with another scope."""
    return changed(scope=CONTRACT.scope.model_copy(update=fields))


def test_a_planned_contract_is_bounded_and_approved():
    """Exactly the candidate's paths, the policy's budget, the target's checks and rollback."""
    assert CONTRACT.scope == Scope(
        allowed_paths=("src/a.py", "src/b.py", "src/c.py"),
        blocked_paths=tuple(p for rule in POLICY.protected_paths.protected for p in rule.patterns),
        max_files=3,
        max_lines=400,
    )
    assert ("tests", "lint", "security") == CONTRACT.verification.required_checks
    assert RollbackPlan(strategy="revert_pr", maximum_minutes=15) == CONTRACT.rollback
    assert (TaskState.PROPOSED, RiskLevel.MEDIUM, -3) == (
        CONTRACT.state,
        CONTRACT.risk.level,
        CONTRACT.expected_metric_delta,
    )
    verdict = judge_contract(CONTRACT, POLICY, CANDIDATES)
    assert verdict.decision is Decision.ALLOW, explain(verdict)


@pytest.mark.parametrize(
    "contract",
    [
        changed(task_id="ruff-up-00000000"),
        changed(state=TaskState.APPROVED_FOR_RUN),
        changed(tool="other"),
        changed(metric="other"),
        changed(metric_before=99),
        changed(type=TaskType.DOCUMENTATION_UPDATE),
        changed(expected_metric_delta=0),
        changed(risk=Risk(level=RiskLevel.LOW, category="x", blast_radius="x")),
        changed(rollback=RollbackPlan(strategy="close_pr", maximum_minutes=15)),
        changed(rollback=RollbackPlan(strategy="revert_pr", maximum_minutes=16)),
        changed(rollback=RollbackPlan(strategy="revert_pr", maximum_minutes=0)),
        changed(verification=VerificationPlan(required_checks=(), acceptance_criteria=())),
        changed(verification=VerificationPlan(required_checks=("tests", "lint"), acceptance_criteria=())),
        changed(
            verification=VerificationPlan(required_checks=("tests", "lint", "security", "mine"), acceptance_criteria=())
        ),
        scope(allowed_paths=()),
        scope(allowed_paths=("src/d.py",)),
        scope(allowed_paths=("**",)),
        scope(allowed_paths=("src/",)),
        scope(allowed_paths=(".env",)),
        scope(max_files=9),
        scope(max_lines=401),
        scope(max_new_files=6),
        scope(max_deletions=1),
    ],
)
def test_a_contract_that_exceeds_policy_is_refused(contract):
    """Agents' words are no authority: each widened term is a DENY (P6)."""
    assert judge_contract(contract, POLICY, CANDIDATES).decision is Decision.DENY


@pytest.mark.parametrize("path", [".env", "../x", "**", "src/", "docs/a\u200b.md"])
def test_a_candidate_cannot_smuggle_a_path(path):
    """Even when the candidate itself, written by a model, names it."""
    candidate = CANDIDATES.candidates[0].model_copy(update={"paths": (path,)})
    listed = CANDIDATES.model_copy(update={"candidates": (candidate,)})

    assert judge_contract(make_contract(candidate, POLICY, "r1"), POLICY, listed).decision is Decision.DENY


@pytest.mark.parametrize(
    ("contract", "own"),
    [
        (changed(risk=Risk(level=RiskLevel.HIGH, category="x", blast_radius="x")), {"highest_risk": "CRITICAL"}),
        (changed(risk=Risk(level=RiskLevel.CRITICAL, category="x", blast_radius="x")), {"highest_risk": "CRITICAL"}),
        (CONTRACT, {"highest_risk": "LOW"}),
        (CONTRACT, {"task_types": ["documentation_update"]}),
    ],
)
def test_what_policy_does_not_approve_itself_a_person_must(contract, own):
    """HIGH and CRITICAL always; others as ``[approval]`` says."""
    assert judge_contract(contract, policy({"approval": own}), CANDIDATES).decision is Decision.ASK


@pytest.mark.parametrize("kind", ["policy_tuning", "source_promotion", "source_demotion"])
def test_a_change_of_policy_is_asked_for_where_its_type_is_not_approved(kind):
    """By default it ends as a pull request; without its type in `approval.task_types` a person is asked before."""
    listed = CANDIDATES.model_copy(
        update={"candidates": (CANDIDATES.candidates[0].model_copy(update={"type": TaskType(kind)}),)}
    )
    contract = make_contract(listed.candidates[0], POLICY, "r1")
    assert (kind, Decision.ALLOW) == (contract.type, judge_contract(contract, POLICY, listed).decision)
    verdict = judge_contract(contract, policy({"approval": {"task_types": ["code_improvement"]}}), listed)
    assert (Decision.ASK, f"{kind} is not in approval.task_types, so a person approves it") == (
        verdict.decision,
        verdict.reason,
    )


def test_no_required_check_refuses():
    """Nothing would prove the change."""
    bare = policy(target={"checks": ()})

    assert (
        judge_contract(make_contract(CANDIDATES.candidates[0], bare, "r1"), bare, CANDIDATES).decision is Decision.DENY
    )


def test_terms_digest_is_of_the_terms_alone():
    """Equal in every run and state (P3); another if any term changes (P6)."""
    assert terms_digest(CONTRACT) == terms_digest(changed(run_id="r2", state=TaskState.IN_PROGRESS))
    assert terms_digest(CONTRACT) != terms_digest(scope(max_lines=401))
    assert 64 == len(terms_digest(CONTRACT))


def test_terms_that_were_pinned_before_measures_had_names_stay_equal():
    """A run that was planned by an older version goes on: its artifact gives the digest that its history holds."""
    older = CONTRACT.model_dump(mode="json", exclude={"words", "measure", "trial", "promotion", "asked"})
    terms = {key: value for key, value in older.items() if key not in {"runId", "state"}}
    assert digest(terms) == terms_digest(CONTRACT)
    assert terms_digest(CONTRACT) == terms_digest(TaskContract.model_validate(older))


def test_a_type_that_opens_something_needs_a_person():
    """P6: the type is the proposer's word; where it unlocks a protected path, a person has to believe it."""
    rule = {"patterns": ["/CHANGES.md"], "reason": "released text", "unless": ["code_improvement"]}
    opened = policy(target={"protected": [rule]})
    candidate = CANDIDATES.candidates[0].model_copy(update={"paths": ("CHANGES.md",)})
    listed = CANDIDATES.model_copy(update={"candidates": (candidate,)})

    verdict = judge_contract(make_contract(candidate, opened, "r1"), opened, listed)

    assert Decision.ASK is verdict.decision, explain(verdict)
    assert "CHANGES.md" in verdict.reason
