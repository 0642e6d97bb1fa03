"""Release, once more, with the canary: only AUTO_MERGE_ALLOWED plans a merge (P4)."""

from __future__ import annotations

from dataclasses import dataclass

from temporalio import activity

from activities.api import MERGE_RELEASE
from activities.releasing import pull_of, release_facts
from activities.workbench import Sitting, Workbench
from contracts.change import Change
from contracts.handover import PlannedWrite, StepResult
from contracts.merge_work import MergeInput, MergeResult
from contracts.merging import MergeCandidate
from contracts.modes import Outcome, Role, StepName, WriteAction
from contracts.task import TaskContract
from policies.health import judge_canary
from policies.landing import LandingFacts, judge_landing
from policies.pull_request_text import branch
from policies.release import judge_release
from policies.verdicts import allow, ask
from ports.run_index import RunIndex


@dataclass(frozen=True)
class MergeRelease:
    """The same rules as Release, bound to the commit that would land."""

    bench: Workbench
    index: RunIndex

    @activity.defn(name=MERGE_RELEASE.name, no_thread_cancel_exception=True)
    def merge_release(self, given: MergeInput) -> MergeResult:
        """Judge; plan the merge or hand over to a person."""

        def work(sitting: Sitting) -> StepResult:
            if given.candidate is None:
                return sitting.done(ask("a merge result was named", "none"))
            return self._work(sitting, given, given.candidate)

        result = self.bench.perform(given.step, StepName.MERGE_RELEASE, Role.RELEASE, work, given.turn)
        return MergeResult(result=result, candidate=given.candidate)

    def _work(self, sitting: Sitting, given: MergeInput, wanted: MergeCandidate) -> StepResult:
        repository, change = sitting.repository, sitting.load("change.json", Change)
        repository.fetch_base()
        repository.unbundle(sitting.load_bytes("change.bundle"), change.base_sha, change.head_sha)
        merge = repository.merge(wanted.base_sha, change.head_sha, wanted.commit_message)
        if merge.clean and wanted.base_sha != change.base_sha:
            # What would land on the new base is what the rules must see: its paths, against that base's own.
            paths = repository.changed_paths(wanted.base_sha, merge.commit)
            change = change.model_copy(update={"base_sha": wanted.base_sha, "paths": paths})
        canary = judge_canary(given.canary, merge.commit if merge.commit == wanted.merge_sha else "", sitting.policy)
        decision = judge_release(
            release_facts(
                sitting,
                self.index,
                change,
                merge,
                pinned_base=wanted.base_sha,
                # Where the base is at this moment is for the compare-and-swap to say.
                base_now=wanted.base_sha,
                canary_passed=canary.allowed,
            )
        )
        landing = judge_landing(self._landing_facts(sitting, change, wanted))
        if given.canary is not None:
            sitting.save("canary.json", given.canary)
        sitting.save("release_decision.json", decision)
        outcome = decision.outcome
        reason = canary.reason if not canary.allowed else decision.verdict.reason
        if outcome is Outcome.AUTO_MERGE_ALLOWED and not landing.allowed:
            outcome, reason = Outcome.REQUIRES_HUMAN_REVIEW, landing.reason
        sitting.note("released again", outcome=outcome, reason=reason, mergeSha=wanted.merge_sha)
        rule = "the change may be merged without a person"
        if outcome is not Outcome.AUTO_MERGE_ALLOWED:
            return sitting.done(
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
        sitting.note("write planned", action=planned.action, branch=planned.branch, headSha=planned.head_sha)
        verdict = allow(rule, f"{outcome}: {canary.reason}", outcome=outcome, tree=wanted.tree_sha)
        return sitting.done(verdict, task_id=decision.task_id, outcome=outcome, writes=(planned,), next_role=Role.AUDIT)

    def _landing_facts(self, sitting: Sitting, change: Change, wanted: MergeCandidate) -> LandingFacts:
        """Read now, after the canary: what people did while it ran counts."""
        target, run = sitting.policy.target, sitting.run
        forge = sitting.bench.forges(target)
        contract = sitting.load("task_contract.json", TaskContract)
        pull = pull_of(forge, run.run_id, branch(contract, change.base_sha))
        return LandingFacts(
            merge_sha=wanted.merge_sha,
            landed=forge.base_holds(wanted.merge_sha),
            pull=pull,
            acts=forge.human_acts(pull.number) if pull else (),
            protection=forge.protection(),
            account=target.forge_access.account,
            commit_message=sitting.repository.message(change.head_sha),
            contract_digest=sitting.given.pins.contract_digest,
        )
