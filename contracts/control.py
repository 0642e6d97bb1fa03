"""The messages of the durable conversations: admission, clearance, pause, resume, orders, views."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from pydantic import AwareDatetime, Field

from contracts.artifact import Contract
from contracts.handover import RunRef
from contracts.modes import Mode, PauseStyle, RunKind, RunStatus, StepName, TargetStatus, WriteAction, WriteClass
from contracts.verdict import Verdict


class RunRequest(Contract):
    """What a person, the starter or a Schedule asks for: ``{"target": "demo"}`` is enough."""

    target: str = Field(min_length=1, max_length=80, pattern=r"^[a-z0-9][a-z0-9._-]*$")
    kind: RunKind = RunKind.DAILY
    mode: Mode | None = None
    """None: the target's current mode. Never more than that mode."""
    date: str | None = Field(default=None, pattern=r"^\d{4}-\d{2}-\d{2}$")
    """None: today in the target's time zone."""
    attempt: int = Field(default=1, ge=1, le=99)
    """A rerun of the same day names its attempt."""
    actor: str = Field(default="unknown", max_length=200)
    again: bool = False
    """Take the next free attempt instead of naming one."""


class Admission(StrEnum):
    """Control's immediate answer to ``admit``."""

    ADMITTED = "admitted"
    QUEUED = "queued"
    REFUSED = "refused"
    ALREADY_RAN = "already_ran"


class AdmitRequest(Contract):
    """What the ``admit`` activity found out and asks Control for."""

    request: RunRequest
    workflow_id: str
    workflow_run_id: str
    date: str
    policy_digest: str
    max_active: int
    queue_limit: int
    runs_per_day: int
    maximum_mode: Mode
    """The policy's ceiling for this target."""
    taken: tuple[str, ...] = ()
    """Run ids of that date that have an audit log already: a Control that lost its books still knows them."""


class Order(Contract):
    """The one thing Control tells a run. The highest revision wins, whatever order they arrive in."""

    revision: int
    epoch: int
    state: OrderState
    reason: str = ""


class OrderState(StrEnum):
    """What a run should do at its next gate."""

    QUEUED = "queued"
    PROCEED = "proceed"
    HOLD = "hold"
    DRAIN = "drain"
    ABORT = "abort"
    CANCELLED = "cancelled"
    """A queued run that will never start; it stays as a record."""


class AdmitAnswer(Contract):
    """Control's answer to ``admit``; deduplicated on (target, kind, mode, date, attempt)."""

    answer: Admission
    run_id: str
    mode: Mode
    attempt: int
    order: Order
    verdict: Verdict
    previous: RunRecord | None = None
    """For ``already_ran``: the run that did."""


class Admitted(Contract):
    """What the ``admit`` activity hands to the run."""

    answer: AdmitAnswer
    run: RunRef | None
    """None when refused before a run id could be issued."""
    hold_hours: float
    """How long the run holds when the policy changes under it."""
    wait_hours: float
    """How long the run waits for a person's ``decide``."""


class WriteRequest(Contract):
    """A step's question before an outside effect: may I?"""

    run_id: str
    key: str
    """``run_id/step``: the business key of the effect."""
    attempt: str
    """Unique to one execution of the activity: workflow run, activity and attempt number."""
    action: WriteAction
    write_class: WriteClass
    branch: str
    head_sha: str
    base_sha: str
    policy_digest: str
    seconds: int = Field(ge=1, le=900)
    """How long the effect may take from the moment this request is sent."""
    incident: str = ""
    """``repair`` only: the open incident that names the merge."""


class Clearance(Contract):
    """Permission for one effect, once. Only Control makes these; the forge port demands one."""

    key: str
    attempt: str
    action: WriteAction
    write_class: WriteClass
    branch: str
    head_sha: str
    base_sha: str
    policy_digest: str
    epoch: int
    seconds: int
    deadline: AwareDatetime
    """Control's clock: after this another attempt may begin."""


