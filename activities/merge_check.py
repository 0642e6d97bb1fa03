"""Before a merge: is the merge result the one that was checked? If the base moved, the new one is checked (P4)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

from temporalio import activity

from activities.api import MERGE_CHECK
from activities.check_room import CheckRoom
from activities.check_step import judged
from activities.releasing import pull_of, save_pull_request_text
from activities.workbench import Sitting, Workbench
from contracts.change import Change
from contracts.evidence import ChecksReport
from contracts.handover import StepResult
from contracts.merge_work import MergeInput, MergeResult
from contracts.merging import MergeCandidate
from contracts.modes import Role, StepName
from contracts.release import ReleaseDecision
from contracts.task import TaskContract
from contracts.verdict import Verdict
from policies.commit_text import merge_message
from policies.counted import counted
from policies.landing import lands_by_pull
from policies.pull_request_text import branch, title
from policies.served_branches import canary_branch
from policies.verdicts import allow, deny
from ports.environments import EnvironmentUnavailable
from ports.forge import Forge
from ports.repository import MergeResult as Merge
from ports.repository import RepositoryError

_RULE = "the merge result is the checked one"


@dataclass(frozen=True)
class MergeCheck:
    """Names the commit that may land; everything after it is bound to its tree."""

    bench: Workbench
    checks: CheckRoom

    @activity.defn(name=MERGE_CHECK.name, no_thread_cancel_exception=True)
    def merge_check(self, given: MergeInput) -> MergeResult:
        """Look where the base is; check again if it is elsewhere."""
        looking = _Looking(self.checks, given.candidate)
        result = self.bench.perform(given.step, StepName.MERGE_CHECK, Role.CHECKS, looking.work, given.turn)
        return MergeResult(result=result, candidate=looking.candidate if result.verdict.allowed else None)


@dataclass
class _Looking:
    checks: CheckRoom
    before: MergeCandidate | None
    candidate: MergeCandidate | None = field(default=None, init=False)

    def work(self, sitting: Sitting) -> StepResult:
        change = sitting.load("change.json", Change)
        checked = sitting.load("checks/checks.json", ChecksReport)
        repository = sitting.repository
        now = repository.fetch_base()
        repository.unbundle(sitting.load_bytes("change.bundle"), change.base_sha, change.head_sha)
        base = self.before.base_sha if self.before else change.base_sha
        moves = self.before.moves if self.before else 0
        forge = sitting.bench.forges(sitting.policy.target)
        contract = sitting.load("task_contract.json", TaskContract)
        said = self._message(sitting, forge, contract, change)
        merge = repository.merge(base, change.head_sha, said)
        # A base that holds our own merge commit did not move away from it: an earlier attempt landed it.
        if now == base or (merge.clean and forge.base_holds(merge.commit)):
            tested = (checked.tree_sha, checked.base_sha, checked.head_sha)
            same = merge.clean and (merge.tree, base, change.head_sha) == tested
            if same and checked.commit_sha != merge.commit:
                # The same tree, parents and date under the words it lands with: its pull request has a number now.
                self._told(sitting, checked.model_copy(update={"commit_sha": merge.commit}), change)
            verdict = (allow if same else deny)(_RULE, f"{merge.tree[:12]} on {base[:12]}", tree=merge.tree)
            return self._ended(sitting, verdict, base, change, merge, said, moves)
        moves += 1
        most = sitting.policy.autopilot.auto_merge.base_moves
        sitting.note("base moved", before=base, now=now, moves=moves)
        if moves > most:
            reason = f"the base moved {counted(moves, 'time')}, auto_merge.base_moves is {most}: a person reviews"
            return sitting.done(deny(_RULE, reason, moves=moves))
        if forge.base_holds(change.head_sha):
            return sitting.done(deny(_RULE, "the base holds the change already: somebody merged it"))
        merge = repository.merge(now, change.head_sha, said)
        if not merge.clean:
            reason = f"the base moved to {now[:12]}, and conflicts in {', '.join(merge.conflicts[:5])}"
            return sitting.done(deny(_RULE, reason, conflicts=len(merge.conflicts)))
        return self._ended(sitting, self._check(sitting, now, change, merge), now, change, merge, said, moves)

    def _check(self, sitting: Sitting, base: str, change: Change, merge: Merge) -> Verdict:
        """The whole check step once more, on the new base: its requirements, its findings, its merge result."""
        reuse = timedelta(hours=sitting.policy.autopilot.preflight.receipt_hours)
        try:
            base_report = self.checks.on_base(sitting, base, reuse_for=reuse)
        except (EnvironmentUnavailable, RepositoryError) as problem:
            return deny("the required checks could be run on the new base", str(problem))
        sitting.save("checks/base.json", base_report)
        report = self.checks.on_merge(sitting, merge.commit, change.head_sha, base_report)
        self._told(sitting, report, change)
        return judged(sitting, report)

    def _message(self, sitting: Sitting, forge: Forge, contract: TaskContract, change: Change) -> str:
        pull = pull_of(forge, sitting.run.run_id, branch(contract, change.base_sha))
        number = pull.number if pull else 0
        return merge_message(number, title(contract), sitting.run.run_id, contract.task_id)

    def _told(self, sitting: Sitting, report: ChecksReport, change: Change) -> None:
        """Keep what was checked and, where the forge merges pull requests, what the pull request says of it."""
        sitting.save("checks/checks.json", report)
        if lands_by_pull(sitting.policy.target):
            # Its pull request has to say what is going to be merged now.
            decision = sitting.load("release_decision.json", ReleaseDecision)
            save_pull_request_text(sitting, decision, report, change, report.commit_sha)

    def _ended(
        self, sitting: Sitting, verdict: Verdict, base: str, change: Change, merge: Merge, said: str, moves: int
    ) -> StepResult:
        limits = sitting.policy.autopilot.auto_merge
        pull_branch = branch(sitting.load("task_contract.json", TaskContract), change.base_sha)
        self.candidate = MergeCandidate(
            base_sha=base,
            head_sha=change.head_sha,
            merge_sha=merge.commit,
            tree_sha=merge.tree,
            base_branch=sitting.policy.target.base_branch,
            canary_branch=canary_branch(sitting.run.run_id, merge.commit),
            pull_branch=pull_branch if lands_by_pull(sitting.policy.target) else "",
            commit_message=said,
            moves=moves,
            window_seconds=60 * limits.canary_minutes,
            every_seconds=limits.canary_every_seconds,
        )
        sitting.note("merge result named", mergeSha=merge.commit, treeSha=merge.tree, baseSha=base, moves=moves)
        return sitting.done(verdict, next_role=Role.RELEASE)
