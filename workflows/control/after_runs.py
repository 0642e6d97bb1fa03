"""Control's loops for what comes after a run: following it up, rolling it back (runbook §6.3, §8).

Both start children that outlive this run of Control; the books say what is due, so nothing is lost in between.
"""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Protocol

from temporalio import workflow
from temporalio.common import WorkflowIDReusePolicy
from temporalio.exceptions import ActivityError, FailureError, WorkflowAlreadyStartedError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from activities.api import SIGHT
    from contracts.artifact import Contract
    from contracts.rollback import RollbackOutcome, RollbackResult, SightInput
    from policies.counted import shortened
    from workflows import api
    from workflows.control import follow_ups, incident_records, rollback_records
    from workflows.control.state import ControlState

_REST = timedelta(seconds=10)
LOOKED_AFTER = "follow-ups are looked after"
"""Controls that started theirs before they were (P15)."""
_ONCE = WorkflowIDReusePolicy.REJECT_DUPLICATE
"""Once per run, whatever was forgotten meanwhile."""
_AGAIN = WorkflowIDReusePolicy.ALLOW_DUPLICATE
"""A follow-up that was lost; one that runs is never doubled."""


class Until(Protocol):
    """``ControlLoop``' wait: False when this run of Control is about to hand over."""

    def __call__(self, due: Callable[[], bool], wait: timedelta | None = None) -> Awaitable[bool]:
        """Wait until something is due, or for a time."""


class AfterRunsLoop:
    """Three loops over the books."""

    def __init__(self, state: ControlState, until: Until, publish: Callable[[], None]) -> None:
        self._state = state
        self._until = until
        self._publish = publish

    async def follow(self) -> None:
        """Start a ``FollowUp`` for every run that left a merge or a pull request."""
        while await self._until(lambda: self._quiet() and bool(self._state.to_follow)):
            run_id = next(iter(self._state.to_follow))
            request = follow_ups.start_of(self._state, run_id)
            summary = f"what becomes of {run_id}"
            reuse = _AGAIN if run_id in self._state.follow_starts else _ONCE
            if await self._started(api.FOLLOW_UP, request, api.follow_up_id(run_id), summary, reuse):
                self._state.to_follow.pop(run_id, None)
                if workflow.patched(LOOKED_AFTER):
                    follow_ups.begun(self._state, request)

    async def roll_back(self) -> None:
        """Start the rollback that is due; look after one that runs, so that a terminated one is not waited for."""
        while await self._until(lambda: self._said() and bool(self._state.rolling_back())):
            due = rollback_records.to_start(self._state)
            if due is None:
                await self._look_after(rollback_records.running(self._state))
                continue
            run_id = due.merged.run.run_id
            summary = f"roll back {run_id}: {shortened(due.reason, 100)}"
            if await self._started(api.ROLLBACK, rollback_records.start_of(due), api.rollback_id(run_id), summary):
                rollback_records.started(self._state, run_id)
                self._publish()

    async def tag(self) -> None:
        """Tell incidents how the rollback ended."""
        while await self._until(self._tag_is_due):
            incident = rollback_records.to_tag(self._state)[0]
            record = self._state.incidents[incident]
            handle = workflow.get_external_workflow_handle(api.incident_id(self._state.target, incident))
            try:
                await handle.signal(api.ROLLED_BACK, record.rollback)
            except FailureError as gone:
                # It ended: what it says now stays said; the books and the audit log have the tag.
                workflow.logger.info("%s could not be told: %s", incident, gone)
            if (known := self._state.incidents.get(incident)) is not None:
                self._state.incidents[incident] = known.model_copy(update={"tagged": True})

    # Two loops that become due at once would have their order from chance: what is said first, then the incident, then
    # its rollback, then follow-ups, then tags.

    def _said(self) -> bool:
        state = self._state
        return state.registered and not state.to_log and not state.to_alert and not incident_records.to_start(state)

    def _quiet(self) -> bool:
        return self._said() and rollback_records.to_start(self._state) is None

    def _tag_is_due(self) -> bool:
        return self._quiet() and not self._state.to_follow and bool(rollback_records.to_tag(self._state))

    async def _look_after(self, run_id: str) -> None:
        def over() -> bool:
            return rollback_records.running(self._state) != run_id

        if not await self._until(over, timedelta(seconds=self._state.terms.reap_seconds)) or over():
            return
        try:
            seen = await SIGHT(SightInput(workflow_id=api.rollback_id(run_id)), f"is {run_id} still being rolled back?")
        except ActivityError as failure:
            workflow.logger.warning("rollback of %s: %s", run_id, failure)
            return
        if not seen.open and not over():
            lost = RollbackResult(
                run_id=run_id,
                incident=self._state.merges[run_id].incident,
                outcome=RollbackOutcome.ESCALATED,
                reason=f"its workflow is {seen.status} and never said how it ended",
            )
            rollback_records.rolled_back(self._state, lost, workflow.now())
            self._publish()

    async def _started(
        self, name: str, request: Contract, workflow_id: str, summary: str, reuse: WorkflowIDReusePolicy = _ONCE
    ) -> bool:
        try:
            await workflow.start_child_workflow(
                name,
                request,
                id=workflow_id,
                parent_close_policy=workflow.ParentClosePolicy.ABANDON,
                id_reuse_policy=reuse,
                static_summary=summary,
            )
        except WorkflowAlreadyStartedError:
            workflow.logger.info("%s was started already", workflow_id)
        except FailureError as failure:
            if is_cancelled_exception(failure):
                raise
            workflow.logger.warning("%s could not be started: %s", workflow_id, failure)
            await self._until(lambda: False, _REST)
            return False
        return True
