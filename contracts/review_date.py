"""The day by which a person looks at a pause again (runbook §7)."""

from __future__ import annotations

from datetime import date


def read_review_date(given: object) -> str | None:
    """The ISO date, or None for what is none. Never raises: a bad date must not cost a pause (P1)."""
    if not isinstance(given, str):
        return None
    try:
        return date.fromisoformat(given.strip()[:32]).isoformat()
    except ValueError:
        return None


def overdue(review_on: str | None, today: date) -> bool:
    """Whether that day is over. The day itself still is in time."""
    known = read_review_date(review_on)
    return known is not None and date.fromisoformat(known) < today
