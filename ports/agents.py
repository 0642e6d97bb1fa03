"""Agents propose; activities measure and validate (P6)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from contracts.change import Change
from contracts.handover import RunRef
from contracts.modes import Role
from contracts.task import CandidateTasks, Finding, StateSnapshot, TaskContract, UnreadFile
from ports.metering import Meter

if TYPE_CHECKING:
    from policies.settings.schema import EffectivePolicy


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
    """A checkout of the base (Sensing, Planning, Coding: writable) or of the changed tree (Review)."""
    base_tree: Path | None = None
    """Review only: the base to compare with."""
    snapshot: StateSnapshot | None = None
    candidates: CandidateTasks | None = None
    contract: TaskContract | None = None
    change: Change | None = None
    granted: frozenset[str] = frozenset()
    """Review only: protected paths a person released; they belong to the change although the contract blocks them."""
    feedback: str = ""
    """Why the previous answer was not accepted; empty at first."""
    alive: Callable[[], None] = field(default=lambda: None)
    meter: Meter = field(default_factory=Meter)
    """Where the backend says what this question cost; fresh for every question."""


@dataclass(frozen=True)
class Detection:
    """What was measured, and by how many of those that should have looked."""

    findings: tuple[Finding, ...]
    tools: int
    """Tools asked to look."""
    missing: tuple[str, ...]
    """``<tool>: <reason>`` for each tool that could not."""
    unread: tuple[UnreadFile, ...] = ()
    """Single files that the others could not look at."""
    unread_share: float = 0.0
    """The sum over those tools of the share of their files that is unread, 0.0 to ``tools``."""

    @property
    def completeness(self) -> float:
        """How much could be looked at, 0.0 to 1.0: the mean over the tools of their share; no tools is 0.0."""
        return (self.tools - len(self.missing) - self.unread_share) / self.tools if self.tools else 0.0


class Agent(Protocol):
    """A backend. Answers are raw JSON text: validated, repaired at most N times, else a typed failure."""

    @property
    def name(self) -> str:
        """For reports; the reviewer's must differ from the coder's when a model codes."""

    def detect(self, brief: Brief) -> Detection:
        """Measure a tree."""

    def answer(self, brief: Brief) -> str:
        """The role's proposal as JSON.

        TRIAGING: a ``CandidateTasks``; PLANNING: a ``TaskContract`` (or ``null``: nothing fits the budget);
        CODING: edits ``brief.tree`` in place and returns ``{"summary": …}``; REVIEW: a ``ReviewProposal``.
        """


AgentFor = Callable[["EffectivePolicy", Role], Agent]
