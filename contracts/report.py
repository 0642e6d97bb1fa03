"""``run_report.json`` (runbook §4, §10)."""

from datetime import datetime
from typing import Literal, Self

from pydantic import AwareDatetime

from contracts.admission import PullRequestRef
from contracts.artifact import ArtifactRef, Contract
from contracts.ci import CiReport
from contracts.evidence import FailedCheck
from contracts.handover import Handover, PlannedWrite, RunRef, StepResult
from contracts.modes import Mode, Outcome, RunKind, RunStatus, StepName
from contracts.release import Rejection, RiskScore
from contracts.rollback import Idea, Merged
from contracts.verdict import Verdict


class StepRecord(Contract):
    """One step as the workflow saw it."""

    step: StepName
    started_at: AwareDatetime
    ended_at: AwareDatetime
    handover: Handover | None
    verdict: Verdict
    audit_head: str = ""

    @classmethod
    def of(cls, step: StepName, began: datetime, ended: datetime, result: StepResult) -> Self:
        """A step that said how it ended."""
        return cls(
            step=step,
            started_at=began,
            ended_at=ended,
            handover=result.handover,
            verdict=result.verdict,
            audit_head=result.audit_head,
        )


class Landed(Contract):
    """What a merge gave the base, as runs that began before ``Merged`` was filled by git have it in their history."""

    commit_sha: str
    """The commit of the base's own line that brought it."""
    parent_sha: str
    """Its first parent."""
    tree_sha: str


class WriteResult(Contract):
    """One planned write and what became of it."""

    planned: PlannedWrite
    done: bool
    adopted: bool = False
    """Found already done by an earlier attempt."""
    verdict: Verdict
    pull_request: PullRequestRef | None = None
    audit_head: str = ""
    result: str = ""
    """What was read back: a branch's head, a pull request's number."""
    merged: Merged | None = None
    """Of a run's merge that is done: what git found on the base, the same that Control's books hold."""
    landed: Landed | None = None
    """Read only (P15); None: as planned."""


class PostRunReview(Contract):
    """The five questions of runbook §10."""

    objective: str
    expected: str
    achieved: str
    risk_score: RiskScore | None
    risk_against_outcome: str
    check_stability: str
    cost_usd: float | None
    """None: unknown, which is not zero."""
    cost_tokens: int | None = None
    """None: unknown."""
    agent_minutes: float | None = None
    """Measured by us; None: no record."""
    cost_note: str
    policy_updates_suggested: tuple[str, ...] = ()


class ReportInput(Contract):
    """What the workflow knows when the run ends; the audit step adds the artifacts."""

    run: RunRef
    status: RunStatus
    reason: str
    base_sha: str
    task_id: str | None
    outcome: Outcome | None
    steps: tuple[StepRecord, ...]
    writes: tuple[WriteResult, ...]
    artifacts: tuple[ArtifactRef, ...]
    ended_at: AwareDatetime
    log_heads: tuple[str, ...] = ()
    merged: Merged | None = None
    refused_by: str = ""
    """The person who said no to the task contract."""


class RunReport(Contract):
    """The final report of one run; rebuilt from the ledger and the artifacts alone."""

    schema_version: Literal[1] = 1
    run: RunRef
    status: RunStatus
    reason: str
    cautions: tuple[str, ...] = ()
    """To be read first (P18): no tests ran, or a tool could not look. One sentence each."""
    base_sha: str
    task_id: str | None
    outcome: Outcome | None
    rejection: Rejection | None
    idea: Idea | None = None
    """Tool, rule and the files it touched, or would have; None: no task was planned."""
    judged: bool = False
    """The change itself was looked at and refused: not the day, not the machinery, not a silence."""
    failed_checks: tuple[FailedCheck, ...] = ()
    """Details of what was not green (runbook §6.2)."""
    ci: CiReport | None = None
    """What the forge's CI said of the commit, where the run waited for it."""
    remediation: str = ""
    """Task id of the remediation that this failure queued, if it did."""
    pull_request: PullRequestRef | None
    merged: Merged | None = None
    """What this run merged by itself, in SELECTIVE_AUTO."""
    refused_writes: tuple[PlannedWrite, ...]
    """What the mode or a pause kept from happening (P3)."""
    steps: tuple[StepRecord, ...]
    writes: tuple[WriteResult, ...]
    review: PostRunReview
    artifacts: tuple[ArtifactRef, ...]
    missing: tuple[str, ...] = ()
    """What this report should have been made of and could not be read, and why."""
    audit_head: str
    ended_at: AwareDatetime


class IndexedRun(Contract):
    """One ended run in a list: enough to choose, suppress and count without opening its report."""

    run_id: str
    target: str
    kind: RunKind
    mode: Mode
    date: str
    status: RunStatus
    outcome: Outcome | None
    task_id: str | None
    pull_request: int | None
    """The pull request's number."""
    closed_by_us: bool = False
    """The run closed it itself: no person said no to it."""
    idea: Idea | None = None
    """None: no task was planned, or the line is older than this."""
    judged: bool | None = None
    """As in the report; None: the line is older than this."""
    refused: str = ""
    """Why it was not allowed to start; such an attempt has an id of its own, and neither log nor report."""
    closed_for: tuple[str, ...] = ()
    """Earlier runs whose pull requests this one closed: no person said no to those either."""
    became: str = ""
    """What a person made of its pull request since: ``MERGED by ann``, ``CLOSED by bob``."""
    ended_at: AwareDatetime


class Became(Contract):
    """What a person made of a run's pull request, after the run."""

    run_id: str
    became: str
