"""Waiting for the forge's own CI, by a durable timer, until a deadline (runbook §3, §6.2)."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities import api as steps
    from contracts.admission import Order
    from contracts.ci import CiTerms
    from contracts.handover import CiInput, CiLook, PlannedWrite, RunRef
    from contracts.modes import Outcome, RunStatus, StepName
    from contracts.report import WriteResult
    from contracts.verdict import Decision
    from policies.counted import shortened
    from workflows.run.gate import NEXT_LOOK, WAITS, Gate, RunStopped, waited
    from workflows.run.ledger import RunLedger

End = tuple[RunStatus, str]

_SHORTEST = timedelta(seconds=1)


class CiGate:
    """One run's wait for what CI says of one commit, and what a "no" means for the pull request."""

    def __init__(
        self,
        run: RunRef,
        gate: Gate,
        ledger: RunLedger,
        write: Callable[[RunRef, PlannedWrite, str], Awaitable[WriteResult]],
        at: Callable[[StepName], None],
        show: Callable[[RunStatus, str], None],
        ask_again: Callable[[], Awaitable[Order | None]],
    ) -> None:
        """``at`` and ``show`` say where the run is; ``write`` does one planned write; ``ask_again`` is for the gate."""
        self._run = run
        self._gate = gate
        self._ledger = ledger
        self._write = write
        self._at = at
        self._show = show
        self._ask_again = ask_again

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
        started = workflow.now()
        deadline, every = started + timedelta(minutes=terms.minutes), timedelta(seconds=terms.every_seconds)
        looks, awaited = 0, "not looked at yet"

        def told(more: str) -> str:
            since = f"since {_clock(started)} until {_clock(deadline)}"
            return f"{WAITS}CI of {commit_sha[:12]} {since}: {awaited}{more}"

        while True:
            before = workflow.now()
            await self._gate.passed(self._show, self._ask_again)
            # CI may have been stopped for the same reason as we: the time of a pause is not its time.
            deadline += workflow.now() - before
            seen, looks = self._gate.order, looks + 1
            self._at(StepName.CI)
            self._show(RunStatus.RUNNING, told(""))
            over = workflow.now() >= deadline
            given = CiInput(
                step=self._ledger.step_input(self._run, None),
                terms=terms,
                commit_sha=commit_sha,
                pull_request=next((ref.number for write in self._ledger.writes if (ref := write.pull_request)), 0),
                began_at=started,
                deadline=deadline,
                looks=looks,
                over=over,
            )
            look = await self._gate.abortable(steps.LOOK_AT_CI(given, f"CI of {commit_sha[:12]}, look {looks}"))
            if look.result.verdict.decision is not Decision.HOLD:
                self._ledger.keep(StepName.CI, look.result, started, workflow.now())
                return look
            awaited = look.result.verdict.reason
            # The last look is at the deadline, not before it.
            soon = every if look.again_seconds is None else min(every, timedelta(seconds=look.again_seconds))
            wait = max(min(soon, deadline - workflow.now()), _SHORTEST)
            cause = f"; likely: {look.cause}" if look.cause else ""
            self._show(RunStatus.RUNNING, told(f"{cause}{NEXT_LOOK}{_clock(workflow.now() + wait)}"))
            await waited(self._gate.news(seen), wait, shortened(f"CI of {commit_sha[:12]}: {awaited}", 200))

    async def _closed(self, planned: PlannedWrite) -> str:
        """What became of the pull request; the rejection stands, whatever that is."""
        try:
            closed = await self._write(self._run, planned, "")
        except RunStopped as stop:
            return f"its pull request stays open: {stop.reason}"
        return (
            "its pull request is closed" if closed.done else f"its pull request was not closed: {closed.verdict.reason}"
        )


def _clock(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
