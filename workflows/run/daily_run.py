"""``DailyRun``: the nine steps of runbook §4, a gate before each, one report at the end whatever happens."""

import asyncio
from typing import Self

from temporalio import workflow
from temporalio.common import RawValue
from temporalio.exceptions import ActivityError, ApplicationError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from activities import api as steps
    from contracts.admission import Order, RunResult, RunView
    from contracts.control import Answer
    from contracts.forge_facts import ABOUT_CHANGES, comment_name
    from contracts.handover import HumanDecision, PlannedWrite, RunRef, StepInput, StepResult
    from contracts.modes import Mode, Outcome, RunStatus, StepName, WriteAction
    from contracts.verdict import Decision
    from policies.verdicts import allow
    from workflows import api
    from workflows.messages.starts import bad_start, read_start
    from workflows.messages.statements import require_statement
    from workflows.polling import waited
    from workflows.run.ci import stopped_by_ci
    from workflows.run.context import End, RunContext
    from workflows.run.gate import RunStopped, awaited, escalation
    from workflows.run.ledger import not_admitted
    from workflows.run.merge import Merging

FLOW = (steps.PREFLIGHT, steps.SENSE, steps.TRIAGE, steps.PLAN, steps.CODE, steps.REVIEW, steps.CHECK, steps.RELEASE)
WEIGHED_BY_RELEASE = frozenset({StepName.REVIEW, StepName.CHECK})
"""A "no" of these does not end the run: Release weighs it and says so in its decision."""


@workflow.defn(name=api.DAILY_RUN)
class DailyRun:
    """One run of one target: at most one task, at most one pull request."""

    def __new__(cls, *given: object) -> Self:
        """Refuse a second input here: nowhere else could it end the run; Temporal would try for ever."""
        if len(given) > 1:
            raise bad_start(f"one input is needed, {len(given)} were given")
        return super().__new__(cls)

    @workflow.init
    def __init__(self, spec: RawValue = None) -> None:  # type: ignore[assignment]  # noqa: ARG002  # as `run`
        self._context = RunContext()

    @workflow.run
    async def run(self, spec: RawValue = None) -> RunResult:  # type: ignore[assignment]
        """Admission, nine steps, report."""
        request, context = read_start(spec), self._context
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
            status, reason = await self._work(run)
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

    # The run itself

    async def _work(self, run: RunRef) -> End:
        context, ledger = self._context, self._context.ledger
        for step in FLOW:
            result = await self._perform(step)
            verdict = result.verdict
            if context.step is StepName.SENSE:
                # Done or not, the run goes on: this is about what earlier runs left behind.
                for moot in result.writes:
                    await context.write(moot, _tidying(moot))
            if result.nothing_to_do:
                return RunStatus.NOTHING_TO_DO, verdict.reason
            if verdict.decision is Decision.ESCALATE:
                context.show(RunStatus.ESCALATED, verdict.reason)
                await steps.RESPOND(escalation(run, verdict, ledger.artifacts), "an escalation: pause first")
                return RunStatus.ESCALATED, verdict.reason
            if verdict.decision is Decision.ASK and context.step is StepName.PLAN:
                await self._ask(result)
            if verdict.decision is Decision.DENY and context.step is StepName.PREFLIGHT:
                return RunStatus.REFUSED, verdict.reason
            if verdict.decision is Decision.DENY and context.step not in WEIGHED_BY_RELEASE:
                ledger.outcome = Outcome.REJECT
                return RunStatus.REJECTED, verdict.reason
        for planned in ledger.planned:
            written = await context.write(planned)
            if not written.done and run.mode is not Mode.DRY_RUN:
                return RunStatus.REJECTED, f"{planned.action}: {written.verdict.reason}"
        if run.mode is Mode.DRY_RUN:
            return RunStatus.DRY_RUN_COMPLETE, f"{len(ledger.writes)} writes refused, as in every DRY_RUN"
        if ledger.outcome is Outcome.CANARY_ALLOWED:
            return await Merging(context).land()
        opened = f"pull request opened, outcome {ledger.outcome}"
        return await stopped_by_ci(context, ledger.pins.head_sha) or (RunStatus.PR_OPENED, opened)

    async def _perform(self, step: steps.Step[StepInput, StepResult]) -> StepResult:
        """One step behind its gate, again while it says HOLD (the policy changed under the run)."""
        context = self._context
        name = context.step = StepName(step.name)

        async def attempt() -> StepResult:
            started = workflow.now()
            given = context.ledger.step_input(context.run, context.approval)
            about = context.ledger.task_id or context.run.target
            result = await context.gate.abortable(step(given, f"{name}: {about}"))
            if result.verdict.decision is not Decision.HOLD:
                context.ledger.keep(name, result, started, workflow.now())
            return result

        return await context.while_held(attempt, lambda result: result.verdict)

    async def _ask(self, result: StepResult) -> None:
        """Wait for a person's ``decide`` on the contract."""
        context = self._context
        context.decision = None
        subject = result.handover.output_artifacts[-1].sha256
        context.await_person(f"decide on the task contract {subject[:12]}", subject)
        context.show(RunStatus.WAITING, result.verdict.reason)
        await waited(
            lambda: context.decision is not None or context.gate.ended is not None,
            context.patience,
            "wait for a person's decision",
        )
        context.waiting_for = ""
        decision: HumanDecision | None = context.decision
        if context.gate.ended is not None:
            raise context.gate.ended
        if decision is None:
            raise RunStopped(RunStatus.REJECTED, "nobody decided on the contract in time")
        if not decision.approve:
            context.ledger.refused_by = decision.actor
            raise RunStopped(RunStatus.REJECTED, f"rejected by {decision.actor}: {decision.reason}")
        context.approval, context.decision = decision, None

    async def _close(self, run: RunRef, status: RunStatus, reason: str) -> RunResult:
        """Audit and the last word to Control; both are retried until they happen."""
        context, ledger = self._context, self._context.ledger
        context.step = StepName.AUDIT
        context.show(status, reason)
        given = ledger.report_input(run, status, reason, workflow.now())
        audited = await steps.AUDIT(given, "write the final report")
        said = ledger.finish_request(run, status, reason, audited)
        await steps.FINISH(steps.FinishInput(run=run, request=said), f"tell Control: {status}")
        return ledger.result(run, status, reason, audited)


def _tidying(planned: PlannedWrite) -> str:
    """The last part of the key of a write about what earlier runs left behind."""
    if planned.action is WriteAction.REMOVE_BRANCH:
        return f"remove-{planned.branch.replace('/', '-')}"
    if planned.action is WriteAction.COMMENT:
        return comment_name(planned.number, ABOUT_CHANGES)
    return f"close-{planned.of_run}"
