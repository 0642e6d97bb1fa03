"""A run as its parts see it: gate, ledger, what it shows, and its ways to wait, to do a step and to write."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import TypeVar

from temporalio import workflow
from temporalio.exceptions import ActivityError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from activities import api as steps
    from contracts.admission import Admission, Admitted, Order
    from contracts.forge_facts import FORGE_RESTS
    from contracts.handover import HumanDecision, PlannedWrite, RunRef
    from contracts.modes import RunKind, RunStatus, StepName
    from contracts.report import WriteResult
    from contracts.verdict import Decision, Verdict
    from policies.counted import shortened
    from workflows import api
    from workflows.polling import waited
    from workflows.run.gate import FIRST_REST, NEXT_LOOK, Gate, RunStopped, advice, held_too_long, rest
    from workflows.run.ledger import RunLedger

End = tuple[RunStatus, str]
Held = TypeVar("Held")


class RunContext:
    """One run's; made with it, and complete once it is admitted."""

    def __init__(self) -> None:
        self.gate = Gate()
        self.ledger = RunLedger()
        self.asked: steps.AdmitInput | None = None
        self.admitted: RunRef | None = None
        self.status = RunStatus.ADMITTING
        self.reason = ""
        self.step: StepName | None = None
        self.decision: HumanDecision | None = None
        self.approval: HumanDecision | None = None
        self.subject = ""
        self.waiting_for = ""
        self.patience = timedelta()
        self._hold = timedelta()

    @property
    def run(self) -> RunRef:
        """The admitted run."""
        assert self.admitted is not None  # noqa: S101  # nothing of a run happens before
        return self.admitted

    def begin(self, run: RunRef, admitted: Admitted) -> None:
        """It may start, or is queued."""
        self.admitted = run
        self.gate.take(admitted.answer.order)
        self._hold = timedelta(hours=admitted.hold_hours)
        self.patience = timedelta(hours=admitted.wait_hours)

    def show(self, status: RunStatus, reason: str) -> None:
        """The same in the Temporal UI as in ``state``."""
        changed = status is not self.status
        self.status, self.reason = status, reason
        lines = self.ledger.details(self.admitted, status, self.step, reason)
        if self.waiting_for:
            lines += ["", f"Waiting for a person: {self.waiting_for} (subject `{self.subject}`)"]
        workflow.set_current_details("\n".join(lines))
        if changed:
            workflow.upsert_search_attributes([api.STATUS_ATTRIBUTE.value_set(status.value)])

    def await_person(self, waiting_for: str, subject: str) -> None:
        """Say what a person may do now."""
        self.waiting_for, self.subject = waiting_for, subject

    async def pass_gate(self) -> None:
        """Return when Control's order is PROCEED.

        Raises:
            RunStopped: the order ends the run.
        """
        await self.gate.passed(self.show, self._ask_again)

    async def while_held(self, attempt: Callable[[], Awaitable[Held]], verdict: Callable[[Held], Verdict]) -> Held:
        """Do a step behind the gate, again while its verdict says HOLD."""
        since, pause = workflow.now(), FIRST_REST
        while True:
            await self.pass_gate()
            news = self.gate.news(self.gate.order)
            result = await attempt()
            reason = verdict(result)
            if reason.decision is not Decision.HOLD:
                return result
            if self.run.kind is RunKind.SMOKE:
                # It proves something about now, or nothing: the ladder must not wait for it.
                raise RunStopped(RunStatus.REJECTED, f"a smoke run does not wait: {reason.reason}")
            if self.run.kind is RunKind.SOURCE and FORGE_RESTS not in reason.facts:
                # What it fetched is kept: better another one next week than one that waits for a new policy.
                raise RunStopped(RunStatus.PAUSED, f"{reason.reason}; the next expansion goes on with the same trial")
            if workflow.now() - since > self._hold:
                raise held_too_long(reason)
            pause = rest(pause, reason)
            await self._hold_out(reason, pause, news)
            pause *= 2

    async def write(self, planned: PlannedWrite, name: str = "") -> WriteResult:
        """One planned write; ``name`` is the last part of its key (empty: its action).

        DRY_RUN makes the very same call: Control refuses it, not we (P3).
        """

        async def attempt() -> WriteResult:
            artifacts = self.ledger.artifacts
            request = steps.WriteInput(
                run=self.run, planned=planned, artifacts=artifacts, now=workflow.now(), name=name
            )
            return await steps.WRITE(request, f"{planned.action} {planned.branch}")

        written = await self.while_held(attempt, lambda result: result.verdict)
        self.ledger.writes.append(written)
        return written

    async def _hold_out(self, held: Verdict, pause: timedelta, news: Callable[[], bool]) -> None:
        """Wait a while for the cause to go away, for a new order, or for a person to end the run."""
        self.await_person(advice(held), "held")
        self.show(RunStatus.HELD, f"{held.reason}{NEXT_LOOK}{clock(workflow.now() + pause)}")
        await waited(lambda: self.decision is not None or news(), pause, shortened(held.reason, 200))
        self.waiting_for = ""
        if self.decision is not None and not self.decision.approve:
            raise RunStopped(RunStatus.REJECTED, f"ended by {self.decision.actor}: {self.decision.reason}")
        self.decision = None

    async def _ask_again(self) -> Order | None:
        assert self.asked is not None  # noqa: S101  # set before the first gate
        try:
            again = await steps.ADMIT(self.asked, "still waiting: ask Control again")
        except ActivityError as failure:
            if is_cancelled_exception(failure):
                raise
            # Not finding out (a broken policy file, say) changes nothing: the run goes on waiting (P13).
            return self.gate.order
        # A Control reborn without its books may take it for a new attempt: that is not this run.
        ours = again.answer.run_id == self.run.run_id
        known = ours and again.answer.answer in {Admission.ADMITTED, Admission.QUEUED}
        return again.answer.order if known else None


def clock(moment: datetime) -> str:
    """A time as a run's reasons show it."""
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
