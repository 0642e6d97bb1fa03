"""The bracket around every outside effect: begin_write, the effect's own child, settle_write (P1, P3, P7, P10)."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import timedelta

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.api import WRITE, WriteInput
from activities.heartbeat import heartbeating
from activities.workbench import Workbench
from contracts.audit import AuditEvent
from contracts.change import Change
from contracts.control import (
    Clearance,
    PullRequestRef,
    SettleRequest,
    WriteAnswerKind,
    WriteOutcome,
    WriteRequest,
)
from contracts.effect import Effect, EffectResult
from contracts.modes import Role, WriteAction, WriteClass
from contracts.pull_request import PullRequest
from contracts.report import WriteResult
from contracts.verdict import Fact, Verdict
from policies.pull_request_text import footer
from policies.schema import EffectivePolicy
from policies.verdicts import allow, deny, hold
from ports.crashpoints import crashpoint
from ports.policy_source import PolicyError


@dataclass(frozen=True)
class Writing:
    """Does what Control cleared, once; adopts what an earlier attempt did."""

    bench: Workbench

    @activity.defn(name=WRITE.name, no_thread_cancel_exception=True)
    def write(self, given: WriteInput) -> WriteResult:
        """Ask, act in a child, settle. In DRY_RUN Control refuses and no child is ever started."""
        with heartbeating():
            return self._write(given)

    def _write(self, given: WriteInput) -> WriteResult:
        planned, run = given.planned, given.run
        policy = self.bench.pinned_policy(run)
        key = f"{run.run_id}/{planned.action}"
        info = activity.info()
        attempt = f"{info.workflow_run_id}/{info.activity_id}/{info.attempt}"
        crashpoint(f"{planned.action}.before_begin")
        # The clock starts before Control's does: the child dead by then is dead before Control's deadline.
        seconds = policy.autopilot.control.write_seconds
        kill_at = time.monotonic() + seconds
        answer = self.bench.control.begin_write(
            run.target,
            WriteRequest(
                run_id=run.run_id,
                key=key,
                attempt=attempt,
                action=planned.action,
                write_class=WriteClass.ADVANCE,
                branch=planned.branch,
                head_sha=planned.head_sha,
                base_sha=planned.base_sha,
                policy_digest=self._policy_now(run.target),
                seconds=seconds,
            ),
        )
        crashpoint(f"{planned.action}.after_begin")
        if answer.answer is WriteAnswerKind.BUSY:
            wait = timedelta(seconds=answer.retry_after_seconds + 0.5)
            raise ApplicationError(answer.verdict.reason, type="WriteBusy", next_retry_delay=wait)
        if answer.answer is WriteAnswerKind.REFUSED:
            return self._ended(given, "write refused", answer.verdict, done=False)
        if answer.answer is WriteAnswerKind.SETTLED:
            pull = self.bench.forges(policy.target).find_pull_request(key)
            return self._ended(given, "write adopted", answer.verdict, done=True, adopted=True, pull=pull)
        if answer.clearance is None:
            raise ApplicationError("Control answered without a clearance", type="NoClearance")
        if time.monotonic() > kill_at:
            # Stopped or suspended since it asked: by now the log may be closed.
            raise ApplicationError("woke up after its clearance ended", type="WriteLate")
        # If this cannot be written, nothing may be written to a repository (P10).
        self._log(given, f"{key}/cleared/{attempt}", "write cleared", answer=answer.answer, attempt=attempt)
        result = self._perform(given, policy, answer.clearance, kill_at, answer.answer is WriteAnswerKind.LOOK_ONLY)
        crashpoint(f"{planned.action}.before_settle")
        self._settle(given, attempt, key, result)
        crashpoint(f"{planned.action}.after_settle")
        if not result.done:
            not_done = deny if result.refused else hold
            reason = result.refused or "looked after the pause: it had not happened"
            return self._ended(given, "write not done", not_done(f"{planned.action} happened", reason), done=False)
        verdict = allow(f"{planned.action} happened", f"{result.result} on {planned.branch}", adopted=result.adopted)
        return self._ended(given, "write done", verdict, done=True, adopted=result.adopted, pull=result.pull_request)

    def _perform(
        self, given: WriteInput, policy: EffectivePolicy, clearance: Clearance, kill_at: float, look_only: bool
    ) -> EffectResult:
        planned, run = given.planned, given.run
        bodies = {ref.name: ref for ref in given.artifacts}
        repository = self.bench.repositories(policy.target)
        change = Change.model_validate_json(self.bench.store.get(bodies["change.json"]))
        # Any worker may push: the commits come from the bundle, whoever made them.
        repository.unbundle(self.bench.store.get(bodies["change.bundle"]), change.base_sha, change.head_sha)
        text = ""
        if planned.action is WriteAction.OPEN_PULL_REQUEST:
            text = self.bench.store.get(bodies["pull_request.md"]).decode()
            text += footer(run.run_id, clearance.key, self.bench.store.address(run.run_id))
        effect = Effect(
            action=planned.action,
            run_key=clearance.key,
            run_id=run.run_id,
            task_id=planned.task_id,
            branch=planned.branch,
            base_branch=planned.base_branch,
            head_sha=planned.head_sha,
            base_sha=planned.base_sha,
            title=planned.title,
            body=text,
        )
        return self.bench.effects.perform(policy.target, effect, clearance, kill_at, look_only)

    def _settle(self, given: WriteInput, attempt: str, key: str, result: EffectResult) -> None:
        outcome = WriteOutcome.DONE if result.done else WriteOutcome.NOT_DONE
        said = SettleRequest(key=key, attempt=attempt, outcome=outcome, result=result.result)
        answer = self.bench.control.settle_write(given.run.target, said)
        if not answer.accepted:
            # Our deadline passed and somebody else holds it now: the next attempt looks and adopts.
            raise ApplicationError(answer.verdict.reason, type="SettleRefused")

    def _policy_now(self, target: str) -> str:
        try:
            return self.bench.policies.effective(target).digest
        except PolicyError:
            # Unreadable is not the pinned one: Control answers HOLD.
            return "unreadable"

    def _ended(
        self,
        given: WriteInput,
        event: str,
        verdict: Verdict,
        *,
        done: bool,
        adopted: bool = False,
        pull: PullRequest | None = None,
    ) -> WriteResult:
        # One end for all attempts of this activity: one that wakes up late has nothing to add.
        key = f"{given.planned.action}/ended/{activity.info().activity_id}"
        head = self._log(given, key, event, action=given.planned.action, reason=verdict.reason, done=done)
        shown = (
            PullRequestRef(number=pull.number, branch=pull.branch, head_sha=pull.head_sha, url=pull.url)
            if pull
            else None
        )
        return WriteResult(
            planned=given.planned, done=done, adopted=adopted, verdict=verdict, pull_request=shown, audit_head=head
        )

    def _log(self, given: WriteInput, key: str, event: str, **facts: Fact) -> str:
        record = AuditEvent(key=key, role=Role.RELEASE, event=event, facts=facts)
        return self.bench.record(given.run.run_id, (record,), activity.info().started_time)
