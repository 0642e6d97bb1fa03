"""Findings, candidates and the one task contract of a run (task contracts, runbook §4)."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from pydantic import Field

from contracts.artifact import ArtifactRef, Contract
from contracts.asked import Conversation
from contracts.modes import RiskLevel, Role
from contracts.trial import SourceTrial


class TaskType(StrEnum):
    """The contract's task types."""

    CODE_IMPROVEMENT = "code_improvement"
    RELIABILITY_FIX = "reliability_fix"
    PERFORMANCE_OPTIMIZATION = "performance_optimization"
    TEST_HARDENING = "test_hardening"
    DOCUMENTATION_UPDATE = "documentation_update"
    DEPENDENCY_UPDATE = "dependency_update"
    SOURCE_DISCOVERY = "source_discovery"
    SOURCE_TRIAL = "source_trial"
    SOURCE_PROMOTION = "source_promotion"
    SOURCE_DEMOTION = "source_demotion"
    POLICY_TUNING = "policy_tuning"
    """One step of a threshold (runbook §11); the sister documents have no word for it."""


class TaskState(StrEnum):
    """States of a task contract, in order."""

    PROPOSED = "PROPOSED"
    APPROVED_FOR_RUN = "APPROVED_FOR_RUN"
    IN_PROGRESS = "IN_PROGRESS"
    VERIFYING = "VERIFYING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    ESCALATED = "ESCALATED"


class MeasureKind(StrEnum):
    """What the effect of a task is measured by. Each has a row in ``adapters.tools.measures``."""

    FINDINGS = "findings"
    """The fixable findings of one tool and rule in the contract's scope."""
    CHECK = "check"
    """One check of the target: red on the base, green on the change."""
    NEW_TEST = "new_test"
    """The tests that the change brings: red on the base, green on the change."""
    COUNTED = "counted"
    """The findings that one check of the target counts: fewer than on the base."""
    COVERAGE = "coverage"
    """Named lines that one check of the target does not run, as its own report has it: fewer than on the base."""
    BENCHMARK = "benchmark"
    """What a standing task's benchmark says, in thousandths of what it says of the base: less, beyond its noise."""
    IN_CI = "in_ci"
    """Checks of the forge's own CI: red on the base; what they say of the pull request is awaited, and shows it."""
    ACCEPTANCE = "acceptance"
    """Nothing measures it but a person: what changed is theirs to accept."""


class AskedBy(StrEnum):
    """Who wants an agent's task done; what they wrote is data all the same."""

    PERSON = "person"
    """Typed by an operator (``try``)."""
    CHECK = "check"
    """A required check is red on the base, here or in the forge's own CI."""
    ISSUE = "issue"
    """An open issue with the target's label."""
    STANDING = "standing"
    """``tasks.toml``: what the owner wants looked after."""
    REMEDIATION = "remediation"
    """What a tool's own fix could not mend without breaking a check, however it was tried (runbook §6.2)."""


class AskedTask(Contract):
    """What an agent is asked for beside the findings of tools; ``asked_tasks.json`` lists them."""

    key: str = Field(min_length=1, max_length=80)
    """``check-tests``, ``ci``, ``issue-42``, ``standing-docs``, ``person-<digest>``, ``remediation-<fingerprint>``: the
    same while the task is."""
    by: AskedBy
    title: str = Field(max_length=300)
    text: str = Field(default="", max_length=12_000)
    """An issue's words, a check's last lines: data, whoever wrote it."""
    measure: MeasureKind
    check: str = Field(default="", max_length=40)
    """The check that measures it."""
    paths: tuple[str, ...] = Field(default=(), max_length=50)
    """gitignore-style; empty: whatever the target allows."""
    number: int = 0
    """Of an issue."""
    url: str = Field(default="", max_length=400)
    tool: str = ""
    """Of ``findings``: whose they are."""
    rule: str = ""
    before: int = 1
    """What is counted on the base."""


class AskedTasks(Contract):
    """``asked_tasks.json``: what an agent could be asked for on this base."""

    schema_version: Literal[1] = 1
    run_id: str
    base_sha: str
    tasks: tuple[AskedTask, ...]
    unseen: tuple[str, ...] = ()
    """What could not be looked at, and why."""
    conversations: tuple[Conversation, ...] = ()
    """Of the issues among them."""

    def below(self, task: AskedTask) -> Conversation | None:
        """What is said below the issue that a task is from; None: it is from none."""
        return next((each for each in self.conversations if each.key == task.key), None)


