"""Days on which the clocks of a time zone skip a time of day, or show it twice: a daily start there needs another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

YEARS = 10
"""How far ahead is looked: zones change their rules, and applying a schedule again looks anew."""


@dataclass(frozen=True)
class OddDay:
    """A day that has the wanted time of day not at all, or twice."""

    day: date
    twice: bool
    instead: time
    """A time that the day has exactly once, as near as the change of the clocks allows."""


def odd_days(at: time, zone: ZoneInfo, first: date) -> Iterator[OddDay]:
    """Every such day of the years to come; one that is skipped as a whole is no day."""
    for number in range(YEARS * 366):
        day = first + timedelta(days=number)
        wanted = datetime.combine(day, at)
        times = _times(wanted, zone)
        if times == 1:
            continue
        change = _change(wanted, zone)
        near = [wanted + change, wanted - change]
        found = next((each for each in near if each.date() == day and _times(each, zone) == 1), None)
        if found is not None:
            yield OddDay(day, times == 2, found.time())  # noqa: PLR2004  # twice


def _times(local: datetime, zone: ZoneInfo) -> int:
    """How often the clocks show it: never, once or twice."""
    instants = {local.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)}
    return sum(instant.astimezone(zone).replace(tzinfo=None, fold=0) == local for instant in instants)


def _change(local: datetime, zone: ZoneInfo) -> timedelta:
    before, after = (local.replace(tzinfo=zone, fold=fold).utcoffset() or timedelta() for fold in (0, 1))
    return abs(after - before)
