"""The shape of the policy files. Every setting has its meaning right below it; ``policy explain`` prints both."""

from datetime import date
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, StringConstraints, model_serializer

from contracts.modes import Mode, RiskLevel
from contracts.task import TaskType
from policies.paths.base_limits import BaseLimits
from policies.settings.charter import Charter
from policies.settings.environment import DependencyPolicy, EnvironmentPolicy, FixerPolicy
from policies.settings.forge_access import ForgeAccess
from policies.settings.merging import AutoMerge, CiPolicy, FollowUpPolicy, ProbePolicy, RollbackPolicy
from policies.settings.section import Positive, Section, Share
from policies.settings.sources import Sources
from policies.settings.tasks import IssuesPolicy, Tasks

# ``[caps]`` of ``autopilot.toml``.

CapCount = Annotated[int, Field(ge=1, le=10**9)]
CapTokens = Annotated[int, Field(ge=0, le=10**15)]


class CapSettings(Section):
    """``[caps]``: budget caps (runbook §3, §6.4), in the target's time zone. All are set; there is no unlimited."""

    runs_per_day: CapCount = 10
    runs_per_week: CapCount = 50
    """ISO weeks."""
    runs_per_month: CapCount = 150
    agent_minutes_per_run: CapCount = 30
    agent_minutes_per_day: CapCount = 120
    agent_minutes_per_week: CapCount = 600
    agent_minutes_per_month: CapCount = 1800
    usd_per_run: float = Field(default=5.0, ge=0, le=1e9)
    """0: no paid model may be called."""
    usd_per_day: float = Field(default=20.0, ge=0, le=1e9)
    usd_per_week: float = Field(default=100.0, ge=0, le=1e9)
    usd_per_month: float = Field(default=300.0, ge=0, le=1e9)
    tokens_per_run: CapTokens = 1_000_000
    """0: no model may be called."""
    tokens_per_day: CapTokens = 5_000_000
    tokens_per_week: CapTokens = 25_000_000
    tokens_per_month: CapTokens = 75_000_000
    budget_thresholds: tuple[Annotated[int, Field(ge=1, le=100)], ...] = (50, 80, 100)
    """Per cent of a day's, week's or month's cap: an alert each, once per period."""
    attempts_per_task: Positive = 3
    """Runs that may try the same idea before it is suppressed."""
    open_pull_requests: Positive = 5
    """No new task is planned while this many wait for a person."""


# ``[dashboard]`` of ``autopilot.toml``.


class DashboardPolicy(Section):
    """``[dashboard]``: the ticket on each target's forge that says how things stand."""

    every_minutes: float = Field(default=5, gt=0, le=1440)
    """How often it is compared with what is true; it is written only where it differs."""


TargetName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]*$", max_length=80)]


class Modes(Section):
    """``[modes]`` (runbook §2)."""

    first: Mode = Mode.PR_ONLY
    """The first mode ever used for a new target: PR_ONLY or below."""
    maximum: Mode = Mode.PR_ONLY
    """No run is ever admitted above this."""


class DiffBudget(Section):
    """``[diff_budget]``: beyond it a human reviews."""

    files: Positive = 8
    lines: Positive = 400
    """Added plus removed."""
    new_files: int = Field(default=5, ge=0)
    deletions: int = Field(default=0, ge=0)
    """Deleted files, unless the task type is listed below."""
    deletions_allowed_for: tuple[TaskType, ...] = ()


class RiskWeights(Section):
    """``[risk]``: the five inputs of the score, and where its levels begin."""

    files_touched: Share = 0.15
    sensitive_paths: Share = 0.35
    runtime_impact: Share = 0.2
    test_coverage: Share = 0.15
    past_failures: Share = 0.15
    medium_from: Share = 0.25
    high_from: Share = 0.5
    critical_from: Share = 0.75
    sensitive: tuple[str, ...] = ("**/*auth*", "**/*billing*", "**/*deploy*", "**/*secret*", "**/migrations/**")
    """Patterns that raise the score without being protected."""


class PreflightPolicy(Section):
    """``[preflight]`` (runbook §3)."""

    reviewed_within_days: Positive = 90
    """A policy nobody looked at for longer is not current."""
    receipt_hours: float = Field(default=12, ge=0)
    """How long a green result of the required checks on one base commit and policy may be reused; 0: never."""
    drill_hours: float = Field(default=0, ge=0)
    """How long a passed rollback drill on one base commit and policy may be reused; 0: drilled before every run."""


class CandidatePolicy(Section):
    """``[candidates]``: what Triaging may propose."""

    minimum_confidence: Share = 0.6
    listed: Positive = 20
    suppress_days: Positive = 30
    """How long a rejected idea stays suppressed."""
    minimum_snapshot_completeness: Share = 0.95


