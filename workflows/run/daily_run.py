"""``DailyRun``: the nine steps of runbook §4, a gate before each, one report at the end whatever happens."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Self, TypeVar

from temporalio import workflow
from temporalio.common import RawValue
from temporalio.exceptions import ActivityError, ApplicationError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from activities import api as steps
    from contracts.admission import Admission, Order, RunResult, RunView
    from contracts.control import Answer
    from contracts.forge_facts import ABOUT_CHANGES, comment_name
    from contracts.handover import HumanDecision, PlannedWrite, RunRef, StepInput, StepResult
    from contracts.modes import Mode, Outcome, RunKind, RunStatus, StepName, WriteAction
    from contracts.report import WriteResult
    from contracts.verdict import Decision, Verdict
    from policies.counted import shortened
    from workflows import api
    from workflows.messages.starts import bad_start, read_start
    from workflows.messages.statements import require_statement
    from workflows.run.ci import CiGate
    from workflows.run.gate import (
        FIRST_REST,
        NEXT_LOOK,
        Gate,
        RunStopped,
        advice,
        awaited,
        escalation,
        held_too_long,
        rest,
        waited,
    )
    from workflows.run.ledger import RunLedger, not_admitted
    from workflows.run.merge import Merging, RunContext

FLOW = (steps.PREFLIGHT, steps.SENSE, steps.TRIAGE, steps.PLAN, steps.CODE, steps.REVIEW, steps.CHECK, steps.RELEASE)
WEIGHED_BY_RELEASE = frozenset({StepName.REVIEW, StepName.CHECK})
"""A "no" of these does not end the run: Release weighs it and says so in its decision."""


Held = TypeVar("Held")


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
        self._gate = Gate()
        self._asked: steps.AdmitInput | None = None
        self._run: RunRef | None = None
        self._status = RunStatus.ADMITTING
        self._reason = ""
        self._step: StepName | None = None
        self._ledger = RunLedger()
        self._decision: HumanDecision | None = None
        self._approval: HumanDecision | None = None
        self._subject = ""
        self._waiting_for = ""
        self._hold = timedelta()
        self._patience = timedelta()

    @workflow.run
    async def run(self, spec: RawValue = None) -> RunResult:  # type: ignore[assignment]
        """Admission, nine steps, report."""
        request = read_start(spec)
        workflow.upsert_search_attributes([api.TARGET_ATTRIBUTE.value_set(request.target)])
        info = workflow.info()
        # The first execution's id: a run that was reset by hand is still the same run.
        identity = info.first_execution_run_id
        self._asked = steps.AdmitInput(
            request=request, workflow_id=info.workflow_id, workflow_run_id=identity, now=workflow.now()
        )
        admitted = await steps.ADMIT(self._asked, f"ask Control of {request.target} for admission")
        if admitted.run is None:
            refused = not_admitted(request.target, admitted.answer)
            self._show(refused.status, refused.reason)
            return refused
        run = self._run = admitted.run
        workflow.upsert_search_attributes(
            [api.RUN_ATTRIBUTE.value_set(run.run_id), api.MODE_ATTRIBUTE.value_set(run.mode.value)]
        )
        self._gate.take(admitted.answer.order)
        self._hold = timedelta(hours=admitted.hold_hours)
        self._patience = timedelta(hours=admitted.wait_hours)
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
                status, reason = RunStatus.FAILED, f"step {self._step} could not be done: {cause}"
                self._ledger.kept_out = isinstance(cause, ApplicationError) and cause.type == steps.KEPT_OUT
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
        self._gate.take(order)

    @workflow.update(name=api.DECIDE, description="approve or reject what this run waits for")
    def decide(self, decision: HumanDecision) -> Answer:
        """A person's decision on the contract, or the end of a run that holds."""
        self._decision = decision
        verdict = Verdict(rule="the run waits for a decision", decision=Decision.ALLOW, reason=decision.reason)
        return Answer.of(verdict, self._gate.order.epoch if self._gate.order else 0)

    @decide.validator
    def _decide_is_due(self, decision: HumanDecision) -> None:
        require_statement(decision)
        if not self._waiting_for:
            raise ApplicationError("this run waits for nobody's decision", type="NotWaiting")
        if decision.subject != self._subject:
            raise ApplicationError(f"decide on subject {self._subject}, as `state` shows", type="OtherSubject")

    @workflow.query(name=api.STATE, description="where this run is, what it waits for, and why")
    def state(self) -> RunView:
        """The run as it is now."""
        view = self._ledger.view(self._run, self._status, self._step, self._reason)
        seen = {"order": self._gate.order, "waiting_for": self._waiting_for, "subject": self._subject}
        seen["awaits"] = awaited(self._status, self._reason)
        return view.model_copy(update=seen)

    # The run itself

    async def _work(self, run: RunRef) -> tuple[RunStatus, str]:
        for step in FLOW:
            result = await self._perform(run, step)
            verdict = result.verdict
            if self._step is StepName.SENSE:
                # Done or not, the run goes on: this is about what earlier runs left behind.
                for moot in result.writes:
                    await self._write(run, moot, _tidying(moot))
            if result.nothing_to_do:
                return RunStatus.NOTHING_TO_DO, verdict.reason
            if verdict.decision is Decision.ESCALATE:
                self._show(RunStatus.ESCALATED, verdict.reason)
                await steps.RESPOND(escalation(run, verdict, self._ledger.artifacts), "an escalation: pause first")
                return RunStatus.ESCALATED, verdict.reason
            if verdict.decision is Decision.ASK and self._step is StepName.PLAN:
                await self._ask(result)
            if verdict.decision is Decision.DENY and self._step is StepName.PREFLIGHT:
                return RunStatus.REFUSED, verdict.reason
            if verdict.decision is Decision.DENY and self._step not in WEIGHED_BY_RELEASE:
                self._ledger.outcome = Outcome.REJECT
                return RunStatus.REJECTED, verdict.reason
        for planned in self._ledger.planned:
            written = await self._write(run, planned)
            if not written.done and run.mode is not Mode.DRY_RUN:
                return RunStatus.REJECTED, f"{planned.action}: {written.verdict.reason}"
        if run.mode is Mode.DRY_RUN:
            return RunStatus.DRY_RUN_COMPLETE, f"{len(self._ledger.writes)} writes refused, as in every DRY_RUN"
        if self._ledger.outcome is Outcome.CANARY_ALLOWED:
            means = RunContext(self._gate, self._ledger, self._approval, self._while_held, self._write, self._ci)
            return await Merging(run, means, self._at, self._show, self._ask_again).land()
        opened = f"pull request opened, outcome {self._ledger.outcome}"
        return await self._ci(run, self._ledger.pins.head_sha) or (RunStatus.PR_OPENED, opened)

    async def _ci(self, run: RunRef, commit: str) -> tuple[RunStatus, str] | None:
        """Wait for what the forge's CI says of a commit, where there is any; None: it has nothing against it."""
        if self._ledger.ci is None:
            return None
        gate = CiGate(run, self._gate, self._ledger, self._write, self._at, self._show, self._ask_again)
        return await gate.stopped(commit, self._ledger.ci)

    async def _perform(self, run: RunRef, step: steps.Step[StepInput, StepResult]) -> StepResult:
        """One step behind its gate, again while it says HOLD (the policy changed under the run)."""
        self._step = StepName(step.name)

        async def attempt() -> StepResult:
            started = workflow.now()
            given = self._ledger.step_input(run, self._approval)
            result = await self._gate.abortable(step(given, f"{self._step}: {self._ledger.task_id or run.target}"))
            if result.verdict.decision is not Decision.HOLD:
                self._ledger.keep(StepName(step.name), result, started, workflow.now())
            return result

        return await self._while_held(attempt, lambda result: result.verdict)

    async def _write(self, run: RunRef, planned: PlannedWrite, name: str = "") -> WriteResult:
        """One planned write. DRY_RUN makes the very same call: Control refuses it, not we (P3)."""

        async def attempt() -> WriteResult:
            artifacts = self._ledger.artifacts
            given = steps.WriteInput(run=run, planned=planned, artifacts=artifacts, now=workflow.now(), name=name)
            return await steps.WRITE(given, f"{planned.action} {planned.branch}")

        written = await self._while_held(attempt, lambda result: result.verdict)
        self._ledger.writes.append(written)
        return written

    def _at(self, step: StepName) -> None:
        self._step = step

    async def _while_held(self, attempt: Callable[[], Awaitable[Held]], verdict: Callable[[Held], Verdict]) -> Held:
        since, pause = workflow.now(), FIRST_REST
        while True:
            await self._gate.passed(self._show, self._ask_again)
            news = self._gate.news(self._gate.order)
            result = await attempt()
            if verdict(result).decision is not Decision.HOLD:
                return result
            reason = verdict(result).reason
            if self._run is not None and self._run.kind is RunKind.SMOKE:
                # It proves something about now, or nothing: the ladder must not wait for it.
                raise RunStopped(RunStatus.REJECTED, f"a smoke run does not wait: {reason}")
            if workflow.now() - since > self._hold:
                raise held_too_long(verdict(result))
            pause = rest(pause, verdict(result))
            await self._hold_out(reason, pause, news, advice(verdict(result)))
            pause *= 2

    async def _hold_out(self, reason: str, pause: timedelta, news: Callable[[], bool], advice: str) -> None:
        """Wait a while for the cause to go away, for a new order, or for a person to end the run."""
        self._await_person(advice, "held")
        self._show(RunStatus.HELD, f"{reason}{NEXT_LOOK}{workflow.now() + pause:%Y-%m-%d %H:%M:%S} UTC")
        await waited(lambda: self._decision is not None or news(), pause, shortened(reason, 200))
        self._waiting_for = ""
        if self._decision is not None and not self._decision.approve:
            raise RunStopped(RunStatus.REJECTED, f"ended by {self._decision.actor}: {self._decision.reason}")
        self._decision = None

    async def _ask_again(self) -> Order | None:
        assert self._asked is not None  # noqa: S101  # set before the first gate
        try:
            again = await steps.ADMIT(self._asked, "still waiting: ask Control again")
        except ActivityError as failure:
            if is_cancelled_exception(failure):
                raise
            # Not finding out (a broken policy file, say) changes nothing: the run goes on waiting (P13).
            return self._gate.order
        # A Control reborn without its books may take it for a new attempt: that is not this run.
        ours = self._run is not None and again.answer.run_id == self._run.run_id
        known = ours and again.answer.answer in {Admission.ADMITTED, Admission.QUEUED}
        return again.answer.order if known else None

    async def _ask(self, result: StepResult) -> None:
        """Wait for a person's ``decide`` on the contract."""
        self._decision = None
        subject = result.handover.output_artifacts[-1].sha256
        self._await_person(f"decide on the task contract {subject[:12]}", subject)
        self._show(RunStatus.WAITING, result.verdict.reason)
        await waited(
            lambda: self._decision is not None or self._gate.ended is not None,
            self._patience,
            "wait for a person's decision",
        )
        self._waiting_for = ""
        decision: HumanDecision | None = self._decision
        if self._gate.ended is not None:
            raise self._gate.ended
        if decision is None:
            raise RunStopped(RunStatus.REJECTED, "nobody decided on the contract in time")
        if not decision.approve:
            self._ledger.refused_by = decision.actor
            raise RunStopped(RunStatus.REJECTED, f"rejected by {decision.actor}: {decision.reason}")
        self._approval, self._decision = decision, None

    async def _close(self, run: RunRef, status: RunStatus, reason: str) -> RunResult:
        """Audit and the last word to Control; both are retried until they happen."""
        self._step = StepName.AUDIT
        self._show(status, reason)
        given = self._ledger.report_input(run, status, reason, workflow.now())
        audited = await steps.AUDIT(given, "write the final report")
        said = self._ledger.finish_request(run, status, reason, audited)
        await steps.FINISH(steps.FinishInput(run=run, request=said), f"tell Control: {status}")
        return self._ledger.result(run, status, reason, audited)

    def _await_person(self, waiting_for: str, subject: str) -> None:
        self._waiting_for, self._subject = waiting_for, subject

    def _show(self, status: RunStatus, reason: str) -> None:
        """The same in the Temporal UI as in ``state``."""
        changed = status is not self._status
        self._status, self._reason = status, reason
        lines = self._ledger.details(self._run, status, self._step, reason)
        if self._waiting_for:
            lines += ["", f"Waiting for a person: {self._waiting_for} (subject `{self._subject}`)"]
        workflow.set_current_details("\n".join(lines))
        if changed:
            workflow.upsert_search_attributes([api.STATUS_ATTRIBUTE.value_set(status.value)])


def _tidying(planned: PlannedWrite) -> str:
    """The last part of the key of a write about what earlier runs left behind."""
    if planned.action is WriteAction.REMOVE_BRANCH:
        return f"remove-{planned.branch.replace('/', '-')}"
    if planned.action is WriteAction.COMMENT:
        return comment_name(planned.number, ABOUT_CHANGES)
    return f"close-{planned.of_run}"