class Concern(StrEnum):
    """Why a finding matters to an owner; what comes first is tried first (``policies.task.acceptance``)."""

    SECURITY = "security"
    BROKEN = "broken"
    """Something does not do what it is there for."""
    HOOK = "hook"
    """What the owner has set up to look (a linter's selection, a formatter, a hook) says no."""
    OUTDATED = "outdated"
    """Dependencies and data that are behind what they follow."""
    CODE = "code"
    PROSE = "prose"


class Proof(StrEnum):
    """What must be shown of a tool's change, besides what Review looks at in every change."""

    EQUAL = "equal"
    """Every file does what it did."""
    RECORDED = "recorded"
    """The file is, byte for byte, what the run recorded to be brought about: a source's records, a proposal."""
    REPEATED = "repeated"
    """The file is, byte for byte, what the owner's own fixer, or the package manager, makes of the base again."""
    MEASURED = "measured"
    """Nothing is shown of the change itself, only its effect by the contract's measure: a person merges."""
    WORDS = "words"
    """Single words are changed; in Python, and where it updates documentation in code of other languages, of comments
    and docstrings alone."""


class Words(Contract):
    """What mending one kind of finding is called, in a maintainer's words."""

    verb: str
    """``Fix``."""
    one: str
    """``a typo``."""
    many: str
    """Without their number: ``typos``."""
    why: str
    """One sentence."""
    more: tuple[str, ...] = ()
    """What a person decides by, a point each; others' words in it are made inert where they are shown."""


class FindingFacts(Contract):
    """What a tool says of one kind of its findings. The defaults refuse: without facts nothing is made of a finding."""

    confidence: float = Field(default=0, ge=0, le=1)
    """How sure its own fix is right."""
    value: float = Field(default=0.5, ge=0, le=1)
    """What one finding less is worth beside those of other kinds."""
    type: TaskType = TaskType.CODE_IMPROVEMENT
    may_change: tuple[str, ...] = ()
    """gitignore-style patterns of the files that its fixes may change."""
    proof: Proof = Proof.EQUAL
    is_fault: bool = True
    """Whether a change that brings one more of them trades a fault for another."""
    concern: Concern = Concern.CODE
    together: bool = False
    """Whether its files are one change wherever they lie; else each folder is one that a person reviews by itself."""
    for_person: bool = False
    """Whether it is listed for a person to see where no tool has a fix."""
    words: Words | None = None
    """None: it is called by its tool and rule."""


class Finding(Contract):
    """One thing a tool found in the tree, measured, never an agent's word."""

    fingerprint: str
    """Stable while the finding is: tool, rule, path and the line's text, not its number."""
    tool: str
    rule: str
    path: str
    line: int
    message: str
    fixable: bool
    facts: FindingFacts = FindingFacts()
    """The same for all of one tool and rule."""
    words: Words | None = None
    """Finer than the rule's: what exactly this one is."""
    along: tuple[str, ...] = ()
    """Further files that its fix changes with this one."""
    about: str = ""
    """What a title may quote of it: ``comparision → comparison``, the name of an import."""


class UnreadFile(Contract):
    """A file that a tool should have looked at, and could not."""

    tool: str
    path: str
    """As it is, or escaped where it has characters that no line of text can show."""
    reason: str


class StateSnapshot(Contract):
    """``state_snapshot.json``: what Sensing saw on the base commit (charter: at least 95 % complete)."""

    schema_version: Literal[1] = 1
    run_id: str
    target: str
    base_branch: str
    base_sha: str
    files: int
    bytes: int
    languages: dict[str, int] = {}
    """File suffix to number of files."""
    completeness: float
    """How much could be looked at, 0.0 to 1.0: the mean over the configured tools of the share of their files."""
    missing: tuple[str, ...] = ()
    """Tools that could not look at all, and why."""
    unread: tuple[UnreadFile, ...] = ()
    """Single files that a tool could not look at."""
    findings: tuple[Finding, ...]
    open_pull_requests: tuple[OpenPullRequest, ...] = ()
    moot_pull_requests: tuple[MootPullRequest, ...] = ()
    """Open on the forge, but done: the base holds what they change. They wait for nobody and are closed."""
    truncated: int = 0
    """Findings and unread files beyond the snapshot's caps, counted but not listed."""


class OpenPullRequest(Contract):
    """An autonomous pull request that waits for a person."""

    number: int
    branch: str
    task_id: str | None
    url: str


