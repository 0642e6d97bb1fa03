"""What every run is: admitted by Control, gated, reported, its end told, whatever it does in between."""

import asyncio
from typing import Self

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from activities import api as steps
    from contracts.admission import Order, RunRequest, RunResult, RunView
    from contracts.control import Answer
    from contracts.handover import HumanDecision, RunRef
    from contracts.modes import RunStatus, StepName
    from policies.verdicts import allow
    from workflows import api
    from workflows.messages.starts import bad_start
    from workflows.messages.statements import require_statement
    from workflows.run.context import End, RunContext
    from workflows.run.gate import RunStopped, awaited
    from workflows.run.ledger import not_admitted


class OneRun:
    """A run's life. Who inherits says in ``work`` what it does."""

    def __new__(cls, *inputs: object) -> Self:
        """Refuse a second input here: nowhere else could it end the run; Temporal would try for ever."""
        if len(inputs) > 1:
            raise bad_start(f"one input is needed, {len(inputs)} were given")
        return super().__new__(cls)

    def __init__(self) -> None:
        self._context = RunContext()

    async def work(self, run: RunRef) -> End:
        """Between admission and report; how it ended.

        Raises:
            RunStopped: Control's order, or a person, ended it.
        """
        raise NotImplementedError

    async def live(self, request: RunRequest) -> RunResult:
        """Admission, the work, report."""
        context = self._context
        workflow.upsert_search_attributes([api.TARGET_ATTRIBUTE.value_set(request.target)])
        info = workflow.info()
        # The first execution's id: a run that was reset by hand is still the same run.
        identity = info.first_execution_run_id
        context.asked = steps.AdmitInput(
            request=request, workflow_id=info.workflow_id, workflow_run_id=identity, now=workflow.now()
        )
        admitted = await steps.ADMIT(context.asked, f"ask Control of {request.target} for admission")
        if admitted.run is None:
            refused = not_admitted(request.target, admitted.answer)
            context.show(refused.status, refused.reason)
            return refused
        run = admitted.run
        workflow.upsert_search_attributes(
            [api.RUN_ATTRIBUTE.value_set(run.run_id), api.MODE_ATTRIBUTE.value_set(run.mode.value)]
        )
        context.begin(run, admitted)
        cancelled: BaseException | None = None
        try:
            status, reason = await self.work(run)
        except RunStopped as stop:
            status, reason = stop.status, stop.reason
        except (ActivityError, asyncio.CancelledError) as failure:
            if is_cancelled_exception(failure):
                cancelled, status, reason = failure, RunStatus.CANCELLED, "cancelled by hand"
            else:
                cause = failure.__cause__ or failure
                status, reason = RunStatus.FAILED, f"step {context.step} could not be done: {cause}"
                context.ledger.kept_out = isinstance(cause, ApplicationError) and cause.type == steps.KEPT_OUT
        closing = asyncio.create_task(self._close(run, status, reason))
        try:
            result = await asyncio.shield(closing)
        except asyncio.CancelledError:
            # Too late to cancel anything, and no reason to lose the report.
            result = await closing
        await workflow.wait_condition(workflow.all_handlers_finished)
        if cancelled is not None:
            raise cancelled
        return result

    # What others say to this run

    @workflow.signal(name=api.ORDER)
    def control(self, order: Order) -> None:
        """Control's order; the highest revision wins, also when it comes before the answer to ``admit``."""
        self._context.gate.take(order)

    @workflow.update(name=api.DECIDE, description="approve or reject what this run waits for")
    def decide(self, decision: HumanDecision) -> Answer:
        """A person's decision on the contract, or the end of a run that holds."""
        self._context.decision = decision
        verdict = allow("the run waits for a decision", decision.reason)
        return Answer.of(verdict, self._context.gate.order.epoch if self._context.gate.order else 0)

    @decide.validator
    def _decide_is_due(self, decision: HumanDecision) -> None:
        require_statement(decision)
        if not self._context.waiting_for:
            raise ApplicationError("this run waits for nobody's decision", type="NotWaiting")
        if decision.subject != self._context.subject:
            raise ApplicationError(f"decide on subject {self._context.subject}, as `state` shows", type="OtherSubject")

    @workflow.query(name=api.STATE, description="where this run is, what it waits for, and why")
    def state(self) -> RunView:
        """The run as it is now."""
        now = self._context
        view = now.ledger.view(now.admitted, now.status, now.step, now.reason)
        seen = {"order": now.gate.order, "waiting_for": now.waiting_for, "subject": now.subject}
        seen["awaits"] = awaited(now.status, now.reason)
        return view.model_copy(update=seen)

    # Its end

    async def _close(self, run: RunRef, status: RunStatus, reason: str) -> RunResult:
        """Audit and the last word to Control; both are retried until they happen."""
        context, ledger = self._context, self._context.ledger
        context.step = StepName.AUDIT
        context.show(status, reason)
        request = ledger.report_input(run, status, reason, workflow.now())
        audited = await steps.AUDIT(request, "write the final report")
        report = ledger.finish_request(run, status, reason, audited)
        await steps.FINISH(steps.FinishInput(run=run, request=report), f"tell Control: {status}")
        return ledger.result(run, status, reason, audited)
