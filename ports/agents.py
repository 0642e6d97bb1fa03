"""Agents propose, and say what a question cost; what they propose is validated, and measured by others (P6, P9)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from pydantic import ValidationError

from contracts.budget import Amounts
from contracts.change import Change
from contracts.exchange import AgentOutcome
from contracts.handover import RunRef
from contracts.modes import Role
from contracts.task import CandidateTasks, StateSnapshot, TaskContract

if TYPE_CHECKING:
    from policies.settings.schema import EffectivePolicy
    from ports.environments import CheckEnvironment
    from ports.models import Purse


@dataclass
class Meter:
    """One per question to an agent. Several calls add up; no call at all is not zero."""

    usd: float = 0.0
    tokens: int = 0
    said: bool = False
    problem: str = ""
    """Why what was said cannot be believed."""

    def spent(self, *, usd: float, tokens: int) -> None:
        """The question cost this much (so far, or again); never raises: what is wrong makes the cost unknown."""
        try:
            told = Amounts.model_validate({"usd": usd, "tokens": tokens}, strict=True)
            Amounts(usd=self.usd + told.usd, tokens=self.tokens + told.tokens)
        except ValidationError:
            self.problem = f"the backend reported {usd!r} USD and {tokens!r} tokens"[:200]
            return
        self.usd, self.tokens, self.said = self.usd + told.usd, self.tokens + told.tokens, True

    def free(self) -> None:
        """The question calls no model, or each of its exchanges is paid by itself (``Purse``): a known zero."""
        self.said = True

    @property
    def unknown(self) -> str:
        """Why the cost is unknown; empty when it is known."""
        return self.problem or ("" if self.said else "the backend did not say what it spent")


class AgentStopped(Exception):
    """The agent worked, and ended otherwise than done; its tree is what it left. Never means yes."""

    def __init__(
        self, outcome: AgentOutcome, reason: str, retry_after: float | None = None, question: str = ""
    ) -> None:
        super().__init__(reason)
        self.outcome = outcome
        self.reason = reason
        self.retry_after = retry_after
        """Seconds; of RATE_LIMITED."""
        self.question = question
        """Of NOTHING_DONE: what it wants to know of whoever asked for it."""


class InvalidAnswer(Exception):
    """The answer says what it may not; it is asked again with the reason, as one of another shape is."""

    def __init__(self, text: str, reason: str) -> None:
        super().__init__(reason)
        self.text = text
        self.reason = reason


class AgentError(Exception):
    """The backend could not work at all (crash, no sandbox). Retryable; never means yes."""


@dataclass(frozen=True)
class Brief:
    """All an agent gets to see for one role of one run."""

    role: Role
    run: RunRef
    policy: EffectivePolicy
    base_sha: str
    tree: Path | None = None
    """A checkout of the base (Coding: writable) or of the changed tree (Review)."""
    base_tree: Path | None = None
    """Review only: the base to compare with."""
    snapshot: StateSnapshot | None = None
    """What Sensing measured of the base."""
    candidates: CandidateTasks | None = None
    contract: TaskContract | None = None
    change: Change | None = None
    granted: frozenset[str] = frozenset()
    """Review only: protected paths a person released; they belong to the change although the contract blocks them."""
    compared: Mapping[str, str] = field(default_factory=dict)
    """Review only: each changed path, and why it is not shown to do what it did; empty: it is."""
    recorded: Mapping[str, bytes] = field(default_factory=dict)
    """What the run recorded to be brought about: a source's records by its name, a proposal as ``proposals/<id>``."""
    environment: CheckEnvironment | None = None
    """Where the repository's own fixers run; None: it has none, or it could not be made."""
    feedback: str = ""
    """Why the previous answer was not accepted; empty at first."""
    alive: Callable[[], None] = field(default=lambda: None)
    purse: Purse | None = None
    """Where each exchange with a model is paid from; None: no model may be asked."""
    keep: Callable[[str, bytes, str], None] = field(default=lambda _name, _body, _media_type: None)
    """Keeps an artifact of the step under ``agent/…``: records, transcripts."""
    resumed: bool = False
    """Coding: the tree is not the base's, but what an interrupted attempt left, which may be all there is to do."""
    again: bool = False
    """Coding: the tree is a change that was refused; ``told`` says why."""
    told: Mapping[str, str] = field(default_factory=dict)
    """Coding: what it is told beside the contract, by file name (``checks.md``, ``review.md``); data, no orders."""
    tell: Callable[..., None] = field(default=lambda **_progress: None)
    """Progress, for whoever looks: exchanges, tokens, USD, the last tool."""
    meter: Meter = field(default_factory=Meter)
    """Where the backend says what this question cost; fresh for every question."""


class Agent(Protocol):
    """A backend. Answers are raw JSON text: validated, repaired at most N times, else a typed failure."""

    @property
    def name(self) -> str:
        """For reports; the reviewer's must differ from the coder's when a model codes."""

    def answer(self, brief: Brief) -> str:
        """The role's proposal as JSON.

        TRIAGING: a ``CandidateTasks``; PLANNING: a ``TaskContract`` (or ``null``: nothing fits the budget);
        CODING: edits ``brief.tree`` in place and returns ``{"summary": …}``; REVIEW: a ``ReviewProposal``.

        Raises:
            AgentStopped: it ended otherwise than done: an agent of others' making, its model, or a tool that is not
                to be trusted with the task.
            InvalidAnswer: as an answer of another shape.
            AgentError: the backend itself could not work.
        """


AgentFor = Callable[["EffectivePolicy", Role], Agent]
