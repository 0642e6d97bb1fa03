"""§7: a pause has a day by which somebody looks at it again, and a command says when that day is over."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from shell import shell_of
from world import World

from commands.status import review_words
from commands.why import with_reviews
from contracts.control import PauseRecord, overdue
from contracts.modes import PauseStyle
from contracts.verdict import Decision
from tests.workflows.books import Books
from workflows import api

TODAY = date(2026, 12, 1)


@pytest.mark.parametrize(
    ("review_on", "late"),
    [
        (None, False),
        ("2026-11-30", True),
        ("2026-12-01", False),
        ("2026-12-02", False),
        ("2025-12-31", True),
        ("0001-01-01", True),
        ("9999-12-31", False),
        ("whenever", False),
        ("", False),
    ],
)
def test_overdue_is_after_the_day(review_on: str | None, late: bool) -> None:
    """The day itself is in time; what is no date is never overdue."""
    assert late is overdue(review_on, TODAY)
    record = PauseRecord(
        scope="target",
        style=PauseStyle.DRAIN,
        reason="r",
        actor="ann",
        at=datetime.now(UTC),
        epoch=1,
        review_on=review_on,
    )
    assert late is ("OVERDUE" in review_words(record, lambda: TODAY))
    books = Books().opened()
    books.pause()
    books.state.pauses = [record]
    told = with_reviews(books.state.why(), TODAY)
    assert [Decision.HOLD] * late == [each.decision for each in told.children[0].children]


async def test_an_overdue_review_shows_in_status_and_why(installation: World) -> None:
    """By this machine's clock; a day that is none is refused at the sender and nothing is paused."""
    shell = shell_of(installation)
    async with installation.worker():
        await shell.typed("run", "demo", "--mode", "DRY_RUN")
        wrong = await shell.typed("pause", "demo", "--reason", "odd", "--review-on", "next week")
        status = await shell.typed("status", "demo")
        past = (datetime.now(UTC).date() - timedelta(days=2)).isoformat()
        paused = await shell.typed("pause", "demo", "--reason", "odd", "--review-on", past, "--wait")
        late, why = await shell.typed("status", "demo"), await shell.typed("why", "demo")
        applied = await shell.typed("schedule", "apply", "demo", "--at", "06:00")
        handle = installation.client.get_schedule_handle(api.schedule_id("demo"))
        held = (await handle.describe()).schedule.state
        resumed = await shell.typed("resume", "demo", "--cause", "it was odd", "--evidence", "seen", "--wait")

        async def goes_on() -> bool:
            return not (await handle.describe()).schedule.state.paused

        await installation.until(goes_on)

    assert (2, True) == (wrong.status, "write it as YYYY-MM-DD" in wrong.err)
    assert "PAUSED" not in status.out
    assert 0 == paused.status, paused.err
    assert f"review on {past} OVERDUE" in late.out
    assert f"its review was due on {past}" in why.out
    # `schedule apply` while the target is paused makes a paused Schedule; the resume lets it go on.
    assert (0, True) == (applied.status, "it is paused with the target" in applied.out)
    assert held.paused
    assert (held.note or "").startswith(api.SCHEDULE_MARK)
    assert 0 == resumed.status, resumed.err
