"""``SourceExpansion``: scout, plan, fetches by durable timers, judgement (runbook §5), a gate before each step."""

from temporalio import workflow
from temporalio.common import RawValue

with workflow.unsafe.imports_passed_through():
    from activities import api as steps
    from contracts.admission import RunRequest, RunResult
    from contracts.handover import RunRef
    from contracts.modes import Mode, Outcome, RunKind, RunStatus, StepName
    from contracts.trial import TrialInput, TrialLook
    from contracts.verdict import Decision
    from workflows import api
    from workflows.messages.starts import read_expansion
    from workflows.polling import waited
    from workflows.run.context import End, clock
    from workflows.run.gate import NEXT_LOOK, WAITS
    from workflows.run.one_run import OneRun


@workflow.defn(name=api.SOURCE_EXPANSION)
class SourceExpansion(OneRun):
    """One trial of one source of one target. Its fetches are kept: the next run goes on where this one ended."""

    @workflow.init
    def __init__(self, spec: RawValue = None) -> None:  # type: ignore[assignment]  # noqa: ARG002  # as `run`
        super().__init__()
        self._source = ""

    @workflow.run
    async def run(self, spec: RawValue = None) -> RunResult:  # type: ignore[assignment]
        """Admission, the trial, report. It never writes: Control clears nothing for a DRY_RUN."""
        expansion = read_expansion(spec)
        self._source = expansion.source
        request = RunRequest(target=expansion.target, kind=RunKind.SOURCE, mode=Mode.DRY_RUN, actor=expansion.actor)
        return await self.live(request)

    async def work(self, run: RunRef) -> End:
        """Scout, plan, fetch until the trial is over, judge."""
        await self._step(run, steps.SCOUT)
        planned = (await self._step(run, steps.PLAN_TRIAL)).result
        if planned.nothing_to_do:
            return RunStatus.NOTHING_TO_DO, planned.verdict.reason
        if not planned.verdict.allowed:
            return self._rejected(planned.verdict.reason)
        looks = 1
        while (found := await self._step(run, steps.FETCH_TRIAL, looks)).next_at is not None:
            await self._rest(found)
            looks += 1
        judged = (await self._step(run, steps.JUDGE_TRIAL)).result.verdict
        return (RunStatus.DRY_RUN_COMPLETE, judged.reason) if judged.allowed else self._rejected(judged.reason)

    async def _step(self, run: RunRef, step: steps.Step[TrialInput, TrialLook], look: int = 0) -> TrialLook:
        context = self._context
        name = context.step = StepName(step.name)

        async def attempt() -> TrialLook:
            started = workflow.now()
            request = TrialInput(step=context.ledger.step_input(run, None), source=self._source, look=look)
            about = context.ledger.task_id or run.target
            found = await context.gate.abortable(step(request, f"{name}: {about}"))
            if found.result.verdict.decision is not Decision.HOLD:
                context.ledger.keep(name, found.result, started, workflow.now())
            return found

        return await context.while_held(attempt, lambda found: found.result.verdict)

    async def _rest(self, found: TrialLook) -> None:
        """Until the next fetch is due, or Control has news; whoever is woken early looks, and fetches nothing."""
        assert found.next_at is not None  # noqa: S101  # who has none is not waited for
        context = self._context
        reason = found.result.verdict.reason
        context.show(RunStatus.RUNNING, f"{WAITS}the next fetch; {reason}{NEXT_LOOK}{clock(found.next_at)}")
        wait = found.next_at - workflow.now()
        if wait.total_seconds() > 0:
            await waited(context.gate.news(context.gate.order), wait, f"until the next fetch at {clock(found.next_at)}")

    def _rejected(self, reason: str) -> End:
        self._context.ledger.outcome = Outcome.REJECT
        return RunStatus.REJECTED, reason
