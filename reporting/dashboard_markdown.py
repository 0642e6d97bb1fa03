"""The dashboard ticket: how a target stands, as Markdown in which nothing foreign acts.

The same sight always makes the same text. Times are those of things that happened or will happen, never of the look:
a ticket is only written where it does not say what is true.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from contracts.admission import RunRecord
from contracts.budget import BudgetLine
from contracts.dashboard import DashboardSight
from contracts.incident import IncidentRecord
from contracts.pull_request import PullRequest
from contracts.verdict import Decision, Verdict
from policies.texts.inert_markdown import capped, code_span
from reporting.wording import DECISION_MARKS

LARGEST = 60_000
"""Bytes; forges cut or refuse at 64 KiB."""
_LISTED = 20
_DEEP = 4


def render_dashboard(sight: DashboardSight) -> tuple[str, str]:
    """Title and body."""
    status = sight.status
    title = f"Dashboard of {sight.target}: {status.status} in mode {status.mode}"
    ending = (
        f"Kept by edit: what somebody writes into this text is written over, and nothing here is read as an order. "
        f"`starter.py why {sight.target}` explains more, `starter.py dashboard {sight.target} --refresh` looks now."
    )
    return title, capped("\n".join(_body(sight)), LARGEST, ending)


def _body(sight: DashboardSight) -> Iterator[str]:
    yield from _rows(("", ""), _summary(sight))
    yield from _part("Why not?" if not sight.status.why.allowed else "Why", _tree(sight.status.why))
    yield from _part("Active and queued runs", map(_run, (*sight.status.active, *sight.status.queued)))
    if sight.waits:
        yield from _part("What they wait for", (f"{code_span(run)} {code_span(what)}" for run, what in sight.waits))
    yield from _part("Open pull requests", (_pull(pull, dict(sight.asked)) for pull in sight.pulls))
    yield from _part("Incidents", map(_incident, sight.status.incidents))
    yield from ("", "**Budget**", "")
    lines = sight.status.budget.lines if sight.status.budget else ()
    if lines:
        yield from _rows(("Period", "Measure", "Spent", "Reserved", "Cap"), map(_budget, lines))
    else:
        yield "- nothing was ever booked"


def _summary(sight: DashboardSight) -> Iterator[tuple[str, str]]:
    status = sight.status
    yield "Status", status.status.value
    yield "Mode", status.mode.value
    for pause in status.pauses:
        said = f"since {_clock(pause.at)} by {code_span(pause.actor)}: {code_span(pause.reason or 'no reason given')}"
        review = f", to be looked at again on {code_span(pause.review_on)}" if pause.review_on else ""
        yield f"Paused ({pause.scope})", said + review
    if status.review_due:
        yield "Review due", code_span(status.review_due)
    yield "Queue", f"{len(status.active)} active, {len(status.queued)} queued"
    yield "Pull requests", f"{len(sight.pulls)} open"
    yield "Incidents", f"{len(status.incidents)} open or not yet prevented"
    blocked = status.budget is not None and not status.budget.blocked.allowed
    yield "Budget", "no new run may start" if blocked else "new runs may start"
    yield "Last run", _last(sight)
    yield "Next run", _next(sight)


def _last(sight: DashboardSight) -> str:
    last = sight.last
    if last is None:
        return "none yet"
    task = f", task {code_span(last.task_id)}" if last.task_id else ""
    since = f", {_became(last.became)}" if last.became else ""
    return f"{code_span(last.run_id)} ended {last.status.value} at {_clock(last.ended_at)}{task}{since}"


def _became(report: str) -> str:
    """``MERGED by`` and a name, which may be any."""
    what, by, who = report.partition(" by ")
    return f"since then {what} by {code_span(who)}" if by else code_span(report)


def _next(sight: DashboardSight) -> str:
    schedule = sight.schedule
    if schedule is None:
        return f"no schedule: {code_span(f'starter.py schedule apply {sight.target} --at 06:00')} makes one"
    if schedule.paused:
        return f"the schedule is paused: {code_span(schedule.note or 'no note')}"
    return _clock(schedule.next_at) if schedule.next_at else "the schedule names no further time"


def _tree(verdict: Verdict, depth: int = 0) -> Iterator[str]:
    """The verdict and what it rests on; below a yes only what is none."""
    mark, indent = DECISION_MARKS[verdict.decision], "  " * depth
    yield f"{indent}- {mark} {code_span(verdict.rule)}: {code_span(verdict.reason)}"
    if depth < _DEEP:
        shown = [child for child in verdict.children if child.decision is not Decision.ALLOW or not verdict.allowed]
        for child in shown[:_LISTED]:
            yield from _tree(child, depth + 1)
        if len(shown) > _LISTED:
            yield f"{indent}  - and {len(shown) - _LISTED} more"


def _run(run: RunRecord) -> str:
    return f"{code_span(run.run_id)} {run.status.value}, {run.mode.value}, since {_clock(run.admitted_at)}"


def _pull(pull: PullRequest, request: dict[int, str]) -> str:
    said = f", {code_span(request[pull.number])}" if pull.number in request else ""
    return f"{pull.number}: {code_span(pull.title)} from {code_span(pull.branch)}, {code_span(pull.url)}{said}"


def _incident(incident: IncidentRecord) -> str:
    due = f", prevention {'overdue since' if incident.overdue else 'due on'} {code_span(incident.due_on)}"
    return (
        f"{code_span(incident.incident)} {incident.state.value} since {_clock(incident.opened_at)}, owner "
        f"{code_span(incident.owner or 'nobody yet')}{due if incident.due_on else ''}: {code_span(incident.reason)}"
    )


def _budget(line: BudgetLine) -> tuple[str, ...]:
    by_hand = " (set by hand)" if line.set_by_hand else ""
    numbers = (_amount(line.spent), _amount(line.reserved), _amount(line.cap) + by_hand)
    return (code_span(line.period), line.measure.value, *numbers)


def _part(title: str, items: Iterable[str]) -> Iterator[str]:
    yield from ("", f"**{title}**", "")
    known = list(items)
    yield from (item if item.lstrip().startswith("- ") else f"- {item}" for item in known[:_LISTED])
    if len(known) > _LISTED:
        yield f"- and {len(known) - _LISTED} more"
    if not known:
        yield "- none"


def _rows(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    yield from (f"| {' | '.join(row)} |" for row in rows)


def _clock(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _amount(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
