"""The policy of merging by itself: the smaller budget, the canary, the probes. Meanings as in ``policies.schema``."""

from __future__ import annotations

from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import Field, StringConstraints, field_validator, model_validator

from contracts.modes import RiskLevel
from policies.section import Positive, Section

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
