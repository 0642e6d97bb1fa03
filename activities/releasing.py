"""Step 8: the outcome policy allows, as a verdict tree (``release_decision.json``), and the writes it plans."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from temporalio import activity

from activities.api import RELEASE
from activities.granted_change import granted_change
from activities.workbench import Sitting, Workbench
from contracts.artifact import ArtifactRef
from contracts.change import Change
from contracts.evidence import ChecksReport, ReviewReport
from contracts.handover import PlannedWrite, StepInput, StepResult
from contracts.modes import Outcome, Role, RunStatus, StepName, WriteAction
from contracts.pull_request import PullRequest
from contracts.release import ReleaseDecision
from contracts.task import StateSnapshot, TaskContract
from policies.checked import unseen
from policies.ci import ci_terms
from policies.digests import sha256_hex
from policies.idea_memory import Place, places
from policies.pull_request_text import body, branch, title
from policies.release import Pins, ReleaseFacts, judge_release
from policies.verdicts import allow, deny
from ports.forge import Forge
from ports.repository import MergeResult
from ports.run_index import RunIndex

_REMEMBERED = 100


@dataclass(frozen=True)
class Releasing:
    """Proposes and plans; it writes nothing itself."""

    bench: Workbench
    index: RunIndex

    @activity.defn(name=RELEASE.name, no_thread_cancel_exception=True)
    def release(self, given: StepInput) -> StepResult:
        """Gather the facts, judge them, plan the writes."""
        return self.bench.perform(given, StepName.RELEASE, Role.RELEASE, self._work)

    def _work(self, sitting: Sitting) -> StepResult:
        contract = sitting.load("task_contract.json", TaskContract)
        change = sitting.load("change.json", Change)
        checks = sitting.load("checks/checks.json", ChecksReport)
        repository = sitting.repository
        repository.unbundle(sitting.load_bytes("change.bundle"), change.base_sha, change.head_sha)
        merge = repository.merge(change.base_sha, change.head_sha)
        decision = judge_release(
            release_facts(
                sitting,
                self.index,
                change,
                merge,
                pinned_base=sitting.given.base_sha,
                base_now=self._base_now(sitting, change),
                canary_passed=False,
            )
        )
        sitting.save("release_decision.json", decision)
        refused = decision.outcome is Outcome.REJECT
        reason = decision.verdict.reason
        sitting.note("released", outcome=decision.outcome, reason=reason, risk=decision.risk.level)
        if refused:
            verdict = deny("the change may be released", reason, outcome=decision.outcome)
            return sitting.done(verdict, task_id=contract.task_id, outcome=decision.outcome)
        verdict = allow("the change may be released", f"{decision.outcome}: {reason}", outcome=decision.outcome)
        writes = self._plan(sitting, contract, decision, checks, change)
        return sitting.done(
            verdict, task_id=contract.task_id, outcome=decision.outcome, writes=writes, next_role=Role.AUDIT
        ).model_copy(update={"ci": ci_terms(sitting.policy)})

    def _base_now(self, sitting: Sitting, change: Change) -> str:
        """The pinned base while it still is the branch's head, or while a pull request on it stays mergeable.

        Moving on is what base branches do; nothing here merges. Where the change no longer merges cleanly into
        the new head, the new head is returned, and the drift gate refuses.
        """
        now = sitting.repository.fetch_base()
        if now == change.base_sha:
            return now
        clean = sitting.repository.merge(now, change.head_sha).clean
        sitting.note("base moved", pinned=change.base_sha, now=now, stillMerges=clean)
        return change.base_sha if clean else now

    def _plan(
        self,
        sitting: Sitting,
        contract: TaskContract,
        decision: ReleaseDecision,
        checks: ChecksReport,
        change: Change,
    ) -> tuple[PlannedWrite, ...]:
        """Push, then the pull request: in DRY_RUN the same as in PR_ONLY (P3), so no run id and no time in them."""
        kept = save_pull_request_text(sitting, decision, checks, change)
        push = PlannedWrite(
            action=WriteAction.PUSH_BRANCH,
            task_id=contract.task_id,
            branch=branch(contract, change.base_sha),
            base_branch=sitting.policy.target.base_branch,
            base_sha=change.base_sha,
            head_sha=change.head_sha,
        )
        pull = push.model_copy(
            update={
                "action": WriteAction.OPEN_PULL_REQUEST,
                "title": title(contract),
                "body_sha256": kept.sha256,
            }
        )
        for planned in (push, pull):
            sitting.note("write planned", action=planned.action, branch=planned.branch, headSha=planned.head_sha)
        return (push, pull)


def save_pull_request_text(
    sitting: Sitting, decision: ReleaseDecision, checks: ChecksReport, change: Change, lands_as: str = ""
) -> ArtifactRef:
    """What the pull request says of this change and these checks; a write adds the run's footer."""
    contract = sitting.load("task_contract.json", TaskContract)
    not_seen = unseen(sitting.load("state_snapshot.json", StateSnapshot))
    text = body(contract, decision, checks, change, sitting.run.grant, not_seen, lands_as).encode()
    kept = sitting.save("pull_request.md", text, "text/markdown")
    assert kept.sha256 == sha256_hex(text)  # noqa: S101  # the store and the plan must mean the same bytes
    return kept


