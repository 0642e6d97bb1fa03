"""Measuring: what is in a tree, what a task's effect is, what a change leaves as it was. No agent's part (P6)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from contracts.task import Finding, StateSnapshot, TaskContract, UnreadFile

if TYPE_CHECKING:
    from contracts.artifact import ArtifactRef
    from contracts.evidence import CheckResult
    from policies.settings.schema import EffectivePolicy
    from ports.environments import CheckEnvironment
    from ports.sandbox import CommandResult

UNMEASURED = 1_000_000
"""More than there ever is of anything: of a change of which it cannot be counted."""


class MeasureError(Exception):
    """It could not be found out. Retryable; never means "nothing"."""


class Runs(Protocol):
    """What of the target can be run to measure a task: on copies of a tree, in the base's environment (P6, P8)."""

    def check(self, name: str, tree: Path) -> CheckResult:
        """One check of the target.

        Raises:
            EnvironmentUnavailable, SandboxUnavailable: it could not be run at all.
        """

    def command(self, argv: tuple[str, ...], tree: Path, seconds: float) -> CommandResult:
        """A command of the policy's own, at most so long.

        Raises:
            MeasureError: the tree does not build.
            EnvironmentUnavailable, SandboxUnavailable: it could not be run at all.
        """

    def kept(self, ref: ArtifactRef) -> bytes:
        """What such a check left: its output, its report.

        Raises:
            StoreError: it cannot be read.
        """


@dataclass(frozen=True)
class Counted:
    """How much there is of what a contract is to change."""

    left: int
    said: str = ""
    """What was seen, in words: for whoever is to better it, and why a change does not. Much of it is others' text."""
    lines: Mapping[str, frozenset[int]] = field(default_factory=dict)
    """Of what is counted in lines: which, by path, counted from 1."""


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
    before: Counted | None = None
    """What was counted of that base, in the same step."""
    runs: Runs | None = None
    """None: no measure that runs anything is asked for."""


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

    def count(self, contract: TaskContract, look: Look) -> Counted:
        """How much there is of what the contract is to change, by the contract's own ``measure``.

        Raises:
            MeasureError: it could not be counted, or not in every file of the scope.
        """

    def unproved(self, base: Path, paths: Sequence[str], look: Look) -> Mapping[str, str]:
        """Of the changed paths those that are not shown to do what they did, and why. Could not look is not shown.

        Raises:
            ports.sandbox.SandboxUnavailable: there is no sandbox.
        """
