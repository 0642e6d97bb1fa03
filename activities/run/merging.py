"""Before a merge: is the merge result the one that was checked? If the base moved, the new one is checked (P4)."""

from dataclasses import dataclass, field
from datetime import timedelta

from temporalio import activity

from activities.after.probing import ProbeRunner
from activities.api import MERGE_CHECK, MERGE_RELEASE, PROBE_CANARY
from activities.heartbeat import heartbeating
from activities.run.checking import CheckRunner, judged
from activities.run.releasing import decided, pull_of, release_facts, save_pull_request_text
from activities.step_session import StepPorts, StepSession
from contracts.audit import AuditEvent
from contracts.change import Change
from contracts.evidence import ChecksReport
from contracts.handover import MergeInput, MergeResult, PlannedWrite, ProbeInput, StepResult
from contracts.merging import MergeCandidate, ProbeRound
from contracts.modes import Outcome, Role, StepName, WriteAction
from contracts.release import ReleaseDecision
from contracts.task import TaskContract
from contracts.verdict import Fact, Verdict
from policies.after.open_pulls import canary_branch
from policies.counted import counted, shortened
from policies.release.health import judge_canary, overall
from policies.release.landing import LandingFacts, judge_landing, lands_by_pull
from policies.texts.commit import merge_message
from policies.texts.pull_request import branch, title
from policies.verdicts import allow, ask, deny
from ports.crashpoints import crashpoint
from ports.environments import EnvironmentUnavailable
from ports.forge import Forge
from ports.repository import MergeResult as Merge
from ports.repository import RepositoryError
from ports.store import RunIndex

_RULE = "the merge result is the checked one"


@dataclass(frozen=True)
class MergeCheck:
    """Names the commit that may land; everything after it is bound to its tree."""

    bench: StepPorts
    checks: CheckRunner

    @activity.defn(name=MERGE_CHECK.name, no_thread_cancel_exception=True)
    def merge_check(self, request: MergeInput) -> MergeResult:
        """Look where the base is; check again if it is elsewhere."""
        looking = _Looking(self.checks, request.candidate)
        result = self.bench.perform(request.step, StepName.MERGE_CHECK, Role.CHECKS, looking.work, request.turn)
        return MergeResult(result=result, candidate=looking.candidate if result.verdict.allowed else None)


