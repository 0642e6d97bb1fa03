"""Cases every gate must refuse. A gate never seen to refuse is not trusted (runbook §3).

Preflight runs them against the operator's own policy, so an edit that opens a gate is found before the run it serves.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date

from contracts.artifact import ArtifactRef
from contracts.change import Change, ChangedPath
from contracts.evidence import CheckAttempt, CheckResult, ChecksReport, CheckStatus, ReviewReport
from contracts.modes import Mode, RiskLevel, Role
from contracts.task import Risk, RollbackPlan, Scope, TaskContract, TaskState, TaskType, VerificationPlan
from contracts.verdict import Decision
from policies.release.release import PinnedDigests, ReleaseFacts
from policies.settings.schema import EffectivePolicy
from policies.task.planning import terms_digest

_PLAIN, _NONE, _ABSENT = "100644", "000000", "0" * 40
_BASE, _HEAD, _TREE = "b" * 40, "c" * 40, "d" * 40
_FILE = ArtifactRef(name="none", sha256="0" * 64, size=0, media_type="text/plain", location="none")
BASE_PATHS = ("README.md", ".env.example", ".github/workflows/ci.yml", "src/module.py")


@dataclass(frozen=True)
class KnownBad:
    """A change, and what at least must be concluded about it."""

    name: str
    change: Change
    expected: Decision


def entry(path: str, status: str = "M", old: str = _PLAIN, new: str = _PLAIN, lines: int = 1) -> ChangedPath:
    """One changed path as git would report it."""
    old, new = (_NONE if status == "A" else old), (_NONE if status == "D" else new)
    return ChangedPath.model_validate(
        {
            "path": path, "status": status, "old_mode": old, "new_mode": new,
            "old_sha": _ABSENT if status == "A" else "1" * 40, "new_sha": _ABSENT if status == "D" else "2" * 40,
            "added": lines, "removed": 0, "new_bytes": 80 * lines,
        }
    )  # fmt: skip


def change(*paths: ChangedPath) -> Change:
    """A change of these paths that improves its metric."""
    return Change(
        base_sha=_BASE, head_sha=_HEAD, tree_sha=_TREE, paths=paths, bundle=_FILE, diff=_FILE,
        metric="findings", metric_before=2, metric_after=0,
    )  # fmt: skip


def contract(policy: EffectivePolicy) -> TaskContract:
    """A contract that allows every path, so that only the rule under trial can refuse."""
    budget, target = policy.autopilot.diff_budget, policy.target
    return TaskContract(
        task_id="trial-of-the-gates-00000000",
        run_id="trial",
        type=TaskType.CODE_IMPROVEMENT,
        state=TaskState.APPROVED_FOR_RUN,
        title="Trial of the gates",
        objective="Bring findings from 2 to 0.",
        rationale="A gate never seen to refuse is not trusted.",
        tool="trial",
        rule="trial",
        metric="findings",
        metric_before=2,
        expected_metric_delta=-2,
        test_strategy="None: nothing is released.",
        scope=Scope(
            allowed_paths=("**",),
            max_files=budget.files + 1,
            max_lines=budget.lines + 1,
            max_new_files=budget.new_files + 1,
            max_deletions=budget.files + budget.deletions + 1,
        ),
        risk=Risk(level=RiskLevel.LOW, category="trial", blast_radius="none"),
        verification=VerificationPlan(
            required_checks=tuple(check.name for check in target.checks if check.required), acceptance_criteria=()
        ),
        rollback=RollbackPlan(strategy=target.rollback_strategy, maximum_minutes=target.rollback_minutes),
        owner_role=Role.CODING,
        next_role=Role.REVIEW,
    )


def bad_paths() -> Iterator[KnownBad]:
    """Changes the path gate must refuse; those that touch a protected path must escalate."""
    workflow = ".github/workflows/ci.yml"
    for name, expected, paths in (
        ("secret file added", Decision.ESCALATE, [entry(".env.production", "A")]),
        ("orders to agents added", Decision.ESCALATE, [entry("src/.claude/settings.json", "A")]),
        ("workflow edited", Decision.ESCALATE, [entry(workflow)]),
        ("workflow deleted", Decision.ESCALATE, [entry(workflow, "D")]),
        ("workflow renamed away", Decision.ESCALATE, [entry(workflow, "D"), entry("docs/ci.yml", "A")]),
        ("workflow by case", Decision.ESCALATE, [entry(".GitHub/Workflows/ci.yml", "A")]),
        ("workflow by invisible letter", Decision.ESCALATE, [entry(".g\u200bithub/workflows/ci.yml", "A")]),
        ("workflow becomes a symlink", Decision.ESCALATE, [entry(workflow, "T", new="120000")]),
        ("git's own folder", Decision.ESCALATE, [entry("src/.git/hooks/pre-commit", "A")]),
        ("symlink added", Decision.DENY, [entry("src/link.py", "A", new="120000")]),
        ("submodule added", Decision.DENY, [entry("src/vendored", "A", new="160000")]),
        ("LFS pointer changed", Decision.DENY, [entry("src/data.bin").model_copy(update={"pointer": True})]),
        ("file made executable", Decision.DENY, [entry("src/module.py", new="100755")]),
        ("twin of a file", Decision.DENY, [entry("readme.md", "A")]),
        ("path out of the tree", Decision.DENY, [entry("../outside.py", "A")]),
        ("nothing changed", Decision.DENY, []),
    ):
        yield KnownBad(name, change(*paths), expected)


def bad_licences(policy: EffectivePolicy) -> Iterator[KnownBad]:
    """A licence text edited, for every pattern that protects one."""
    for pattern in policy.protected_paths.compliance:
        name = pattern.replace("**", "MIT.txt").replace("*", "").replace("?", "x")
        yield KnownBad(f"licence text {name} edited", change(entry(name)), Decision.ESCALATE)


def bad_sizes(policy: EffectivePolicy) -> Iterator[KnownBad]:
    """Changes beyond the policy's diff budget (ASK at least), and beyond the contract's own limits (DENY)."""
    budget = policy.autopilot.diff_budget
    many = [entry(f"src/{number}.py") for number in range(budget.files + 1)]
    new = [entry(f"src/{number}.py", "A") for number in range(budget.new_files + 1)]
    gone = [entry(f"src/{number}.py", "D") for number in range(budget.files + budget.deletions + 1)]
    yield KnownBad("one file too many", change(*many), Decision.ASK)
    yield KnownBad("one line too many", change(entry("src/module.py", lines=budget.lines + 1)), Decision.ASK)
    yield KnownBad("one new file too many", change(*new), Decision.ASK)
    yield KnownBad("one deletion too many", change(*gone), Decision.ASK)
    yield KnownBad("beyond the contract", change(entry("src/module.py", lines=budget.lines + 2)), Decision.DENY)


def good_facts(policy: EffectivePolicy) -> ReleaseFacts:
    """Facts that only a person stands in the way of; the bad ones differ in one point each."""
    terms, small = contract(policy), change(entry("src/module.py"))
    return ReleaseFacts(
        run_id="trial",
        today=date(2000, 1, 1),
        mode=Mode.SELECTIVE_AUTO,
        policy=policy,
        contract=terms,
        change=small,
        base_paths=BASE_PATHS,
        review=ReviewReport(
            run_id="trial", task_id=terms.task_id, head_sha=_HEAD, reviewer="trial", approve=True, confidence=1,
            summary="fine",
        ),
        checks=ChecksReport(
            commit_sha="e" * 40, tree_sha=_TREE, base_sha=_BASE, head_sha=_HEAD, environment="trial", sandbox="trial",
            results=_results(policy, CheckStatus.GREEN),
        ),
        pinned=PinnedDigests(terms_digest(terms), policy.digest, _BASE, _HEAD),
        policy_digest_now=policy.digest,
        base_now=_BASE,
        merge_tree_sha=_TREE,
        merge_conflicts=(),
        past_failures=0,
        approved_by="trial",
        canary_passed=True,
    )  # fmt: skip


def bad_releases(policy: EffectivePolicy) -> Iterator[tuple[str, ReleaseFacts]]:
    """Facts each of which must be rejected."""
    good = good_facts(policy)
    yield "nothing changed", replace(good, change=change())
    yield "protected path", replace(good, change=change(entry(".env", "A")))
    yield "head moved", replace(good, pinned=replace(good.pinned, head_sha="f" * 40))
    yield "base moved", replace(good, base_now="f" * 40)
    yield "policy edited", replace(good, policy_digest_now="f" * 64)
    yield "contract widened", replace(good, pinned=replace(good.pinned, contract_digest="f" * 64))
    yield "conflict", replace(good, merge_conflicts=("src/module.py",))
    yield "another tree checked", replace(good, merge_tree_sha="f" * 40)
    yield "no effect", replace(good, change=good.change.model_copy(update={"metric_after": 2}))
    yield "review refuses", replace(good, review=good.review.model_copy(update={"approve": False}))
    yield "review of another head", replace(good, review=good.review.model_copy(update={"head_sha": "f" * 40}))
    yield "check not run", replace(good, checks=good.checks.model_copy(update={"results": ()}))
    for status in (CheckStatus.RED, CheckStatus.TIMEOUT, CheckStatus.INFRASTRUCTURE):
        results = _results(policy, status)
        yield f"check {status.value}", replace(good, checks=good.checks.model_copy(update={"results": results}))


def unmerged_releases(policy: EffectivePolicy) -> Iterator[tuple[str, ReleaseFacts]]:
    """Facts none of which may be merged without a person; apart from one point nothing speaks against it."""
    good = good_facts(policy)
    limits = policy.autopilot.auto_merge
    yield "no canary", replace(good, canary_passed=False)
    yield "mode below SELECTIVE_AUTO", replace(good, mode=Mode.PR_ONLY)
    yield (
        "a check flaky",
        replace(good, checks=good.checks.model_copy(update={"results": _results(policy, CheckStatus.FLAKY)})),
    )
    yield "one line too many", replace(good, change=change(entry("src/module.py", lines=limits.lines + 1)))
    yield "what checks are made of", replace(good, change=change(entry("conftest.py")))
    without = policy.model_copy(update={"target": policy.target.model_copy(update={"probes": ()})})
    yield "no probe", replace(good, policy=without)


def _results(policy: EffectivePolicy, status: CheckStatus) -> tuple[CheckResult, ...]:
    attempt = CheckAttempt(status=status, exit_code=None, seconds=0, output=None)
    return tuple(
        CheckResult(
            name=c.name, kind=c.kind.value, argv=c.argv, required=c.required, status=status, attempts=(attempt,)
        )
        for c in policy.target.checks
    )