class ApprovalPolicy(Section):
    """``[approval]``: which contracts policy approves by itself before the run; the others wait for a person."""

    highest_risk: RiskLevel = RiskLevel.MEDIUM
    task_types: tuple[TaskType, ...] = (
        TaskType.CODE_IMPROVEMENT,
        TaskType.DOCUMENTATION_UPDATE,
        TaskType.TEST_HARDENING,
        TaskType.RELIABILITY_FIX,
        TaskType.POLICY_TUNING,
        TaskType.SOURCE_PROMOTION,
        TaskType.SOURCE_DEMOTION,
    )
    """The last three end as a pull request that is never merged by itself; without them, a person is asked before."""
    wait_hours: float = Field(default=72, gt=0)
    """How long a run waits for ``decide`` before it ends REJECTED."""


class ControlPolicy(Section):
    """``[control]``: Control's own settings."""

    max_active: Positive = 1
    """Runs of one target at the same time."""
    queue_limit: Positive = 20
    reap_seconds: Positive = 60
    """How often Control looks for runs that closed without saying so."""
    write_seconds: int = Field(default=60, ge=5, le=600)
    """How long one push, pull request or ticket may take; after that it is killed, and another attempt may begin."""
    grant_days: float = Field(default=7, gt=0, le=90)
    """How long a person's grant for a quarantined change may last at most."""
    hold_hours: float = Field(default=24, gt=0)
    """How long a run holds: when the policy changed under it, it ends ESCALATED then; without money, PAUSED."""
    failures_in_a_row: int = Field(default=3, ge=1, le=50)
    """As many daily runs in a row that failed or were lost pause the target and open an incident."""


class SandboxLimits(Section):
    """``[sandbox]``: per command."""

    seconds: Positive = 300
    cpu_seconds: Positive = 300
    memory_mb: Positive = 2048
    """All its processes together, with what lies in /tmp, /dev/shm and HOME."""
    processes: Positive = 256
    file_mb: Positive = 512
    files: Positive = 300_000
    """In the tree, files and folders, the repository's own included."""
    output_kb: Positive = 512
    """Kept per command: half head, half tail."""


class AgentPolicy(Section):
    """``[agents]``."""

    repair_attempts: int = Field(default=2, ge=0, le=5)
    """How often an answer that breaks its schema is asked for again."""


class Autopilot(Section):
    """``autopilot.toml``."""

    modes: Modes = Modes()
    diff_budget: DiffBudget = DiffBudget()
    auto_merge: AutoMerge = AutoMerge()
    risk: RiskWeights = RiskWeights()
    preflight: PreflightPolicy = PreflightPolicy()
    caps: CapSettings
    candidates: CandidatePolicy = CandidatePolicy()
    approval: ApprovalPolicy = ApprovalPolicy()
    control: ControlPolicy = ControlPolicy()
    follow_up: FollowUpPolicy = FollowUpPolicy()
    rollback: RollbackPolicy = RollbackPolicy()
    dashboard: DashboardPolicy = DashboardPolicy()
    sandbox: SandboxLimits = SandboxLimits()
    agents: AgentPolicy = AgentPolicy()


class ProtectedRule(Section):
    """One ``[[protected]]`` entry of ``protected_paths.toml``."""

    patterns: tuple[str, ...] = Field(min_length=1)
    """gitignore-style, matched on the canonical form of a path (case-folded, NFKC)."""
    reason: str
    unless: tuple[TaskType, ...] = ()
    """Task types that may touch them all the same."""


class ProtectedPaths(Section):
    """``protected_paths.toml``."""

    protected: tuple[ProtectedRule, ...] = Field(min_length=1)
    check_defining: tuple[str, ...] = ()
    """What checks are made of, and agent instruction files: a change to these is never auto-merged."""
    compliance: tuple[str, ...] = ("LICENSE*", "LICENCE*", "COPYING*", "NOTICE*", "LICENSES/**")
    """Licence texts: whether a change to them is allowed is not for a machine to say, so it escalates."""
    agent_orders: tuple[str, ...] = ()
    """More that agents' programs obey, beside ``policies/agents/orders.py``: taken out before one starts, protected."""


class CheckKind(StrEnum):
    """The mandatory kinds of policy, and how a result is read."""

    TESTS = "tests"
    SCHEMA = "schema"
    LINT = "lint"
    TYPES = "types"
    SECURITY = "security"
    BUILD = "build"


class CheckPolicy(Section):
    """One ``[[checks]]`` entry of a target: an argv list, never a shell line."""

    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]*$", max_length=40)]
    kind: CheckKind
    argv: tuple[str, ...] = Field(min_length=1)
    required: bool = True
    judge: Literal["green", "not_worse"] = "green"
    """``green``: exit status 0. ``not_worse``: no more findings than on the base."""
    count: Literal["none", "json_results", "lines"] = "none"
    """How findings are counted for ``not_worse``: length of the JSON list (or its ``results``), or output lines."""
    seconds: Positive | None = None
    """Overrides ``sandbox.seconds``; may only be lower in a target."""
    owner: str = Field(default="", max_length=100)
    """Who looks after it when it is flaky; the weekly review names them."""
    flaky_until: date | None = None
    """Until when it is known to be flaky; after that day the review calls it overdue. It excuses nothing."""