@dataclass
class _Looking:
    checks: CheckRunner
    before: MergeCandidate | None
    candidate: MergeCandidate | None = field(default=None, init=False)

    def work(self, session: StepSession) -> StepResult:
        checked = session.load("checks/checks.json", ChecksReport)
        repository = session.repository
        now = repository.fetch_base()
        change = session.change()
        base = self.before.base_sha if self.before else change.base_sha
        moves = self.before.moves if self.before else 0
        forge = session.bench.forges(session.policy.target)
        contract = session.load("task_contract.json", TaskContract)
        message = self._message(session, forge, contract, change)
        merge = repository.merge(base, change.head_sha, message)
        # A base that holds our own merge commit did not move away from it: an earlier attempt landed it.
        if now == base or (merge.clean and forge.base_holds(merge.commit)):
            tested = (checked.tree_sha, checked.base_sha, checked.head_sha)
            same = merge.clean and (merge.tree, base, change.head_sha) == tested
            if same and checked.commit_sha != merge.commit:
                # The same tree, parents and date under the words it lands with: its pull request has a number now.
                self._told(session, checked.model_copy(update={"commit_sha": merge.commit}), change)
            verdict = (allow if same else deny)(_RULE, f"{merge.tree[:12]} on {base[:12]}", tree=merge.tree)
            return self._ended(session, verdict, base, change, merge, message, moves)
        moves += 1
        most = session.policy.autopilot.auto_merge.base_moves
        session.note("base moved", before=base, now=now, moves=moves)
        if moves > most:
            reason = f"the base moved {counted(moves, 'time')}, auto_merge.base_moves is {most}: a person reviews"
            return session.done(deny(_RULE, reason, moves=moves))
        if forge.base_holds(change.head_sha):
            return session.done(deny(_RULE, "the base holds the change already: somebody merged it"))
        merge = repository.merge(now, change.head_sha, message)
        if not merge.clean:
            reason = f"the base moved to {now[:12]}, and conflicts in {', '.join(merge.conflicts[:5])}"
            return session.done(deny(_RULE, reason, conflicts=len(merge.conflicts)))
        return self._ended(session, self._check(session, now, change, merge), now, change, merge, message, moves)

    def _check(self, session: StepSession, base: str, change: Change, merge: Merge) -> Verdict:
        """The whole check step once more, on the new base: its requirements, its findings, its merge result."""
        reuse = timedelta(hours=session.policy.autopilot.preflight.receipt_hours)
        try:
            base_report = self.checks.on_base(session, base, reuse_for=reuse)
        except (EnvironmentUnavailable, RepositoryError) as problem:
            return deny("the required checks could be run on the new base", str(problem))
        session.save("checks/base.json", base_report)
        report = self.checks.on_merge(session, merge.commit, change.head_sha, base_report)
        self._told(session, report, change)
        return judged(session, report)

    def _message(self, session: StepSession, forge: Forge, contract: TaskContract, change: Change) -> str:
        pull = pull_of(forge, session.run.run_id, branch(contract, change.base_sha))
        number = pull.number if pull else 0
        return merge_message(number, title(contract), session.run.run_id, contract.task_id)

    def _told(self, session: StepSession, report: ChecksReport, change: Change) -> None:
        """Keep what was checked and, where the forge merges pull requests, what the pull request says of it."""
        session.save("checks/checks.json", report)
        if lands_by_pull(session.policy.target):
            # Its pull request has to say what is going to be merged now.
            decision = session.load("release_decision.json", ReleaseDecision)
            save_pull_request_text(session, decision, report, change, report.commit_sha)

    def _ended(
        self, session: StepSession, verdict: Verdict, base: str, change: Change, merge: Merge, report: str, moves: int
    ) -> StepResult:
        limits = session.policy.autopilot.auto_merge
        pull_branch = branch(session.load("task_contract.json", TaskContract), change.base_sha)
        self.candidate = MergeCandidate(
            base_sha=base,
            head_sha=change.head_sha,
            merge_sha=merge.commit,
            tree_sha=merge.tree,
            base_branch=session.policy.target.base_branch,
            canary_branch=canary_branch(session.run.run_id, merge.commit),
            pull_branch=pull_branch if lands_by_pull(session.policy.target) else "",
            commit_message=report,
            moves=moves,
            window_seconds=60 * limits.canary_minutes,
            every_seconds=limits.canary_every_seconds,
        )
        session.note("merge result named", mergeSha=merge.commit, treeSha=merge.tree, baseSha=base, moves=moves)
        return session.done(verdict, next_role=Role.RELEASE)


# One round of probes on the exact merge result, before it may land (P4).


@dataclass(frozen=True)
class Canary:
    """Asks; the workflow keeps the time, release judges."""

    bench: StepPorts
    probes: ProbeRunner

    @activity.defn(name=PROBE_CANARY.name, no_thread_cancel_exception=True)
    def probe_canary(self, request: ProbeInput) -> ProbeRound:
        """Every probe of the target, once."""
        with heartbeating() as alive:
            policy, wanted = self.bench.pinned_policy(request.run), request.candidate
            refs = {ref.name: ref for ref in request.artifacts}
            change = Change.model_validate_json(self.bench.store.get(refs["change.json"]))
            repository = self.bench.repositories(policy.target)
            # Any worker may ask: it makes the merge result anew, and it is the same commit or none.
            repository.fetch_base()
            repository.unbundle(self.bench.store.get(refs["change.bundle"]), change.base_sha, change.head_sha)
            merge = repository.merge(wanted.base_sha, wanted.head_sha, wanted.commit_message)
            if merge.commit != wanted.merge_sha:
                raise ValueError(f"the merge result is {merge.commit or 'in conflict'}, not {wanted.merge_sha}")
            results = self.probes.probe(policy, wanted.merge_sha, wanted.base_sha, alive)
            health = overall(results)
            facts: dict[str, Fact] = {"mergeSha": wanted.merge_sha, "round": request.round, "health": health}
            facts |= {f"probe {result.name}": f"{result.health}: {shortened(result.detail, 200)}" for result in results}
            info = activity.info()
            event = AuditEvent(key=f"canary/{info.activity_id}", role=Role.CHECKS, event="canary probed", facts=facts)
            crashpoint("canary.before_done")
            head = self.bench.record(request.run.run_id, (event,), info.started_time)
            crashpoint("canary.after_done")
            return ProbeRound(health=health, results=results, audit_head=head)