def pull_of(forge: Forge, run_id: str, shown: str) -> PullRequest | None:
    """A run's pull request: by its key; of a run that adopted an earlier one's, by the branch it is ``shown`` on."""
    pulls, key = forge.pull_requests(), f"{run_id}/{WriteAction.OPEN_PULL_REQUEST}"
    ours = [each for each in pulls if each.run_key == key] or [each for each in pulls if each.branch == shown]
    return ours[0] if ours else None


def release_facts(
    sitting: Sitting,
    index: RunIndex,
    change: Change,
    merge: MergeResult,
    *,
    pinned_base: str,
    base_now: str,
    canary_passed: bool,
) -> ReleaseFacts:
    """All the release rules look at, for this change and this merge result of it."""
    contract = sitting.load("task_contract.json", TaskContract)
    granted, grant = granted_change(sitting), sitting.run.grant
    review = sitting.load("review_report.json", ReviewReport)
    return ReleaseFacts(
        run_id=sitting.run.run_id,
        today=date.fromisoformat(sitting.run.date),
        mode=sitting.run.mode,
        policy=sitting.policy,
        contract=contract,
        change=change,
        base_paths=sitting.repository.paths(change.base_sha),
        review=review,
        checks=sitting.load("checks/checks.json", ChecksReport),
        pinned=Pins(
            contract_digest=sitting.given.pins.contract_digest,
            policy_digest=sitting.run.policy.digest,
            base_sha=pinned_base,
            head_sha=sitting.given.pins.head_sha,
        ),
        policy_digest_now=sitting.bench.policies.effective(sitting.run.target).digest,
        base_now=base_now,
        merge_tree_sha=merge.tree if merge.clean else "",
        merge_conflicts=merge.conflicts,
        past_failures=_past_failures(sitting, index, contract),
        approved_by=_approved_by(sitting),
        canary_passed=canary_passed,
        granted=granted.released if granted else (),
        from_quarantine=grant.run_id if grant else "",
        unproved=tuple(entry.path for entry in change.paths if entry.path not in review.proved),
    )


def _past_failures(sitting: Sitting, index: RunIndex, contract: TaskContract) -> int:
    failed = {RunStatus.REJECTED, RunStatus.ESCALATED, RunStatus.FAILED}
    here = {Place(contract.tool, contract.rule, path) for path in contract.scope.allowed_paths}
    ended = (entry for entry in index.latest(_REMEMBERED, sitting.run.target) if entry.status in failed)
    return sum(entry.task_id == contract.task_id or bool(here & places(entry)) for entry in ended)


def _approved_by(sitting: Sitting) -> str:
    """Who approved before the run: of a granted change, whoever granted exactly this commit."""
    if sitting.given.decision:
        return sitting.given.decision.actor
    return sitting.run.grant.actor if sitting.run.grant else ""