class ReviewStamp(Section):
    """``[review]`` of a target: who last looked at the whole effective policy, and when."""

    on: date
    by: str = Field(min_length=1)


class ImprovePolicy(Section):
    """``[improve]``: what is proposed beyond the repository's own selection. It is taste, so the owner opts in."""

    ruff: tuple[Annotated[str, StringConstraints(pattern=r"^[A-Z]+[0-9]*$", max_length=12)], ...] = ()
    """Further ruff rules or families, for example ``UP``. Only fixes proven to change nothing are made."""
    pins: bool = False
    """Bring requirement files that pin one package differently to one version. This does change what is installed."""
    again: dict[str, date] = {}
    """By kind, for example ``"codespell comments" = 2026-11-27``: what people said to pull requests that were opened
    before that day counts no more. It lifts what went quiet."""
    tests: bool = True
    """List flaky tests, tests that assert nothing, skips that are over, new lines that nothing runs: for people."""

    @model_serializer(mode="wrap")
    def _as_before(self, serialized: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """What is newer is left out where nobody set it, so that digests of policies stay (P15)."""
        fields: dict[str, Any] = serialized(self)
        newer = {"again": not self.again, "tests": self.tests}
        return {name: value for name, value in fields.items() if not newer.get(name)}


class PolicyFolder(Section):
    """``[policy_folder]``: this target's repository holds the policy files; proposals become pull requests there."""

    path: str = Field(default="policies", max_length=400, pattern=r"^[^/\s]([^\s]*[^/\s])?$")
    """Where in it, from the root, as git writes paths."""


class Target(Section):
    """``targets/<name>.toml``."""

    name: TargetName
    remote: str = Field(min_length=1)
    """Path or URL that git can fetch from and push to."""
    forge: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]*$")] = "local"
    """``local``: pull requests are records beside the remote. ``gitea``: Gitea or Forgejo. ``github``.

    For the latter two see ``[forge_access]``.
    """
    forge_access: ForgeAccess = ForgeAccess()
    base_branch: str = Field(min_length=1)
    partial_clone: bool = False
    """For big repositories: fetch history without the contents of its files; those of a commit when it is used.

    The server must allow it (`uploadpack.allowFilter`); one that does not sends everything.
    """
    limits: BaseLimits = BaseLimits()
    """A base beyond them is refused."""
    dashboard: bool = True
    """Whether a ticket on the forge shows how the target stands."""
    time_zone: str = "UTC"
    """IANA name: the day of "one run a day" and of the caps."""
    allowed_paths: tuple[str, ...] = ("**",)
    """What a contract's scope may contain at most."""
    protected: tuple[ProtectedRule, ...] = ()
    """Added to ``protected_paths.toml``; nothing can be removed here."""
    maximum_mode: Mode | None = None
    """May only be lower than ``modes.maximum``."""
    diff_budget: DiffBudget | None = None
    """May only be smaller."""
    rollback_strategy: Literal["revert_pr", "revert_commit", "close_pr"] = "revert_pr"
    rollback_minutes: Positive = 15
    review: ReviewStamp
    environment: EnvironmentPolicy = EnvironmentPolicy()
    improve: ImprovePolicy = ImprovePolicy()
    checks: tuple[CheckPolicy, ...] = ()
    fixers: tuple[FixerPolicy, ...] = ()
    dependencies: DependencyPolicy | None = None
    """Set where releases of dependencies are proposed."""
    probes: tuple[ProbePolicy, ...] = ()
    """Without one nothing merges by itself: SELECTIVE_AUTO is refused."""
    ci: CiPolicy = CiPolicy()
    policy_folder: PolicyFolder | None = None
    """Set where this target's repository holds the policy: what is proposed becomes a pull request there."""
    issues: IssuesPolicy | None = None
    """Set where open issues with a label are tasks for the agent that codes."""

    @model_serializer(mode="wrap")
    def _as_before(self, serialized: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without what came later it is what it was before, so that digests of policies stay (P15)."""
        fields: dict[str, Any] = serialized(self)
        unused = {name for name in ("fixers", "dependencies") if not getattr(self, name)}
        return {name: value for name, value in fields.items() if name not in unused}


class EffectivePolicy(Section):
    """What a run is judged by: the files, merged and tightened, with nothing left open."""

    autopilot: Autopilot
    protected_paths: ProtectedPaths
    charter: Charter
    target: Target
    sources: Sources = Sources()
    """All of ``sources.toml``: a target's own, and what they fall back on or are compared with."""
    standing: Tasks = Tasks()
    """All of ``tasks.toml``."""
    digest: str
    """SHA-256 of the canonical JSON of the fields above; of the sources only where there are any."""