class MootPullRequest(OpenPullRequest):
    """An open one with nothing left to change."""

    run_id: str
    """The run that opened it."""
    head_sha: str


class Candidate(Contract):
    """One idea, ranked (charter, Triaging): confidence and expected measurable impact."""

    task_id: str
    """Stable across runs while the idea is the same: ``<tool>-<rule>-<digest of target and paths>``."""
    type: TaskType
    title: str
    tool: str
    rule: str
    paths: tuple[str, ...]
    metric: str
    """What the effect is measured in, for example ``ruff UP findings``."""
    measure: MeasureKind = MeasureKind.FINDINGS
    before: int
    expected_after: int
    confidence: float = Field(ge=0, le=1)
    score: float
    """Rank: higher is better."""
    estimated_files: int
    estimated_lines: int
    evidence: tuple[str, ...] = ()
    remediates: str = ""
    """Fingerprint of the failure that this is to remedy (runbook §6.2)."""
    needs_person: bool = False
    """Listed for a person to see; no run takes it."""
    asked: AskedTask | None = None
    """Of what an agent is asked for; None: a tool found it."""
    words: Words | None = None
    """Of its tool, never of an agent."""
    concern: Concern = Concern.CODE
    why: str = ""
    """Why somebody should care, in one sentence; empty: listed before this was said."""
    acceptance: float = 0.6
    """Which share of such pull requests is expected to be merged here (``policies.task.acceptance``)."""
    answers: str = ""
    """What people here made of this kind so far, and what follows."""


class SuppressedCandidate(Contract):
    """An idea that is not proposed now, and why."""

    task_id: str
    title: str
    reason: str


class CandidateTasks(Contract):
    """``candidate_tasks.json``: ranked, best first."""

    schema_version: Literal[1] = 1
    run_id: str
    base_sha: str
    candidates: tuple[Candidate, ...]
    suppressed: tuple[SuppressedCandidate, ...] = ()
    resolved: tuple[str, ...] = ()
    """Fingerprints of failures whose findings are gone from the base."""


class Scope(Contract):
    """What Coding may touch."""

    allowed_paths: tuple[str, ...]
    """Exact repository paths or gitignore-style patterns."""
    blocked_paths: tuple[str, ...] = ()
    max_files: int
    max_lines: int
    """Added plus removed."""
    max_new_files: int = 0
    max_deletions: int = 0


class Risk(Contract):
    """The plan's estimate; Release computes its own from the change."""

    level: RiskLevel
    category: str
    blast_radius: str


class VerificationPlan(Contract):
    """How the change will be proven."""

    required_checks: tuple[str, ...]
    acceptance_criteria: tuple[str, ...]
    non_regression_focus: tuple[str, ...] = ()


class RollbackPlan(Contract):
    """How the change is undone (runbook §8)."""

    strategy: Literal["revert_pr", "revert_commit", "close_pr"]
    maximum_minutes: int


class SourcePromotion(Contract):
    """What a contract of the type ``source_promotion`` states besides (task contracts)."""

    trial_report: ArtifactRef | None
    """None: of a proposal that names none."""
    thresholds_passed: tuple[str, ...]
    """What was measured, and the bounds that it kept; a sentence each."""
    fallback: str


class TaskContract(Contract):
    """``task_contract.json``: the one bounded task of a run."""

    schema_version: Literal[1] = 1
    task_id: str
    run_id: str
    type: TaskType
    state: TaskState
    title: str
    objective: str
    """Measurable."""
    rationale: str
    tool: str
    rule: str
    metric: str
    measure: MeasureKind = MeasureKind.FINDINGS
    metric_before: int
    expected_metric_delta: int
    """Negative when fewer is better."""
    test_strategy: str
    scope: Scope
    risk: Risk
    verification: VerificationPlan
    rollback: RollbackPlan
    trial: SourceTrial | None = None
    """Of a source trial alone: duration, coverage, thresholds, compliance."""
    promotion: SourcePromotion | None = None
    """Of a source's promotion alone; from the proposal that Sensing recorded, never from an agent."""
    asked: AskedTask | None = None
    """Of what an agent is asked for."""
    evidence: tuple[str, ...] = ()
    assumptions: tuple[str, ...] = ()
    words: Words | None = None
    """Of its tool, never of an agent: what the texts for people call it."""
    owner_role: Role
    next_role: Role


StateSnapshot.model_rebuild()
