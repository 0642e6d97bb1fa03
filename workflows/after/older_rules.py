"""The rules of attribution as they were when ``FollowUp`` still judged inline: for open follow-ups of that time (P15).

Frozen: what is in their histories was decided by exactly this. Today's rules are ``policies.after.attribution``,
asked by the activity ``attribute``. Gone once no follow-up from before is open (the longest wait: a pull request).
"""

from datetime import date, timedelta

from contracts.incident import (
    HUMAN,
    PARTS,
    CloseRequest,
    HumanFacts,
    IncidentState,
    PostIncidentReport,
    StatementInput,
    StatementJudged,
)
from contracts.merging import Health
from contracts.rollback import EVERYTHING, AttributeInput, Attribution, Culprit, Observation
from contracts.verdict import Decision, Fact, Verdict

RULE = "the regression is ours"


def attributed(request: AttributeInput) -> Attribution:
    """As the activity answered it on that day."""
    failing = _confirmed(request.first, request.again)
    if not failing or not request.ours:
        return Attribution(failing=failing)
    known = _flaky(request.looks)
    found = {
        name: Culprit.UNKNOWN
        if name in known
        else _culprit(_steady(name, request.ours), _steady(name, request.parents))
        for name in failing
    }
    facts: dict[str, Fact] = {f"{name} is": culprit.value for name, culprit in found.items()}
    facts |= {
        "looks": len(request.ours) + len(request.parents),
        "flaky": ", ".join(sorted(known.intersection(failing))),
    }
    blamed = [name for name, culprit in found.items() if culprit is Culprit.OURS]
    if blamed:
        reason = f"{', '.join(blamed)} red since our merge, green before it"
        verdict = Verdict(rule=RULE, decision=Decision.ALLOW, reason=reason, facts=facts)
        return Attribution(failing=failing, verdict=verdict, culprit=Culprit.OURS)
    order = (Culprit.UNKNOWN, Culprit.BEFORE_US, Culprit.SOMEONE_ELSE)
    decided = next((culprit for culprit in order if culprit in found.values()), Culprit.UNKNOWN)
    facts = {"whose": decided.value, **facts}
    verdict = Verdict(rule=RULE, decision=Decision.DENY, reason=f"{', '.join(failing)}: {decided.value}", facts=facts)
    return Attribution(failing=failing, verdict=verdict, culprit=decided)


def _confirmed(first: Observation, again: Observation) -> tuple[str, ...]:
    if first.commit != again.commit:
        return ()
    return tuple(name for name in first.failing if name in again.failing)


def _culprit(ours: Health, parent: Health) -> Culprit:
    if Health.UNKNOWN in {ours, parent}:
        return Culprit.UNKNOWN
    if ours is Health.GREEN:
        return Culprit.SOMEONE_ELSE
    return Culprit.OURS if parent is Health.GREEN else Culprit.BEFORE_US


def _health(name: str, seen: Observation) -> Health:
    if name in seen.failing:
        return Health.RED
    return Health.UNKNOWN if name in seen.unknown or EVERYTHING in seen.unknown else Health.GREEN


def _steady(name: str, looks: tuple[Observation, ...]) -> Health:
    found = {_health(name, seen) for seen in looks}
    return found.pop() if len(found) == 1 else Health.UNKNOWN


def _flaky(looks: tuple[Observation, ...]) -> frozenset[str]:
    red = {(seen.commit, name) for seen in looks for name in seen.failing}
    return frozenset(name for seen in looks for name in seen.healthy if (seen.commit, name) in red)


# Who may change what in a post-incident report, as it was when ``Incident`` still judged inline (P15).

LATEST = timedelta(days=3660)


def judged(request: StatementInput) -> StatementJudged:
    """As the activity answers it, in the words of that day."""
    report = request.report
    if request.facts is not None:
        return _edited(report, request.facts)
    assert request.asked is not None  # noqa: S101  # one of the two is there
    return _closed(report, request.asked, request) if request.closing else _prevented(report, request.asked, request)


def _edited(report: PostIncidentReport, facts: HumanFacts) -> StatementJudged:
    fields = {name: value.strip() for name in HUMAN if (value := getattr(facts, name)) is not None}
    rule = "the report may be edited"
    if not fields:
        return _no(report, rule, "nothing is said: name at least one part")
    if blank := [name for name, value in fields.items() if not value]:
        return _no(report, rule, f"{', '.join(blank)}: blank is not an answer")
    if "due_on" in fields and (problem := _not_due(fields["due_on"], report)):
        return _no(report, rule, f"{fields['due_on']} {problem}")
    if report.prevention_done_by:
        return _no(report, rule, f"closed, and its prevention done by {report.prevention_done_by}")
    if report.state is IncidentState.CLOSED and (late := sorted(set(fields) - {"prevention"})):
        return _no(report, rule, f"closed by {report.closed_by}: {', '.join(late)} cannot be changed any more")
    changed = report.raised(**fields, edited_by=tuple(dict.fromkeys((*report.edited_by, facts.actor))))
    left = changed.empty_parts
    return _yes(changed, rule, f"taken over; still missing: {', '.join(left)}" if left else "taken over; complete")


def _closed(report: PostIncidentReport, request: CloseRequest, start: StatementInput) -> StatementJudged:
    rule = "the incident may be closed"
    if not request.reason.strip():
        return _no(report, rule, "the reason is blank")
    if report.state is IncidentState.CLOSED:
        return _yes(report, rule, f"was closed already, by {report.closed_by}")
    if left := report.empty_parts:
        return _no(report, rule, f"missing: {', '.join(left)}")
    changed = report.raised(
        state=IncidentState.CLOSED, closed_by=request.actor, closed_at=start.now, closed_because=request.reason
    )
    return _yes(changed, rule, f"all {len(PARTS)} conditions hold")


def _prevented(report: PostIncidentReport, request: CloseRequest, start: StatementInput) -> StatementJudged:
    rule = "the prevention is done"
    if not request.reason.strip():
        return _no(report, rule, "the reason is blank")
    if report.prevention_done_by:
        return _yes(report, rule, f"was said already, by {report.prevention_done_by}")
    if report.state is not IncidentState.CLOSED:
        return _no(report, rule, "the incident is still open: close it first")
    changed = report.raised(
        prevention_done_by=request.actor, prevention_done_at=start.now, prevention_evidence=request.reason
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