class WriteAnswerKind(StrEnum):
    """Control's answer to ``begin_write``."""

    GO = "go"
    LOOK_ONLY = "look_only"
    """Find it done and adopt it, or report it not done; do not do it."""
    BUSY = "busy"
    """Another attempt holds the clearance until its deadline."""
    SETTLED = "settled"
    """Already done under this key: adopt the recorded result."""
    REFUSED = "refused"


class WriteAnswer(Contract):
    """Control's answer to ``begin_write``."""

    answer: WriteAnswerKind
    verdict: Verdict
    clearance: Clearance | None = None
    """With GO and LOOK_ONLY."""
    retry_after_seconds: float = 0
    """With BUSY."""
    result: str = ""
    """With SETTLED: what ``settle_write`` recorded."""


class WriteOutcome(StrEnum):
    """How an effect ended."""

    DONE = "done"
    NOT_DONE = "not_done"


class SettleRequest(Contract):
    """The end of a write: by the attempt that began, or after its deadline by looking at the remote."""

    key: str
    attempt: str
    outcome: WriteOutcome
    result: str = ""
    """What was found, for example the branch head or the pull request's number."""
    looked: bool = False
    """True when the remote was looked at after the deadline."""


class Answer(Contract):
    """The answer to any operator update: accepted, or refused with the reason (P14)."""

    accepted: bool
    verdict: Verdict
    epoch: int


class PauseRequest(Contract):
    """The payload of the ``pause`` signal when it can be read; the pause holds even if it cannot (P1)."""

    style: PauseStyle = PauseStyle.CHECKPOINT
    reason: str = ""
    actor: str = "unknown"
    review_on: str | None = None
    """ISO date by which a person looks at this pause again."""


class ResumeRequest(Contract):
    """A person's statement that the cause is gone (runbook §7)."""

    expected_epoch: int
    """The epoch the person saw; a newer pause makes this resume void."""
    cause: str = Field(min_length=3, max_length=4000)
    evidence: str = Field(min_length=3, max_length=4000)
    actor: str = Field(min_length=1, max_length=200)


class ModeRequest(Contract):
    """A person sets the mode. Lowering always works; raising above PR_ONLY must be earned."""

    expected_epoch: int
    mode: Mode
    reason: str = Field(min_length=3, max_length=4000)
    actor: str = Field(min_length=1, max_length=200)


class FinishRequest(Contract):
    """A run says how it ended."""

    run_id: str
    status: RunStatus
    outcome: str = ""
    reason: str = ""
    audit_head: str = ""
    report_sha256: str = ""
    policy_digest: str = ""
    """The policy in force when the run ended; a smoke is green only under the current one."""
    task_id: str | None = None


class IncidentReport(Contract):
    """An incident trigger (runbook §6): opens an incident in Control's books; idempotent by id."""

    incident: str
    run_id: str
    trigger: Literal["policy_violation"]
    reason: str


class IncidentRecord(Contract):
    """One open incident in Control's books."""

    incident: str
    run_id: str
    trigger: str
    reason: str
    opened_at: AwareDatetime
    commanded_by: str = ""
    """The person who ordered its repair while paused; empty: nobody did."""


class InstallationFacts(Contract):
    """What a Control learns from the Installation."""

    epoch: int
    status: TargetStatus
    ready: bool
    """False while the Installation itself is finding out which targets exist; ask again."""
    fresh: bool
    """True when this target was never registered before: its Control may open itself."""
    reason: str = ""
    reap_seconds: int = 60
    first_mode: Mode = Mode.PR_ONLY


class RegisterRequest(Contract):
    """A Control makes itself known before its first admission."""

    target: str
    chain: str
    """The Control's run id at its birth: another one of a known target starts PAUSED."""


class InstallationNotice(Contract):
    """What the Installation tells each Control; the highest epoch wins."""

    epoch: int
    status: TargetStatus
    style: PauseStyle = PauseStyle.CHECKPOINT
    reason: str = ""
    actor: str = ""
    cause: str = ""
    evidence: str = ""


