"""Admission and the life of a run, as Control and the run talk about it."""

from enum import StrEnum
from typing import Any, Self

from pydantic import AwareDatetime, Field, model_validator

from contracts.artifact import Contract
from contracts.asked import PersonsTask
from contracts.grant import Grant
from contracts.handover import RunRef
from contracts.modes import Mode, RunKind, RunStatus, StepName
from contracts.remediation import Remediation
from contracts.rollback import FollowUpInput, Merged
from contracts.terms import ControlTerms, from_before
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
    grant: str = Field(default="", max_length=200)
    """Id of the escalated run whose quarantined change this run takes under a person's grant. Implies ``again``."""
    asked: PersonsTask | None = None
    """What a person tries an agent with. The mode is DRY_RUN."""

    @model_validator(mode="after")
    def _a_trial_writes_nothing(self) -> Self:
        if self.asked is not None and self.mode is not Mode.DRY_RUN:
            raise ValueError("an agent is tried in a DRY_RUN: mode must be DRY_RUN")
        return self


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
    terms: ControlTerms
    taken: tuple[str, ...] = ()
    """Run ids of that date that have an audit log already: a Control that lost its books still knows them."""
    quarantined_head: str = ""
    """The commit in quarantine under ``request.grant``, read back from the artifacts and the audit log of that run."""
    quarantine_problem: str = ""
    """Why there is none that can be trusted."""

    @model_validator(mode="before")
    @classmethod
    def _from_before(cls, raw: Any) -> Any:
        return from_before(raw)


class OrderState(StrEnum):
    """What a run should do at its next gate."""

    QUEUED = "queued"
    PROCEED = "proceed"
    HOLD = "hold"
    DRAIN = "drain"
    ABORT = "abort"
    CANCELLED = "cancelled"
    """A queued run that will never start; it stays as a record."""


class Order(Contract):
    """The one thing Control tells a run. The highest revision wins, whatever order they arrive in."""

    revision: int
    epoch: int
    state: OrderState
    reason: str = ""


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
    grant: Grant | None = None
    """What it took; kept here so that a retry of the same run is given it again."""
    became: str = ""
    """What a person made of its pull request since: ``MERGED by ann``, ``CLOSED by bob``."""


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
    grant: Grant | None = None
    lost: tuple[RunRecord, ...] = ()
    """Earlier runs of the same workflow id, terminated by hand, whose end nobody has written down."""


class Admitted(Contract):
    """What the ``admit`` activity hands to the run."""

    answer: AdmitAnswer
    run: RunRef | None
    """None when refused before a run id could be issued."""
    hold_hours: float
    """How long the run holds when the policy changes under it."""
    wait_hours: float
    """How long the run waits for a person's ``decide``."""


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
    remediation: Remediation | None = None
    """The run was rejected by its required checks (runbook §6.2)."""
    resolved: tuple[str, ...] = Field(default=(), max_length=100)
    """Fingerprints of failures whose findings the run no longer saw."""
    follow_up: FollowUpInput | None = None
    """The run left a merge or an open pull request, which is followed from now on."""
    merged: Merged | None = None
    """What the run merged by itself; whoever follows it up starts from here."""
    kept_out: bool = False
    """The forge let it not work (a token, an archived repository, a quota): says nothing about the target's runs."""


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
    steps: tuple[StepName, ...] = ()
    """The step of each verdict."""
    reason: str
    awaits: str = ""
    """What holds it up: which check of which commit, since when, until when, or another cause; empty while it works.

    The same as long as nothing changes: the next look is in ``reason`` alone.
    """


class PullRequestRef(Contract):
    """The pull request as ``run --json`` prints it."""

    number: int
    branch: str
    head_sha: str
    url: str


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
