"""Runbook §6.1: pause every target first, then record the violation and open its ticket."""

from __future__ import annotations

from dataclasses import dataclass

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.api import ESCALATE, EscalateInput, EscalateOutput
from activities.bracket import Bracket
from activities.heartbeat import heartbeating
from activities.workbench import Workbench
from contracts.audit import AuditEvent
from contracts.clearance import WriteAnswerKind
from contracts.effect import Effect
from contracts.modes import Role, WriteAction, WriteClass
from ports.crashpoints import crashpoint


@dataclass(frozen=True)
class Escalating:
    """The change itself is kept: its bundle and diff stay with the run's artifacts (quarantine)."""

    bench: Workbench

    @activity.defn(name=ESCALATE.name, no_thread_cancel_exception=True)
    def escalate(self, given: EscalateInput) -> EscalateOutput:
        """Pause, log, ticket; each step finds what an earlier attempt did."""
        with heartbeating():
            return self._escalate(given)

    def _escalate(self, given: EscalateInput) -> EscalateOutput:
        run = given.run
        crashpoint("escalate.before_effect")
        self.bench.control.report(run.target, given.report)
        crashpoint("escalate.after_pause")
        event = AuditEvent(
            key="escalate",
            role=Role.GATEKEEPER,
            event="policy violation escalated",
            facts={"incident": given.report.incident, "reason": given.report.reason},
            artifacts=tuple(ref.sha256 for ref in given.artifacts),
        )
        head = self.bench.record(run.run_id, (event,), activity.info().started_time)
        ticket = self._ticket(given)
        crashpoint("escalate.after_effect")
        return EscalateOutput(ticket=ticket, audit_head=head)

    def _ticket(self, given: EscalateInput) -> str:
        """A ``record`` write: never moves a ref, so Control clears it while paused."""
        run = given.run
        policy = self.bench.pinned_policy(run)
        effect = Effect(
            action=WriteAction.OPEN_TICKET,
            run_key=f"{run.run_id}/{WriteAction.OPEN_TICKET}",
            run_id=run.run_id,
            task_id="",
            branch="",
            base_branch=policy.target.base_branch,
            head_sha="",
            base_sha="",
            title=f"Policy violation in {run.run_id}",
            body=(
                f"{given.report.reason}\n\nEvery target is paused. The change is kept as `change.bundle` in "
                f"{self.bench.store.address(run.run_id)}; `starter.py resume` opens the target again."
            ),
        )
        done = Bracket(self.bench).around(run, policy, effect, WriteClass.RECORD, run.policy.digest)
        if done.answer.answer is WriteAnswerKind.SETTLED:
            return done.answer.result
        if done.result is None or not done.result.done:
            refused = done.result.refused if done.result else done.answer.verdict.reason
            raise ApplicationError(f"the ticket could not be opened: {refused}", type="TicketRefused")
        return done.result.result
