"""``control/<target>``: the one serial place of a target's status, mode, epoch, queue and writes in flight.

Handlers are synchronous and answer at once; all that takes time (telling runs, logging, reaping) are ``run``'s chores.
"""

import asyncio
from collections.abc import Sequence

from temporalio import workflow
from temporalio.common import RawValue
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from contracts.admission import Admission, AdmitAnswer, AdmitRequest, FinishRequest, RunRecord
    from contracts.budget import BudgetView, CapsRequest, CostStatement, ReserveAnswer, ReserveRequest, SettleCost
    from contracts.clearance import SettleRequest, WriteAnswer, WriteRequest
    from contracts.control import Answer, InstallationNotice, ModeRequest, ResumeRequest, StatusView
    from contracts.grant import GrantRequest
    from contracts.incident import IncidentNews, IncidentReport
    from contracts.remediation import Remediation
    from contracts.rollback import FollowUpEnd, Merged, Regression, RollbackRequest, RollbackResult, TargetMemory
    from contracts.source import SourceBook, SourceOrder, SourcePassed, SourceUse
    from contracts.verdict import Verdict
    from workflows import api
    from workflows.control import (
        admission,
        budget,
        budget_book,
        clearances,
        earning,
        follow_ups,
        grants,
        incident_records,
        pausing,
        remediations,
        rollback_records,
        source_records,
    )
    from workflows.control.budget_book import is_zone
    from workflows.control.loop import ControlLoop
    from workflows.control.state import ControlInput, ControlState
    from workflows.epochs import epoch_at, when_reset
    from workflows.messages import signals
    from workflows.messages.statements import require_statement

FOLLOW_UNKNOWN = "what an unknown run left is followed"
"""Controls that began before it was (P15)."""
REGISTERS_AGAIN = "registers again after a reset"
"""Controls that were reset before they did (P15)."""
LEAN = "one log entry for what happened meanwhile"
"""The same."""
TELLS_LOSSES = "an earned mode that is lost raises an alert"
"""The same."""
_DESCRIPTION = "an operator command; answered with accepted or refused and the reason"


