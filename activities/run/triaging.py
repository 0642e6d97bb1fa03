"""Step 3: what could be done, ranked, with what is remembered of each idea (``candidate_tasks.json``)."""

from dataclasses import dataclass
from datetime import date

from pydantic import TypeAdapter
from temporalio import activity

from activities.api import TRIAGE
from activities.governance.past_decisions import NotKept, read_kept
from activities.run.asking import gathered
from activities.run.background import lately
from activities.run.open_pulls import bring, on_base
from activities.run.proposals import propose
from activities.run.quarantine import quarantined_task
from activities.step_session import StepPorts, StepSession
from contracts import messages
from contracts.grant import Grant
from contracts.handover import StepInput, StepResult
from contracts.later_review import LATER_REVIEW, LaterReview
from contracts.messages import AFTERCARE
from contracts.modes import Role, RunStatus, StepName
from contracts.pull_request import PullRequest
from contracts.report import IndexedRun
from contracts.rollback import Idea, RollbackStage, TargetMemory
from contracts.task import CandidateTasks, StateSnapshot
from policies.after.later_review import went_badly
from policies.release.checks import unseen
from policies.settings.schema import EffectivePolicy
from policies.task.acceptance import LET_LIE, Answer, How, area
from policies.task.asked import NOBODY, TOOL, with_asked
from policies.task.candidates import WORTH_RULE, judge_worth, stated_by_us, suppress, told, with_reported
from policies.task.idea_memory import Memory, PersonsNo, Place, places, remember, same_file
from policies.task.questions import waiting
from policies.task.remediation import left_to_agents, take_up, with_backlog, without_taken
from policies.task.target_memory import with_hardening, without_quarantined
from policies.verdicts import allow, deny
from ports.agents import Brief
from ports.store import RunIndex


@dataclass(frozen=True)
class Triaging:
    """Ranks; what is open, rejected or capped is not proposed again."""

    bench: StepPorts
    index: RunIndex

    @activity.defn(name=TRIAGE.name, no_thread_cancel_exception=True)
    def triage(self, request: StepInput) -> StepResult:
        """Ask for candidates, then apply what is remembered."""
        return self.bench.perform(request, StepName.TRIAGE, Role.TRIAGING, self._work)

    def _work(self, session: StepSession) -> StepResult:
        policy, run = session.policy, session.run
        snapshot = session.load("state_snapshot.json", StateSnapshot)
        if run.grant is not None:
            return self._from_quarantine(session, run.grant)
        agent = session.agent
        memory = Recall(self.index).memory(session, snapshot)
        known = self.bench.control.query(run.target, messages.BACKLOG)
        booked = tuple(known or ())
        memory = memory.model_copy(update={"ideas": {one.remediating_task: (one.tool, one.rule) for one in booked}})
        backlog = take_up(booked, snapshot, policy, memory)
        # What waits for a person must not keep the sound files of the same idea from being proposed.
        closed = backlog.cornered | memory.refused.keys()
        free = tuple(f for f in snapshot.findings if (f.tool, f.rule, f.path) not in closed)
        seen = snapshot.model_copy(update={"findings": free})
        brief = Brief(
            Role.TRIAGING, run, policy, session.input.base_sha, snapshot=seen, alive=session.alive, told=lately(session)
        )
        proposed = propose(session, agent, brief, TypeAdapter(CandidateTasks))
        # Ids, words and the base are ours to state, whatever the agent wrote.
        refused = told(snapshot.findings, policy, memory)
        ours = {
            "run_id": run.run_id,
            "base_sha": session.input.base_sha,
            "candidates": stated_by_us(proposed, run.target, snapshot.findings),
            "suppressed": (*proposed.suppressed, *refused),
            "resolved": (),
        }
        memory = memory.model_copy(update={"suspects": backlog.suspects})
        left = self.bench.control.query(run.target, messages.AFTERCARE) or TargetMemory()
        now = activity.info().started_time
        allowed = without_quarantined(proposed.model_copy(update=ours), left.quarantined, now)
        candidates = with_backlog(suppress(allowed, policy, memory), backlog)
        # Again, for what the backlog proposes.
        candidates = with_hardening(without_quarantined(candidates, left.quarantined, now), left.hardening)
        candidates = with_reported(candidates, snapshot.findings, policy)
        wanted = gathered(session)
        if run.asked is not None and not (wanted and wanted.tasks):
            reason = "; ".join(wanted.unseen) if wanted else NOBODY
            return session.done(deny("the task can be tried", reason))
        if wanted:
            remedies = {} if run.asked else left_to_agents(backlog, policy.autopilot.diff_budget.files)
            tasks = (*wanted.tasks, *remedies.values())
            candidates = with_asked(candidates, tasks, policy, memory, waiting(wanted.conversations))
            candidates = without_taken(candidates, remedies)
        session.save("candidate_tasks.json", candidates)
        found, kept_back = len(candidates.candidates), len(candidates.suppressed)
        session.note("triaged", candidates=found, suppressed=kept_back, agent=agent.name)
        verdict = judge_worth(candidates, snapshot.findings, policy, unseen(snapshot))
        best = next((each for each in candidates.candidates if not each.needs_person), None)
        if best is None:
            return session.done(verdict, nothing_to_do=True)
        return session.done(verdict, confidence=best.confidence, next_role=Role.PLANNING)

    def _from_quarantine(self, session: StepSession, grant: Grant) -> StepResult:
        """The one task a person released; that it was escalated lately is no reason to suppress it now."""
        chosen = quarantined_task(session, grant).candidate
        only = CandidateTasks(run_id=session.run.run_id, base_sha=session.input.base_sha, candidates=(chosen,))
        session.save("candidate_tasks.json", only)
        session.note("triaged", candidates=1, suppressed=0, quarantinedRun=grant.run_id)
        reason = f"the task of {grant.run_id}, released from quarantine by {grant.actor}"
        verdict = allow(WORTH_RULE, reason, best=chosen.task_id)
        return session.done(verdict, confidence=chosen.confidence, next_role=Role.PLANNING)


