"""The writes a run planned, each as cleared writes: in DRY_RUN the very same call (P3)."""

from dataclasses import dataclass

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.after.outcomes import say_merged
from activities.api import WRITE, WriteInput
from activities.heartbeat import heartbeating
from activities.run.open_pulls import acknowledging_text, closing_text
from activities.run.questions import question_file
from activities.run.releasing import pull_of
from activities.step_session import StepPorts, closed
from activities.write.cleared_write import ClearedWrite
from activities.write.commenting import Comment, said_once
from contracts.admission import PullRequestRef
from contracts.artifact import ArtifactRef
from contracts.audit import AuditEvent
from contracts.change import Change
from contracts.clearance import TAKES_A_PLACE, WriteAnswerKind
from contracts.effect import Effect
from contracts.forge_facts import ABOUT_CLOSING
from contracts.handover import PlannedWrite
from contracts.modes import Role, WriteAction, WriteClass
from contracts.pull_request import PullRequest
from contracts.report import WriteResult
from contracts.rollback import FollowUpInput, Merged
from contracts.task import StateSnapshot, TaskContract
from contracts.verdict import Fact, Verdict
from policies.after.open_pulls import is_canary
from policies.settings.schema import EffectivePolicy
from policies.texts.outcome import closed_because, closed_head, closed_in_short
from policies.texts.pull_request import footer
from policies.verdicts import allow, deny, hold
from ports.forge import ForgeError
from ports.policy_source import PolicyError

_CHANGED = frozenset({WriteAction.UPDATE_PULL_REQUEST, WriteAction.CLOSE_PULL_REQUEST})
_WITHOUT_COMMITS = frozenset({WriteAction.CLOSE_PULL_REQUEST, WriteAction.REMOVE_BRANCH, WriteAction.COMMENT})
_BODIES = {
    WriteAction.OPEN_PULL_REQUEST: "pull_request.md",
    WriteAction.UPDATE_PULL_REQUEST: "pull_request.md",
    WriteAction.CLOSE_PULL_REQUEST: "pull_request_closed.md",
}


