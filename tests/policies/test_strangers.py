"""Which marks on a remote are not ours (P16): one row per kind of mark."""

from __future__ import annotations

from datetime import date

import pytest

from contracts.pull_request import PullRequest
from policies.run.strangers import Booked, asked_of, booked_since, foreign_marks

KEY = "demo-2026-11-20-pr-1/open_pull_request"
BOOKED = Booked(
    keys=frozenset({KEY, "demo-2026-11-21-pr-1/open_pull_request"}),
    numbers={KEY: "7"},
    heads=frozenset({"a" * 40}),
    branches=frozenset({"autonomy/mine-11111111"}),
)


def pull(number: int = 7, key: str = KEY, state: str = "open", branch: str = "autonomy/x-00000000") -> PullRequest:
    """A pull request as the forge shows it."""
    return PullRequest.model_validate(
        {
            "number": number,
            "branch": branch,
            "base_branch": "main",
            "head_sha": "c" * 40,
            "title": "t",
            "body": "b",
            "state": state,
            "url": "u",
            "run_key": key,
        }
    )


@pytest.mark.parametrize(
    ("pulls", "heads", "told"),
    [
        ((pull(),), {}, 0),
        # Cleared, and not heard to be settled yet: no number is known.
        ((pull(9, "demo-2026-11-21-pr-1/open_pull_request"),), {}, 0),
        # The other one's run of that day has the same id.
        ((pull(8),), {}, 1),
        ((pull(8, "demo-2026-11-22-pr-1/open_pull_request"),), {}, 1),
        ((pull(8, "RB-demo-2026-11-22-pr-1/open_pull_request"),), {}, 1),
        ((pull(8, ""),), {}, 1),
        ((pull(8, "demo-2026-11-22-pr-1/open_pull_request", "closed"),), {}, 0),
        ((pull(8, "demo-2026-11-22-auto-1/open_pull_request", "merged"),), {}, 1),
        # Long ago: told often enough.
        ((pull(8, "demo-2026-09-22-auto-1/open_pull_request", "merged"),), {}, 0),
        ((), {"autonomy/x-00000000": "a" * 40, "main": "d" * 40, "feature": "d" * 40}, 0),
        # A person pushed onto our branch.
        ((pull(),), {"autonomy/x-00000000": "d" * 40, "autonomy/mine-11111111": "d" * 40}, 0),
        ((), {"autonomy/x-00000000": "d" * 40}, 1),
        ((), {"autonomy/canary/demo-2026-11-22-auto-1-1234": "d" * 40}, 1),
    ],
)
def test_what_is_not_booked_is_told(pulls: tuple[PullRequest, ...], heads: dict[str, str], told: int) -> None:
    """By number where it is known, else by key; branches by their head, their name, or their pull request."""
    assert told == len(foreign_marks(pulls, heads, BOOKED, date(2026, 11, 23)))


@pytest.mark.parametrize(
    ("pulls", "heads", "asked"),
    [
        (pull(8, "demo-2020-11-22-pr-1/open_pull_request"), {}, True),
        (pull(8, "demo-2020-11-22-pr-1/open_pull_request", "closed"), {}, False),
        (pull(8, "demo-2020-11-22-pr-1/open_pull_request", "merged"), {}, False),
        # Whoever removes the branch must know whether its run goes on.
        (pull(8, "demo-2020-11-22-pr-1/open_pull_request", "closed"), {"autonomy/x-00000000": "d" * 40}, True),
        (pull(8, "demo-2026-11-22-pr-1/open_pull_request", "merged"), {}, True),
        (pull(8, "", "merged"), {}, True),
    ],
)
def test_only_what_may_be_a_mark_is_looked_up(pulls: PullRequest, heads: dict[str, str], asked: bool) -> None:
    """The logs of ten thousand old runs are not read by every run."""
    assert asked == bool(asked_of((pulls,), heads, date(2026, 11, 23)))


@pytest.mark.parametrize(
    ("pulls", "heads", "since"),
    [
        ((), {}, date(2026, 11, 21)),
        ((pull(), pull(8, "demo-2026-10-22-pr-1/open_pull_request", "merged")), {}, date(2026, 10, 20)),
        # Of a branch nobody knows, or a key without a day, the whole log tells.
        ((pull(),), {"autonomy/x-00000001": "d" * 40}, None),
        ((pull(8, ""),), {}, None),
    ],
)
def test_the_log_is_read_from_where_the_oldest_of_them_began(
    pulls: tuple[PullRequest, ...], heads: dict[str, str], since: date | None
) -> None:
    """Two days more, as a day begins when it does where the target is."""
    assert since == booked_since(pulls, heads, date(2026, 11, 23))