_REMEMBERED = 400
"""Ended runs looked at."""


@dataclass(frozen=True)
class Recall:
    """Reads; changes nothing."""

    index: RunIndex

    def memory(self, session: StepSession, snapshot: StateSnapshot) -> Memory:
        """What speaks against an idea today.

        Raises:
            ForgeError, RepositoryError, StoreError, ControlUnavailable: could not be asked; the step is tried again.
        """
        run = session.run
        ended = self.index.latest(_REMEMBERED, run.target)
        # A DRY_RUN proves nothing about an idea's reception, and must not use its attempts up.
        real = tuple(entry for entry in ended if entry.mode != "DRY_RUN" and entry.run_id != run.run_id)
        waiting = frozenset(pull.task_id for pull in snapshot.open_pull_requests if pull.task_id)
        noes, answers = self._said(session, snapshot, ended)
        return remember(date.fromisoformat(run.date), waiting, real, noes, session.policy, answers)

    def _said(
        self, session: StepSession, snapshot: StateSnapshot, ended: tuple[IndexedRun, ...]
    ) -> tuple[list[PersonsNo], list[Answer]]:
        """What people said no to, and how they answered to the kinds of which something is found, or asked, today."""
        known = {entry.run_id: entry for entry in ended}
        found = frozenset(Place(each.tool, each.rule, each.path) for each in snapshot.findings)
        kinds = {(place.tool, place.rule) for place in found}
        wanted = gathered(session)
        keys = {(TOOL, each.key) for each in wanted.tasks} if wanted else set()
        # One that we closed, because CI rejected it or the base held it already, is no person's "no".
        numbers = {entry.pull_request for entry in ended if entry.closed_by_us}
        runs = {run_id for entry in ended for run_id in entry.closed_for}
        undone_by_us = self._rolled_back(session)
        noes: list[PersonsNo] = []
        answers: list[Answer] = []
        for pull in session.bench.forges(session.policy.target).pull_requests():
            run = known.get(pull.run_id)
            # Of what is long over nothing is asked but a person's no to a task that may come again.
            if _lifted(run, session.policy) if run else pull.state != "closed" or not pull.task_id:
                continue
            about, refused = places(run) if run else frozenset(), list[PersonsNo]()
            if pull.state == "closed" and pull.task_id and pull.number not in numbers and pull.run_id not in runs:
                if not on_base(session, pull):
                    what = f"rejected on the forge: a person closed pull request {pull.number}; until it is open again"
                    refused = [PersonsNo(pull.task_id, about | _renamed(session, pull, about, found), what)]
            elif pull.state == "merged" and pull.run_id not in undone_by_us and (about & found or _kind(run) in keys):
                refused = _taken_out(session, pull, about)
            noes += refused
            if run and run.idea and (_kind(run) in kinds or run.idea.tool == TOOL):
                answers += _answers(session, pull, run, run.idea, refused=bool(refused))
        return noes, answers

    def _rolled_back(self, session: StepSession) -> frozenset[str]:
        """Runs whose merges we undid ourselves: those ideas are in quarantine, for as long as that lasts."""
        left = session.bench.control.query(session.run.target, AFTERCARE) or TargetMemory()
        return frozenset(each.merged.run.run_id for each in left.merges if each.stage is not RollbackStage.NONE)


