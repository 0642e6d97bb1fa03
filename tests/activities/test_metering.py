"""A backend's word on money is believed only as far as it makes sense (P9)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from activities.control.lost_books import booked_before
from activities.governance.gathering import Target
from activities.run.spending import CostMeter
from contracts.audit import AuditRecord
from contracts.budget import Amounts
from contracts.modes import Role
from ports.agents import Meter

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("usd", "tokens"),
    [
        (float("nan"), 1),
        (float("inf"), 1),
        (-0.01, 1),
        (1e12, 1),
        (1.0, -1),
        (1.0, 10**18),
        ("5", 1),
        (True, 1),
        (None, 1),
        (1.0, 1.5),
        (1.0, None),
    ],
)
def test_nonsense_leaves_the_cost_unknown(usd: Any, tokens: Any) -> None:
    """Issue 4, bad input: NaN, negative and huge costs are neither zero nor a crash, whatever was said before."""
    meter = Meter()
    meter.spent(usd=1.0, tokens=5)
    assert "" == meter.unknown
    meter.spent(usd=usd, tokens=tokens)
    assert "the backend reported" in meter.unknown


def test_silence_is_not_zero() -> None:
    """Free must be said; what is said adds up."""
    silent, free, paid = Meter(), Meter(), Meter()
    free.free()
    paid.spent(usd=1, tokens=2)
    paid.spent(usd=0.5, tokens=3)
    assert "did not say" in silent.unknown
    assert ("", "") == (free.unknown, paid.unknown)
    assert (1.5, 5) == (paid.usd, paid.tokens)


def test_a_question_that_fails_counts_too() -> None:
    """Whoever raises may have spent; one silent question makes the step's cost unknown."""
    tally = CostMeter()

    def fails() -> None:
        with tally.question() as meter:
            meter.spent(usd=2, tokens=1)
            raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        fails()
    assert ([], 2) == (tally.unknown, tally.usd)
    with tally.question():
        pass
    assert 1 == len(tally.unknown)
    assert tally.seconds >= 0


def record(event: str, at: datetime = NOW, **facts: Any) -> AuditRecord:
    """One line of a target's log."""
    facts = {"key": "r/code", "attempt": "a", "periods": "day/2026-03-02 month/2026-03", **facts}
    cost = {"usd": 2.0, "tokens": 10, "agentMinutes": 1.5, "since": NOW.isoformat()}
    return AuditRecord(
        key=event,
        role=Role.ORCHESTRATOR,
        event=event,
        facts=cost | facts,
        seq=1,
        log="target/demo",
        at=at,
        previous="",
        hash="",
    )


def test_the_log_says_what_was_booked() -> None:
    """A Control that lost its books gets the sums by period, and what was never settled."""
    booked = booked_before(
        [
            record("run admitted"),
            record("run queued"),
            record("cost reserved"),
            record("cost booked"),
            record("cost booked", periods="month/2026-03", usd=1.0),
            record("cost booked", NOW - timedelta(days=50)),
            record("cost reserved", key="r/review"),
            # By an attempt before this one: booked again, since a reset had it said again.
            record("cost booked", key="r/review", attempt="a0", usd=0, tokens=0, agentMinutes=0),
            record("cost unknown", key="r/plan", note="NaN"),
            record("paused", periods=""),
        ],
        NOW,
    )
    assert {
        "day/2026-03-02": Amounts(usd=2, tokens=10, agent_minutes=1.5, runs=2),
        "month/2026-03": Amounts(usd=3, tokens=20, agent_minutes=3, runs=2),
    } == {each.period: each.amounts for each in booked.periods}
    assert [("r/review", False), ("r/plan", True)] == [(each.key, each.unknown) for each in booked.reservations]


def test_an_exchange_costs_its_step() -> None:
    """Paid each by itself, shown together; one whose cost nobody knows stays so, whatever else is booked."""
    target = Target("demo")
    for key, usd in (("r/code", 0.0), ("r/code-1", 0.5), ("r/code-12", 0.25), ("r/merge_check", 0.0)):
        target.hear(record("cost booked", key=key, usd=usd))
    target.hear(record("cost unknown", key="r/code-2"))
    target.hear(record("cost booked", key="r/code", usd=0.0))
    told = target.runs["r"].facts()
    assert ({"code": 0.75}, True) == (told["usd_by_step"], told["unknown_cost"])
    target.hear(record("cost booked", key="r/code-2", usd=0.125))
    told = target.runs["r"].facts()
    assert ({"code": 0.875}, False) == (told["usd_by_step"], told["unknown_cost"])
