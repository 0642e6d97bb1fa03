"""Who may change what in a post-incident report, as it was when ``Incident`` still judged inline (P15).

Frozen: what is in the histories of open incidents from that time was decided by exactly this. Today's rules are
``policies.incident_report``, asked by the activity ``judge_statement``. Gone once no incident from before is open.
"""

from __future__ import annotations

from datetime import date, timedelta

from contracts.incident import HUMAN, PARTS, CloseRequest, HumanFacts, IncidentState, PostIncidentReport
from contracts.incident_work import StatementInput, StatementJudged
from contracts.verdict import Decision, Verdict

LATEST = timedelta(days=3660)


def judged(given: StatementInput) -> StatementJudged:
    """As the activity answers it, in the words of that day."""
    report = given.report
    if given.facts is not None:
        return _edited(report, given.facts)
    assert given.asked is not None  # noqa: S101  # one of the two is there
    return _closed(report, given.asked, given) if given.closing else _prevented(report, given.asked, given)


def _edited(report: PostIncidentReport, facts: HumanFacts) -> StatementJudged:
    said = {name: value.strip() for name in HUMAN if (value := getattr(facts, name)) is not None}
    rule = "the report may be edited"
    if not said:
        return _no(report, rule, "nothing is said: name at least one part")
    if blank := [name for name, value in said.items() if not value]:
        return _no(report, rule, f"{', '.join(blank)}: blank is not an answer")
    if "due_on" in said and (problem := _not_due(said["due_on"], report)):
        return _no(report, rule, f"{said['due_on']} {problem}")
    if report.prevention_done_by:
        return _no(report, rule, f"closed, and its prevention done by {report.prevention_done_by}")
    if report.state is IncidentState.CLOSED and (late := sorted(set(said) - {"prevention"})):
        return _no(report, rule, f"closed by {report.closed_by}: {', '.join(late)} cannot be changed any more")
    changed = report.raised(**said, edited_by=tuple(dict.fromkeys((*report.edited_by, facts.actor))))
    left = changed.empty_parts
    return _yes(changed, rule, f"taken over; still missing: {', '.join(left)}" if left else "taken over; complete")


def _closed(report: PostIncidentReport, asked: CloseRequest, given: StatementInput) -> StatementJudged:
    rule = "the incident may be closed"
    if not asked.reason.strip():
        return _no(report, rule, "the reason is blank")
    if report.state is IncidentState.CLOSED:
        return _yes(report, rule, f"was closed already, by {report.closed_by}")
    if left := report.empty_parts:
        return _no(report, rule, f"missing: {', '.join(left)}")
    changed = report.raised(
        state=IncidentState.CLOSED, closed_by=asked.actor, closed_at=given.now, closed_because=asked.reason
    )
    return _yes(changed, rule, f"all {len(PARTS)} conditions hold")


def _prevented(report: PostIncidentReport, asked: CloseRequest, given: StatementInput) -> StatementJudged:
    rule = "the prevention is done"
    if not asked.reason.strip():
        return _no(report, rule, "the reason is blank")
    if report.prevention_done_by:
        return _yes(report, rule, f"was said already, by {report.prevention_done_by}")
    if report.state is not IncidentState.CLOSED:
        return _no(report, rule, "the incident is still open: close it first")
    changed = report.raised(
        prevention_done_by=asked.actor, prevention_done_at=given.now, prevention_evidence=asked.reason
    )
    return _yes(changed, rule, "recorded")


def _not_due(text: str, report: PostIncidentReport) -> str:
    try:
        due = date.fromisoformat(text)
    except ValueError:
        return "is no date of the calendar"
    if due < report.opened_at.date() - timedelta(days=1):
        return f"is before the incident, which was opened on {report.opened_at.date()}"
    return f"is more than {LATEST.days} days after the incident" if due > report.opened_at.date() + LATEST else ""


def _yes(report: PostIncidentReport, rule: str, reason: str) -> StatementJudged:
    return StatementJudged(report=report, verdict=Verdict(decision=Decision.ALLOW, rule=rule, reason=reason))


def _no(report: PostIncidentReport, rule: str, reason: str) -> StatementJudged:
    return StatementJudged(report=report, verdict=Verdict(decision=Decision.DENY, rule=rule, reason=reason))