@dataclass(frozen=True)
class Writing:
    """Does what Control cleared, once; adopts what an earlier attempt did."""

    bench: StepPorts

    @activity.defn(name=WRITE.name, no_thread_cancel_exception=True)
    def write(self, request: WriteInput) -> WriteResult:
        """Ask, act in a child, settle. In DRY_RUN Control refuses and no child is ever started."""
        with heartbeating():
            policy = self.bench.pinned_policy(request.run)
            ended = self._write(request, policy)
            if ended.done and ended.merged and ended.merged.pull_request:
                say_merged(self.bench, policy, ended.merged, checked_tree=request.planned.tree_sha)
            if ended.done and (text := self._closing(request, policy)):
                said_once(self.bench, policy, request.run, text)
            return ended

    def _closing(self, request: WriteInput, policy: EffectivePolicy) -> Comment | None:
        """What people are told below a pull request that we closed."""
        planned, run_id = request.planned, request.run.run_id
        if planned.action is not WriteAction.CLOSE_PULL_REQUEST:
            return None
        pull = pull_of(self.bench.forges(policy.target), planned.of_run or run_id, planned.branch)
        if pull is None or pull.state != "closed":
            return None
        page = self.bench.store.web(run_id)
        bodies = {ref.name: ref for ref in request.artifacts}
        closing = self._text(planned, bodies)
        head = closed_head("", closed_in_short(closing))
        message = closed_because(closing, run_id, page)
        return Comment(run_id, pull.number, ABOUT_CLOSING, message, head, addresses=(page,) if page else ())

    def _text(self, planned: PlannedWrite, bodies: dict[str, ArtifactRef]) -> str:
        name = closing_text(planned.of_run) if planned.of_run else _BODIES[planned.action]
        return self.bench.store.get(bodies[name]).decode()

    def _write(self, request: WriteInput, policy: EffectivePolicy) -> WriteResult:
        planned, run = request.planned, request.run
        effect = self._effect(request, policy)
        cleared = ClearedWrite(
            self.bench,
            merges=self._merges(request, policy),
            follows=_follows(request),
            task_type=self._task_type(request),
            open_pulls=self._open_pulls(request),
        )
        try:
            asks = WriteClass.RECORD if planned.asks else WriteClass.ADVANCE
            done = cleared.around(policy, effect, asks, self._policy_now(run.target))
        except ForgeError as problem:
            if waits := self.bench.resting(run, problem):
                return self._ended(request, "write not done", waits, done=False)
            if out := self.bench.kept_out(policy.target, problem):
                raise out from problem
            raise
        if done.answer.answer is WriteAnswerKind.REFUSED:
            return self._ended(request, "write refused", done.answer.verdict, done=False)
        if done.result is None:
            # Settled under this key: by an earlier attempt, or by Control's own look at the remote.
            pull = self.bench.forges(policy.target).find_pull_request(effect.record_key or effect.run_key)
            verdict = _as_checked(planned, done.merged) or done.answer.verdict
            return self._ended(
                request, "write adopted", verdict, done=True, adopted=True, pull=pull, merged=done.merged
            )
        result = done.result
        if not result.done:
            not_done = deny if result.refused else hold
            reason = result.refused or "looked after the pause: it had not happened"
            if result.obstacle:
                self._ended(request, "write not done", deny(f"{planned.action} happened", reason), done=False)
                raise closed(f"{planned.action}: {reason}", policy.target)
            return self._ended(request, "write not done", not_done(f"{planned.action} happened", reason), done=False)
        facts: dict[str, Fact] = {"adopted": result.adopted}
        if done.merged is not None:
            facts["tree"] = done.merged.tree_sha
        verdict = allow(f"{planned.action} happened", f"{result.result} on {planned.branch}", **facts)
        return self._ended(
            request,
            "write done",
            _as_checked(planned, done.merged) or verdict,
            done=True,
            adopted=result.adopted,
            pull=result.pull_request,
            merged=done.merged,
        )

    def _effect(self, request: WriteInput, policy: EffectivePolicy) -> Effect:
        """Everything the child needs, ready before Control is asked."""
        planned, run = request.planned, request.run
        bodies = {ref.name: ref for ref in request.artifacts}
        if planned.action not in _WITHOUT_COMMITS:
            self._bring_commits(policy, planned, bodies)
        opener = planned.of_run or run.run_id
        opened = f"{opener}/{WriteAction.OPEN_PULL_REQUEST}"
        text, page = "", self.bench.store.web(opener)
        if planned.action in _BODIES:
            # Equal in form, whichever of them writes it: the footer names the write that opened it.
            text = self._text(planned, bodies)
            text += footer(opener, opened, page)
        if planned.action is WriteAction.COMMENT:
            name = question_file(planned.number) if planned.asks else acknowledging_text(planned.of_run)
            text = self.bench.store.get(bodies[name]).decode()
        return Effect(
            action=planned.action,
            run_key=f"{run.run_id}/{request.name or planned.action}",
            run_id=run.run_id,
            task_id=planned.task_id,
            branch=planned.branch,
            base_branch=planned.base_branch,
            head_sha=planned.head_sha,
            base_sha=planned.base_sha,
            expected_old=planned.base_sha if planned.action is WriteAction.MERGE else planned.expected_old,
            tree_sha=planned.tree_sha,
            pull_branch=planned.pull_branch,
            record_key=opened if planned.action in _CHANGED else "",
            commit_message=planned.commit_message,
            number=planned.number,
            title=planned.title,
            body=text,
            addresses=(page,) if page else (),
        )

    def _bring_commits(self, policy: EffectivePolicy, planned: PlannedWrite, bodies: dict[str, ArtifactRef]) -> None:
        """Any worker may push: the commits come from the bundle, whoever made them."""
        change = Change.model_validate_json(self.bench.store.get(bodies["change.json"]))
        bundle = self.bench.store.get(bodies["change.bundle"])
        self.bench.repositories(policy.target).unbundle(bundle, change.base_sha, change.head_sha)
        if planned.head_sha != change.head_sha:
            self._make_merge(policy, planned, change)

    def _task_type(self, request: WriteInput) -> str:
        """Of what leads to a merge: Control clears it where this kind of task has earned that."""
        planned = request.planned
        canary = planned.action is WriteAction.PUSH_BRANCH and is_canary(planned.branch)
        if not canary and planned.action is not WriteAction.MERGE:
            return ""
        kept = next(ref for ref in request.artifacts if ref.name == "task_contract.json")
        return TaskContract.model_validate_json(self.bench.store.get(kept)).type

    def _open_pulls(self, request: WriteInput) -> tuple[int, ...]:
        """What waited when this run began: Control knows those of its own books, a forge may hold others."""
        if request.planned.action not in TAKES_A_PLACE or request.planned.of_run:
            return ()
        kept = next(ref for ref in request.artifacts if ref.name == "state_snapshot.json")
        snapshot = StateSnapshot.model_validate_json(self.bench.store.get(kept))
        return tuple(pull.number for pull in snapshot.open_pull_requests)

    def _merges(self, request: WriteInput, policy: EffectivePolicy) -> Merged | None:
        """What Control must know of a merge even if nobody lives to tell it that it landed."""
        planned, run = request.planned, request.run
        if planned.action is not WriteAction.MERGE:
            return None
        change = next(ref for ref in request.artifacts if ref.name == "change.json")
        pull = self.bench.forges(policy.target).find_pull_request(f"{run.run_id}/{WriteAction.OPEN_PULL_REQUEST}")
        return Merged(
            run=run,
            merge_sha=planned.head_sha,
            parent_sha=planned.base_sha,
            tree_sha=planned.tree_sha,
            head_sha=Change.model_validate_json(self.bench.store.get(change)).head_sha,
            task_id=planned.task_id,
            pull_request=pull.number if pull else 0,
            merged_at=request.now,
        )

    def _make_merge(self, policy: EffectivePolicy, planned: PlannedWrite, change: Change) -> None:
        """The commit that is not the change itself is its merge result: made anew, it is the same one or none."""
        repository = self.bench.repositories(policy.target)
        repository.fetch_base()
        merge = repository.merge(planned.base_sha, change.head_sha, planned.commit_message)
        if merge.commit != planned.head_sha:
            raise ApplicationError(f"the merge result is {merge.commit}, not {planned.head_sha}", type="MergeDiffers")

    def _policy_now(self, target: str) -> str:
        try:
            return self.bench.policies.effective(target).digest
        except PolicyError:
            # Unreadable is not the pinned one: Control answers HOLD.
            return "unreadable"

    def _ended(
        self,
        request: WriteInput,
        event: str,
        verdict: Verdict,
        *,
        done: bool,
        adopted: bool = False,
        pull: PullRequest | None = None,
        merged: Merged | None = None,
    ) -> WriteResult:
        # One end for all attempts of this activity: one that wakes up late has nothing to add.
        key = f"{request.planned.action}/ended/{activity.info().activity_id}"
        facts: dict[str, Fact] = {"action": request.planned.action, "reason": verdict.reason, "done": done}
        record = AuditEvent(key=key, role=Role.RELEASE, event=event, facts=facts)
        head = self.bench.record(request.run.run_id, (record,), activity.info().started_time)
        shown = (
            PullRequestRef(number=pull.number, branch=pull.branch, head_sha=pull.head_sha, url=pull.url)
            if pull and not request.planned.of_run
            else None
        )
        return WriteResult(
            planned=request.planned,
            done=done,
            adopted=adopted,
            verdict=verdict,
            pull_request=shown,
            audit_head=head,
            merged=merged,
        )


def _follows(request: WriteInput) -> FollowUpInput | None:
    """What Control must know of a pull request even if nobody lives to tell it that it was opened; its number comes."""
    if request.planned.action is not WriteAction.OPEN_PULL_REQUEST:
        return None
    return FollowUpInput(run=request.run, task_id=request.planned.task_id, pull_request=0)


def _as_checked(planned: PlannedWrite, merged: Merged | None) -> Verdict | None:
    """P4 for forges that cannot promise it: merged, but not what was checked, is a no that has happened."""
    if merged is None or merged.tree_sha == planned.tree_sha:
        return None
    reason = f"{merged.merge_sha} holds the tree {merged.tree_sha}, the checked one is {planned.tree_sha}"
    return deny("only what was checked is merged", reason, tree=merged.tree_sha, commit=merged.merge_sha)