# Release, once more, with the canary: only AUTO_MERGE_ALLOWED plans a merge (P4).


@dataclass(frozen=True)
class MergeRelease:
    """The same rules as Release, bound to the commit that would land."""

    bench: StepPorts
    index: RunIndex

    @activity.defn(name=MERGE_RELEASE.name, no_thread_cancel_exception=True)
    def merge_release(self, request: MergeInput) -> MergeResult:
        """Judge; plan the merge or hand over to a person."""

        def work(session: StepSession) -> StepResult:
            if request.candidate is None:
                return session.done(ask("a merge result was named", "none"))
            return self._work(session, request, request.candidate)

        result = self.bench.perform(request.step, StepName.MERGE_RELEASE, Role.RELEASE, work, request.turn)
        return MergeResult(result=result, candidate=request.candidate)

    def _work(self, session: StepSession, request: MergeInput, wanted: MergeCandidate) -> StepResult:
        repository = session.repository
        repository.fetch_base()
        change = session.change()
        merge = repository.merge(wanted.base_sha, change.head_sha, wanted.commit_message)
        if merge.clean and wanted.base_sha != change.base_sha:
            # What would land on the new base is what the rules must see: its paths, against that base's own.
            paths = repository.changed_paths(wanted.base_sha, merge.commit)
            change = change.model_copy(update={"base_sha": wanted.base_sha, "paths": paths})
        canary = judge_canary(request.canary, merge.commit if merge.commit == wanted.merge_sha else "", session.policy)
        decision = decided(
            session,
            release_facts(
                session,
                self.index,
                change,
                merge,
                pinned_base=wanted.base_sha,
                # Where the base is at this moment is for the compare-and-swap to say.
                base_now=wanted.base_sha,
                canary_passed=canary.allowed,
            ),
        )
        landing = judge_landing(self._landing_facts(session, change, wanted))
        if request.canary is not None:
            session.save("canary.json", request.canary)
        outcome = decision.outcome
        reason = canary.reason if not canary.allowed else decision.verdict.reason
        if outcome is Outcome.AUTO_MERGE_ALLOWED and not landing.allowed:
            outcome, reason = Outcome.REQUIRES_HUMAN_REVIEW, landing.reason
        session.note("released again", outcome=outcome, reason=reason, mergeSha=wanted.merge_sha)
        rule = "the change may be merged without a person"
        if outcome is not Outcome.AUTO_MERGE_ALLOWED:
            return session.done(
                ask(rule, f"{outcome}: {reason}", outcome=outcome).model_copy(update={"children": (landing,)}),
                task_id=decision.task_id,
                outcome=Outcome.REQUIRES_HUMAN_REVIEW,
            )
        planned = PlannedWrite(
            action=WriteAction.MERGE,
            task_id=decision.task_id,
            branch=wanted.base_branch,
            base_branch=wanted.base_branch,
            base_sha=wanted.base_sha,
            head_sha=wanted.merge_sha,
            tree_sha=wanted.tree_sha,
            pull_branch=wanted.pull_branch,
            commit_message=wanted.commit_message,
        )
        session.note("write planned", action=planned.action, branch=planned.branch, headSha=planned.head_sha)
        verdict = allow(rule, f"{outcome}: {canary.reason}", outcome=outcome, tree=wanted.tree_sha)
        return session.done(verdict, task_id=decision.task_id, outcome=outcome, writes=(planned,), next_role=Role.AUDIT)

    def _landing_facts(self, session: StepSession, change: Change, wanted: MergeCandidate) -> LandingFacts:
        """Read now, after the canary: what people did while it ran counts."""
        target, run = session.policy.target, session.run
        forge = session.bench.forges(target)
        contract = session.load("task_contract.json", TaskContract)
        pull = pull_of(forge, run.run_id, branch(contract, change.base_sha))
        return LandingFacts(
            merge_sha=wanted.merge_sha,
            landed=forge.base_holds(wanted.merge_sha),
            pull=pull,
            acts=forge.human_acts(pull.number) if pull else (),
            protection=forge.protection(),
            account=target.forge_access.account,
            commit_message=session.repository.message(change.head_sha),
            contract_digest=session.input.pins.contract_digest,
        )
