"""``incident/<target>/<id>``: evidence, ticket, what people know, the post-incident report (runbook §6.1, §12).

Updates are judged by the rules of the day, in an activity, one after the other, and only change the book. Everything
else that takes time is a piece of work that the book says is due; ``run`` does one after the other, the first that is
due and not resting after a failure. So a piece that fails (a forge that is down, say) holds up nothing but itself.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.common import RawValue
from temporalio.exceptions import ActivityError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from activities import api as steps
    from contracts.audit import AuditEvent
    from contracts.control import Answer
    from contracts.incident import (
        HUMAN,
        CloseRequest,
        HumanFacts,
        IncidentBook,
        IncidentNews,
        IncidentStart,
        IncidentState,
        IncidentView,
        PostIncidentReport,
        StatementInput,
        StatementJudged,
        TicketInput,
        WriteReportInput,
    )
    from contracts.messages import INCIDENT_NEWS
    from contracts.modes import Role
    from contracts.rollback import RollbackTag
    from contracts.verdict import Fact
    from policies.counted import shortened
    from workflows import api
    from workflows.after import older_rules
    from workflows.epochs import when_reset
    from workflows.messages.statements import require_statement

JUDGED_OUTSIDE = "incident-statements-judged-outside"
REST = timedelta(minutes=10)
"""How long a piece of work rests after it could not be done."""
_TRYING = timedelta(hours=1)


@workflow.defn(name=api.INCIDENT)
class Incident:
    """Lives until its prevention is done; then its artifacts and audit log remain."""

    @workflow.init
    def __init__(self, request: IncidentStart) -> None:
        self._input = request
        self._book = request.book or IncidentBook(report=PostIncidentReport.begun(request.target, request.record))
        self._saying = asyncio.Lock()
        self._collected = request.book is not None and request.book.report.evidence is not None
        self._resting: dict[str, datetime] = {}
        self._trouble: dict[str, str] = {}
        self._shown = ""
        self._stale = False
        # A reset rewinds what people said: the kept report still has it.
        when_reset(self._collect_again)

    @workflow.run
    async def run(self, request: IncidentStart) -> None:
        """Do what is due until nothing is left and the prevention is done."""
        workflow.upsert_search_attributes([api.TARGET_ATTRIBUTE.value_set(request.target)])
        while not self._finished():
            try:
                await self._work()
            except (ActivityError, asyncio.CancelledError) as failure:
                if not is_cancelled_exception(failure):
                    raise
                # Facts that people stated must not end with a click: it goes on, and says who tried what.
                self._note(f"cancelled/{workflow.now().isoformat()}", "cancelled by hand; it goes on")
            if workflow.info().is_continue_as_new_suggested() and not self._finished():
                await workflow.wait_condition(workflow.all_handlers_finished)
                workflow.continue_as_new(request.model_copy(update={"book": self._book}))
        await workflow.wait_condition(workflow.all_handlers_finished)

    # What people say

    @workflow.update(name=api.EDIT, description="state what only a person knows; parts left out stay as they are")
    async def edit(self, facts: HumanFacts) -> Answer:
        """Impact, root cause, remediation, prevention, owner, due date."""
        fields = {name: getattr(facts, name) for name in HUMAN if getattr(facts, name) is not None}
        return await self._said("facts stated", facts.actor, fields, facts=facts)

    @edit.validator
    def _edit_is_stated(self, facts: HumanFacts) -> None:
        require_statement(facts)

    @workflow.update(name=api.CLOSE, description="close a complete report; refused with what is missing")
    async def close(self, request: CloseRequest) -> Answer:
        """All seven parts of §12 are there."""
        return await self._said(
            "incident closed", request.actor, {"reason": request.reason}, request=request, closing=True
        )

    @close.validator
    def _close_is_stated(self, request: CloseRequest) -> None:
        require_statement(request)

    @workflow.update(name=api.PREVENTED, description="the long-term prevention is done")
    async def prevented(self, request: CloseRequest) -> Answer:
        """It ends the incident."""
        return await self._said("prevention done", request.actor, {"reason": request.reason}, request=request)

    @prevented.validator
    def _prevented_is_stated(self, request: CloseRequest) -> None:
        require_statement(request)

    @workflow.signal(name=api.ROLLED_BACK)
    def rolled_back(self, tag: RollbackTag) -> None:
        """Control says how the rollback ended: duration and impact (runbook §8)."""
        report = self._book.report
        if tag != report.rollback:
            self._keep(report=report.raised(rollback=tag))
            seconds = round(tag.seconds, 1)
            key = f"rolled back/{report.revision + 1}"
            self._note(
                key, "tagged with its rollback", outcome=tag.outcome, seconds=seconds, impact=shortened(tag.impact, 300)
            )

    @workflow.signal(dynamic=True)
    def any_signal(self, name: str, args: Sequence[RawValue]) -> None:
        """``refresh`` with any payload: the logs say more than the kept report."""
        del args
        if name == api.REFRESH:
            self._stale = True
        else:
            workflow.logger.warning("unknown signal ignored: %s", name[:80])

    @workflow.query(name=api.VIEW, description="the report, what is missing, whether its prevention is overdue")
    def view(self) -> IncidentView:
        """The incident as it is now."""
        book = self._book
        return IncidentView(
            report=book.report,
            missing=book.report.empty_parts,
            overdue=book.overdue,
            address=book.address,
            audit_head=book.audit_head,
            waiting_for="; ".join(f"{name}: {why}" for name, why in self._trouble.items()) or self._due_names(),
        )

    async def _said(
        self,
        event: str,
        actor: str,
        facts_said: dict[str, Fact],
        *,
        facts: HumanFacts | None = None,
        request: CloseRequest | None = None,
        closing: bool = False,
    ) -> Answer:
        """One statement after the other, each of the report that the one before it left."""
        async with self._saying:
            sent = self._book.report
            statement = StatementInput(report=sent, facts=facts, asked=request, closing=closing, now=workflow.now())
            done = await self._judged(statement, event)
            changes = {
                name: value
                for name in PostIncidentReport.model_fields
                if name != "revision" and (value := getattr(done.report, name)) != getattr(sent, name)
            }
            if changes:
                # Onto the report as it is now: meanwhile its evidence, ticket or rollback may have come.
                self._keep(report=self._book.report.raised(**changes))
                update = workflow.current_update_info()
                key = f"said/{update.id if update else self._book.report.revision}"
                self._note(key, event, actor=actor, **facts_said)
            return Answer.of(done.verdict, self._book.report.revision)

    async def _judged(self, request: StatementInput, event: str) -> StatementJudged:
        """By the rules as they are now, in an activity: they may change, and the history keeps what they said."""
        if workflow.patched(JUDGED_OUTSIDE):
            return await steps.JUDGE_STATEMENT(request, f"{event}: may it be said?")
        return older_rules.judged(request)

    # What is due

    def _pieces(self) -> tuple[tuple[str, bool, Callable[[], Awaitable[None]]], ...]:
        book = self._book
        closed = book.report.state is IncidentState.CLOSED
        return (
            ("collect evidence", not self._collected, self._collect),
            ("write the report", self._stale or book.written != book.report.revision or bool(book.events), self._write),
            ("open the ticket", self._collected and not book.report.ticket, self._open_ticket),
            ("close the ticket", closed and bool(book.report.ticket) and not book.ticket_closed, self._close_ticket),
            ("tell Control", book.told != self._news(), self._tell),
        )

    def _due_names(self) -> str:
        return ", ".join(name for name, due, _ in self._pieces() if due)

    def _finished(self) -> bool:
        return bool(self._book.report.prevention_done_by) and not self._due_names()

    async def _work(self) -> None:
        """The first piece that is due and not resting; or wait for one."""
        self._look_at_the_clock()
        self._show()
        now = workflow.now()
        for name, due, do in self._pieces():
            if due and self._resting.get(name, now) <= now:
                try:
                    await do()
                except ActivityError as failure:
                    if is_cancelled_exception(failure):
                        raise
                    cause = failure.__cause__ or failure
                    self._trouble[name], self._resting[name] = shortened(str(cause), 300), workflow.now() + REST
                    self._note(
                        f"trouble/{name}/{workflow.now().isoformat()}",
                        f"could not {name}",
                        cause=shortened(str(cause), 300),
                    )
                else:
                    self._trouble.pop(name, None)
                return
        await self._wait()

    async def _wait(self) -> None:
        now, seen = workflow.now(), (self._book, self._collected, self._stale)
        moments = [moment for name, moment in self._resting.items() if moment > now and name in self._trouble]
        if self._book.due_at and not self._book.overdue and not self._book.report.prevention_done_by:
            moments.append(self._book.due_at)
        timeout = max(min(moments) - now, timedelta(seconds=1)) if moments else None
        try:
            await workflow.wait_condition(
                lambda: (
                    seen != (self._book, self._collected, self._stale) or workflow.info().is_continue_as_new_suggested()
                ),
                timeout=timeout,
                timeout_summary="until the prevention is due, or a failed piece of work is tried again",
            )
        except TimeoutError:
            return

    def _look_at_the_clock(self) -> None:
        book = self._book
        due = book.due_at is not None and workflow.now() >= book.due_at
        overdue = due and not book.report.prevention_done_by
        if overdue != book.overdue:
            self._keep(overdue=overdue)
            if overdue:
                self._note(f"overdue/{book.report.due_on}", "prevention overdue", dueOn=book.report.due_on)

    # The pieces

    async def _collect(self) -> None:
        self._collected = True
        try:
            found = await steps.COLLECT(self._input, "evidence bundle with a manifest of digests")
        except BaseException:
            self._collected = False
            raise
        report = self._book.report.taking_over(found.kept)
        report = report.model_copy(
            update={"evidence": found.evidence, "timeline": found.timeline, "revision": report.revision + 1}
        )
        self._keep(report=report, address=found.address, audit_head=found.audit_head)

    async def _write(self) -> None:
        sent, self._stale = self._book, False
        request = WriteReportInput(
            target=self._input.target,
            report=sent.report,
            events=sent.events,
            now=workflow.now(),
            start=self._input.model_copy(update={"book": None}),
        )
        done = await steps.WRITE_REPORT(request, f"report, revision {sent.report.revision}")
        report = self._book.report
        if done.timeline is not None:
            # Not news: what was written holds it, and what was said meanwhile is a revision of its own.
            report = report.model_copy(update={"timeline": done.timeline})
        if done.proposed is not None:
            report = report.model_copy(update={"proposed_remediation": done.proposed})
        own, undoing = done.pull_request, done.rollback_pull_request
        report = report.model_copy(update={"pull_request": own, "rollback_pull_request": undoing})
        self._keep(
            report=report,
            written=sent.report.revision,
            events=self._book.events[len(sent.events) :],
            due_at=done.due_at,
            audit_head=done.audit_head,
        )

    async def _open_ticket(self) -> None:
        done = await steps.OPEN_TICKET(self._ticket(), "a ticket that names the evidence")
        report = self._book.report
        self._keep(
            report=report.model_copy(update={"ticket": done.ticket, "revision": report.revision + 1}),
            audit_head=done.audit_head,
        )

    async def _close_ticket(self) -> None:
        done = await steps.CLOSE_TICKET(self._ticket(), "the incident is closed")
        self._keep(ticket_closed=True, audit_head=done.audit_head)

    async def _tell(self) -> None:
        news = self._news()
        await steps.TELL(self._input.target, INCIDENT_NEWS, news, "news for Control's books", within=_TRYING)
        self._keep(told=news)

    def _ticket(self) -> TicketInput:
        return TicketInput(target=self._input.target, report=self._book.report, news=self._news())

    def _news(self) -> IncidentNews:
        report = self._book.report
        record = self._input.record.model_copy(
            update={
                "started": True,
                "state": report.state,
                "owner": report.owner,
                "due_on": report.due_on,
                "overdue": self._book.overdue,
            }
        )
        closed = self._book.ticket_closed and self._book.written == report.revision
        return IncidentNews(record=record, done=bool(report.prevention_done_by) and closed)

    # The book

    def _keep(self, **changes: object) -> None:
        self._book = self._book.model_copy(update=changes)
        self._show()

    def _note(self, key: str, event: str, **facts: Fact) -> None:
        note = AuditEvent(key=key, role=Role.AUDIT, event=event, facts=facts)
        self._keep(events=(*self._book.events, note))

    def _collect_again(self) -> None:
        self._collected = False
        self._note(f"reset/{workflow.info().run_id}", "reset by hand")

    def _show(self) -> None:
        """The same in the Temporal UI as in ``view``."""
        report, left = self._book.report, self._book.report.empty_parts
        status = "OVERDUE" if self._book.overdue else report.state.value.upper()
        opened = f"{report.opened_as} {report.run_id}"
        lines = [f"**{status}** · `{report.incident}` · {opened}", "", report.trigger_reason, ""]
        lines += [f"- missing: {', '.join(left)}"] if left else ["- all seven parts of §12 are there"]
        lines += [f"- ticket {report.ticket or 'not opened yet'}, evidence in {self._book.address or 'no place yet'}"]
        lines += [f"- owner {report.owner or 'nobody yet'}, prevention due on {report.due_on or 'no date yet'}"]
        lines += [f"- tried again later: {name}: {why}" for name, why in self._trouble.items()]
        workflow.set_current_details("\n".join(lines))
        if status != self._shown:
            self._shown = status
            workflow.upsert_search_attributes([api.STATUS_ATTRIBUTE.value_set(status)])
