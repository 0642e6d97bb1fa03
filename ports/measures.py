"""Measuring: what is in a tree, what a task's effect is, what a change leaves as it was. No agent's part (P6)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from contracts.task import Finding, StateSnapshot, TaskContract, UnreadFile

if TYPE_CHECKING:
    from contracts.evidence import CheckResult
    from policies.settings.schema import EffectivePolicy
    from ports.environments import CheckEnvironment


class MeasureError(Exception):
    """It could not be found out. Retryable; never means "nothing"."""


@dataclass(frozen=True)
class Look:
    """A tree to measure, and the policy to measure it by."""

    tree: Path
    policy: EffectivePolicy
    alive: Callable[[], None]
    known: StateSnapshot | None = None
    """What Sensing measured of exactly this tree, from the run's own artifact; None: nothing is known of it."""
    recorded: Mapping[str, bytes] = field(default_factory=dict)
    """What the run recorded to be brought about: a source's records by its name, a proposal as ``proposals/<id>``,
    what a tool looked up outside the tree as ``lookups/<tool>``.

    In Sensing also, as ``from/<source>``, the name of the fallback whose records a source's are.
    """
    environment: CheckEnvironment | None = None
    """Where the repository's own fixers run; None: it has none, or it could not be made."""
    base: Path | None = None
    """The base, where the tree is a change of it; None: the tree is the base."""
    check: Callable[[str, Path], CheckResult] | None = None
    """Runs one check of the target on a copy of a tree; None: no measure that needs one is asked for."""


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

    lookups: Mapping[str, bytes] = field(default_factory=dict)
    """What tools found out outside the tree, as JSON by their names: to be recorded, and shown to later looks."""

    @property
    def completeness(self) -> float:
        """How much could be looked at, 0.0 to 1.0: the mean over the tools of their share; no tools is 0.0."""
        return (self.tools - len(self.missing) - self.unread_share) / self.tools if self.tools else 0.0


class Measures(Protocol):
    """Believes nobody, whoever made or reviewed a change."""

    def detect(self, look: Look) -> Detection:
        """Everything there is to find.

        Raises:
            MeasureError: nobody could look at all.
        """

    def count(self, contract: TaskContract, look: Look) -> int:
        """How much there is of what the contract is to change, by the contract's own ``measure``.

        Raises:
            MeasureError: it could not be counted, or not in every file of the scope.
        """

    def unproved(self, base: Path, paths: Sequence[str], look: Look) -> Mapping[str, str]:
        """Of the changed paths those that are not shown to do what they did, and why. Could not look is not shown.

        Raises:
            ports.sandbox.SandboxUnavailable: there is no sandbox.
        """
