"""The dashboard ticket: how a target stands, as Markdown in which nothing foreign acts.

The same sight always makes the same text. Times are those of things that happened or will happen, never of the look:
a ticket is only written where it does not say what is true.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from contracts.admission import RunRecord
from contracts.budget import BudgetLine, Measure, Period
from contracts.dashboard import DashboardSight
from contracts.incident import IncidentRecord
from contracts.modes import TargetStatus
from contracts.pull_request import PullRequest
from contracts.verdict import Decision, Verdict
from policies.counted import counted, joined
from policies.texts.inert_markdown import capped, code_span, link
from reporting.wording import DECISION_MARKS

LARGEST = 60_000
"""Bytes; forges cut or refuse at 64 KiB."""
_LISTED = 20
_DEEP, _NAMED = 4, 3
_MEASURES = {
    Measure.USD: "USD",
    Measure.TOKENS: "tokens",
    Measure.AGENT_MINUTES: "agent minutes",
    Measure.RUNS: "runs",
}


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
    """One sentence first; then what is not zero; how the money went, folded away."""
    links, status = dict(sight.links), sight.status
    yield f"{_now(sight, links)}; {_waiting(sight, links)}."
    yield ""
    yield from _rows(("", ""), _summary(sight, links))
    why = list(_tree(status.why))
    if not status.why.allowed or len(why) > 1:
        yield from _part("Why not?" if not status.why.allowed else "Why", why)
    yield from _part("Active and queued runs", (_run(run, links) for run in (*status.active, *status.queued)))
    yield from _part("What they wait for", (f"{code_span(run)} {code_span(what)}" for run, what in sight.waits))
    yield from _part("Open pull requests", (_pull(pull, dict(sight.asked), links) for pull in sight.pulls))
    yield from _part("Incidents", (_incident(each, links) for each in status.incidents))
    used = [line for line in status.budget.lines if line.spent or line.reserved] if status.budget else []
    if used:
        yield from ("", "<details>", "<summary>Budget</summary>", "")
        yield from _rows(("Period", "Measure", "Spent", "Reserved", "Cap"), map(_budget, used))
        yield from ("", "</details>")


def _now(sight: DashboardSight, links: dict[str, str]) -> str:
    """What it does, as one would say it."""
    status, name = sight.status, code_span(sight.target)
    if not status.registered:
        return f"{name} is starting: nothing runs before the Installation knows it"
    if status.status is TargetStatus.PAUSED:
        pause = status.pauses[0] if status.pauses else None
        if pause is None:
            return f"{name} is paused"
        return f"{name} is paused since {_clock(pause.at)}: {code_span(pause.reason or 'no reason given')}"
    if status.status is TargetStatus.RESUMING:
        return f"{name} is being resumed: it works again once its dry run is green"
    if status.active:
        more = f" and {counted(len(status.active) - 1, 'more run')}" if len(status.active) > 1 else ""
        newest = max(status.active, key=lambda run: run.admitted_at)
        return f"{name} works on {_linked(newest.run_id, links)}{more} since {_clock(newest.admitted_at)}"
    if status.budget is not None and not status.budget.blocked.allowed:
        return f"{name} starts nothing new: {code_span(status.budget.blocked.reason)}"
    schedule = sight.schedule
    if schedule is None or schedule.paused or not schedule.next_at:
        return f"{name} is idle, and nothing starts its next run by itself"
    return f"{name} is idle until its next run at {_clock(schedule.next_at)}"


def _waiting(sight: DashboardSight, links: dict[str, str]) -> str:
    """What a person has to do, most urgent first."""
    status = sight.status
    todo = [f"{counted(len(status.incidents), 'incident')} to work through"] if status.incidents else []
    if status.status is TargetStatus.PAUSED and status.registered:
        resume = f"starter.py resume {sight.target} --cause … --evidence …"
        todo.append(f"the resume ({code_span(resume)})")
    if sight.waits:
        todo.append(f"{counted(len(sight.waits), 'run')} that {'waits' if len(sight.waits) == 1 else 'wait'}")
    if sight.pulls:
        few = [_linked(f"#{pull.number}", links) for pull in sight.pulls[:_NAMED]]
        which = f" ({', '.join(few)}{' …' if len(sight.pulls) > _NAMED else ''})"
        todo.append(f"{counted(len(sight.pulls), 'pull request')} to review{which}")
    if not todo:
        return "nothing waits for you"
    return f"waiting for you: {joined(todo)}"


def _linked(name: str, links: dict[str, str]) -> str:
    return link(name, links[name]) if name in links else code_span(name)


def _summary(sight: DashboardSight, links: dict[str, str]) -> Iterator[tuple[str, str]]:
    status = sight.status
    yield "Status", status.status.value
    yield "Mode", status.mode.value
    for pause in status.pauses:
        text = f"since {_clock(pause.at)} by {code_span(pause.actor)}: {code_span(pause.reason or 'no reason given')}"
        review = f", to be looked at again on {code_span(pause.review_on)}" if pause.review_on else ""
        yield f"Paused ({pause.scope})", text + review
    if status.review_due:
        yield "Review due", code_span(status.review_due)
    if status.active or status.queued:
        yield "Queue", f"{len(status.active)} active, {len(status.queued)} queued"
    if sight.pulls:
        yield "Pull requests", f"{len(sight.pulls)} open"
    if status.incidents:
        yield "Incidents", f"{len(status.incidents)} open or not yet prevented"
    if status.budget is not None and not status.budget.blocked.allowed:
        yield "Budget", "no new run may start"
    if left := ", ".join(_left(sight)):
        yield "Budget left today", left
    yield "Last run", _last(sight, links)
    yield "Next run", _next(sight)


def _left(sight: DashboardSight) -> Iterator[str]:
    """Of the day's money, and of its other caps that something was taken of.

    A day that began since the books were written is whole.
    """
    days: dict[Measure, BudgetLine] = {}
    for line in sorted(sight.status.budget.lines if sight.status.budget else (), key=lambda each: each.period):
        if line.period.startswith(f"{Period.DAY}/"):
            days[line.measure] = line
    for line in days.values():
        used = line.spent + line.reserved if line.period == f"{Period.DAY}/{sight.today}" else 0
        if line.cap and (used or line.measure is Measure.USD):
            yield f"{_amount(max(0, line.cap - used))} of {_amount(line.cap)} {_MEASURES[line.measure]}"


def _last(sight: DashboardSight, links: dict[str, str]) -> str:
    last = sight.last
    if last is None:
        return "none yet"
    task = f", task {code_span(last.task_id)}" if last.task_id else ""
    since = f", {_became(last.became)}" if last.became else ""
    return f"{_linked(last.run_id, links)} ended {last.status.value} at {_clock(last.ended_at)}{task}{since}"


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


def _run(run: RunRecord, links: dict[str, str]) -> str:
    return f"{_linked(run.run_id, links)} {run.status.value}, {run.mode.value}, since {_clock(run.admitted_at)}"


def _pull(pull: PullRequest, requests: dict[int, str], links: dict[str, str]) -> str:
    text = f", {code_span(requests[pull.number])}" if pull.number in requests else ""
    return f"{_linked(f'#{pull.number}', links)} {code_span(pull.title)} from {code_span(pull.branch)}{text}"


def _incident(incident: IncidentRecord, links: dict[str, str]) -> str:
    due = f", prevention {'overdue since' if incident.overdue else 'due on'} {code_span(incident.due_on)}"
    return (
        f"{_linked(incident.incident, links)} {incident.state.value} since {_clock(incident.opened_at)}, owner "
        f"{code_span(incident.owner or 'nobody yet')}{due if incident.due_on else ''}: {code_span(incident.reason)}"
    )


def _budget(line: BudgetLine) -> tuple[str, ...]:
    by_hand = " (set by hand)" if line.set_by_hand else ""
    numbers = (_amount(line.spent), _amount(line.reserved), _amount(line.cap) + by_hand)
    return (code_span(line.period), line.measure.value, *numbers)


def _part(title: str, items: Iterable[str]) -> Iterator[str]:
    """Nothing, where there is nothing to say."""
    known = list(items)
    if known:
        yield from ("", f"**{title}**", "")
    yield from (item if item.lstrip().startswith("- ") else f"- {item}" for item in known[:_LISTED])
    if len(known) > _LISTED:
        yield f"- and {len(known) - _LISTED} more"


def _rows(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    yield from (f"| {' | '.join(row)} |" for row in rows)


def _clock(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _amount(value: float) -> str:
    return f"{value:,.2f}".rstrip("0").rstrip(".")
