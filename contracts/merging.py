"""SELECTIVE_AUTO: the merge result that may land, its canary and its probes (P4)."""

from enum import StrEnum
from typing import Literal

from pydantic import AwareDatetime, Field

from contracts.artifact import Contract


class Health(StrEnum):
    """What one look at one commit showed."""

    GREEN = "green"
    RED = "red"
    UNKNOWN = "unknown"
    """Could not find out (timeout, unreachable, garbage). Never counts as green, never triggers a rollback (P13)."""


class ProbeResult(Contract):
    """One probe's answer for one commit."""

    name: str
    health: Health
    detail: str = ""
    seconds: float = Field(ge=0)


class MergeCandidate(Contract):
    """A checked merge result; everything after it is bound to these commits."""

    base_sha: str
    """First parent: where the base branch was when it was checked."""
    head_sha: str
    """Second parent: the change."""
    merge_sha: str
    tree_sha: str
    base_branch: str
    canary_branch: str
    pull_branch: str = ""
    """On a forge that merges pull requests: the branch whose pull request lands it; empty: git moves the base."""
    commit_message: str = ""
    """Of the merge commit; empty: from before it said anything."""
    moves: int = Field(default=0, ge=0)
    """How often the base has moved since the run's own check."""
    window_seconds: float
    every_seconds: float


class ProbeRound(Contract):
    """What one round found."""

    health: Health
    results: tuple[ProbeResult, ...]
    audit_head: str = ""


class CanaryReport(Contract):
    """``canary.json``: what the probes said of the merge result."""

    schema_version: Literal[1] = 1
    merge_sha: str
    branch: str
    began_at: AwareDatetime
    ended_at: AwareDatetime
    rounds: int = Field(ge=0)
    """Since the canary began; a pause makes it begin anew."""
    health: Health
    """Of the last round; the first that is not green ends the canary."""
    last: tuple[ProbeResult, ...] = ()
