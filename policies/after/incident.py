"""What a trigger brings about (runbook §6), and the report that follows (§12): its seven parts, who may change them.

The system states when, where and what triggered it, cites audit records, and proposes the remediation that it knows.
Impact, cause, remediation, prevention, owner and due date are a person's: nothing here ever fills them in.
"""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import NamedTuple

from contracts.audit import AuditEvent, AuditRecord
from contracts.incident import (
    HUMAN,
    PARTS,
    CitedFact,
    CloseRequest,
    HumanFacts,
    IncidentState,
    PostIncidentReport,
    Response,
    StatementInput,
    StatementJudged,
    Trigger,
)
from contracts.rollback import RollbackOutcome, RollbackTag
from contracts.verdict import Verdict
from policies.counted import shortened
from policies.verdicts import all_of, allow, deciding, deny

AFTER_CLOSING = frozenset({"prevention"})
TOLD = frozenset(
    {
        "run issued",
        "run admitted",
        "run closed",
        "run ended",
        "run escalated",
        "incident opened",
        "paused",
        "resumed",
        "installation resumed",
        "mode set",
        "write cleared",
        "write done",
        "write not done",
        "merged",
        "merged by a person",
        "follow-up ended",
        "rollback ordered",
        "rollback kept back",
        "rollback commanded while paused",
        "rollback prepared",
        "repair done",
        "repair not done",
        "rollback ended",
        "tagged with its rollback",
        "hardening task queued",
        "idea quarantined",
        "evidence collected",
        "open_ticket done",
        "close_ticket done",
        "facts stated",
        "incident closed",
        "prevention overdue",
        "prevention done",
        "cancelled by hand; it goes on",
        "reset by hand",
    }
)
"""Events of the audit logs that belong into a timeline; a step that escalated does, too."""
_SHOWN = (
    *("runId", "key", "scope", "status", "mode", "actor", "who", "startedBy", "action", "incident", "decision"),
    *("outcome", "seconds", "mergeSha", "revert", "restoredTree", "expectedTree", "problem", "ticket", "dueOn"),
    *("reason", "impact"),
)
"""Facts that a line of the timeline shows, in this order; a long reason never cuts off a number."""
_BRAKES = {
    Response.PAUSE_ALL: "every target was paused",
    Response.PAUSE_TARGET: "the target was paused",
    Response.MARK_ESCALATED: "the run's change was kept, and not released",
}
KEPT_FACTS = 60
LATEST = timedelta(days=3660)
"""A prevention that is due later is none."""

Changed = tuple[PostIncidentReport, Verdict]


def judged(request: StatementInput) -> StatementJudged:
    """What a person's statement makes of the report; the report as it was where it is refused."""
    if request.facts is not None:
        report, verdict = edit(request.report, request.facts)
    elif request.asked is None:
        report, verdict = request.report, deny("a statement says something", "it holds neither facts nor a reason")
    else:
        report, verdict = (close if request.closing else prevented)(request.report, request.asked, request.now)
    return StatementJudged(report=report, verdict=verdict)


def proposing(report: PostIncidentReport) -> PostIncidentReport:
    """With the remediation that the system knows, for a person to confirm."""
    return report.model_copy(update={"proposed_remediation": proposal(report.trigger, report.rollback)})


def proposal(trigger: str, tag: RollbackTag | None) -> str:
    """What the system did at once; whether that remedies anything, a person says.

    In order: a rollback that ended says what it restored, or that it did not · else the brakes of the trigger's row.
    """
    if tag is not None:
        if tag.outcome is RollbackOutcome.RESTORED:
            tree = f", tree {tag.restored_tree}" if tag.restored_tree else ""
            commit = f" by {tag.revert_sha}" if tag.revert_sha else ""
            return f"rolled back{commit}{tree}, in {tag.seconds:.0f} s; {tag.reason}"
        return f"the rollback was tried for {tag.seconds:.0f} s and needs a person: {tag.reason}"
    if trigger == Trigger.REGRESSION:
        return "the mode was set to DRY_RUN: nothing is pushed or merged any more"
    row = MATRIX.get(Trigger(trigger))
    return ", ".join(_BRAKES[done] for done in row.responses if done in _BRAKES) if row else ""


def edit(report: PostIncidentReport, facts: HumanFacts) -> Changed:
    """Take over what a person says; what they leave out stays.

    Refused, in order: nothing said · blank text · a due date that is no date, before the incident, or ten years off ·
    once the prevention is done, anything · after closing, anything but the prevention.
    """
    edits = {name: value.strip() for name in HUMAN if (value := getattr(facts, name)) is not None}
    rule = "the report may be edited"
    if not edits:
        return report, deny(rule, "nothing is said: name at least one part")
    if blank := [name for name, value in edits.items() if not value]:
        return report, deny(rule, f"{', '.join(blank)}: blank is not an answer")
    if "due_on" in edits and (problem := _not_due(edits["due_on"], report.opened_at)):
        return report, deny(rule, f"{edits['due_on']} {problem}")
    if report.prevention_done_by:
        return report, deny(rule, f"closed, and its prevention done by {report.prevention_done_by}")
    if report.state is IncidentState.CLOSED and (late := sorted(set(edits) - AFTER_CLOSING)):
        return report, deny(rule, f"closed by {report.closed_by}: {', '.join(late)} cannot be changed any more")
    changed = report.raised(**edits, edited_by=tuple(dict.fromkeys((*report.edited_by, facts.actor))))
    left = changed.empty_parts
    return changed, allow(rule, f"taken over; still missing: {', '.join(left)}" if left else "taken over; complete")


