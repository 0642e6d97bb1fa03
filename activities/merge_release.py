"""Release, once more, with the canary: only AUTO_MERGE_ALLOWED plans a merge (P4)."""

from __future__ import annotations

from dataclasses import dataclass

from temporalio import activity

from activities.api import MERGE_RELEASE
from activities.releasing import release_facts
from activities.workbench import Sitting, Workbench
from contracts.change import Change
from contracts.handover import PlannedWrite, StepResult
from contracts.merge_work import MergeInput, MergeResult
from contracts.merging import MergeCandidate
from contracts.modes import Outcome, Role, StepName, WriteAction
from policies.health import judge_canary
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

        result = self.bench.perform(given.step, StepName.MERGE_RELEASE, Role.RELEASE, work)
        return MergeResult(result=result, candidate=given.candidate)

    def _work(self, sitting: Sitting, given: MergeInput, wanted: MergeCandidate) -> StepResult:
        repository, change = sitting.repository, sitting.load("change.json", Change)
        repository.fetch_base()
        repository.unbundle(sitting.load_bytes("change.bundle"), change.base_sha, change.head_sha)
        merge = repository.merge(wanted.base_sha, change.head_sha)
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
        if given.canary is not None:
            sitting.save("canary.json", given.canary)
        sitting.save("release_decision.json", decision)
        reason = canary.reason if not canary.allowed else decision.verdict.reason
        sitting.note("released again", outcome=decision.outcome, reason=reason, mergeSha=wanted.merge_sha)
        rule, outcome = "the change may be merged without a person", decision.outcome
        if outcome is not Outcome.AUTO_MERGE_ALLOWED:
            return sitting.done(
                ask(rule, f"{outcome}: {reason}", outcome=outcome),
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
        )
        sitting.note("write planned", action=planned.action, branch=planned.branch, headSha=planned.head_sha)
        verdict = allow(rule, f"{outcome}: {canary.reason}", outcome=outcome, tree=wanted.tree_sha)
        return sitting.done(verdict, task_id=decision.task_id, outcome=outcome, writes=(planned,), next_role=Role.AUDIT)
