"""The typed face of every step: what a workflow may call. Importing this loads no implementation."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Generic, TypeVar

from pydantic import AwareDatetime, JsonValue, model_validator
from temporalio import workflow
from temporalio.common import RetryPolicy

from contracts import handover
from contracts import rollback as after
from contracts.admission import Admitted, FinishRequest, PullRequestRef, RunRequest
from contracts.alert import Alert, AlertSettings, Delivered, Progress, Undelivered
from contracts.artifact import ArtifactRef, Contract
from contracts.audit import AuditEvent
from contracts.budget import BudgetAlertReport, BudgetReportRef
from contracts.control import Answer, CheckupResult, InstallationFacts, RunCheckup
from contracts.dashboard import DashboardTerms, DashboardTermsInput, ShowInput, Shown
from contracts.governance import ReviewInput, ReviewKept
from contracts.incident import (
    Collected,
    IncidentRecord,
    IncidentStart,
    ReportWritten,
    RespondInput,
    RespondOutput,
    StatementInput,
    StatementJudged,
    TicketInput,
    TicketOutput,
    WriteReportInput,
)
from contracts.later_review import LaterReview, LaterReviewInput
from contracts.merging import ProbeRound
from contracts.messages import FOLLOWED_UP, INCIDENT_NEWS, MERGED, REGRESSION, ROLLED_BACK, Message, Request
from contracts.remediation import Remediation
from contracts.report import ReportInput, WriteResult
from contracts.trial import TrialInput, TrialLook
from contracts.verdict import Verdict

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
    heartbeat: timedelta | None = timedelta(seconds=4)
    """Without a beat (one a second) for so long, its worker counts as dead; a second later it is tried again."""
    queue: str | None = None
    """The task queue; None: the workflow's own."""

    async def __call__(self, request: Given, summary: str, within: timedelta | None = None) -> Result:
        """Run the step from a workflow; ``within``: give up sooner than its patience says.

        Cancellation waits for the activity to end: a repair must never race a dying write.
        """
        result: Result = await workflow.execute_activity(
            self.name,
            request,
            task_queue=self.queue,
            result_type=self.result,
            start_to_close_timeout=self.start_to_close,
            schedule_to_close_timeout=min(self.patience, within) if within else self.patience,
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


KEPT_OUT = "KeptOut"
"""Type of a step's failure: it is kept from its repository; its change is not at fault (``policies.run.obstacles``)."""


class AdmitInput(Contract):
    """A run's question: may I start?"""

    request: RunRequest
    workflow_id: str
    workflow_run_id: str
    now: AwareDatetime


class WriteInput(Contract):
    """One planned write of a run."""

    run: handover.RunRef
    planned: handover.PlannedWrite
    artifacts: tuple[ArtifactRef, ...]
    now: AwareDatetime
    name: str = ""
    """Last part of the write's key; empty: its action. A run's canaries are pushes, too."""


class FinishInput(Contract):
    """The run's last word to Control."""

    run: handover.RunRef
    request: FinishRequest


class TellInput(Contract):
    """A message to a target's Control."""

    target: str
    update: str
    payload: dict[str, JsonValue]

    @model_validator(mode="before")
    @classmethod
    def _from_before(cls, raw: Any) -> Any:
        """Steps that open runs scheduled before ``TELL``, each with an input of its own (P15)."""
        if not isinstance(raw, Mapping) or "payload" in raw:
            return raw
        for part, update in _PARTS.items():
            if part in raw:
                return {"target": raw["target"], "update": update, "payload": raw[part]}
        update, run = (REGRESSION.name, raw["merged"]["run"]) if "merged" in raw else (MERGED.name, raw["run"])
        return {"target": run["target"], "update": update, "payload": raw}


_PARTS = {"news": INCIDENT_NEWS.name, "end": FOLLOWED_UP.name, "result": ROLLED_BACK.name}


class AuditOutput(Contract):
    """Where the final report is."""

    report: ArtifactRef
    page: ArtifactRef
    address: str
    audit_head: str
    pull_request: PullRequestRef | None = None
    remediation: Remediation | None = None
    """What the failed checks asked for (runbook §6.2)."""
    resolved: tuple[str, ...] = ()
    """Failures whose findings are gone."""


class RegisterInput(Contract):
    """A Control introduces itself."""

    target: str
    chain: str


class TargetLogInput(Contract):
    """Events for the target's own audit log."""

    target: str
    events: tuple[AuditEvent, ...]
    now: AwareDatetime
    incidents: tuple[IncidentRecord, ...] = ()
    """Whose workflows run: what is about one of them reaches its kept report."""


class RaiseAlertsInput(Contract):
    """Alerts that a workflow raises."""

    alerts: tuple[Alert, ...]


class AlertsRaised(Contract):
    """How many were handed over: all, or the activity failed."""

    count: int


class AlertSettingsInput(Contract):
    """What does ``alerts.toml`` say now?"""


class DeliverInput(Contract):
    """Alerts to deliver, most urgent first."""

    alerts: tuple[Undelivered, ...]


class DeliverOutput(Contract):
    """One answer for each alert."""

    delivered: tuple[Delivered, ...]


class WatchInput(Contract):
    """What the last look saw."""

    now: AwareDatetime
    watched_at: AwareDatetime | None
    progress: tuple[Progress, ...] = ()


class WatchOutput(Contract):
    """What this look found."""

    alerts: tuple[Alert, ...]
    progress: tuple[Progress, ...]


class KnownTargets(Contract):
    """Targets that have an audit log: they existed before this Installation did."""

    names: tuple[str, ...] = ()


class SyncScheduleInput(Contract):
    """A target was paused or works again: its Schedule goes with it (runbook §7)."""

    target: str
    paused: bool
    reason: str


class ScheduleSynced(Contract):
    """What was done."""

    done: str


class LogHead(Contract):
    """Head of an audit log after an append."""

    head: str


CONTROL_QUEUE = "autonomy-control"
"""Control's and the Installation's own steps have slots of their own: never behind those of runs (P16)."""
_MINUTE = timedelta(minutes=1)
_DAY = timedelta(days=1)


def _work(name: str, minutes: int) -> Step[handover.StepInput, handover.StepResult]:
    return Step(name, handover.StepResult, minutes * _MINUTE, attempts=8, patience=4 * minutes * _MINUTE)


# Runbook §4, in order.
PREFLIGHT = _work("preflight", 45)
SENSE = _work("sense", 20)
TRIAGE = _work("triage", 20)
PLAN = _work("plan", 20)
CODE = _work("code", 60)
REVIEW = _work("review", 30)
CHECK = _work("check", 90)
RELEASE = _work("release", 10)
# Where there is CI. A forge that cannot be asked is an answer: the next look comes by the run's own timer.
LOOK_AT_CI: Step[handover.CiInput, handover.CiLook] = Step(
    "look_at_ci", handover.CiLook, 10 * _MINUTE, attempts=8, patience=40 * _MINUTE
)
# A source expansion's (runbook §5). A source that gives no answer is an answer: the next fetch has its own timer.
SCOUT, PLAN_TRIAL, FETCH_TRIAL, JUDGE_TRIAL = (
    Step[TrialInput, TrialLook](name, TrialLook, 60 * _MINUTE, attempts=8, patience=240 * _MINUTE)
    for name in ("scout", "plan_trial", "fetch_trial", "judge_trial")
)
# SELECTIVE_AUTO alone.
MERGE_CHECK: Step[handover.MergeInput, handover.MergeResult] = Step(
    "merge_check", handover.MergeResult, 120 * _MINUTE, attempts=8, patience=480 * _MINUTE
)
PROBE_CANARY: Step[handover.ProbeInput, ProbeRound] = Step(
    "probe_canary", ProbeRound, 120 * _MINUTE, attempts=8, patience=480 * _MINUTE
)
MERGE_RELEASE: Step[handover.MergeInput, handover.MergeResult] = Step(
    "merge_release", handover.MergeResult, 10 * _MINUTE, attempts=8, patience=40 * _MINUTE
)
AUDIT: Step[ReportInput, AuditOutput] = Step("audit", AuditOutput, 10 * _MINUTE, attempts=0, patience=7 * _DAY)

# Conversations with Control, and the effects.
ADMIT: Step[AdmitInput, Admitted] = Step("admit", Admitted, _MINUTE, attempts=0, patience=_DAY)
WRITE: Step[WriteInput, WriteResult] = Step("write", WriteResult, 15 * _MINUTE, attempts=0, patience=_DAY)
FINISH: Step[FinishInput, Answer] = Step("finish", Answer, 5 * _MINUTE, attempts=0, patience=7 * _DAY)
RESPOND: Step[RespondInput, RespondOutput] = Step("respond", RespondOutput, 10 * _MINUTE, attempts=0, patience=7 * _DAY)

# The Incident's steps. After their patience they are tried again later; meanwhile the others go on.
COLLECT: Step[IncidentStart, Collected] = Step("collect", Collected, 10 * _MINUTE, attempts=0, patience=60 * _MINUTE)
OPEN_TICKET: Step[TicketInput, TicketOutput] = Step(
    "open_ticket", TicketOutput, 5 * _MINUTE, attempts=0, patience=15 * _MINUTE
)
CLOSE_TICKET: Step[TicketInput, TicketOutput] = Step(
    "close_ticket", TicketOutput, 5 * _MINUTE, attempts=0, patience=15 * _MINUTE
)
WRITE_REPORT: Step[WriteReportInput, ReportWritten] = Step(
    "write_report", ReportWritten, 5 * _MINUTE, attempts=0, patience=60 * _MINUTE
)
JUDGE_STATEMENT: Step[StatementInput, StatementJudged] = Step(
    "judge_statement", StatementJudged, _MINUTE, attempts=0, patience=10 * _MINUTE, queue=CONTROL_QUEUE
)


class Tell:
    """Any workflow's word to a Control: one step, whatever the message."""

    older: Mapping[str, str] = {INCIDENT_NEWS.name: "tell_control"} | {
        message.name: f"tell_{message.name}" for message in (MERGED, REGRESSION, FOLLOWED_UP, ROLLED_BACK)
    }
    """By message: names from before there was one, which histories hold (P15)."""
    names = ("tell", *older.values())

    async def __call__(
        self,
        target: str,
        message: Message[Request, Answer],
        payload: Request,
        summary: str,
        within: timedelta | None = None,
    ) -> Answer:
        """Tell it, for as long as it takes, or ``within`` a time."""
        name = self.older.get(message.name, "tell")
        step: Step[TellInput, Answer] = Step(name, Answer, _MINUTE, attempts=0, patience=365 * _DAY)
        fields = payload.model_dump(mode="json", by_alias=True)
        return await step(TellInput(target=target, update=message.name, payload=fields), summary, within)


TELL = Tell()

# Control's own steps.
REGISTER: Step[RegisterInput, InstallationFacts] = Step(
    "register", InstallationFacts, _MINUTE, attempts=0, patience=365 * _DAY, queue=CONTROL_QUEUE
)
CHECK_UP: Step[RunCheckup, CheckupResult] = Step(
    "check_up", CheckupResult, 5 * _MINUTE, attempts=3, patience=_DAY, queue=CONTROL_QUEUE
)
LOG_TARGET: Step[TargetLogInput, LogHead] = Step(
    "log_target", LogHead, _MINUTE, attempts=0, patience=365 * _DAY, queue=CONTROL_QUEUE
)

SYNC_SCHEDULE: Step[SyncScheduleInput, ScheduleSynced] = Step(
    "mind_schedule", ScheduleSynced, _MINUTE, attempts=0, patience=10 * _MINUTE, queue=CONTROL_QUEUE
)
RAISE_ALERTS: Step[RaiseAlertsInput, AlertsRaised] = Step(
    "raise_alerts", AlertsRaised, _MINUTE, attempts=0, patience=365 * _DAY, queue=CONTROL_QUEUE
)
REPORT_BUDGET: Step[BudgetAlertReport, BudgetReportRef] = Step(
    "report_budget", BudgetReportRef, _MINUTE, attempts=0, patience=365 * _DAY, queue=CONTROL_QUEUE
)

# The Alerts' own steps.
ALERT_SETTINGS: Step[AlertSettingsInput, AlertSettings] = Step(
    "alert_settings", AlertSettings, _MINUTE, attempts=0, patience=_DAY
)
DELIVER: Step[DeliverInput, DeliverOutput] = Step("deliver", DeliverOutput, 15 * _MINUTE, attempts=3, patience=_DAY)
WATCH: Step[WatchInput, WatchOutput] = Step("watch", WatchOutput, 5 * _MINUTE, attempts=2, patience=_DAY)

# The Dashboards' own steps. A forge that is gone costs one look, not the other targets'.
DASHBOARD_TERMS: Step[DashboardTermsInput, DashboardTerms] = Step(
    "dashboard_terms", DashboardTerms, _MINUTE, attempts=3, patience=5 * _MINUTE
)
SHOW_DASHBOARD: Step[ShowInput, Shown] = Step("show_dashboard", Shown, 3 * _MINUTE, attempts=3, patience=5 * _MINUTE)

REVIEW_GOVERNANCE: Step[ReviewInput, ReviewKept] = Step(
    "review_governance", ReviewKept, 30 * _MINUTE, attempts=0, patience=_DAY
)

SIGHT: Step[after.SightInput, after.WorkflowSight] = Step(
    "sight", after.WorkflowSight, _MINUTE, attempts=3, patience=_DAY
)

# After a run: ``FollowUp`` and ``Rollback``. Reading is given up after a while, and then says "unknown".
TERMS: Step[after.FollowUpInput, after.FollowUpTerms] = Step(
    "terms", after.FollowUpTerms, _MINUTE, attempts=0, patience=365 * _DAY
)
OBSERVE: Step[after.ObserveInput, after.Observation] = Step(
    "observe", after.Observation, 90 * _MINUTE, attempts=0, patience=6 * 60 * _MINUTE
)
ATTRIBUTE: Step[after.AttributeInput, after.Attribution] = Step(
    "attribute", after.Attribution, _MINUTE, attempts=0, patience=365 * _DAY
)
LOOK_AT_PULL: Step[after.FollowUpInput, after.PullLook] = Step(
    "look_at_pull", after.PullLook, 5 * _MINUTE, attempts=0, patience=_DAY
)
SAY_UNSAID: Step[after.Unsaid, Verdict] = Step("say_unsaid", Verdict, 5 * _MINUTE, attempts=0, patience=30 * _MINUTE)
REVIEW_LATER: Step[LaterReviewInput, LaterReview] = Step(
    "review_later", LaterReview, 30 * _MINUTE, attempts=0, patience=120 * _MINUTE
)
PREPARE_REVERT: Step[after.PrepareInput, after.RevertPlan] = Step(
    "prepare_revert", after.RevertPlan, 15 * _MINUTE, attempts=0, patience=7 * _DAY
)
REPAIR: Step[after.RepairInput, after.RepairResult] = Step(
    "repair", after.RepairResult, 15 * _MINUTE, attempts=0, patience=7 * _DAY
)
NOTE_ROLLBACK: Step[after.RollbackNote, LogHead] = Step(
    "note_rollback", LogHead, _MINUTE, attempts=0, patience=365 * _DAY
)

# The Installation's own step.
KNOWN_TARGETS: Step[KnownTargets, KnownTargets] = Step(
    "known_targets", KnownTargets, _MINUTE, attempts=0, patience=365 * _DAY, queue=CONTROL_QUEUE
)
