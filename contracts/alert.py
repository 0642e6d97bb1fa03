"""Alerts (runbook §9): at least once, each with its fingerprint."""

from enum import Enum, StrEnum, auto
from typing import Annotated, Any, Self

from pydantic import AwareDatetime, BeforeValidator, Field

from contracts.artifact import Contract
from contracts.verdict import Fact


class AlertTrait(Enum):
    """What may be true of a kind of alert."""

    CONSEQUENCE = auto()
    """A policy violation brings it about by itself: it stops the run and pauses the targets (runbook §6.1)."""
    LASTING = auto()
    """A state rather than an event: seen again at every look, so told again only as a reminder."""
    NEVER_SILENCED = auto()
    """Nobody can silence it (runbook §9)."""


class AlertKind(StrEnum):
    """Runbook §9, and what must not go unseen besides. A row each: the word, and what is true of it."""

    RUN_FAILED = "run_failed", AlertTrait.CONSEQUENCE
    POLICY_VIOLATION = "policy_violation", AlertTrait.NEVER_SILENCED
    PROTECTED_PATH_TOUCHED = "protected_path_touched", AlertTrait.NEVER_SILENCED
    REQUIRED_CHECK_FAILED = "required_check_failed", AlertTrait.CONSEQUENCE
    BUDGET_THRESHOLD = "budget_threshold"
    SOURCE_QUALITY = "source_quality"
    RUN_MISSED_DEADLINE = "run_missed_deadline", AlertTrait.CONSEQUENCE, AlertTrait.LASTING
    RUN_STUCK = "run_stuck", AlertTrait.CONSEQUENCE, AlertTrait.LASTING
    DELIVERY_FAILED = "delivery_failed", AlertTrait.LASTING
    PREVENTION_OVERDUE = "prevention_overdue"
    """The long-term prevention of an incident was due and is not done (runbook §12)."""
    MODE_LOST = "mode_lost"
    """A kind of task that had earned it merges by itself no more."""
    STRANGER = "stranger"
    """Another installation writes to the same remote."""
    AGENT_CROSSED_LINE = "agent_crossed_line"
    """An agent left its contract or orders for others, asked for another model, or made a check say what it wants."""
    TEST = "test"
    """A person tries the channels; goes through every one of them."""

    traits: frozenset[AlertTrait]

    def __new__(cls, word: str, *traits: AlertTrait) -> Self:
        """The word is the value."""
        kind = str.__new__(cls, word)
        kind._value_, kind.traits = word, frozenset(traits)
        return kind


def _shown(text: Any) -> Any:
    """A summary may quote a file name that is no UTF-8: it shows as escapes, or nothing could carry it."""
    return text.encode("utf-8", "backslashreplace").decode() if isinstance(text, str) else text


NEVER_SILENCED = frozenset(kind for kind in AlertKind if AlertTrait.NEVER_SILENCED in kind.traits)


class Alert(Contract):
    """One alert."""

    kind: AlertKind
    target: str = Field(default="", max_length=200)
    """Empty: the whole installation."""
    run_id: str = Field(default="", max_length=400)
    summary: Annotated[str, BeforeValidator(_shown), Field(max_length=2000)]
    facts: dict[str, Fact] = {}
    fingerprint: str = Field(min_length=1, max_length=300)
    """The same within the dedup window is the same alert."""


class AlertFate(StrEnum):
    """What became of a raised alert."""

    QUEUED = "queued"
    """Will be delivered."""
    DELIVERED = "delivered"
    FAILED = "failed"
    """At least one channel did not take it, for as long as it was tried."""
    DUPLICATE = "duplicate"
    INHIBITED = "inhibited"
    """A policy violation explains it already."""
    SILENCED = "silenced"


class Receipt(Contract):
    """One channel's answer."""

    channel: str
    """Name from ``alerts.toml``; never its address, which holds secrets."""
    delivered: bool
    at: AwareDatetime
    detail: str = ""


class AlertRecord(Contract):
    """An alert and what became of it."""

    id: str
    """For example ``A17``: what people call it."""
    alert: Alert
    raised_at: AwareDatetime
    fate: AlertFate
    reason: str = ""
    times: int = 1
    """How often it was raised within the window."""
    receipts: tuple[Receipt, ...] = ()
    """The latest of each channel."""
    attempts: int = 0
    """Rounds of delivery that did not reach every channel."""
    next_try_at: AwareDatetime | None = None
    """None: nothing is left to deliver."""


class RaiseAnswer(Contract):
    """The answer to ``raise``."""

    taken: bool
    """False: too much waits for delivery; the sender keeps the alert and asks again."""
    fate: AlertFate
    reason: str
    id: str = ""


class AlertSettings(Contract):
    """What the ``Alerts`` workflow needs of ``alerts.toml``; its defaults are those of an absent file."""

    dedup_minutes: float = 60
    remind_hours: float = 24
    inhibit_hours: float = 12
    longest_silence_hours: float = 168
    failed_after: int = 5
    retry_seconds: float = 15
    retry_most_minutes: float = 30
    watch_minutes: float = 5
    problem: str = ""
    """Why the file could not be used; then nothing is silenced."""


class Undelivered(Contract):
    """An alert to deliver."""

    id: str
    alert: Alert
    delivered: tuple[str, ...]
    """Channels that took it already."""


class Delivered(Contract):
    """What came of one delivery."""

    id: str
    receipts: tuple[Receipt, ...]
    complete: bool
    """Every channel that should has it now."""


class Progress(Contract):
    """How far a run's history had come, so that the next look can tell whether it went on."""

    workflow_id: str
    workflow_run_id: str
    events: int
    since: AwareDatetime


class SilenceRequest(Contract):
    """A person silences alerts for a while (update ``silence``)."""

    kind: AlertKind
    target: str = ""
    """Empty: of every target."""
    owner: str = Field(min_length=1, max_length=200)
    reason: str = Field(min_length=3, max_length=1000)
    expires_at: AwareDatetime


class Silence(SilenceRequest):
    """A silence in force."""

    id: str


class LiftRequest(Contract):
    """A person ends a silence early (update ``lift``)."""

    id: str = Field(min_length=1, max_length=40)
    actor: str = Field(min_length=1, max_length=200)


class AlertsView(Contract):
    """Query ``alerts`` of the ``Alerts`` workflow."""

    recent: tuple[AlertRecord, ...]
    """Newest first."""
    undelivered: tuple[AlertRecord, ...]
    silences: tuple[Silence, ...]
    settings: AlertSettings
    watched_at: AwareDatetime | None
    """When the watch last looked through; None: not yet."""