def _renamed(
    session: StepSession, pull: PullRequest, about: frozenset[Place], found: frozenset[Place]
) -> frozenset[Place]:
    """The same ideas in files that have got another name since: a person's no goes with the file."""
    base, repository = session.input.base_sha, session.repository
    pairs = [(old, new) for old in about - found for new in found - about if old[:2] == new[:2]]
    pairs = [(old, new) for old, new in pairs if repository.read(base, old.path) is None]
    change = bring(session.bench, repository, pull.run_id) if pairs else None
    return frozenset(
        new
        for old, new in pairs
        if change is not None and repository.read(change.base_sha, new.path) is None
        if same_file(repository.read(change.base_sha, old.path) or b"", repository.read(base, new.path) or b"")
    )


def _kind(run: IndexedRun | None) -> tuple[str, str]:
    return (run.idea.tool, run.idea.rule) if run and run.idea else ("", "")


def _lifted(run: IndexedRun, policy: EffectivePolicy) -> bool:
    """Whether the owner wants what was said of it forgotten (``[improve.again]``)."""
    day = policy.target.improve.again.get(f"{run.idea.tool} {run.idea.rule}") if run.idea else None
    return day is not None and date.fromisoformat(run.date) < day


def _answers(session: StepSession, pull: PullRequest, run: IndexedRun, idea: Idea, *, refused: bool) -> list[Answer]:
    """How people answered to it; nothing while it is young and open, and nothing where nobody was asked."""
    how: How
    if pull.state == "closed" and refused:
        how = "closed"
    elif pull.state == "merged" and (refused or _went_badly(session, pull.run_id)):
        how = "undone"
    elif pull.state == "merged" and run.status is not RunStatus.MERGED:
        how = "merged"
    elif pull.state == "open" and (date.fromisoformat(session.run.date) - run.ended_at.date()).days >= LET_LIE:
        how = "let lie"
    else:
        return []
    areas = frozenset(map(area, idea.paths))
    return [Answer(tool=idea.tool, rule=idea.rule, areas=areas, how=how, number=pull.number)]


def _went_badly(session: StepSession, run_id: str) -> bool:
    """As its later review has it; a merge of which none is kept is a merge."""
    try:
        return bool(went_badly(read_kept(session.bench.store, run_id, LATER_REVIEW, LaterReview)))
    except NotKept:
        return False


def _taken_out(session: StepSession, pull: PullRequest, about: frozenset[Place]) -> list[PersonsNo]:
    """A merge that somebody undid on the base, whole or in some files."""
    change = bring(session.bench, session.repository, pull.run_id)
    if change is None:
        return []
    gone = session.repository.taken_out(change.head_sha, change.base_sha, session.input.base_sha)
    refused = frozenset(place for place in about if place.path in gone)
    what = f"pull request {pull.number} was merged, and a person took its change out of the base again; "
    what += "until the base holds it once more"
    return [PersonsNo(pull.task_id or "", refused, what)] if refused else []