class RunRecord(Contract):
    """One run in Control's books."""

    run_id: str
    dedup: str
    workflow_id: str
    workflow_run_id: str
    kind: RunKind
    mode: Mode
    date: str
    attempt: int
    actor: str
    policy_digest: str
    status: RunStatus
    order: Order
    admitted_at: AwareDatetime
    closed_at: AwareDatetime | None = None
    outcome: str = ""
    reason: str = ""
    audit_head: str = ""
    report_sha256: str = ""
    step: StepName | None = None


class WriteRecord(Contract):
    """One write in Control's books, open until settled."""

    key: str
    run_id: str
    clearance: Clearance
    began_at: AwareDatetime
    settled_at: AwareDatetime | None = None
    outcome: WriteOutcome | None = None
    result: str = ""


class PauseRecord(Contract):
    """Who paused, why, until when (runbook §7)."""

    scope: Literal["target", "installation", "start"]
    style: PauseStyle
    reason: str
    actor: str
    at: AwareDatetime
    epoch: int
    review_on: str | None = None
    raw: str = ""
    """What the signal carried when it could not be read as a PauseRequest."""


class Ladder(Contract):
    """The resume in progress (P2)."""

    cause: str
    evidence: str
    actor: str
    epoch: int
    began_at: AwareDatetime
    smoke_workflow_id: str
    smoke_run_id: str = ""


class StatusView(Contract):
    """Query ``status`` of Control: everything ``pause --wait`` needs, in one answer."""

    target: str
    status: TargetStatus
    mode: Mode
    epoch: int
    installation_epoch: int
    quiescent: bool
    """PAUSED and no write in flight."""
    writes_in_flight: int
    pauses: tuple[PauseRecord, ...]
    ladder: Ladder | None
    active: tuple[RunRecord, ...]
    queued: tuple[RunRecord, ...]
    recent: tuple[RunRecord, ...]
    writes: tuple[WriteRecord, ...]
    why: Verdict
    incidents: tuple[IncidentRecord, ...] = ()
    log_head: str = ""
    """Hash of the target's audit log, held in the Temporal history (P10)."""


class RunCheckup(Contract):
    """What Control asks the server and the remote about (reaping)."""

    target: str
    runs: tuple[RunRecord, ...]
    writes: tuple[WriteRecord, ...]
    """Past their deadline, unsettled."""


class RunFinding(Contract):
    """What the server says about one run."""

    run_id: str
    open: bool
    status: str
    workflow_run_id: str


class CheckupResult(Contract):
    """What was found; settled writes were looked up on the remote."""

    runs: tuple[RunFinding, ...]
    settled: tuple[SettleRequest, ...]
    unknown: tuple[str, ...] = ()
    """What could not be found out this time, with the reason; looked at again later."""


class TargetView(Contract):
    """One target as the Installation knows it."""

    name: str
    chain: str
    registered_at: AwareDatetime


class InstallationView(Contract):
    """Query ``status`` of the Installation."""

    status: TargetStatus
    epoch: int
    targets: tuple[TargetView, ...]
    pause: PauseRecord | None
    why: Verdict


class RunView(Contract):
    """Query ``state`` of a run."""

    run: RunRef | None
    status: RunStatus
    step: StepName | None
    order: Order | None
    task_id: str | None
    base_sha: str
    waiting_for: str
    """What a person should do now, or empty."""
    subject: str
    """Digest to name in ``decide``."""
    verdicts: tuple[Verdict, ...]
    reason: str


class RunResult(Contract):
    """What ``DailyRun`` returns and ``run --json`` prints."""

    run_id: str
    target: str
    mode: str
    status: RunStatus
    outcome: str = ""
    reason: str = ""
    task_id: str | None = None
    pull_request: PullRequestRef | None = None
    artifacts: str = ""
    """Folder or prefix of the run's artifacts."""
    report: str = ""
    audit_head: str = ""


class PullRequestRef(Contract):
    """The pull request as ``run --json`` prints it."""

    number: int
    branch: str
    head_sha: str
    url: str


for _model in (Order, AdmitAnswer, RunResult):
    _model.model_rebuild()
