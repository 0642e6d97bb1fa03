"""A daily start at a time that a day does not have, or has twice."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from commands.schedule import every_day, odd_days

ROWS = [
    ("Europe/Oslo", "02:30", "2027-03-28", "not at all", "03:30"),
    ("Europe/Oslo", "02:30", "2027-10-31", "twice", "03:30"),
    ("Europe/Oslo", "02:00", "2027-03-28", "not at all", "03:00"),
    ("Europe/Oslo", "01:59", "2027-03-28", "", ""),
    ("Europe/Oslo", "03:00", "2027-03-28", "", ""),
    ("America/New_York", "01:15", "2027-11-07", "twice", "02:15"),
    ("Australia/Lord_Howe", "02:15", "2027-10-03", "not at all", "02:45"),
    ("America/Havana", "00:30", "2027-03-14", "not at all", "01:30"),
    ("America/Havana", "00:30", "2027-11-07", "twice", "01:30"),
    ("UTC", "02:30", "2027-03-28", "", ""),
]


@pytest.mark.parametrize(("zone", "at", "day", "how", "instead"), ROWS)
def test_an_odd_day_gets_a_time_that_it_has_once(zone: str, at: str, day: str, how: str, instead: str) -> None:
    """By the zone's own rules, half-hour changes and changes at midnight included."""
    found = {each.day: each for each in odd_days(time.fromisoformat(at), ZoneInfo(zone), date(2027, 1, 1))}
    odd = found.get(date.fromisoformat(day))
    told = ("twice" if odd.twice else "not at all", f"{odd.instead:%H:%M}") if odd else ("", "")
    assert (how, instead) == told


@pytest.mark.parametrize("zone", ["Europe/Oslo", "America/Havana", "Australia/Lord_Howe", "Africa/Casablanca"])
def test_every_day_of_the_years_to_come_has_one_start(zone: str) -> None:
    """Counted on the clock itself, minute by minute around each odd day."""
    place = ZoneInfo(zone)
    for at in (time(0, 30), time(2, 30), time(23, 30)):
        for odd in odd_days(at, place, date(2026, 1, 1)):
            begin = datetime.combine(odd.day, time(), place).astimezone(UTC) - timedelta(hours=3)
            clock = [(begin + timedelta(minutes=n)).astimezone(place) for n in range(30 * 60)]
            shown = [each.time() for each in clock if each.date() == odd.day]
            assert (2 if odd.twice else 0) == shown.count(at)
            assert 1 == shown.count(odd.instead)


def test_the_schedule_names_the_odd_days() -> None:
    """A day that lacks the time has another besides; one that has it twice has another instead."""
    at = time(2, 30)
    odd = tuple(odd_days(at, ZoneInfo("Europe/Oslo"), date(2027, 1, 1)))
    spec = every_day(at, "Europe/Oslo", odd)
    shown = [(each.year, each.month, each.day_of_month, each.hour) for each in spec.calendars]
    starts = {(y[0].start, m[0].start, d[0].start): h[0].start for y, m, d, h in shown if y}
    assert (3, 3) == (starts[2027, 3, 28], starts[2027, 10, 31])
    skipped = [(each.year[0].start, each.month[0].start, each.day_of_month[0].start) for each in spec.skip]
    assert (2027, 10, 31) in skipped
    assert (2027, 3, 28) not in skipped