@workflow.defn(name=api.CONTROL)
class Control:
    """One target's Control. Blank, it starts PAUSED: terminating a paused Control must not unpause it."""

    @workflow.init
    def __init__(self, request: ControlInput) -> None:
        birth = epoch_at(workflow.now())
        self._state = request.state or ControlState(target=request.target, epoch=birth)
        self._chores = ControlLoop(self._state, self._publish, self._pause_itself)
        self._published: tuple[str, str, int] | None = None
        self._details = ""
        self._leaving = False
        # Controls that began before this published with every message, as their histories say.
        self._publishes_once = workflow.patched("publish-once")
        # Likewise: what is only mentioned was logged at once, and an answer to ``admit`` was followed by its order.
        self._lean = workflow.patched(LEAN)
        if self._lean:
            self._state.batch_log()
        if workflow.patched(TELLS_LOSSES):
            self._state.tell_losses()
        # A reset rewinds the books; the brake is the only safe place to wake up in.
        when_reset(self._recover)

    @workflow.run
    async def run(self, request: ControlInput) -> None:
        """Run the loops until the history is long, then hand the books to a new run."""
        loops = [asyncio.create_task(self._keep_published()), *self._chores.begin()]
        self._publish()
        while not self._may_leave():
            try:
                await workflow.wait_condition(self._may_leave)
            except asyncio.CancelledError:
                # A cancelled Control would leave its runs without a brake: it pauses instead of ending.
                self._pause_itself("cancelled by hand")
        self._leaving = True
        self._chores.leave()
        await asyncio.gather(*loops)
        await workflow.wait_condition(workflow.all_handlers_finished)
        workflow.continue_as_new(ControlInput(target=request.target, state=self._state))

    def _may_leave(self) -> bool:
        # Only the run of Control that started a ladder's smoke hears how it ended.
        return self._state.registered and self._state.ladder is None and workflow.info().is_continue_as_new_suggested()

    # The brake

    @workflow.signal(dynamic=True)
    def any_signal(self, name: str, args: Sequence[RawValue]) -> None:
        """``pause`` with any payload; other names are recorded and ignored."""
        if signals.is_pause(name):
            pausing.pause(self._state, signals.read_pause(args, "target", workflow.now()))
            self._publish()
        elif name == api.MORE_PAUSES:
            self._state.log("a flood of pauses", more=signals.read_number(args))
        else:
            self._state.log("unknown signal ignored", name=name[:80])

    @workflow.signal(name=api.INSTALLATION_NOTICE)
    def installation(self, told: InstallationNotice) -> None:
        """The Installation paused or resumed everybody."""
        pausing.notice(self._state, told, workflow.now())
        self._publish()

    def _pause_itself(self, reason: str) -> None:
        pausing.pause(self._state, pausing.brake("start", reason, "control", workflow.now()))
        self._publish()

    def _recover(self) -> None:
        self._pause_itself(pausing.RESET)
        if workflow.patched(REGISTERS_AGAIN):
            # What began after the point it was reset to is in the audit logs, as for one that was terminated.
            self._chores.register_again()

    # What operators ask

    @workflow.update(name=api.RESUME, description=_DESCRIPTION)
    def resume(self, request: ResumeRequest) -> Answer:
        """A person names cause and evidence; the ladder begins."""
        return self._shown(pausing.resume(self._state, request, workflow.now()))

    @workflow.update(name=api.SET_MODE, description=_DESCRIPTION)
    def set_mode(self, request: ModeRequest) -> Answer:
        """Lower or raise the mode."""
        return self._shown(pausing.set_mode(self._state, request, workflow.now()))

    @workflow.update(name=api.SET_CAPS, description=_DESCRIPTION)
    def set_caps(self, request: CapsRequest) -> Answer:
        """Change a cap for the present period."""
        return self._shown(budget.set_caps(self._state, request, workflow.now()))

    @workflow.update(name=api.STATE_COST, description=_DESCRIPTION)
    def state_cost(self, report: CostStatement) -> Answer:
        """Say what an unknown cost was."""
        return self._shown(budget.state_cost(self._state, report, workflow.now()))

    @workflow.update(name=api.GRANT, description=_DESCRIPTION)
    def grant(self, request: GrantRequest) -> Answer:
        """Release one quarantined change, once, for a while."""
        return grants.give(self._state, request, workflow.now())

    @workflow.update(name=api.ORDER_SOURCE, description=_DESCRIPTION)
    def order_source(self, request: SourceOrder) -> Answer:
        """Switch a source off, or lift what it was lowered by."""
        return source_records.order(self._state, request, workflow.now())

    @set_caps.validator
    def _set_caps_is_stated(self, request: CapsRequest) -> None:
        require_statement(request)
        budget.demand_whole(request)

    @state_cost.validator
    def _state_cost_is_stated(self, report: CostStatement) -> None:
        require_statement(report)

    @order_source.validator
    def _source_order_is_stated(self, request: SourceOrder) -> None:
        require_statement(request)

    @grant.validator
    def _grant_is_stated(self, request: GrantRequest) -> None:
        require_statement(request)

    # What runs ask

    @workflow.update(name=api.ADMIT_RUN)
    def admit(self, request: AdmitRequest) -> AdmitAnswer:
        """Admitted, queued, refused or already ran; at once."""
        known = set(self._state.runs)
        answer = admission.admit(self._state, request, workflow.now())
        if self._lean and answer.answer is Admission.ADMITTED and answer.run_id not in known:
            # Its first order is in the answer; whoever did not hear that asks again.
            self._state.told([self._state.runs[answer.run_id]])
        if pausing.escalate_failures(self._state, workflow.now()):
            self._publish()
        return answer

    @admit.validator
    def _admit_is_for_this_target(self, request: AdmitRequest) -> None:
        if request.request.target != self._state.target:
            raise ApplicationError(f"this is Control of {self._state.target}, not of {request.request.target}")
        budget = request.terms.budget
        if budget is not None and not is_zone(budget.time_zone):
            raise ApplicationError(f"{budget.time_zone!r} is no time zone")

    @workflow.update(name=api.RESERVE)
    def reserve(self, request: ReserveRequest) -> ReserveAnswer:
        """May a step cost up to this much?"""
        answer = budget.reserve(self._state, request, workflow.now())
        self._publish()
        return answer

    @reserve.validator
    def _reservation_is_the_runs(self, request: ReserveRequest) -> None:
        if not request.key.startswith(f"{request.run_id}/"):
            raise ApplicationError("key must be run_id/step")
        if not is_zone(request.terms.time_zone):
            raise ApplicationError(f"{request.terms.time_zone!r} is no time zone")

    @workflow.update(name=api.SETTLE_COST)
    def settle_cost(self, report: SettleCost) -> Answer:
        """What a step really cost."""
        return self._shown(budget.settle(self._state, report, workflow.now()))

    @workflow.update(name=api.BEGIN_WRITE)
    def begin_write(self, request: WriteRequest) -> WriteAnswer:
        """A clearance, or why not."""
        return clearances.begin(self._state, request, workflow.now())

    @begin_write.validator
    def _key_is_the_runs(self, request: WriteRequest) -> None:
        if not request.key.startswith(f"{request.run_id}/"):
            raise ApplicationError("key must be run_id/step")

    @workflow.update(name=api.SETTLE_WRITE)
    def settle_write(self, report: SettleRequest) -> Answer:
        """How a write ended."""
        return clearances.settle(self._state, report, workflow.now())

    @workflow.update(name=api.FINISH_RUN)
    def finish(self, report: FinishRequest) -> Answer:
        """How a run ended; its slot goes to the queue."""
        now = workflow.now()
        unknown = report.run_id not in self._state.runs
        news = admission.finish(self._state, report, now)
        if unknown and report.follow_up is not None and workflow.patched(FOLLOW_UNKNOWN):
            # Of a Control that was terminated under it: what the run left is followed all the same.
            self._state.to_follow[report.run_id] = report.follow_up
        if news:
            remediations.heard(self._state, report)
            if report.follow_up is not None:
                self._state.to_follow[report.run_id] = report.follow_up
            pausing.smoke_ended(self._state, report, now)
            pausing.escalate_failures(self._state, now)
            admission.promote(self._state)
            self._publish()
        return admission.heard(self._state, news=news)

    @workflow.update(name=api.REPORT)
    def report(self, report: IncidentReport) -> Answer:
        """An incident trigger."""
        return self._shown(incident_records.open_incident(self._state, report, workflow.now()))

    @workflow.update(name=api.INCIDENT_NEWS)
    def incident_news(self, report: IncidentNews) -> Answer:
        """What an ``Incident`` says of itself."""
        return self._shown(incident_records.take_news(self._state, report))

    @workflow.update(name=api.MERGED)
    def merged(self, report: Merged) -> Answer:
        """A merge of ours is on the base."""
        return rollback_records.merged(self._state, report)

    @workflow.update(name=api.REGRESSION)
    def regression(self, report: Regression) -> Answer:
        """A confirmed regression of ours."""
        return self._shown(rollback_records.regression(self._state, report, workflow.now()))

    @workflow.update(name=api.ROLL_BACK, description=_DESCRIPTION)
    def roll_back(self, request: RollbackRequest) -> Answer:
        """A person orders a rollback."""
        return self._shown(rollback_records.roll_back(self._state, request, workflow.now()))

    @workflow.update(name=api.ROLLED_BACK)
    def rolled_back(self, report: RollbackResult) -> Answer:
        """How a rollback ended."""
        return self._shown(rollback_records.rolled_back(self._state, report, workflow.now()))

    @workflow.update(name=api.FOLLOWED_UP)
    def followed_up(self, report: FollowUpEnd) -> Answer:
        """How a merge or a pull request fared."""
        return follow_ups.followed_up(self._state, report)

    @workflow.update(name=api.SOURCE_USED)
    def source_used(self, report: SourceUse) -> Answer:
        """How good a source was."""
        return source_records.used(self._state, report, workflow.now())

    @workflow.update(name=api.SOURCE_PASSED)
    def source_passed(self, report: SourcePassed) -> Answer:
        """A trial was passed."""
        return source_records.passed(self._state, report)

    # What anybody may look at

    @workflow.query(name=api.STATUS, description="status, mode, epoch, writes in flight, runs, pauses")
    def status(self) -> StatusView:
        """Everything ``pause --wait`` needs, in one answer."""
        return self._state.view()

    @workflow.query(name=api.WHY, description="why this target works, or does not")
    def why(self) -> Verdict:
        """The verdict tree."""
        return self._state.why()

    @workflow.query(name=api.BUDGET, description="caps, spent, reserved, unknown costs, and what blocks new runs")
    def budget(self, run_id: str = "") -> BudgetView:
        """The ledger; with a run id, that run's cost stands first."""
        return budget_book.view(self._state.budget, self._state.target, self._state.epoch, run_id)

    @workflow.query(name=api.QUEUE, description="queued runs, first come first served")
    def queue(self) -> list[RunRecord]:
        """Queued runs."""
        return [self._state.runs[run_id] for run_id in self._state.queue]

    @workflow.query(name=api.BACKLOG, description="remediations of failed changes, open ones first")
    def backlog(self) -> list[Remediation]:
        """Remediations (runbook §6.2)."""
        return remediations.shown(self._state)

    @workflow.query(name=api.MERGES_ALONE, description="whether a kind of task merges by itself now, and why not")
    def merges_alone(self, task_type: str) -> Verdict:
        """Earned, or by a person's override."""
        return earning.merges_alone(self._state, task_type, workflow.now())

    @workflow.query(name=api.AFTERCARE, description="merges, rollbacks, hardening tasks, quarantined ideas")
    def aftercare(self) -> TargetMemory:
        """What later runs, and people, must know."""
        return rollback_records.target_memory(self._state)

    @workflow.query(name=api.SOURCES, description="how far each source is lowered, and why")
    def sources(self) -> SourceBook:
        """Sources (runbook §5)."""
        return source_records.shown(self._state)

    def _shown(self, answer: Answer) -> Answer:
        self._publish()
        return answer

    async def _keep_published(self) -> None:
        """Publish what a message or a loop changed, once for all that one workflow task brought."""
        while not self._leaving:
            await workflow.wait_condition(lambda: self._leaving or self._details != self._state.details())
            self._show_details()
            if self._publishes_once:
                self._upsert_attributes()

    def _publish(self) -> None:
        if not self._publishes_once:
            self._show_details()
            self._upsert_attributes()

    def _show_details(self) -> None:
        """Show the same in the Temporal UI as in ``status``."""
        self._details = self._state.details()
        workflow.set_current_details(self._details)

    def _upsert_attributes(self) -> None:
        state = self._state
        shown = (state.status.value, state.mode.value, state.epoch)
        if shown == self._published:
            return
        self._published = shown
        workflow.upsert_search_attributes(
            [
                api.TARGET_ATTRIBUTE.value_set(state.target),
                api.STATUS_ATTRIBUTE.value_set(state.status.value),
                api.MODE_ATTRIBUTE.value_set(state.mode.value),
                api.EPOCH_ATTRIBUTE.value_set(state.epoch),
            ]
        )
