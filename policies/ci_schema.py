"""The policy of waiting for the forge's own CI. Meanings as in ``policies.schema``."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from policies.section import Section

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
