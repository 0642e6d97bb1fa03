"""What becomes of an alert (runbook §9): tables over the pure rules of the Alerts workflow."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from contracts.alert import (
    Alert,
    AlertFate,
    AlertKind,
    AlertSettings,
    Delivered,
    LiftRequest,
    Receipt,
    Silence,
    SilenceRequest,
)
from workflows.installation import alert_rules
from workflows.installation.alert_rules import KEPT_DONE, KEPT_WAITING, AlertsState

NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)
VIOLATION = AlertKind.POLICY_VIOLATION


def state(**settings: Any) -> AlertsState:
    return AlertsState(settings=AlertSettings(**settings))


def alert(kind: AlertKind | str = AlertKind.RUN_FAILED, run: str = "demo-1", **more: Any) -> Alert:
    fields = {"kind": kind, "target": "demo", "run_id": run, "summary": "x", "fingerprint": f"{kind}/{run}"}
    return Alert(**(fields | more))


def at(minutes: float) -> datetime:
    return NOW + timedelta(minutes=minutes)


def receipt(channel: str, *, delivered: bool, detail: str = "") -> Receipt:
    return Receipt(channel=channel, delivered=delivered, at=NOW, detail=detail)


def go_out(books: AlertsState, alert_id: str, now: datetime = NOW) -> None:
    took = (receipt("file", delivered=True),)
    alert_rules.delivered(books, Delivered(id=alert_id, receipts=took, complete=True), now)


@pytest.mark.parametrize(
    ("kind", "minutes", "fate"),
    [
        (AlertKind.RUN_FAILED, 59, AlertFate.DUPLICATE),
        (AlertKind.RUN_FAILED, 61, AlertFate.QUEUED),
        (VIOLATION, 59, AlertFate.DUPLICATE),
        (AlertKind.RUN_STUCK, 61, AlertFate.DUPLICATE),
        (AlertKind.RUN_STUCK, 24 * 60 + 1, AlertFate.QUEUED),
        (AlertKind.RUN_MISSED_DEADLINE, 14 * 60, AlertFate.DUPLICATE),
    ],
)
def test_the_same_fingerprint_within_the_window_is_counted(kind: AlertKind, minutes: float, fate: AlertFate) -> None:
    """Issue, item 5: fingerprint and dedup window; what lasts has a longer one."""
    books = state()
    first = alert_rules.take(books, alert(kind), NOW)
    go_out(books, first.id)
    second = alert_rules.take(books, alert(kind), at(minutes))

    assert (AlertFate.QUEUED, fate) == (first.fate, second.fate)
    assert (2 if fate is AlertFate.DUPLICATE else 1) == books.records[first.id].times


def test_what_is_still_on_its_way_is_the_same_alert_however_old() -> None:
    """A channel that is down for a day collects one alert, not twenty-four."""
    books = state()
    first = alert_rules.take(books, alert(), NOW)

    assert AlertFate.DUPLICATE is alert_rules.take(books, alert(), at(600)).fate
    assert 2 == books.records[first.id].times


V = ("demo", "demo-1")
INHIBITED = [
    # violation's target and run, then the alert's kind, target and run, then whether it is explained
    (V, AlertKind.RUN_FAILED, "demo", "demo-1", True),
    (V, AlertKind.REQUIRED_CHECK_FAILED, "demo", "demo-1", True),
    (V, AlertKind.RUN_STUCK, "demo", "demo-1", True),
    (V, AlertKind.RUN_MISSED_DEADLINE, "demo", "", True),
    (V, AlertKind.RUN_FAILED, "demo", "demo-2", False),
    (V, AlertKind.RUN_MISSED_DEADLINE, "other", "", False),
    (V, AlertKind.BUDGET_THRESHOLD, "demo", "demo-1", False),
    (V, AlertKind.SOURCE_QUALITY, "demo", "demo-1", False),
    (V, AlertKind.PROTECTED_PATH_TOUCHED, "demo", "demo-1", False),
    (V, VIOLATION, "demo", "demo-1b", False),
    (V, AlertKind.DELIVERY_FAILED, "", "", False),
    (V, AlertKind.PREVENTION_OVERDUE, "demo", "demo-1", False),
    (("", ""), AlertKind.RUN_MISSED_DEADLINE, "other", "", True),
    (("", ""), AlertKind.RUN_FAILED, "demo", "demo-2", True),
    (("", ""), AlertKind.PROTECTED_PATH_TOUCHED, "demo", "demo-2", False),
]


@pytest.mark.parametrize(("cause", "kind", "target", "run", "explained"), INHIBITED)
def test_a_policy_violation_inhibits_its_consequences(
    cause: tuple[str, str], kind: AlertKind, target: str, run: str, explained: bool
) -> None:
    """Issue, item 5; policy violations and touched protected paths are never inhibited."""
    books = state()
    alert_rules.take(books, alert(VIOLATION, cause[1], target=cause[0]), NOW)
    answer = alert_rules.take(books, alert(kind, run, target=target), at(1))

    assert (AlertFate.INHIBITED if explained else AlertFate.QUEUED) is answer.fate
    assert explained == (answer.id not in {record.id for record in books.waiting()})


def test_an_old_violation_explains_nothing_any_more() -> None:
    """Inhibition is for what is fresh: later the same alert goes out, though an inhibited one is remembered."""
    books = state(inhibit_hours=1)
    alert_rules.take(books, alert(VIOLATION), NOW)
    fates = [alert_rules.take(books, alert(), at(minutes)).fate for minutes in (1, 2, 61)]

    assert [AlertFate.INHIBITED, AlertFate.DUPLICATE, AlertFate.QUEUED] == fates


def request(kind: AlertKind, hours: float = 2, **more: Any) -> SilenceRequest:
    fields = {"kind": kind, "owner": "ann", "reason": "a known outage", "expires_at": at(60 * hours)}
    return SilenceRequest(**(fields | more))


# Named here, not taken from the code: the promise must not shrink with the constant.
@pytest.mark.parametrize("kind", [AlertKind.POLICY_VIOLATION, AlertKind.PROTECTED_PATH_TOUCHED])
@pytest.mark.parametrize("target", ["", "demo"])
def test_9_what_can_never_be_silenced_is_refused_with_the_reason(kind: AlertKind, target: str) -> None:
    """Issue, bad input: "silencing what cannot be silenced". Even a silence in the books would not hold it back."""
    books = state()
    answer = alert_rules.silence(books, request(kind, target=target), NOW)
    assert not answer.accepted
    assert "can never be silenced" in answer.verdict.reason
    assert {} == books.silences

    books.silences["S1"] = Silence(id="S1", **request(kind, target=target).model_dump())
    assert AlertFate.QUEUED is alert_rules.take(books, alert(kind), NOW).fate


REFUSED_SILENCES: dict[str, tuple[AlertsState, SilenceRequest, str]] = {
    "past": (state(), request(AlertKind.RUN_FAILED, -1), "past"),
    "too long": (state(longest_silence_hours=1), request(AlertKind.RUN_FAILED, 1.1), "at most 1 hour"),
    "no name": (state(), request(AlertKind.RUN_FAILED, target="t" * 101), "no target's name"),
    "policy unread": (AlertsState(), request(AlertKind.RUN_FAILED), "not been read yet"),
    "policy broken": (state(problem="alerts.toml:3: unknown key"), request(AlertKind.RUN_FAILED), "alerts.toml:3"),
}


@pytest.mark.parametrize("name", REFUSED_SILENCES)
def test_a_silence_that_may_not_be_is_refused_with_the_reason(name: str) -> None:
    """Owner, reason and an expiry no further than policy allows (issue, item 5)."""
    books, asked, why = REFUSED_SILENCES[name]
    answer = alert_rules.silence(books, asked, NOW)
    assert (False, True) == (answer.accepted, why in answer.verdict.reason), answer.verdict.reason


def test_silences_are_bounded() -> None:
    """Books that grow without end could not be handed on."""
    books = state()
    answers = [alert_rules.silence(books, request(AlertKind.RUN_FAILED, target=f"t{n}"), NOW) for n in range(31)]
    assert [True] * 30 + [False] == [answer.accepted for answer in answers]


@pytest.mark.parametrize(
    ("kind", "target", "minutes", "fate"),
    [
        (AlertKind.RUN_FAILED, "demo", 1, AlertFate.SILENCED),
        (AlertKind.RUN_FAILED, "demo", 121, AlertFate.QUEUED),
        (AlertKind.RUN_FAILED, "other", 1, AlertFate.QUEUED),
        (AlertKind.RUN_STUCK, "demo", 1, AlertFate.QUEUED),
    ],
)
def test_a_silence_covers_its_kind_and_target_until_it_expires(
    kind: AlertKind, target: str, minutes: float, fate: AlertFate
) -> None:
    """And the record says whose silence it was."""
    books = state()
    assert alert_rules.silence(books, request(AlertKind.RUN_FAILED, target="demo"), NOW).accepted
    answer = alert_rules.take(books, alert(kind, target=target), at(minutes))
    assert fate is answer.fate
    assert (fate is AlertFate.SILENCED) == ("ann" in books.records[answer.id].reason)


def test_a_lifted_silence_is_over() -> None:
    """The next alert goes out, though the same one was silenced a minute ago."""
    books = state()
    made = alert_rules.silence(books, request(AlertKind.RUN_FAILED), NOW)
    silenced = alert_rules.take(books, alert(), NOW)
    lifted = alert_rules.lift(books, LiftRequest(id=str(made.verdict.facts["id"]), actor="bob"), NOW)
    again = alert_rules.lift(books, LiftRequest(id="S1", actor="bob"), NOW)

    assert (True, False) == (lifted.accepted, again.accepted)
    assert (AlertFate.SILENCED, AlertFate.QUEUED) == (silenced.fate, alert_rules.take(books, alert(), at(1)).fate)


def fail(books: AlertsState, alert_id: str, now: datetime, channel: str = "slack") -> None:
    said = (receipt("file", delivered=True), receipt(channel, delivered=False, detail="down"))
    alert_rules.delivered(books, Delivered(id=alert_id, receipts=said, complete=False), now)


def test_a_channel_that_fails_is_told_of_once_and_never_because_of_itself() -> None:
    """Retried with growing pauses, without end; after N attempts ``delivery_failed``, which does not loop."""
    books = state(failed_after=3, retry_seconds=10, retry_most_minutes=1)
    first = alert_rules.take(books, alert(), NOW).id
    pauses = []
    for _ in range(6):
        fail(books, first, NOW)
        pauses.append((books.records[first].next_try_at or NOW) - NOW)
    told = [record for record in books.records.values() if record.alert.kind is AlertKind.DELIVERY_FAILED]
    for _ in range(9):
        fail(books, told[0].id, NOW, "mail")

    assert [10, 20, 40, 60, 60, 60] == [pause.total_seconds() for pause in pauses]
    assert (AlertFate.FAILED, "slack: down") == (books.records[first].fate, books.records[first].reason)
    assert [("slack", 4)] == [(record.alert.facts["channel"], record.times) for record in told]
    assert 2 == len(books.records)
    go_out(books, first)
    assert (AlertFate.DELIVERED, None) == (books.records[first].fate, books.records[first].next_try_at)


def test_nothing_undelivered_is_forgotten() -> None:
    """Full of alerts nobody has heard, the books take no more: whoever raises keeps it and asks again."""
    books = state()
    taken = [alert_rules.take(books, alert(run=f"r{n}"), NOW).taken for n in range(KEPT_WAITING + 1)]
    assert [True] * KEPT_WAITING + [False] == taken
    fail(books, "A7", NOW)
    later = alert_rules.take(books, alert(run="later"), NOW)

    assert later.taken
    assert "given up" in books.records["A7"].reason
    assert KEPT_WAITING == len(books.waiting())


def test_the_books_stay_small_enough_to_be_handed_on() -> None:
    """Continue-as-new carries at most 2 MiB; alerts are cut, not refused."""
    books = state()
    large = {f"fact {n}": "é" * 3000 for n in range(50)}
    for number in range(KEPT_DONE + KEPT_WAITING + 40):
        answer = alert_rules.take(books, alert(run=f"r{number}", summary="é" * 2000, facts=large), NOW)
        if number < KEPT_DONE + 40:
            go_out(books, answer.id)
        for channel in range(10):
            if not number % 2:
                fail(books, answer.id, NOW, f"channel-{channel}")

    assert len(books.model_dump_json()) < 1_900_000
    assert len(books.view().model_dump_json()) < 1_900_000
