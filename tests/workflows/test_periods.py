"""Calendar periods of a target: its own midnight, whatever the clocks do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from contracts.budget import Period
from workflows.control.budget_book import end_of, is_zone, key_of, keys_of


def at(text: str) -> datetime:
    """A moment in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "zone", "keys"),
    [
        ("2026-03-28T22:59:59", "Europe/Oslo", ("day/2026-03-28", "week/2026-W13", "month/2026-03")),
        ("2026-03-28T23:00:00", "Europe/Oslo", ("day/2026-03-29", "week/2026-W13", "month/2026-03")),
        ("2026-03-29T22:00:00", "Europe/Oslo", ("day/2026-03-30", "week/2026-W14", "month/2026-03")),
        ("2026-12-31T23:30:00", "UTC", ("day/2026-12-31", "week/2026-W53", "month/2026-12")),
        ("2026-12-31T23:30:00", "Europe/Oslo", ("day/2027-01-01", "week/2026-W53", "month/2027-01")),
        ("2027-01-04T00:00:00", "UTC", ("day/2027-01-04", "week/2027-W01", "month/2027-01")),
        ("2024-12-30T12:00:00", "UTC", ("day/2024-12-30", "week/2025-W01", "month/2024-12")),
        ("2028-02-29T12:00:00", "UTC", ("day/2028-02-29", "week/2028-W09", "month/2028-02")),
        ("2026-06-01T09:59:59", "Pacific/Kiritimati", ("day/2026-06-01", "week/2026-W23", "month/2026-06")),
        ("2026-06-01T10:00:00", "Pacific/Kiritimati", ("day/2026-06-02", "week/2026-W23", "month/2026-06")),
    ],
)
def test_a_moment_belongs_to_the_targets_own_periods(now, zone, keys):
    """Issue 4, bad input: clock, period and DST edges; ISO week 53, leap day, the ends of months and years."""
    assert keys == keys_of(at(now), zone)


@pytest.mark.parametrize(
    ("now", "zone", "hours"),
    [
        ("2026-03-28T23:00:00", "Europe/Oslo", 23),
        ("2026-10-24T22:00:00", "Europe/Oslo", 25),
        ("2026-06-09T22:00:00", "Europe/Oslo", 24),
        # Clocks skip midnight itself: the day begins at one o'clock and has 23 hours.
        ("2018-11-04T03:00:00", "America/Sao_Paulo", 23),
        ("2026-04-04T13:30:00", "Australia/Lord_Howe", 24),
    ],
)
def test_a_day_has_as_many_hours_as_it_has_there(now, zone, hours):
    """The end of a day is the next midnight there: 23, 24 or 25 hours later."""
    begun = at(now)
    ends = end_of(Period.DAY, begun, zone)
    assert timedelta(hours=hours) >= ends - begun > timedelta(hours=hours - 1)
    assert key_of(Period.DAY, ends - timedelta(seconds=1), zone) == key_of(Period.DAY, begun, zone)
    assert key_of(Period.DAY, ends, zone) > key_of(Period.DAY, begun, zone)


@pytest.mark.parametrize("zone", ["UTC", "Europe/Oslo", "America/Sao_Paulo", "Africa/Cairo", "Pacific/Apia"])
@pytest.mark.parametrize("period", [Period.DAY, Period.WEEK, Period.MONTH])
def test_periods_follow_each_other_without_gap(zone, period):
    """Three years of periods: each ends where the next begins, with a key that sorts after it."""
    now, last = at("2025-12-01T00:00:00"), ""
    while now < at("2028-12-31T00:00:00"):
        key, ends = key_of(period, now, zone), end_of(period, now, zone)
        assert key > last
        assert now < ends
        assert key_of(period, ends - timedelta(seconds=1), zone) == key
        now, last = ends, key


def test_a_zone_nobody_knows_is_refused():
    """It would fail every workflow task of Control."""
    assert is_zone("Europe/Oslo")
    assert not any(map(is_zone, ("Europe/Olso", "", "../etc/passwd", "/etc/localtime", "\0")))
