"""``rollback/<run>``: undo one merge of ours, exactly, once (runbook §8, P11).

The mode is DRY_RUN before this starts. Every write is cleared by Control with class ``repair``; a pause holds the next
one. It ends restored, with health confirmed, or escalated to a person; Control hears of it either way.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from activities import api as steps
    from contracts import rollback as after
    from contracts.merging import Health
    from contracts.messages import ROLLED_BACK
    from contracts.modes import WriteAction
    from contracts.verdict import Decision, Fact
    from policies.counted import counted, shortened
    from workflows import api
    from workflows.after.observations import Observations
    from workflows.polling import Again, polled

_FIRST_HOLD, _LONGEST_HOLD = 5.0, 60.0
_WRITES = {
    "revert_commit": (WriteAction.REVERT,),
    "revert_pr": (WriteAction.PUSH_BRANCH, WriteAction.OPEN_PULL_REQUEST, WriteAction.MERGE),
}


@dataclass(frozen=True)
class Moved:
    """A write that the remote refused because the base is elsewhere, or so it seems."""

    action: WriteAction
    result: after.RepairResult


class Escalated(Exception):
    """A person goes on; never leaves ``Rollback.run``."""


@workflow.defn(name=api.ROLLBACK)
class Rollback:
    """One merge's one rollback."""

    @workflow.init
    def __init__(self, request: after.RollbackInput) -> None:
        self._request = request
        self._plan = after.RevertPlan()
        self._tree = ""
        self._landed = ""
        self._tip = ""
        self._head = ""
        self._place = api.rollback_run_id(request.merged.run.run_id)
        self._looks = Observations(request.merged.run, self._place, request.merged.merge_sha)
        self._state = "preparing"
        self._outcome = after.RollbackOutcome.RUNNING
        self._why = ""

    @workflow.run
    async def run(self, request: after.RollbackInput) -> after.RollbackResult:
        """Plan, write, read back, confirm health, tell Control."""
        workflow.upsert_search_attributes([api.TARGET_ATTRIBUTE.value_set(request.merged.run.target)])
        began = workflow.now()
        try:
            await self._restore()
            outcome, reason = after.RollbackOutcome.RESTORED, await self._healthy()
        except Escalated as stop:
            outcome, reason = after.RollbackOutcome.ESCALATED, str(stop)
        except ActivityError as failure:
            if is_cancelled_exception(failure):
                raise
            outcome, reason = after.RollbackOutcome.ESCALATED, f"could not be done: {failure.__cause__ or failure}"
        result = await self._result(outcome, reason, began)
        await steps.TELL(request.merged.run.target, ROLLED_BACK, result, f"tell Control: {outcome}")
        self._outcome, self._why = outcome, reason
        self._show(outcome.value, reason)
        return result

    @workflow.query(name=api.VIEW, description="the plan, where it is, what it saw")
    def view(self) -> after.RollbackResult:
        """The rollback as it is now; ``reason`` says what it is doing, or why it ended so."""
        return after.RollbackResult(
            run_id=self._request.merged.run.run_id,
            incident=self._request.incident,
            outcome=self._outcome,
            reason=self._why or self._state,
            revert_sha=self._landed or self._plan.landing_sha,
            expected_tree=self._plan.expected_tree,
            restored_tree=self._tree,
            observations=self._looks.latest,
            audit_head=self._head,
        )

    async def _restore(self) -> None:
        """Until the base holds the expected tree; planned anew when the base moved meanwhile."""
        number, first, onto, last, words = 0, "", "", "", None
        while True:
            request = after.PrepareInput(given=self._request, number=number, revert_onto=first, words=words)
            self._show("preparing")
            plan = self._plan = await steps.PREPARE_REVERT(request, f"plan {number + 1}: the tree before any write")
            self._head = plan.audit_head
            if plan.problem:
                raise Escalated(plan.problem)
            if not plan.landing_sha:
                self._tree = plan.expected_tree
                return
            if plan.onto == onto:
                # The base is where it was: that was a refusal, not a race.
                raise Escalated(last)
            first, onto = first or plan.revert_onto, plan.onto
            moved = await self._write(plan, number)
            words = self._plan.words
            if moved is None:
                return
            last = f"{moved.action}: {moved.result.verdict.reason}"
            number += 1
            if plan.health is not None and number > plan.health.base_moves:
                raise Escalated(f"the base moved {counted(number, 'time')}: {last}")

    async def _write(self, plan: after.RevertPlan, number: int) -> Moved | None:
        """Every write of the strategy; None when all are done, the refused one when the base moved."""
        for action in _WRITES[plan.strategy]:
            if action is WriteAction.MERGE and plan.pull_branch:
                await self._show_landing(plan, number)
            result = await self._repair(plan, action, number)
            if result.done:
                # Once its pull request is open, the commit that lands it names that.
                plan = self._plan = result.plan or plan
                if result.restored_tree:
                    self._tree, self._landed = result.restored_tree, result.result
                continue
            if result.moved:
                return Moved(action, result)
            raise Escalated(f"{action}: {result.verdict.reason}")
        if self._tree != plan.expected_tree:
            raise Escalated(f"the tree is {self._tree}, not the expected {plan.expected_tree}")
        return None

    async def _show_landing(self, plan: after.RevertPlan, number: int) -> None:
        """The pull request is merged as it stands: first it gets the commit that the base is going to be."""
        self._tip = self._tip or plan.revert_sha
        if self._tip == plan.landing_sha:
            return
        pushed = await self._repair(plan, WriteAction.PUSH_BRANCH, number, self._tip)
        if not pushed.done:
            raise Escalated(f"{plan.pull_branch}: {pushed.verdict.reason}")
        self._tip = plan.landing_sha

    async def _repair(
        self, plan: after.RevertPlan, action: WriteAction, number: int, tip: str = ""
    ) -> after.RepairResult:
        """One write; while Control says HOLD (paused without a newer command), wait and ask again."""
        pause = _FIRST_HOLD

        async def attempt() -> after.RepairResult | Again:
            nonlocal pause
            self._show(f"writing: {action}")
            request = after.RepairInput(given=self._request, plan=plan, action=action, number=number, tip=tip)
            result = await steps.REPAIR(request, f"{action}, plan {number + 1}")
            self._head = result.audit_head or self._head
            if result.done or result.moved or result.verdict.decision is not Decision.HOLD:
                return result
            self._show(f"held before {action}: {result.verdict.reason}")
            rest, pause = timedelta(seconds=pause), min(2 * pause, _LONGEST_HOLD)
            return Again(rest, shortened(result.verdict.reason, 200))

        return await polled(attempt)

    async def _healthy(self) -> str:
        """So many green looks in a row, within the contract's minutes; anything else begins the count anew."""
        terms = self._plan.health or after.HealthTerms(in_a_row=1, every_seconds=60, maximum_minutes=15, base_moves=0)
        until = workflow.now() + timedelta(minutes=terms.maximum_minutes)
        row = 0

        async def look() -> str | Again:
            nonlocal row
            self._show(f"confirming health: {row} of {terms.in_a_row}")
            # A look that cannot be finished in time has said nothing in time.
            seen = await self._looks.at(within=max(until - workflow.now(), timedelta(seconds=1)))
            row = row + 1 if seen.health is Health.GREEN else 0
            if row >= terms.in_a_row and workflow.now() <= until:
                return f"health confirmed {counted(row, 'time')} in a row"
            every = timedelta(seconds=terms.every_seconds)
            if workflow.now() + every > until:
                shown = (
                    ", ".join((*seen.failing, *seen.unknown))
                    or f"{row} of {counted(terms.in_a_row, 'green look')} in a row"
                )
                raise Escalated(f"health not confirmed within {counted(terms.maximum_minutes, 'minute')}: {shown}")
            return Again(every, "until the base is looked at again")

        return await polled(look)

    async def _result(self, outcome: after.RollbackOutcome, reason: str, began: datetime) -> after.RollbackResult:
        merged, plan = self._request.merged, self._plan
        ended = workflow.now()
        broken = (ended - merged.merged_at).total_seconds()
        until = "restored" if outcome is after.RollbackOutcome.RESTORED else "not restored yet"
        result = after.RollbackResult(
            run_id=merged.run.run_id,
            incident=self._request.incident,
            outcome=outcome,
            reason=reason,
            revert_sha=self._landed or plan.landing_sha,
            expected_tree=plan.expected_tree,
            restored_tree=self._tree,
            seconds=(ended - began).total_seconds(),
            impact=shortened(f"the change was on the base for {broken:.0f} s ({until}): {self._request.reason}", 1000),
            observations=self._looks.latest,
            idea=plan.idea,
        )
        facts: dict[str, Fact] = {
            "outcome": outcome,
            "reason": shortened(reason, 500),
            "expectedTree": plan.expected_tree,
            "restoredTree": self._tree,
            "revert": self._landed or plan.landing_sha,
            "seconds": round(result.seconds, 1),
        }
        note = after.RollbackNote(given=self._request, key=f"ended/{outcome}", event="rollback ended", facts=facts)
        head = await steps.NOTE_ROLLBACK(note, f"rollback ended: {outcome}")
        self._head = head.head
        return result.model_copy(update={"audit_head": head.head})

    def _show(self, state: str, reason: str = "") -> None:
        self._state = state
        workflow.set_current_details(f"**{state}** · `{self._request.merged.run.run_id}`\n\n{reason}")
