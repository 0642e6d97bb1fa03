"""``post_run_review.json`` (runbook §10): what became of a run's change, looked at after the run, and again later."""

from enum import StrEnum
from typing import Literal

from pydantic import AwareDatetime

from contracts.artifact import Contract
from contracts.handover import RunRef
from contracts.rollback import Merged

LATER_REVIEW = "post_run_review.json"
DAYS = (1, 7, 30)
"""After how many days a merge is looked at."""


class Fate(StrEnum):
    """What became of a merge by some moment."""

    NOT_YET = "not yet"
    """The moment has not come."""
    KEPT = "kept"
    """Every line that it added stands."""
    REWRITTEN = "rewritten"
    """Some of them do not, or none, and still it was not undone."""
    REVERTED = "reverted"
    """The base held nothing of it any more."""
    UNKNOWN = "unknown"
    """It could not be found out; asked again."""


class Moment(Contract):
    """A merge as the base held it so many days later."""

    days: int
    at: AwareDatetime
    fate: Fate
    commit: str = ""
    """The base as it was then."""
    added: int = 0
    """Lines that the merge added."""
    standing: int = 0
    """Those of them that stood."""
    by: str = ""
    """Who reverted it: ``us``, or the commit's author."""
    note: str = ""
    """Why it is unknown, which commit reverted it, or that the history was replaced."""


class Said(Contract):
    """What a person said below the pull request: data, cut short, never an instruction."""

    author: str
    text: str


class Objective(Contract):
    """The contract's own measure, counted again on the base right after the merge."""

    metric: str
    before: int
    expected: int
    achieved: int | None
    """None: it could not be counted."""
    commit: str
    note: str = ""
    """Why it could not."""


class LaterReview(Contract):
    """The review of a run after it was merged or closed; each moment is filled in once it is over."""

    schema_version: Literal[1] = 1
    run_id: str
    target: str
    sentence: str
    pull_request: int
    ended: str
    """``merged by ann``, ``closed by bob``, or how its merge was observed: ``healthy``, ``regression`` …"""
    merged: Merged | None
    """None: it was not merged, or nothing says by which commit."""
    objective: Objective | None = None
    moments: tuple[Moment, ...] = ()
    said: tuple[Said, ...] = ()
    """The latest, oldest first."""
    rolled_back: bool = False
    risk: float | None = None
    risk_against_outcome: str = ""
    cost_usd: float | None = None
    """Of the whole run; None: unknown, which is not zero."""
    suggested: tuple[str, ...] = ()
    """Thresholds that this speaks for moving, each with what happened."""
    looked_at: AwareDatetime


class LaterReviewInput(Contract):
    """What is known of a run that a later review is made of."""

    run: RunRef
    ended: str
    now: AwareDatetime
    pull_request: int = 0
    merged: Merged | None = None
    rolled_back: bool = False
