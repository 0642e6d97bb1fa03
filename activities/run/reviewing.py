"""Step 6: a second look by somebody who did not write it (``review_report.json``)."""

from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter
from temporalio import activity

from activities.api import REVIEW
from activities.run.background import asks_an_agent, background
from activities.run.proposals import propose
from activities.run.quarantine import granted_change
from activities.step_session import StepPorts, StepSession
from contracts.evidence import ReviewProposal, ReviewReport, Severity
from contracts.handover import StepInput, StepResult
from contracts.modes import Role, StepName
from contracts.task import StateSnapshot, TaskContract
from policies.agents.context import LARGEST, cut, visible
from policies.agents.crossing import crossing
from policies.paths.rules import widened
from policies.verdicts import allow, deny
from ports.agents import Brief
from ports.measures import Look


@dataclass(frozen=True)
class Reviewing:
    """Proposes; Release weighs."""

    bench: StepPorts

    @activity.defn(name=REVIEW.name, no_thread_cancel_exception=True)
    def review(self, request: StepInput) -> StepResult:
        """Show the reviewer both trees, keep what it says."""
        return self.bench.perform(request, StepName.REVIEW, Role.REVIEW, self._work, request.turn)

    def _work(self, session: StepSession) -> StepResult:
        contract = session.load("task_contract.json", TaskContract)
        change = session.change()
        repository = session.repository
        granted = granted_change(session)
        released = granted.released if granted else ()
        agent, environment = session.agent, session.environment
        with self.bench.folder("review") as folder:
            base_tree, tree = folder / "base", folder / "head"
            for commit, place in ((change.base_sha, base_tree), (change.head_sha, tree)):
                place.mkdir()
                repository.checkout(commit, place)
            changed = [entry.path for entry in change.paths]
            unproved = self.bench.measures.unproved(base_tree, changed, Look(tree, session.policy, session.alive))
            brief = Brief(
                Role.REVIEW,
                session.run,
                session.policy,
                change.base_sha,
                tree=tree,
                base_tree=base_tree,
                snapshot=session.load("state_snapshot.json", StateSnapshot),
                contract=widened(contract, released),
                change=change,
                granted=frozenset(entry.path for entry in released),
                compared={path: unproved.get(path, "") for path in changed},
                recorded=session.recorded,
                environment=environment,
                alive=session.alive,
                told=self._told(session, contract, base_tree),
            )
            proposal = propose(session, agent, brief, TypeAdapter(ReviewProposal))
        session.keep_asked(environment)
        report = ReviewReport(
            run_id=session.run.run_id,
            task_id=contract.task_id,
            head_sha=change.head_sha,
            reviewer=agent.name,
            approve=proposal.approve,
            confidence=proposal.confidence,
            summary=proposal.summary,
            remarks=proposal.remarks,
            proved=tuple(path for path in changed if path not in unproved),
            unproved=unproved,
        )
        session.save("review_report.json", report)
        session.note("reviewed", approve=proposal.approve, remarks=len(proposal.remarks), reviewer=agent.name)
        blocking = [remark.message for remark in proposal.remarks if remark.severity is Severity.BLOCKING]
        rule = "the reviewer approves"
        approved = proposal.approve and not blocking
        answer, reason = (allow, proposal.summary) if approved else (deny, "; ".join(blocking) or proposal.summary)
        verdict = answer(rule, reason, **crossing(proposal.remarks))
        return session.done(verdict, confidence=proposal.confidence, task_id=contract.task_id, next_role=Role.CHECKS)

    def _told(self, session: StepSession, contract: TaskContract, base_tree: Path) -> dict[str, str]:
        """Blind to the coder's words: what it changed, and what the base says of it."""
        if not asks_an_agent(session):
            return {}
        return {
            "change.diff": cut(visible(session.load_bytes("change.diff").decode("utf-8", "replace")), LARGEST),
            **background(session, contract, base_tree),
        }
