"""What an ``Incident`` does to the world: its ticket, its report, its audit log."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.after.evidence import REPORT, anchor_log, facts_of, incident_policy, records_of
from activities.after.outcomes import INCIDENT_PAGE
from activities.api import CLOSE_TICKET, JUDGE_STATEMENT, OPEN_TICKET, WRITE_REPORT
from activities.heartbeat import heartbeating
from activities.step_session import StepPorts, written
from activities.write.cleared_write import ClearedWrite, given_up, record_effect
from contracts.audit import AuditEvent
from contracts.clearance import WriteAnswerKind
from contracts.incident import (
    CitedFact,
    NamedPull,
    PostIncidentReport,
    ReportWritten,
    StatementInput,
    StatementJudged,
    TicketInput,
    TicketOutput,
    WriteReportInput,
)
from contracts.messages import INCIDENT_NEWS
from contracts.modes import Role, WriteAction, WriteClass
from contracts.verdict import Fact
from policies.after.incident import judged, proposing
from policies.counted import shortened
from policies.texts.inert_markdown import code_span, inert_markdown
from policies.texts.outcome import IncidentPlaces, incident_head
from ports.crashpoints import crashpoint
from ports.forge import Forge, ForgeError
from ports.policy_source import PolicyError
from ports.store import StoreError

RenderIncident = Callable[[PostIncidentReport, tuple[str, ...]], str]


@dataclass(frozen=True)
class IncidentKeeping:
    """Every step finds what an earlier attempt did."""

    bench: StepPorts
    render: RenderIncident

    @activity.defn(name=OPEN_TICKET.name, no_thread_cancel_exception=True)
    def open_ticket(self, request: TicketInput) -> TicketOutput:
        """A ``record`` write: never moves a ref, so Control clears it while paused, also after the run's end."""
        report = request.report
        evidence = f"kept, SHA-256 `{report.evidence.sha256}`" if report.evidence else "not collected yet"
        body = (
            f"What happened: {code_span(report.trigger_reason)}\n\n"
            f"- What to do: fill in the report with `starter.py incident edit {report.incident}`; after that "
            "`starter.py resume` opens what is paused.\n"
            f"- Run `{report.run_id}`: its change is kept (`starter.py report {report.run_id}`).\n"
            f"- Evidence: {evidence}.\n"
        )
        title = f"{report.opened_as} {report.run_id}"
        return self._write(request, WriteAction.OPEN_TICKET, title, body)

    @activity.defn(name=CLOSE_TICKET.name, no_thread_cancel_exception=True)
    def close_ticket(self, request: TicketInput) -> TicketOutput:
        """The incident is closed, and so is its ticket, which says outcome, cause and owner then."""
        return self._write(request, WriteAction.CLOSE_TICKET, "", "")

    def _head(self, report: PostIncidentReport) -> dict[str, Any]:
        """What its ticket begins with, and what is ours in that."""
        page, run = self.bench.store.web(report.incident, INCIDENT_PAGE), self.bench.store.web(report.run_id)
        places = IncidentPlaces(report=page, run=run)
        links = tuple(pull.number for pull in (report.pull_request, report.rollback_pull_request) if pull)
        return {"head": incident_head(report, places), "links": links, "addresses": places.addresses}

    def _with_pulls(self, target: str, report: PostIncidentReport) -> PostIncidentReport:
        """With the pull requests it is about: asked for until they are known, and never waited for."""
        own, undoing = report.pull_request, report.rollback_pull_request
        with suppress(ForgeError, PolicyError, StoreError):
            forge = self.bench.forges(incident_policy(self.bench, target, report.run_id).target)
            own = own or _named(forge, report.run_id)
            # From its end on: while it goes on, its own pull request names the incident.
            undoing = undoing or (_named(forge, f"RB-{report.run_id}") if report.rollback else None)
        return report.model_copy(update={"pull_request": own, "rollback_pull_request": undoing})

    @activity.defn(name=WRITE_REPORT.name, no_thread_cancel_exception=True)
    def write_report(self, request: WriteReportInput) -> ReportWritten:
        """The report as JSON and Markdown with all that happened so far, and the audit log of what changed it."""
        with heartbeating():
            crashpoint("write_report.before_effect")
            report, incident = self._with_pulls(request.target, proposing(request.report)), request.report.incident
            # First the log: a fact without its record would be nobody's word (P10).
            self.bench.record(incident, request.events, request.now)
            crashpoint("write_report.after_log")
            if report.ticket:
                # Before the report's own record, the last one: its hash is what the mirror keeps.
                self._keep_ticket(request, report)
            timeline = self._timeline(request)
            if timeline is not None:
                report = report.model_copy(update={"timeline": timeline})
            kept = self.bench.store.put(incident, REPORT, written(report))
            page = self.render(report, report.empty_parts).encode()
            shown = self.bench.store.put(incident, INCIDENT_PAGE, page, "text/markdown")
            wrote = AuditEvent(
                key=f"report/{kept.sha256}",
                role=Role.AUDIT,
                event="report written",
                facts={"revision": report.revision, "state": report.state, "report": kept.sha256},
                artifacts=(kept.sha256, shown.sha256),
            )
            head = self.bench.record(incident, (wrote,), request.now)
            anchor_log(self.bench, request.target, incident, head)
            crashpoint("write_report.after_effect")
            return ReportWritten(
                audit_head=head,
                due_at=self._due(request),
                timeline=timeline,
                proposed=report.proposed_remediation,
                pull_request=report.pull_request,
                rollback_pull_request=report.rollback_pull_request,
            )

    @activity.defn(name=JUDGE_STATEMENT.name, no_thread_cancel_exception=True)
    def judge_statement(self, request: StatementInput) -> StatementJudged:
        """By the rules as they are now: they may change, and the history keeps what they said."""
        return judged(request)

    def _timeline(self, request: WriteReportInput) -> tuple[CitedFact, ...] | None:
        """What the logs say now, this incident's own among them; None before its evidence is collected."""
        if request.start is None or request.report.evidence is None:
            return None
        log = f"run/{request.report.incident}"
        own = {log: list(self.bench.audit.records(log))}
        return facts_of(request.start, records_of(self.bench.audit, request.start) | own)

    def _due(self, request: WriteReportInput) -> datetime | None:
        """The end of the due day where the target lives."""
        if not request.report.due_on:
            return None
        zone = ZoneInfo(incident_policy(self.bench, request.target, request.report.run_id).target.time_zone)
        day = datetime.fromisoformat(request.report.due_on).date()
        return datetime.combine(day + timedelta(days=1), time(), zone).astimezone(UTC)

    def _keep_ticket(self, request: WriteReportInput, report: PostIncidentReport) -> None:
        """Its head as the report is now, the rest as people left it; only where it says something else (P7).

        The report never waits for it: what the forge will not take now, the next change brings, at last the closing.
        """
        says = self._head(report)
        head = inert_markdown(says["head"], says["links"], says["addresses"])
        policy = incident_policy(self.bench, request.target, report.run_id)
        try:
            opened = f"{report.incident}/{WriteAction.OPEN_TICKET}"
            shown = [each for each in self.bench.forges(policy.target).tickets() if each.run_key == opened]
            if not shown or head in shown[0].body.replace("\r\n", "\n"):
                return
            key = f"{report.incident}/{WriteAction.UPDATE_TICKET}-{report.revision}"
            update = WriteAction.UPDATE_TICKET
            effect = record_effect(policy, update, key, report.incident, record_key=opened, **says)
            done = ClearedWrite(self.bench).around(policy, effect, WriteClass.RECORD, policy.digest)
        except ForgeError as problem:
            message = given_up(problem)
        else:
            refused = done.answer.answer is WriteAnswerKind.REFUSED
            message = done.answer.verdict.reason if refused else done.result.refused if done.result else ""
        if not message:
            return
        facts: dict[str, Fact] = {"revision": report.revision, "reason": shortened(message, 500)}
        event = "ticket not brought up to date"
        kept = AuditEvent(key=f"ticket/{report.revision}", role=Role.AUDIT, event=event, facts=facts)
        self.bench.record(report.incident, (kept,), request.now)

    def _write(self, request: TicketInput, action: WriteAction, title: str, body: str) -> TicketOutput:
        with heartbeating():
            incident = request.report.incident
            policy = incident_policy(self.bench, request.target, request.report.run_id)
            # Books that were lost by force learn of the incident again: without it they clear nothing.
            self.bench.control.ask(request.target, INCIDENT_NEWS, request.news)
            says = self._head(self._with_pulls(request.target, request.report))
            effect = record_effect(policy, action, f"{incident}/{action}", incident, title=title, body=body, **says)
            done = ClearedWrite(self.bench).around(policy, effect, WriteClass.RECORD, policy.digest)
            if done.answer.answer is WriteAnswerKind.SETTLED:
                ticket = done.answer.result
            elif done.result is None or not done.result.done:
                refused = done.result.refused if done.result else done.answer.verdict.reason
                raise ApplicationError(f"{action} could not be done: {refused}", type="TicketRefused")
            else:
                ticket = done.result.result
            event = AuditEvent(key=action, role=Role.AUDIT, event=f"{action} done", facts={"ticket": ticket})
            head = self.bench.record(incident, (event,), activity.info().started_time)
            anchor_log(self.bench, request.target, incident, head)
            return TicketOutput(ticket=ticket, audit_head=head)


def _named(forge: Forge, opener: str) -> NamedPull | None:
    pull = forge.find_pull_request(f"{opener}/{WriteAction.OPEN_PULL_REQUEST}")
    return NamedPull(number=pull.number, url=pull.url) if pull else None
