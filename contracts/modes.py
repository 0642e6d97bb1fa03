"""The closed vocabularies of the runbook: modes, statuses, outcomes, roles."""

from enum import StrEnum


class Mode(StrEnum):
    """What a run may do to a repository (runbook §2), from least to most."""

    DRY_RUN = "DRY_RUN"
    PR_ONLY = "PR_ONLY"
    SELECTIVE_AUTO = "SELECTIVE_AUTO"


class TargetStatus(StrEnum):
    """Whether a target works (runbook §7)."""

    ACTIVE = "ACTIVE"
    PAUSED = "PAUSED"
    RESUMING = "RESUMING"
    """Only the resume ladder's own smoke run is admitted."""


class PauseStyle(StrEnum):
    """What a pause does to runs that are already running, from gentle to hard."""

    CHECKPOINT = "checkpoint"
    """Wait at the next gate; go on after the resume."""
    DRAIN = "drain"
    """Finish the current step, begin no write, end PAUSED."""
    ABORT = "abort"
    """Cancel the current step, kill its processes, end CANCELLED."""


class RunKind(StrEnum):
    """Why a run exists."""

    DAILY = "daily"
    SMOKE = "smoke"
    """The DRY_RUN that the resume ladder demands (runbook §7)."""
    SOURCE = "source"
    """A source expansion (runbook §5): writes nothing, takes no slot of daily runs, one at a time."""


class RunStatus(StrEnum):
    """Where a run is, or how it ended."""

    ADMITTING = "ADMITTING"
    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    HELD = "HELD"
    """Waiting at a gate: the target is paused, or the policy changed under the run."""
    WAITING = "WAITING"
    """Waiting for a person's ``decide``."""

    PR_OPENED = "PR_OPENED"
    MERGED = "MERGED"
    """SELECTIVE_AUTO only."""
    DRY_RUN_COMPLETE = "DRY_RUN_COMPLETE"
    NOTHING_TO_DO = "NOTHING_TO_DO"
    ALREADY_RAN = "ALREADY_RAN"
    REJECTED = "REJECTED"
    REFUSED = "REFUSED"
    ESCALATED = "ESCALATED"
    PAUSED = "PAUSED"
    CANCELLED = "CANCELLED"
    FAILED = "FAILED"
    LOST = "LOST"
    """Closed by hand (terminated, reset) without saying so; Control reaped it."""


LIVE_STATUSES = frozenset({RunStatus.ADMITTING, RunStatus.QUEUED, RunStatus.RUNNING, RunStatus.HELD, RunStatus.WAITING})
GREEN_STATUSES = frozenset(
    {RunStatus.PR_OPENED, RunStatus.MERGED, RunStatus.DRY_RUN_COMPLETE, RunStatus.NOTHING_TO_DO, RunStatus.ALREADY_RAN}
)


class Outcome(StrEnum):
    """What the Release agent assigns (runbook §4; policy's release outcomes)."""

    REJECT = "REJECT"
    REQUIRES_HUMAN_REVIEW = "REQUIRES_HUMAN_REVIEW"
    CANARY_ALLOWED = "CANARY_ALLOWED"
    AUTO_MERGE_ALLOWED = "AUTO_MERGE_ALLOWED"


class RiskLevel(StrEnum):
    """How dangerous a change is, from least to most."""

    LOW = "LOW"
    MEDIUM = "MEDIUM"
    HIGH = "HIGH"
    CRITICAL = "CRITICAL"


class Role(StrEnum):
    """Who acts (agent role charter). Orchestrator cannot override a gate."""

    ORCHESTRATOR = "orchestrator"
    GATEKEEPER = "gatekeeper"
    SENSING = "sensing"
    TRIAGING = "triaging"
    PLANNING = "planning"
    CODING = "coding"
    REVIEW = "review"
    CHECKS = "checks"
    RELEASE = "release"
    AUDIT = "audit"
    SCOUT = "scout"
    INTEGRATOR = "integrator"
    SOURCE_QA = "source_qa"
    """Recommends, never promotes."""


class StepName(StrEnum):
    """The nine steps of the daily run, in order (runbook §3 and §4), and what merging by itself adds."""

    PREFLIGHT = "preflight"
    SENSE = "sense"
    TRIAGE = "triage"
    PLAN = "plan"
    CODE = "code"
    REVIEW = "review"
    CHECK = "check"
    RELEASE = "release"
    CI = "ci"
    """Only where the forge has CI, or a check of it is named: what it says of the commit (§6.2)."""
    MERGE_CHECK = "merge_check"
    """SELECTIVE_AUTO only, as the next two: the merge result is the checked one, or is checked again."""
    CANARY = "canary"
    MERGE_RELEASE = "merge_release"
    """Release judges again, with the canary."""
    AUDIT = "audit"
    SCOUT = "scout"
    """A source expansion's own, as the next three (runbook §5)."""
    PLAN_TRIAL = "plan_trial"
    FETCH_TRIAL = "fetch_trial"
    JUDGE_TRIAL = "judge_trial"


STEPS_OF_A_ROUND = (StepName.CODE, StepName.REVIEW, StepName.CHECK)
"""What comes again where something that failed goes back to the agent that coded."""
SOURCE_STEPS = (StepName.SCOUT, StepName.PLAN_TRIAL, StepName.FETCH_TRIAL, StepName.JUDGE_TRIAL)
MERGE_STEPS = frozenset({StepName.MERGE_CHECK, StepName.CANARY, StepName.MERGE_RELEASE})


class WriteClass(StrEnum):
    """Which writes a state of the world allows."""

    ADVANCE = "advance"
    """Push, pull request, merge: never in PAUSED, never in DRY_RUN."""
    REPAIR = "repair"
    """The revert of a merge named by an open incident: allowed in DRY_RUN; in PAUSED only by a person's command."""
    RECORD = "record"
    """Tickets and dashboards: never moves a ref."""


class WriteAction(StrEnum):
    """Every kind of effect on a forge or a shared branch."""

    PUSH_BRANCH = "push_branch"
    OPEN_PULL_REQUEST = "open_pull_request"
    UPDATE_PULL_REQUEST = "update_pull_request"
    """Its title and body, never its branches."""
    CLOSE_PULL_REQUEST = "close_pull_request"
    MERGE = "merge"
    REVERT = "revert"
    OPEN_TICKET = "open_ticket"
    UPDATE_TICKET = "update_ticket"
    """Its title and body; opened when there is none."""
    CLOSE_TICKET = "close_ticket"
    REMOVE_BRANCH = "remove_branch"
    """A branch of ours that has served its purpose, where it still stands at the commit we put there."""
    COMMENT = "comment"
    """One comment on a pull request of ours, which says what we did with it."""
