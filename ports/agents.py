"""Agents propose; activities measure and validate (P6)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from contracts.change import Change
from contracts.handover import RunRef
from contracts.modes import Role
from contracts.task import CandidateTasks, StateSnapshot, TaskContract
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
    feedback: str = ""
    """Why the previous answer was not accepted; empty at first."""
    alive: Callable[[], None] = field(default=lambda: None)
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
        """


AgentFor = Callable[["EffectivePolicy", Role], Agent]
