"""``DailyRun``: the nine steps of runbook §4, a gate before each, one report at the end whatever happens."""

from temporalio import workflow
from temporalio.common import RawValue

with workflow.unsafe.imports_passed_through():
    from activities import api as steps
    from contracts.admission import RunResult
    from contracts.forge_facts import ABOUT_CHANGES, comment_name, question_name
    from contracts.handover import HumanDecision, PlannedWrite, RunRef, StepInput, StepResult
    from contracts.modes import Mode, Outcome, Role, RunStatus, StepName, WriteAction
    from contracts.verdict import Decision
    from workflows import api
    from workflows.messages.starts import read_start
    from workflows.polling import waited
    from workflows.run.ci import stopped_by_ci
    from workflows.run.context import End
    from workflows.run.gate import RunStopped, escalation
    from workflows.run.merge import Merging
    from workflows.run.one_run import OneRun

FLOW = (steps.PREFLIGHT, steps.SENSE, steps.TRIAGE, steps.PLAN, steps.CODE, steps.REVIEW, steps.CHECK, steps.RELEASE)
ROUNDS = frozenset({StepName.CODE, StepName.CHECK})
"""Steps after which Coding may have another turn."""
WEIGHED_BY_RELEASE = frozenset({StepName.REVIEW, StepName.CHECK})
"""A "no" of these does not end the run: Release weighs it and says so in its decision."""


@workflow.defn(name=api.DAILY_RUN)
class DailyRun(OneRun):
    """One run of one target: at most one task, at most one pull request."""

    @workflow.init
    def __init__(self, spec: RawValue = None) -> None:  # type: ignore[assignment]  # noqa: ARG002  # as `run`
        super().__init__()

    @workflow.run
    async def run(self, spec: RawValue = None) -> RunResult:  # type: ignore[assignment]
        """Admission, nine steps, report."""
        return await self.live(read_start(spec))

    async def work(self, run: RunRef) -> End:
        """The steps, then what Release wants written."""
        context, ledger = self._context, self._context.ledger
        place = 0
        while place < len(FLOW):
            result = await self._perform(FLOW[place])
            verdict = result.verdict
            if result.handover.next_role is Role.CODING and context.step in ROUNDS:
                # What failed goes back to who coded: the step said so, and the history has it.
                ledger.begin_round(verdict.reason)
                place = FLOW.index(steps.CODE)
                continue
            place += 1
            if context.step is StepName.SENSE:
                # Done or not, the run goes on: this is about what earlier runs left behind.
                for moot in result.writes:
                    await context.write(moot, _tidying(moot))
            if result.nothing_to_do:
                return await self._done_for_today(result)
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

    async def _done_for_today(self, result: StepResult) -> End:
        """There is nothing to do, or nobody can tell what: then that is asked where it was reported."""
        context, reason = self._context, result.verdict.reason
        for question in result.writes if context.step is not StepName.SENSE else ():
            written = await context.write(question, _tidying(question))
            if not written.done and context.run.mode is not Mode.DRY_RUN:
                return RunStatus.REJECTED, f"{reason}; it could not be asked: {written.verdict.reason}"
        return RunStatus.NOTHING_TO_DO, reason

    async def _perform(self, step: steps.Step[StepInput, StepResult]) -> StepResult:
        """One step behind its gate, again while it says HOLD (the policy changed under the run)."""
        context = self._context
        name = context.step = StepName(step.name)

        async def attempt() -> StepResult:
            started = workflow.now()
            request = context.ledger.step_input(context.run, context.approval)
            about = context.ledger.task_id or context.run.target
            result = await context.gate.abortable(step(request, f"{name}: {about}"))
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


def _tidying(planned: PlannedWrite) -> str:
    """The last part of the key of a write about what earlier runs left behind."""
    if planned.action is WriteAction.REMOVE_BRANCH:
        return f"remove-{planned.branch.replace('/', '-')}"
    if planned.asks:
        return question_name(planned.number, planned.asks)
    if planned.action is WriteAction.COMMENT:
        return comment_name(planned.number, ABOUT_CHANGES)
    return f"close-{planned.of_run}"
