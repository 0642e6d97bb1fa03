"""Calendar periods in a target's time zone: their keys, and when they end."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from contracts.budget import Period

CALENDAR = (Period.DAY, Period.WEEK, Period.MONTH)


def key_of(period: Period, now: datetime, zone: str) -> str:
    """For example ``day/2026-11-23``, ``week/2026-W48`` (ISO), ``month/2026-11``; of one kind, later sorts later."""
    day = now.astimezone(ZoneInfo(zone)).date()
    if period is Period.DAY:
        return f"day/{day.isoformat()}"
    if period is Period.WEEK:
        year, week, _ = day.isocalendar()
        return f"week/{year}-W{week:02}"
    return f"month/{day:%Y-%m}"


def keys_of(now: datetime, zone: str) -> tuple[str, ...]:
    """Day, week and month."""
    return tuple(key_of(period, now, zone) for period in CALENDAR)


def end_of(period: Period, now: datetime, zone: str) -> datetime:
    """The first moment of the next period (UTC): midnight there, whatever the clocks did that day."""
    day = now.astimezone(ZoneInfo(zone)).date()
    if period is Period.DAY:
        after = day + timedelta(days=1)
    elif period is Period.WEEK:
        after = day + timedelta(days=7 - day.weekday())
    else:
        after = date(day.year + day.month // 12, day.month % 12 + 1, 1)
    # Where clocks skip midnight, this is the moment they do.
    return datetime.combine(after, time(), ZoneInfo(zone)).astimezone(UTC)


def kind_of(key: str) -> Period:
    """The kind of a period's key."""
    return Period(key.partition("/")[0])


def is_zone(name: str) -> bool:
    """Whether a time zone is known."""
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True
