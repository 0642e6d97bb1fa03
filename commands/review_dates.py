"""Whether somebody looked at a pause when they said they would: told by this machine's clock, now.

Not by Control's: a query sees the time of its last workflow task, which may be weeks old while nothing happens.
"""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from composition import Adapters
from contracts.control import PauseRecord, overdue
from contracts.verdict import Decision, Verdict
from ports.policy_source import PolicyError


def today_of(adapters: Adapters, target: str | None) -> date:
    """Today in the target's time zone; in UTC for the installation and for a target that cannot be read."""
    if target is not None:
        try:
            return datetime.now(ZoneInfo(adapters.policies.effective(target).target.time_zone)).date()
        except PolicyError:
            pass
    return datetime.now(UTC).date()


def review_words(pause: PauseRecord, today: date) -> str:
    """For example ``, review on 2026-12-01 OVERDUE``; empty without a date."""
    if pause.review_on is None:
        return ""
    return f", review on {pause.review_on}{' OVERDUE' if overdue(pause.review_on, today) else ''}"


def with_reviews(verdict: Verdict, today: date) -> Verdict:
    """The verdict, and below each pause whose review is overdue one that says so."""
    children = tuple(with_reviews(child, today) for child in verdict.children)
    review_on = verdict.facts.get("reviewOn")
    if isinstance(review_on, str) and overdue(review_on, today):
        late = Verdict(
            rule="the pause was looked at again in time",
            decision=Decision.HOLD,
            reason=f"its review was due on {review_on}: resume, or pause again with a new date",
            facts={"reviewOn": review_on, "today": today.isoformat()},
        )
        children = (*children, late)
    return verdict.model_copy(update={"children": children})
