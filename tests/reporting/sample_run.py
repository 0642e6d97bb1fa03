"""One run's facts, as the steps would leave them: red tests, a flaky linter, a write refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from contracts.admission import PullRequestRef
from contracts.artifact import ArtifactRef
from contracts.change import Change, ChangedPath
from contracts.ci import CiReport, CiState
from contracts.evidence import CheckAttempt, CheckResult, ChecksReport, CheckStatus
from contracts.forge_facts import CheckState, CommitCheck
from contracts.handover import Handover, PinnedPolicy, PlannedWrite, RunRef
from contracts.modes import Mode, Outcome, RiskLevel, Role, RunKind, RunStatus, StepName, WriteAction
from contracts.release import Rejection, ReleaseDecision, RiskScore
from contracts.report import ReportInput, StepRecord, WriteResult
from contracts.task import Risk, RollbackPlan, Scope, TaskContract, TaskState, TaskType, VerificationPlan
from contracts.verdict import Decision, Verdict

START = datetime(2026, 11, 23, 5, 0, tzinfo=UTC)
BASE, HEAD, TREE = "b" * 40, "c" * 40, "d" * 40


def ref(name: str, media_type: str = "application/json") -> ArtifactRef:
    digest = (name.encode().hex() * 64)[:64]
    return ArtifactRef(name=name, sha256=digest, size=len(name) * 321, media_type=media_type, location="objects/ab/cd")


RUN = RunRef(
    run_id="demo-2026-11-23-1",
    target="demo",
    kind=RunKind.DAILY,
    mode=Mode.PR_ONLY,
    date="2026-11-23",
    attempt=1,
    workflow_id="daily/demo-2026-11-23",
    started_at=START,
    started_by="schedule daily-demo",
    policy=PinnedPolicy(digest="9f" * 32, artifact=ref("policy.json")),
)


def verdict(
    rule: str, reason: str, *children: Verdict, decision: Decision = Decision.ALLOW, **facts: object
) -> Verdict:
    return Verdict(rule=rule, decision=decision, reason=reason, children=children, facts=facts)


def attempt(status: CheckStatus, seconds: float = 3.2, exit_code: int | None = 0, **more: object) -> CheckAttempt:
    return CheckAttempt(
        status=status, exit_code=exit_code, seconds=seconds, output=ref("checks/output.txt", "text/plain"), **more
    )


def check(name: str, kind: str, *attempts: CheckAttempt, status: CheckStatus, **more: object) -> CheckResult:
    argv = ("python", "-m", name, "--quiet")
    return CheckResult(name=name, kind=kind, argv=argv, required=True, status=status, attempts=attempts, **more)


def checks_report(*results: CheckResult) -> ChecksReport:
    return ChecksReport(
        commit_sha="e" * 40,
        tree_sha=TREE,
        base_sha=BASE,
        head_sha=HEAD,
        environment="77" * 32,
        sandbox="bubblewrap 0.11.0",
        results=results,
    )


GREEN_TESTS = check("pytest", "tests", attempt(CheckStatus.GREEN), status=CheckStatus.GREEN)
RED_TESTS = check(
    "pytest",
    "tests",
    attempt(CheckStatus.RED, exit_code=1, detail="2 failed, 117 passed"),
    attempt(CheckStatus.RED, seconds=3.0, exit_code=1, detail="2 failed, 117 passed"),
    status=CheckStatus.RED,
)
FLAKY_LINT = check(
    "ruff",
    "lint",
    attempt(CheckStatus.RED, seconds=0.4, exit_code=1, count=9),
    attempt(CheckStatus.GREEN, seconds=0.3, count=4),
    status=CheckStatus.FLAKY,
    base_count=4,
)
SLOW_TYPES = check(
    "mypy", "types", attempt(CheckStatus.TIMEOUT, seconds=300, exit_code=None), status=CheckStatus.TIMEOUT
)

CONTRACT = TaskContract(
    task_id="ruff-UP-1a2b3c4d",
    run_id=RUN.run_id,
    type=TaskType.CODE_IMPROVEMENT,
    state=TaskState.FAILED,
    title="Modernise syntax in src/itsdangerous (ruff UP)",
    objective="Bring ruff UP findings from 14 to 0.",
    rationale="Found by ruff, rule UP; confidence 0.95.",
    tool="ruff",
    rule="UP",
    metric="ruff UP findings",
    metric_before=14,
    expected_metric_delta=-14,
    test_strategy="Existing checks on the merge result.",
    scope=Scope(allowed_paths=("src/itsdangerous/signer.py", "src/itsdangerous/timed.py"), max_files=8, max_lines=400),
    risk=Risk(level=RiskLevel.LOW, category="cosmetic", blast_radius="2 files, 2 of them code that runs"),
    verification=VerificationPlan(required_checks=("pytest", "ruff"), acceptance_criteria=("fewer findings",)),
    rollback=RollbackPlan(strategy="revert_pr", maximum_minutes=15),
    owner_role=Role.PLANNING,
    next_role=Role.CODING,
)


def changed(path: str, added: int, removed: int) -> ChangedPath:
    return ChangedPath(
        path=path,
        status="M",
        old_mode="100644",
        new_mode="100644",
        old_sha="1" * 40,
        new_sha="2" * 40,
        added=added,
        removed=removed,
        new_bytes=4000,
    )


CHANGE = Change(
    base_sha=BASE,
    head_sha=HEAD,
    tree_sha=TREE,
    paths=(changed("src/itsdangerous/signer.py", 31, 34), changed("src/itsdangerous/timed.py", 8, 9)),
    bundle=ref("change.bundle", "application/octet-stream"),
    diff=ref("change.diff", "text/x-diff"),
    metric="ruff UP findings",
    metric_before=14,
    metric_after=0,
)

RELEASE = verdict(
    "the change may be released",
    "check pytest is red",
    verdict("the change is within its budget", "all 2 conditions hold", verdict("files", "2 of 8", asked=2, most=8)),
    verdict("no protected path is touched", "2 paths looked at", paths=2),
    verdict(
        "every required check is green on the merge result",
        "pytest is red",
        verdict("ruff is green", "green"),
        verdict("pytest is green", "red twice on the same commit", decision=Decision.DENY, attempts=2, exit_status=1),
        decision=Decision.DENY,
    ),
    verdict("the risk is acceptable", "LOW 0.12 is not above MEDIUM", total=0.12),
    decision=Decision.DENY,
)


def decision(level: RiskLevel = RiskLevel.LOW) -> ReleaseDecision:
    return ReleaseDecision(
        run_id=RUN.run_id,
        task_id=CONTRACT.task_id,
        mode=RUN.mode,
        head_sha=HEAD,
        base_sha=BASE,
        merge_tree_sha=TREE,
        policy_digest=RUN.policy.digest,
        contract_digest="55" * 32,
        outcome=Outcome.REJECT,
        risk=RiskScore(
            files_touched=0.25,
            sensitive_paths=0.0,
            runtime_impact=0.4,
            test_coverage=0.1,
            past_failures=0.0,
            total=0.12,
            level=level,
        ),
        verdict=RELEASE,
        rejection=Rejection(
            reason_code="CHECK_RED",
            failed_gate="every required check is green on the merge result",
            recommended_remediation="Read checks/output.txt: two tests fail on the changed tree and not on the base.",
            can_retry=True,
            retry_after="2026-12-23",
        ),
    )


def _steps() -> tuple[StepRecord, ...]:
    facts = (
        (
            StepName.PREFLIGHT,
            9.1,
            verdict("the run may start", "all 6 conditions hold", verdict("caps are set", "yes")),
        ),
        (StepName.SENSE, 4.4, verdict("the snapshot is complete", "100 % of 3 tools looked at 41 files")),
        (StepName.TRIAGE, 0.2, verdict("something is worth doing", "3 candidates, best ruff-UP-1a2b3c4d")),
        (StepName.PLAN, 0.3, verdict("the contract is approved for the run", "all 7 conditions hold")),
        (StepName.CODE, 6.0, verdict("the change is what was agreed", "ruff UP findings 14 → 0")),
        (StepName.REVIEW, 1.2, verdict("the review approves", "no blocking remark")),
        (StepName.CHECK, 28.5, verdict("the checks were run", "3 checks on the merge result")),
        (StepName.RELEASE, 0.4, RELEASE),
    )
    records, at = [], START + timedelta(seconds=1)
    for name, seconds, judged in facts:
        end = at + timedelta(seconds=seconds)
        blocking = () if judged.allowed else ("pytest is red",)
        handover = Handover(
            run_id=RUN.run_id,
            role=Role.RELEASE,
            confidence=1.0,
            blocking_issues=blocking,
            output_artifacts=(ref(f"{name}.json"),),
        )
        records.append(
            StepRecord(step=name, started_at=at, ended_at=end, handover=handover, verdict=judged, audit_head="ab" * 32)
        )
        at = end + timedelta(seconds=0.1)
    return tuple(records)


def planned(action: WriteAction) -> PlannedWrite:
    return PlannedWrite(
        action=action,
        task_id=CONTRACT.task_id,
        branch="autonomy/ruff-UP-1a2b3c4d",
        base_branch="main",
        base_sha=BASE,
        head_sha=HEAD,
    )


PUSHED = WriteResult(
    planned=planned(WriteAction.PUSH_BRANCH),
    done=True,
    verdict=verdict("the write may begin", "epoch 3, ACTIVE"),
)
OPENED = WriteResult(
    planned=planned(WriteAction.OPEN_PULL_REQUEST),
    done=True,
    adopted=True,
    verdict=verdict("the write may begin", "settled before"),
    pull_request=PullRequestRef(number=7, branch="autonomy/ruff-UP-1a2b3c4d", head_sha=HEAD, url="/srv/demo.git#7"),
)
REFUSED = WriteResult(
    planned=planned(WriteAction.OPEN_PULL_REQUEST),
    done=False,
    verdict=verdict("the write may begin", "the target is PAUSED since 05:01 by mia", decision=Decision.DENY),
)

INPUT = ReportInput(
    run=RUN,
    status=RunStatus.REJECTED,
    reason="pytest is red on the merge result",
    base_sha=BASE,
    task_id=CONTRACT.task_id,
    outcome=Outcome.REJECT,
    steps=_steps(),
    writes=(PUSHED, REFUSED),
    artifacts=tuple(
        ref(name) for name in ("state_snapshot.json", "task_contract.json", "change.diff", "checks/checks.json")
    ),
    ended_at=START + timedelta(seconds=53),
)
CI = CiReport(
    run_id=RUN.run_id,
    commit_sha=HEAD,
    pull_request=7,
    state=CiState.RED,
    checks=(
        CommitCheck(
            name="test",
            state=CheckState.RED,
            link="https://ci/1",
            detail="1 failed in 0.3 s",
            log="E   assert 1 == 2\nFAILED test_names\n",
        ),
        CommitCheck(name="lint", state=CheckState.GREEN),
        CommitCheck(name="docs", state=CheckState.MISSING),
    ),
    began_at=START,
    looked_at=START + timedelta(minutes=9),
    deadline=START + timedelta(minutes=60),
    looks=12,
    verdict=verdict("every required check of the forge's CI is green", "red: test", decision=Decision.DENY),
)
