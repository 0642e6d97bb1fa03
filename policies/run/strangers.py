"""Marks of another installation on the same remote: branches, pull requests and merges that ours did not book (P16)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from contracts.pull_request import PullRequest

OURS = "autonomy/"
_RECENT = timedelta(days=30)
"""A merge is told for so long; whoever lost old logs is not told of their own past for ever."""
_ANY_TIME_ZONE = timedelta(days=2)
_DAY = re.compile(r"-(\d{4}-\d{2}-\d{2})-[a-z]+-\d+/")


@dataclass(frozen=True)
class Booked:
    """What the audit logs say that this installation wrote to a target's remote."""

    keys: frozenset[str]
    """``run_id/step`` of the writes that were cleared or settled."""
    numbers: Mapping[str, str]
    """Pull request by the key that opened it."""
    heads: frozenset[str]
    """Commits that were to be pushed."""
    branches: frozenset[str]


def foreign_marks(
    asked: tuple[PullRequest, ...], heads: Mapping[str, str], booked: Booked, today: date
) -> tuple[str, ...]:
    """One sentence for each mark of ``asked_of`` that is not ours: open pull requests, late merges, branches."""
    lately = _recently(today)
    marks = [pull for pull in asked if pull.state == "open" or (pull.state == "merged" and _is_recent(pull, lately))]
    told = [
        f"pull request {pull.number} ({pull.state}, {pull.run_key or 'without a key'}, {pull.branch})"
        for pull in marks
        if not _is_booked(pull, booked)
    ]
    known = {pull.branch for pull in asked} | booked.branches
    told += [
        f"branch {branch} at {head[:12]}"
        for branch, head in sorted(heads.items())
        if branch.startswith(OURS) and branch not in known and head not in booked.heads
    ]
    return tuple(told)


def asked_of(pulls: tuple[PullRequest, ...], heads: Mapping[str, str], today: date) -> tuple[PullRequest, ...]:
    """Those that may be a mark, or whose branch is still there: of all others it does not matter who booked them."""
    lately = _recently(today)
    return tuple(pull for pull in pulls if pull.state == "open" or pull.branch in heads or _is_recent(pull, lately))


def booked_since(asked: tuple[PullRequest, ...], heads: Mapping[str, str], today: date) -> date | None:
    """A day before which nothing was written about those that are asked of; None: that cannot be told."""
    known = {pull.branch for pull in asked}
    days = [_DAY.search(pull.run_key) for pull in asked]
    if None in days or any(branch.startswith(OURS) and branch not in known for branch in heads):
        return None
    # Its day is that of the target's time zone.
    return min((date.fromisoformat(day[1]) for day in days if day), default=today) - _ANY_TIME_ZONE


def _is_booked(pull: PullRequest, booked: Booked) -> bool:
    """Two installations name their runs alike: where the number is known, it decides."""
    number = booked.numbers.get(pull.run_key)
    return number == str(pull.number) if number else pull.run_key in booked.keys


def _recently(today: date) -> str:
    """As days are written in a run's name: they are in the order of their letters."""
    return (today - _RECENT).isoformat()


def _is_recent(pull: PullRequest, lately: str) -> bool:
    found = _DAY.search(pull.run_key)
    return found is None or found[1] >= lately
