"""The typed face of every step: what a workflow may call. Importing this loads no implementation."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Generic, TypeVar

from pydantic import AwareDatetime
from temporalio import workflow
from temporalio.common import RetryPolicy

from contracts.admission import Admitted, FinishRequest, PullRequestRef, RunRequest
from contracts.artifact import ArtifactRef, Contract
from contracts.audit import AuditEvent
from contracts.control import Answer, CheckupResult, IncidentReport, InstallationFacts, RunCheckup
from contracts.handover import PlannedWrite, RunRef, StepInput, StepResult
from contracts.report import ReportInput, WriteResult

FATAL_ERRORS = ("UnknownTarget", "AgentOutputInvalid", "ArtifactDamaged")
"""Application error types that no retry can mend."""

Given = TypeVar("Given", bound=Contract)
Result = TypeVar("Result", bound=Contract)


@dataclass(frozen=True)
class Step(Generic[Given, Result]):
    """One activity: its registered name, its types, how long it may take, how often it is retried."""

    name: str
    result: type[Result]
    start_to_close: timedelta
    attempts: int
    """0: until ``patience`` is over."""
    patience: timedelta
    """Schedule-to-close: all attempts together."""
    heartbeat: timedelta | None = timedelta(seconds=10)

    async def __call__(self, given: Given, summary: str) -> Result:
        """Run the step from a workflow.

        Cancellation waits for the activity to end: a repair must never race a dying write.
        """
        result: Result = await workflow.execute_activity(
            self.name,
            given,
            result_type=self.result,
            start_to_close_timeout=self.start_to_close,
            schedule_to_close_timeout=self.patience,
            heartbeat_timeout=self.heartbeat,
            cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
            retry_policy=RetryPolicy(
                initial_interval=timedelta(seconds=1),
                maximum_interval=timedelta(seconds=30),
                maximum_attempts=self.attempts,
                non_retryable_error_types=FATAL_ERRORS,
            ),
            summary=summary,
        )
        return result


class AdmitInput(Contract):
    """A run's question: may I start?"""

    request: RunRequest
    workflow_id: str
    workflow_run_id: str
    now: AwareDatetime


class WriteInput(Contract):
    """One planned write of a run."""

    run: RunRef
    planned: PlannedWrite
    artifacts: tuple[ArtifactRef, ...]
    now: AwareDatetime


class FinishInput(Contract):
    """The run's last word to Control."""

    run: RunRef
    request: FinishRequest


class AuditOutput(Contract):
    """Where the final report is."""

    report: ArtifactRef
    page: ArtifactRef
    address: str
    audit_head: str
    pull_request: PullRequestRef | None = None


class EscalateInput(Contract):
    """A policy violation (runbook §6.1)."""

    run: RunRef
    report: IncidentReport
    artifacts: tuple[ArtifactRef, ...]
    now: AwareDatetime


class EscalateOutput(Contract):
    """What the escalation left behind."""

    ticket: str
    audit_head: str


class RegisterInput(Contract):
    """A Control introduces itself."""

    target: str
    chain: str


class TargetLogInput(Contract):
    """Events for the target's own audit log."""

    target: str
    events: tuple[AuditEvent, ...]
    now: AwareDatetime


class KnownTargets(Contract):
    """Targets that have an audit log: they existed before this Installation did."""

    names: tuple[str, ...] = ()


class LogHead(Contract):
    """Head of an audit log after an append."""

    head: str


_MINUTE = timedelta(minutes=1)
_DAY = timedelta(days=1)


def _work(name: str, minutes: int) -> Step[StepInput, StepResult]:
    return Step(name, StepResult, minutes * _MINUTE, attempts=8, patience=4 * minutes * _MINUTE)


# Runbook §4, in order.
PREFLIGHT = _work("preflight", 45)
SENSE = _work("sense", 20)
TRIAGE = _work("triage", 20)
PLAN = _work("plan", 20)
CODE = _work("code", 60)
REVIEW = _work("review", 30)
CHECK = _work("check", 90)
RELEASE = _work("release", 10)
AUDIT: Step[ReportInput, AuditOutput] = Step("audit", AuditOutput, 10 * _MINUTE, attempts=0, patience=7 * _DAY)

# Conversations with Control, and the effects.
ADMIT: Step[AdmitInput, Admitted] = Step("admit", Admitted, _MINUTE, attempts=0, patience=_DAY)
WRITE: Step[WriteInput, WriteResult] = Step("write", WriteResult, 15 * _MINUTE, attempts=0, patience=_DAY)
FINISH: Step[FinishInput, Answer] = Step("finish", Answer, 5 * _MINUTE, attempts=0, patience=7 * _DAY)
ESCALATE: Step[EscalateInput, EscalateOutput] = Step(
    "escalate", EscalateOutput, 10 * _MINUTE, attempts=0, patience=7 * _DAY
)

# Control's own steps.
REGISTER: Step[RegisterInput, InstallationFacts] = Step(
    "register", InstallationFacts, _MINUTE, attempts=0, patience=365 * _DAY
)
CHECK_UP: Step[RunCheckup, CheckupResult] = Step("check_up", CheckupResult, 5 * _MINUTE, attempts=3, patience=_DAY)
LOG_TARGET: Step[TargetLogInput, LogHead] = Step("log_target", LogHead, _MINUTE, attempts=0, patience=365 * _DAY)

# The Installation's own step.
KNOWN_TARGETS: Step[KnownTargets, KnownTargets] = Step(
    "known_targets", KnownTargets, _MINUTE, attempts=0, patience=365 * _DAY
)
