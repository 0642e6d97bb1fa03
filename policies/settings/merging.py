"""The policy of merging by itself: the smaller budget, the canary, the probes, CI, what comes after."""

from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import Field, StringConstraints, field_validator, model_validator

from contracts.modes import RiskLevel
from policies.settings.section import Positive, Section

_MOST_ROUNDS = 500
"""Of one canary: its run's history holds each of them."""


class AutoMerge(Section):
    """``[auto_merge]``: the smaller budget and the level auto-merge needs."""

    files: Positive = 3
    lines: Positive = 80
    new_files: int = Field(default=0, ge=0)
    highest_risk: RiskLevel = RiskLevel.LOW
    canary_minutes: float = Field(default=30, gt=0, le=1440)
    """How long every probe of the merge result must be green, on a branch of its own, before it is merged."""
    canary_every_seconds: float = Field(default=60, ge=1)
    """How long between two rounds of probes."""
    base_moves: int = Field(default=3, ge=0, le=20)
    """How often the base may move and the new merge result be checked again, before a person reviews."""

    @model_validator(mode="after")
    def _rounds_are_few(self) -> Self:
        if self.canary_minutes * 60 / self.canary_every_seconds > _MOST_ROUNDS:
            raise ValueError(f"more than {_MOST_ROUNDS} rounds of probes: raise canary_every_seconds")
        return self


class ProbePolicy(Section):
    """One ``[[probes]]`` entry of a target: is this commit healthy? Exactly one of ``argv`` and ``url``."""

    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]*$", max_length=40)]
    argv: tuple[str, ...] = ()
    """Run in the sandbox on a checkout of the commit; ``{sha}`` is the commit's id, as is AUTONOMY_SHA.

    Exit status 0 is green, 1 to 125 red; anything else could not be found out.
    """
    url: str = ""
    """Asked with GET, ``{sha}`` replaced: 200 is green, another status red, no answer could not be found out."""
    seconds: float = Field(default=30, gt=0, le=600)
    """How long one probing may take."""

    @field_validator("url")
    @classmethod
    def _url_is_one(cls, url: str) -> str:
        if not url:
            return url
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or not url.isprintable() or " " in url:
            raise ValueError("write an http or https URL")
        if parts.username is not None or parts.password is not None:
            raise ValueError("the URL holds a credential: take it out")
        if "{sha}" in parts.netloc:
            raise ValueError("{sha} may stand in the path or the query, not in the host")
        if "{sha}" not in parts.path + parts.query:
            # It would say the same of every commit: green on a canary nobody runs, and red before us after a merge.
            raise ValueError("{sha} is missing: the URL must say of which commit it is asked, in the path or the query")
        return url

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if bool(self.argv) == bool(self.url):
            raise ValueError("give exactly one of argv and url")
        return self


# The policy of waiting for the forge's own CI. Meanings as in ``policies.settings.schema``.

_MOST_LOOKS = 500
"""Of one wait: its run's history holds each of them."""

CheckName = Annotated[
    str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\s\x00-\x1f]([^\x00-\x1f]*\S)?$")
]


class CiPolicy(Section):
    """``[ci]`` of a target: what the forge's CI must say of a commit before it counts as released (runbook §6.2)."""

    required: tuple[CheckName, ...] = Field(default=(), max_length=50)
    """Checks of the forge's CI that must be green, beside those its branch protection demands; exact names, on
    GitHub patterns, too.

    One that nobody reports is not green. With neither, whatever CI reports must be green, and whatever it reported on
    the base must be reported again.
    """
    ignore: tuple[CheckName, ...] = Field(default=(), max_length=50)
    """Checks that do not count, whatever they say; names or glob patterns. What branch protection demands counts."""
    minutes: float = Field(default=60, gt=0, le=1440)
    """How long a run waits for results that are pending or missing; after that the change is rejected."""
    every_seconds: float = Field(default=30, ge=1, le=3600)
    """How long between two looks."""
    first_seconds: float = Field(default=20, ge=0, le=3600)
    """How long a forge that says nothing of a commit may still say its first word; then it has no CI."""

    @model_validator(mode="after")
    def _sane(self) -> Self:
        if len(set(self.required)) != len(self.required):
            raise ValueError("a check is named twice in required")
        if both := set(self.required) & set(self.ignore):
            raise ValueError(f"{', '.join(sorted(both))}: either required or ignored")
        if self.minutes * 60 / self.every_seconds > _MOST_LOOKS:
            raise ValueError(f"more than {_MOST_LOOKS} looks: raise every_seconds")
        return self


# The policy tables of what comes after a run; ``policy explain`` prints each meaning.


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
