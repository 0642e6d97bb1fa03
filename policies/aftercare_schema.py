"""The policy tables of what comes after a run; ``policy explain`` prints each meaning."""

from __future__ import annotations

from pydantic import Field

from policies.section import Positive, Section


class FollowUpPolicy(Section):
    """``[follow_up]``: watching the base after a merge, and pull requests until a person decides (runbook §6.3)."""

    observation_minutes: float = Field(default=120, gt=0)
    """How long required checks and probes are looked at on the base after a merge."""
    every_minutes: float = Field(default=15, gt=0)
    """How often."""
    confirmations: int = Field(default=3, ge=1, le=10)
    """A regression is ours when so many looks at the merge are red, and so many at its parent green, in turn."""
    poll_first_minutes: float = Field(default=5, gt=0)
    """When the forge is asked first whether a person merged or closed a pull request; each wait is twice the last."""
    poll_most_minutes: float = Field(default=360, gt=0)
    """The longest of these waits."""
    changes_days: float = Field(default=14, gt=0)
    """A pull request on which changes are requested is closed after so many days, unless approved or withdrawn."""


class RollbackPolicy(Section):
    """``[rollback]`` (runbook §8): when a merge is rolled back by itself, and when that counts as healthy."""

    healthy_in_a_row: Positive = 3
    """So many green looks one after the other confirm that the baseline's health is restored."""
    health_every_seconds: Positive = 60
    """How long to wait between two of these looks."""
    base_moves: int = Field(default=5, ge=0, le=50)
    """How often the base may move on under a rollback before a person goes on."""
    reverts_per_day: int = Field(default=2, ge=0)
    """Blast cap: more regressions within 24 hours are a person's. 0: nothing is ever rolled back by itself."""
    culprit_hours: float = Field(default=72, gt=0)
    """Blast cap: a merge older than this is not rolled back by itself."""
    quarantine_days: Positive = 30
    """How long an idea that was rolled back is not proposed again."""
