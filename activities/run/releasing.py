"""Step 8: the outcome policy allows, as a verdict tree (``release_decision.json``), and the writes it plans."""

from dataclasses import dataclass
from datetime import date

from temporalio import activity

from activities.api import RELEASE
from activities.run.quarantine import granted_change
from activities.step_session import StepPorts, StepSession
from contracts.artifact import ArtifactRef
from contracts.change import Change
from contracts.evidence import ChecksReport, ReviewReport
from contracts.handover import PlannedWrite, StepInput, StepResult
from contracts.messages import MERGES_ALONE
from contracts.modes import Mode, Outcome, Role, RunStatus, StepName, WriteAction
from contracts.pull_request import PullRequest
from contracts.release import ReleaseDecision
from contracts.task import StateSnapshot, TaskContract
from policies.digests import sha256_hex
from policies.release.checks import unseen
from policies.release.ci import ci_terms
from policies.release.release import PinnedDigests, ReleaseFacts, judge_release
from policies.release.what_if import kept
from policies.task.idea_memory import Place, places
from policies.texts.pull_request import body, branch, title
from policies.verdicts import allow, deny
from ports.forge import Forge
from ports.repository import MergeResult
from ports.store import RunIndex

_REMEMBERED = 100


@dataclass(frozen=True)
class Releasing:
    """Proposes and plans; it writes nothing itself."""

    bench: StepPorts
    index: RunIndex

    @activity.defn(name=RELEASE.name, no_thread_cancel_exception=True)
    def release(self, request: StepInput) -> StepResult:
        """Gather the facts, judge them, plan the writes."""
        return self.bench.perform(request, StepName.RELEASE, Role.RELEASE, self._work)

    def _work(self, session: StepSession) -> StepResult:
        contract = session.load("task_contract.json", TaskContract)
        change = session.change()
        checks = session.load("checks/checks.json", ChecksReport)
        repository = session.repository
        merge = repository.merge(change.base_sha, change.head_sha)
        decision = decided(
            session,
            release_facts(
                session,
                self.index,
                change,
                merge,
                pinned_base=session.input.base_sha,
                base_now=self._base_now(session, change),
                canary_passed=False,
            ),
        )
        refused = decision.outcome is Outcome.REJECT
        reason = decision.verdict.reason
        session.note("released", outcome=decision.outcome, reason=reason, risk=decision.risk.level)
        if refused:
            verdict = deny("the change may be released", reason, outcome=decision.outcome)
            return session.done(verdict, task_id=contract.task_id, outcome=decision.outcome)
        verdict = allow("the change may be released", f"{decision.outcome}: {reason}", outcome=decision.outcome)
        writes = self._plan(session, contract, decision, checks, change)
        return session.done(
            verdict, task_id=contract.task_id, outcome=decision.outcome, writes=writes, next_role=Role.AUDIT
        ).model_copy(update={"ci": ci_terms(session.policy)})

    def _base_now(self, session: StepSession, change: Change) -> str:
        """The pinned base while it still is the branch's head, or while a pull request on it stays mergeable.

        Moving on is what base branches do; nothing here merges. Where the change no longer merges cleanly into
        the new head, the new head is returned, and the drift gate refuses.
        """
        now = session.repository.fetch_base()
        if now == change.base_sha:
            return now
        clean = session.repository.merge(now, change.head_sha).clean
        session.note("base moved", pinned=change.base_sha, now=now, stillMerges=clean)
        return change.base_sha if clean else now

    def _plan(
        self,
        session: StepSession,
        contract: TaskContract,
        decision: ReleaseDecision,
        checks: ChecksReport,
        change: Change,
    ) -> tuple[PlannedWrite, ...]:
        """Push, then the pull request: in DRY_RUN the same as in PR_ONLY (P3), so no run id and no time in them."""
        kept = save_pull_request_text(session, decision, checks, change)
        push = PlannedWrite(
            action=WriteAction.PUSH_BRANCH,
            task_id=contract.task_id,
            branch=branch(contract, change.base_sha),
            base_branch=session.policy.target.base_branch,
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
            session.note("write planned", action=planned.action, branch=planned.branch, headSha=planned.head_sha)
        return (push, pull)


def decided(session: StepSession, facts: ReleaseFacts) -> ReleaseDecision:
    """Judge, and keep both the decision and its facts: another policy can be asked what it would have said."""
    decision = judge_release(facts)
    session.save("release_facts.json", kept(facts))
    session.save("release_decision.json", decision)
    return decision


def save_pull_request_text(
    session: StepSession, decision: ReleaseDecision, checks: ChecksReport, change: Change, lands_as: str = ""
) -> ArtifactRef:
    """What the pull request says of this change and these checks; a write adds the run's footer."""
    contract = session.load("task_contract.json", TaskContract)
    not_seen = unseen(session.load("state_snapshot.json", StateSnapshot))
    markdown = body(
        contract, decision, checks, change, session.run.grant, not_seen, lands_as, session.load_bytes(change.diff.name)
    )
    text = markdown.encode()
    kept = session.save("pull_request.md", text, "text/markdown")
    assert kept.sha256 == sha256_hex(text)  # noqa: S101  # the store and the plan must mean the same bytes
    return kept


def pull_of(forge: Forge, run_id: str, shown: str) -> PullRequest | None:
    """A run's pull request: by its key; of a run that adopted an earlier one's, by the branch it is ``shown`` on."""
    pulls, key = forge.pull_requests(), f"{run_id}/{WriteAction.OPEN_PULL_REQUEST}"
    ours = [each for each in pulls if each.run_key == key] or [each for each in pulls if each.branch == shown]
    return ours[0] if ours else None


def release_facts(
    session: StepSession,
    index: RunIndex,
    change: Change,
    merge: MergeResult,
    *,
    pinned_base: str,
    base_now: str,
    canary_passed: bool,
) -> ReleaseFacts:
    """All the release rules look at, for this change and this merge result of it."""
    contract = session.load("task_contract.json", TaskContract)
    granted, grant = granted_change(session), session.run.grant
    review = session.load("review_report.json", ReviewReport)
    return ReleaseFacts(
        run_id=session.run.run_id,
        today=date.fromisoformat(session.run.date),
        mode=session.run.mode,
        policy=session.policy,
        contract=contract,
        change=change,
        base_paths=session.repository.paths(change.base_sha),
        review=review,
        checks=session.load("checks/checks.json", ChecksReport),
        pinned=PinnedDigests(
            contract_digest=session.input.pins.contract_digest,
            policy_digest=session.run.policy.digest,
            base_sha=pinned_base,
            head_sha=session.input.pins.head_sha,
        ),
        policy_digest_now=session.bench.policies.effective(session.run.target).digest,
        base_now=base_now,
        merge_tree_sha=merge.tree if merge.clean else "",
        merge_conflicts=merge.conflicts,
        past_failures=_past_failures(session, index, contract),
        approved_by=_approved_by(session),
        canary_passed=canary_passed,
        not_earned=_not_earned(session, contract),
        granted=granted.released if granted else (),
        from_quarantine=grant.run_id if grant else "",
        unproved=tuple(entry.path for entry in change.paths if entry.path not in review.proved),
    )


def _not_earned(session: StepSession, contract: TaskContract) -> str:
    """Why Control would clear no merge of this kind of task; asked before anything says that it merges by itself."""
    if session.run.mode is not Mode.SELECTIVE_AUTO:
        return ""
    answer = session.bench.control.query(session.run.target, MERGES_ALONE, contract.type)
    if answer is None:
        return "the target has no Control now that could say what has been earned"
    return "" if answer.allowed else answer.reason


def _past_failures(session: StepSession, index: RunIndex, contract: TaskContract) -> int:
    failed = {RunStatus.REJECTED, RunStatus.ESCALATED, RunStatus.FAILED}
    here = {Place(contract.tool, contract.rule, path) for path in contract.scope.allowed_paths}
    ended = (entry for entry in index.latest(_REMEMBERED, session.run.target) if entry.status in failed)
    return sum(entry.task_id == contract.task_id or bool(here & places(entry)) for entry in ended)


def _approved_by(session: StepSession) -> str:
    """Who approved before the run: of a granted change, whoever granted exactly this commit."""
    if session.input.decision:
        return session.input.decision.actor
    return session.run.grant.actor if session.run.grant else ""
