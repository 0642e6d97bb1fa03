"""Step 4: one bounded task (``task_contract.json``), approved by policy or by a person."""

from dataclasses import dataclass

from pydantic import TypeAdapter
from temporalio import activity

from activities.api import PLAN
from activities.run.background import lately, said_below
from activities.run.proposals import propose
from activities.run.quarantine import quarantined_task
from activities.run.questions import asking_back
from activities.step_session import StepPorts, StepSession
from contracts.asked import Unclear
from contracts.handover import Pins, StepInput, StepResult
from contracts.modes import Role, StepName
from contracts.proposal import PolicyProposal
from contracts.task import CandidateTasks, SourcePromotion, StateSnapshot, TaskContract, TaskState, TaskType
from contracts.verdict import Decision
from policies.counted import counted
from policies.task.planning import judge_contract, terms_digest
from policies.verdicts import allow, deny
from ports.agents import Brief


@dataclass(frozen=True)
class Planning:
    """Bounds the work; one task per run."""

    bench: StepPorts

    @activity.defn(name=PLAN.name, no_thread_cancel_exception=True)
    def plan(self, request: StepInput) -> StepResult:
        """Ask for a contract and judge it."""
        return self.bench.perform(request, StepName.PLAN, Role.PLANNING, self._work)

    def _work(self, session: StepSession) -> StepResult:
        policy, run = session.policy, session.run
        snapshot = session.load("state_snapshot.json", StateSnapshot)
        candidates = session.load("candidate_tasks.json", CandidateTasks)
        waiting, most = len(snapshot.open_pull_requests), policy.autopilot.caps.open_pull_requests
        if waiting >= most:
            waits = counted(waiting, "pull request waits", "pull requests wait")
            reason = f"{waits} for a person (caps.open_pull_requests = {most})"
            return session.done(allow("a new pull request may be opened", reason), nothing_to_do=True)
        contract = self._proposed(session, snapshot, candidates)
        if contract is None:
            reason = "no candidate fits the diff budget"
            return session.done(allow("a candidate fits the budget", reason), nothing_to_do=True)
        if isinstance(contract, Unclear):
            return self._asks_back(session, contract, candidates)
        words = next((one.words for one in candidates.candidates if one.task_id == contract.task_id), None)
        about = {"run_id": run.run_id, "words": words, "promotion": _promotion(session, contract, candidates)}
        contract = contract.model_copy(update=about)
        open_tasks = {pull.task_id for pull in snapshot.open_pull_requests}
        if run.grant is not None and contract.task_id in open_tasks:
            # Triage keeps such an idea back; a released one did not pass it.
            reason = f"a pull request for {contract.task_id} is open already"
            return session.done(deny("nothing of this task is under review", reason))
        verdict = judge_contract(contract, policy, candidates)
        approved = verdict.decision in {Decision.ALLOW, Decision.ASK}
        state = TaskState.APPROVED_FOR_RUN if approved else TaskState.PROPOSED
        contract = contract.model_copy(update={"state": state})
        session.save("task_contract.json", contract)
        session.note("planned", taskId=contract.task_id, files=contract.scope.max_files, lines=contract.scope.max_lines)
        pins = Pins(contract_digest=terms_digest(contract))
        # An id that is not listed is only what the agent wrote: nothing is booked under it.
        listed = contract.task_id in {candidate.task_id for candidate in candidates.candidates}
        task_id = contract.task_id if listed else None
        return session.done(verdict, task_id=task_id, pins=pins, next_role=Role.CODING)

    def _asks_back(self, session: StepSession, proposal: Unclear, candidates: CandidateTasks) -> StepResult:
        """It cannot tell what an issue wants; of what is from no issue it may not say so."""
        task = next((one.asked for one in candidates.candidates if one.task_id == proposal.task_id), None)
        asked_back = asking_back(session, task, proposal.task_id, proposal.question) if task else None
        return asked_back or session.done(deny("a question is about an issue", f"{proposal.task_id} is from none"))

    def _proposed(
        self, session: StepSession, snapshot: StateSnapshot, candidates: CandidateTasks
    ) -> TaskContract | Unclear | None:
        """The agent's contract, or the one a quarantined change was made for: judged anew like any other."""
        if session.run.grant is not None:
            kept = quarantined_task(session, session.run.grant).contract
            return kept.model_copy(update={"state": TaskState.PROPOSED})
        agent = session.agent
        brief = Brief(
            Role.PLANNING,
            session.run,
            session.policy,
            session.input.base_sha,
            snapshot=snapshot,
            candidates=candidates,
            alive=session.alive,
            told=lately(session) | said_below(session, candidates),
        )
        wanted: TypeAdapter[TaskContract | Unclear | None] = TypeAdapter(TaskContract | Unclear | None)
        return propose(session, agent, brief, wanted)


def _promotion(session: StepSession, contract: TaskContract, candidates: CandidateTasks) -> SourcePromotion | None:
    """What Sensing recorded of the proposal; None where the candidate is no promotion."""
    promotions = {each.task_id: each.rule for each in candidates.candidates if each.type is TaskType.SOURCE_PROMOTION}
    if contract.task_id not in promotions:
        return None
    proposal = session.load(f"proposals/{promotions[contract.task_id]}.json", PolicyProposal)
    report = next(iter(proposal.evidence), None)
    return SourcePromotion(trial_report=report, thresholds_passed=proposal.measured, fallback=proposal.fallback)
