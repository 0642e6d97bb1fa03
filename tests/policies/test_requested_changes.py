"""Requested changes: who waits for what, until when, and what is said (issue 10: people are answered)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from policies.after.open_pulls import acknowledgement, asking, closed_unanswered, over, waits_for
from tests.policies.test_landing import AT, act

ANN, BOB = act("ann", "changes_requested"), act("bob", "changes_requested", hours=48)


@pytest.mark.parametrize(
    ("acts", "said"),
    [
        ((ANN,), "waiting for ann: requested changes"),
        ((ANN, BOB), "waiting for ann, bob: requested changes"),
        ((ANN, act("ann", "approved", hours=1)), ""),
        ((act("ann", "approved"), act("ann", "changes_requested", hours=1)), "waiting for ann: requested changes"),
        ((ANN, act("bob", "approved", hours=1)), "waiting for ann: requested changes"),
        ((act("BOT", "changes_requested"),), ""),
        ((act("ann", "closed"), act("ann", "reopened")), ""),
        ((), ""),
    ],
)
def test_who_waits(acts: tuple, said: str) -> None:
    """A no holds until the same person approves; our own account's is nobody's."""
    assert said == waits_for(asking(acts, "bot"))


def test_it_is_over_after_its_time_from_the_latest_request() -> None:
    """Whoever asked last gets the whole time; nobody's request is never over."""
    end = BOB.at + timedelta(days=14)
    assert [False, True] == [over((ANN, BOB), 14, now) for now in (end - timedelta(seconds=1), end)]
    assert not over((), 14, end)


def test_what_is_said_names_who_and_when_and_acts_on_nothing() -> None:
    """The day on which it ends; a login is data."""
    said = acknowledgement((ANN, act("@all `x`", "changes_requested")), 14)
    assert "`ann`" in said
    assert f"{AT + timedelta(days=14):%Y-%m-%d} (14 days after the request)" in said
    assert "@all" not in "".join(said.split("`")[::2])
    closing = closed_unanswered((ANN,), 1)
    assert closing.startswith("\n**Closed by us: changes were requested, and nothing more for 1 day**\n")
    assert "nobody refused the idea" in closing
