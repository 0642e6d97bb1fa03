"""Waiting for the forge's own CI, by a durable timer, until a deadline (runbook §3, §6.2)."""

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities import api as steps
    from contracts.ci import CiTerms
    from contracts.handover import CiInput, CiLook, PlannedWrite
    from contracts.modes import Outcome, RunStatus, StepName
    from contracts.verdict import Decision
    from policies.counted import shortened
    from workflows.polling import Again, polled
    from workflows.run.context import End, RunContext, clock
    from workflows.run.gate import NEXT_LOOK, WAITS, RunStopped

_SHORTEST = timedelta(seconds=1)


async def stopped_by_ci(context: RunContext, commit: str) -> End | None:
    """Wait for what the forge's CI says of a commit, where there is any; None: it has nothing against it."""
    return await CiGate(context).stopped(commit, context.ledger.ci) if context.ledger.ci else None


class CiGate:
    """One run's wait for what CI says of one commit, and what a "no" means for the pull request."""

    def __init__(self, context: RunContext) -> None:
        self._context = context
        self._ledger = context.ledger

    async def stopped(self, commit_sha: str, terms: CiTerms) -> End | None:
        """Wait; None when the run may go on, else how it ends.

        A commit that CI rejects is not released: the pull request is closed, with the reason in it. Without a result
        in time it stays open, for nothing can be blamed. Whoever merged, closed or moved it meanwhile has taken over.
        """
        look = await self._wait(commit_sha, terms)
        verdict = look.result.verdict
        if verdict.allowed:
            return None
        if verdict.decision is Decision.ASK:
            self._ledger.outcome = Outcome.REQUIRES_HUMAN_REVIEW
            return RunStatus.PR_OPENED, f"pull request opened; {verdict.reason}"
        reason = verdict.reason
        if not look.result.writes:
            return RunStatus.REJECTED, f"{reason}; the pull request stays open"
        return RunStatus.REJECTED, f"{reason}; {await self._closed(look.result.writes[0])}"

    async def _wait(self, commit_sha: str, terms: CiTerms) -> CiLook:
        context, ledger = self._context, self._ledger
        started = workflow.now()
        deadline, every = started + timedelta(minutes=terms.minutes), timedelta(seconds=terms.every_seconds)
        looks, awaited = 0, "not looked at yet"

        def told(more: str) -> str:
            since = f"since {clock(started)} until {clock(deadline)}"
            return f"{WAITS}CI of {commit_sha[:12]} {since}: {awaited}{more}"

        async def look() -> CiLook | Again:
            nonlocal deadline, looks, awaited
            before = workflow.now()
            await context.pass_gate()
            # CI may have been stopped for the same reason as we: the time of a pause is not its time.
            deadline += workflow.now() - before
            seen, looks = context.gate.order, looks + 1
            context.step = StepName.CI
            context.show(RunStatus.RUNNING, told(""))
            request = CiInput(
                step=ledger.step_input(context.run, None),
                terms=terms,
                commit_sha=commit_sha,
                pull_request=next((ref.number for write in ledger.writes if (ref := write.pull_request)), 0),
                began_at=started,
                deadline=deadline,
                looks=looks,
                over=workflow.now() >= deadline,
            )
            found = await context.gate.abortable(steps.LOOK_AT_CI(request, f"CI of {commit_sha[:12]}, look {looks}"))
            if found.result.verdict.decision is not Decision.HOLD:
                ledger.keep(StepName.CI, found.result, started, workflow.now())
                return found
            awaited = found.result.verdict.reason
            # The last look is at the deadline, not before it.
            soon = every if found.again_seconds is None else min(every, timedelta(seconds=found.again_seconds))
            wait = max(min(soon, deadline - workflow.now()), _SHORTEST)
            cause = f"; likely: {found.cause}" if found.cause else ""
            context.show(RunStatus.RUNNING, told(f"{cause}{NEXT_LOOK}{clock(workflow.now() + wait)}"))
            return Again(wait, shortened(f"CI of {commit_sha[:12]}: {awaited}", 200), context.gate.news(seen))

        return await polled(look)

    async def _closed(self, planned: PlannedWrite) -> str:
        """What became of the pull request; the rejection stands, whatever that is."""
        try:
            closed = await self._context.write(planned)
        except RunStopped as stop:
            return f"its pull request stays open: {stop.reason}"
        return (
            "its pull request is closed" if closed.done else f"its pull request was not closed: {closed.verdict.reason}"
        )