def close(report: PostIncidentReport, request: CloseRequest, now: datetime) -> Changed:
    """Close a complete report; a half-filled one is refused with everything that is missing. Idempotent."""
    rule = "the incident may be closed"
    if not request.reason.strip():
        return report, deny(rule, "the reason is blank")
    if report.state is IncidentState.CLOSED:
        return report, allow(rule, f"was closed already, by {report.closed_by}")
    left = report.empty_parts
    parts = [
        deny(f"§12 {part} is there", "it is empty") if part in left else allow(f"§12 {part} is there", "given")
        for part in PARTS
    ]
    if left:
        verdict = all_of(rule, parts)
        return report, verdict.model_copy(update={"reason": f"missing: {', '.join(left)}"})
    closed = report.raised(
        state=IncidentState.CLOSED, closed_by=request.actor, closed_at=now, closed_because=request.reason
    )
    return closed, all_of(rule, parts)


def prevented(report: PostIncidentReport, request: CloseRequest, now: datetime) -> Changed:
    """A person says that the long-term prevention is done, and how to see it. Idempotent."""
    rule = "the prevention is done"
    if not request.reason.strip():
        return report, deny(rule, "the reason is blank")
    if report.prevention_done_by:
        return report, allow(rule, f"was said already, by {report.prevention_done_by}")
    if report.state is not IncidentState.CLOSED:
        return report, deny(rule, "the incident is still open: close it first")
    done = report.raised(prevention_done_by=request.actor, prevention_done_at=now, prevention_evidence=request.reason)
    return done, allow(rule, "recorded")


def concerns(record: AuditRecord | AuditEvent, incident: str, runs: Iterable[str]) -> bool:
    """Whether a record of the target's log is about this incident: not about another run, nor another incident."""
    own = {name for run in runs for name in (run, f"RB-{run}")}
    run, named = record.facts.get("runId"), record.facts.get("incident")
    return run in {None, "", *own} and named in {None, "", incident}


def timeline(records: Iterable[AuditRecord]) -> tuple[CitedFact, ...]:
    """Facts in the order they happened, each with the record that proves it; the first and the last are kept."""
    facts = [
        CitedFact(at=record.at, text=_told(record), log=record.log, record=record.hash)
        for record in sorted(records, key=lambda record: (record.at, record.log, record.seq))
        if record.event in TOLD or record.facts.get("decision") == "escalate"
    ]
    half = KEPT_FACTS // 2
    return tuple(facts if len(facts) <= KEPT_FACTS else facts[:half] + facts[-half:])


def _told(record: AuditRecord) -> str:
    text = ", ".join(f"{name} {record.facts[name]}" for name in _SHOWN if record.facts.get(name))
    return shortened(f"{record.event}: {text}", 500) if text else record.event


def _not_due(text: str, opened_at: datetime) -> str:
    """Why this cannot be the day a prevention is due; empty when it can."""
    try:
        due = date.fromisoformat(text)
    except ValueError:
        return "is no date of the calendar"
    if due < opened_at.date() - timedelta(days=1):
        return f"is before the incident, which was opened on {opened_at.date()}"
    if due > opened_at.date() + LATEST:
        return f"is more than {LATEST.days} days after the incident"
    return ""


class Row(NamedTuple):
    """One trigger: where it stands in the runbook, and its responses in order."""

    section: str
    """Runbook section, or ``policy`` for the escalations only the policy names."""
    responses: tuple[Response, ...]


MATRIX: dict[Trigger, Row] = {
    Trigger.POLICY_VIOLATION: Row(
        "6.1", (Response.PAUSE_ALL, Response.OPEN_INCIDENT, Response.ALERT, Response.MARK_ESCALATED)
    ),
    Trigger.UNCERTAIN_COMPLIANCE: Row(
        "policy", (Response.PAUSE_TARGET, Response.OPEN_INCIDENT, Response.ALERT, Response.MARK_ESCALATED)
    ),
    Trigger.CI_GATE_FAILURE: Row(
        "6.2", (Response.REJECT_RELEASE, Response.ATTACH_DETAILS, Response.QUEUE_REMEDIATION, Response.ALERT)
    ),
    Trigger.REPEATED_FAILURES: Row("policy", (Response.PAUSE_TARGET, Response.OPEN_INCIDENT, Response.ALERT)),
    Trigger.BUDGET_EXHAUSTED: Row("6.4", (Response.STOP_NEW_RUNS, Response.REPORT_BUDGET, Response.ALERT)),
}

PAUSES = frozenset({Response.PAUSE_ALL, Response.PAUSE_TARGET})


def trigger_of(verdict: Verdict) -> Trigger:
    """What an escalating verdict is about, told by a fact of the rule that decided.

    A verdict that does not say (or whose tree was too bulky to carry) is a policy violation: the harder answer.
    """
    trigger = deciding(verdict).facts.get("trigger")
    return Trigger.UNCERTAIN_COMPLIANCE if trigger == Trigger.UNCERTAIN_COMPLIANCE.value else Trigger.POLICY_VIOLATION
