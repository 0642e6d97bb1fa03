"""Telling a second installation on the same remote by its marks, once a day, beside the run's own look (P16)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

from temporalio import activity

from activities.control.lost_books import CLEARED, SETTLED, cleared
from activities.step_session import StepSession
from contracts.alert import Alert, AlertKind
from contracts.modes import WriteAction
from contracts.pull_request import PullRequest
from policies.counted import shortened
from policies.run.strangers import Booked, asked_of, booked_since, foreign_marks
from ports.store import AuditLog

_BEGUN = "write begun"
_LATELY = timedelta(days=1)
_SHOWN = 5


@dataclass(frozen=True)
class Seen:
    """What the audit logs say that this installation wrote to the remote."""

    booked: Booked
    writers: Mapping[str, frozenset[str]]
    """Branches by the run that was cleared to write to them, of the logs that were read."""


def tell_of_strangers(session: StepSession, pulls: tuple[PullRequest, ...], heads: dict[str, str]) -> Seen:
    """Raise an alert for what this installation did not book; ``heads`` were read before the logs are.

    Raises:
        AlertsUnavailable: the alert cannot be handed over; the step is tried again.
    """
    now, target = activity.info().started_time, session.run.target
    asked = asked_of(pulls, heads, now.date())
    day = booked_since(asked, heads, now.date())
    since = datetime.combine(day, time(), UTC) if day else None
    seen = look_up(session.bench.audit, target, asked, now - _LATELY, since)
    marks = foreign_marks(asked, heads, seen.booked, now.date())
    if not marks:
        return seen
    more = f" and {len(marks) - _SHOWN} more" if len(marks) > _SHOWN else ""
    session.note("strangers seen", marks=len(marks), first=marks[0])
    session.bench.alerts.send(
        Alert(
            kind=AlertKind.STRANGER,
            target=target,
            run_id=session.run.run_id,
            summary=shortened(
                "another installation (or an earlier home of this one) writes to the same remote. Not booked "
                f"here: {'; '.join(marks[:_SHOWN])}{more}. Neither keeps to the other's caps and memory of ideas: stop "
                "one of them, or close what it left behind",
                2000,
            ),
            facts={"marks": len(marks)},
            fingerprint=f"{AlertKind.STRANGER}/{target}",
        )
    )
    return seen


def look_up(
    audit: AuditLog, target: str, pulls: tuple[PullRequest, ...], lately: datetime, since: datetime | None
) -> Seen:
    """What the target's log (``since`` then) and its runs' logs say was ours, and who wrote to which branch."""
    writers: dict[str, set[str]] = {}
    keys, numbers, heads, branches = set[str](), dict[str, str](), set[str](), set[str]()
    for record in audit.records(f"target/{target}", since):
        key = str(record.facts.get("key", ""))
        if record.event == _BEGUN:
            keys.add(key)
            heads.add(str(record.facts.get("headSha")))
        elif (
            record.event == SETTLED and record.facts.get("result") and key.endswith(f"/{WriteAction.OPEN_PULL_REQUEST}")
        ):
            numbers[key] = str(record.facts["result"])
    named = {f"run/{pull.run_key.partition('/')[0]}" for pull in pulls if pull.run_key}
    # What began just now may not have reached the target's log: the run's own has it before anything is written.
    for log in {*audit.logs(among=named), *audit.logs(written_since=lately, begins="run/")}:
        for record in audit.records(log):
            if record.event == CLEARED:
                keys.add(record.key.partition("/cleared/")[0])
            if (write := cleared(record)) is not None:
                heads.add(write.clearance.head_sha)
                branches.add(write.clearance.branch)
                writers.setdefault(write.run_id, set()).add(write.clearance.branch)
    ours = Booked(frozenset(keys), numbers, frozenset(heads), frozenset(branches))
    return Seen(ours, {run: frozenset(found) for run, found in writers.items()})
