"""SELECTIVE_AUTO after the pull request: check, canary, release again, merge; any doubt leaves it to a person (P4)."""

from datetime import datetime, timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities import api as steps
    from contracts.handover import MergeInput, MergeResult, PlannedWrite, ProbeInput
    from contracts.merging import CanaryReport, Health, MergeCandidate
    from contracts.messages import REGRESSION
    from contracts.modes import Outcome, RunStatus, StepName, WriteAction
    from contracts.report import Landed, StepRecord, WriteResult
    from contracts.rollback import Merged, Regression
    from contracts.verdict import Decision
    from policies.counted import counted
    from policies.verdicts import allow, ask
    from workflows.polling import Again, polled
    from workflows.run.ci import stopped_by_ci
    from workflows.run.context import End, RunContext

P4 = "only what was checked is merged"


class Merging:
    """One run's way from an open pull request to the base, or to a person."""

    def __init__(self, context: RunContext) -> None:
        self._context = context
        self._ledger = context.ledger

    async def land(self) -> End:
        """Merge, or say why a person reviews.

        Each turn is bound to one merge result. Where the base moved, the next turn checks the new one; that step says
        no after ``auto_merge.base_moves`` of them.
        """
        before: MergeCandidate | None = None
        refused = tip = ""
        while True:
            checked = await self._step(steps.MERGE_CHECK, before)
            wanted = checked.candidate
            if not checked.result.verdict.allowed or wanted is None:
                return self._to_a_person(checked.result.verdict.reason)
            if before is not None and wanted.merge_sha == before.merge_sha:
                # The base is where it was: that was a refusal, not a race.
                return self._to_a_person(refused)
            if wanted.pull_branch:
                unshown = await self._shown_on_pull(wanted, tip or wanted.head_sha)
                if unshown:
                    return self._to_a_person(unshown)
                tip = wanted.merge_sha
            # A forge that merges pull requests shows the merge result on one; elsewhere CI saw the change alone.
            if ended := await stopped_by_ci(self._context, wanted.merge_sha if wanted.pull_branch else wanted.head_sha):
                return ended
            pushed = await self._context.write(self._canary_push(wanted), f"canary-{wanted.merge_sha[:8]}")
            if not pushed.done:
                return self._to_a_person(f"the canary branch: {pushed.verdict.reason}")
            canary = await self._canary(wanted)
            released = await self._step(steps.MERGE_RELEASE, wanted, canary)
            merges = [planned for planned in released.result.writes if planned.action is WriteAction.MERGE]
            if released.result.outcome is not Outcome.AUTO_MERGE_ALLOWED or not merges:
                return self._to_a_person(released.result.verdict.reason)
            merged = await self._context.write(merges[0])
            if merged.done:
                return await self._landed(wanted, merged)
            before, refused = wanted, f"merge: {merged.verdict.reason}"

    async def _shown_on_pull(self, wanted: MergeCandidate, tip: str) -> str:
        """Show on the pull request what is going to be merged. Why that could not be done; empty: it is.

        ``tip`` is where its branch is now: the change, or the merge result of an earlier turn.
        """
        short = wanted.merge_sha[:8]
        moved = self._canary_push(wanted).model_copy(update={"branch": wanted.pull_branch, "expected_old": tip})
        pushed = await self._context.write(moved, f"pull-{short}")
        if not pushed.done:
            return f"the pull request's branch: {pushed.verdict.reason}"
        told = moved.model_copy(update={"action": WriteAction.UPDATE_PULL_REQUEST, "expected_old": ""})
        updated = await self._context.write(told, f"update-{short}")
        return "" if updated.done else f"the pull request's text: {updated.verdict.reason}"

    async def _step(
        self,
        step: steps.Step[MergeInput, MergeResult],
        candidate: MergeCandidate | None,
        canary: CanaryReport | None = None,
    ) -> MergeResult:
        context = self._context
        name = context.step = StepName(step.name)

        async def attempt() -> MergeResult:
            started = workflow.now()
            request = MergeInput(
                step=self._ledger.step_input(context.run, context.approval), candidate=candidate, canary=canary
            )
            done = await context.gate.abortable(step(request, f"{name}: {self._ledger.task_id}"))
            if done.result.verdict.decision is not Decision.HOLD:
                self._ledger.keep(name, done.result, started, workflow.now())
            return done

        return await context.while_held(attempt, lambda done: done.result.verdict)

    async def _canary(self, wanted: MergeCandidate) -> CanaryReport:
        """Rounds of probes until the window is over or one is not green; a pause in between makes it begin anew."""
        context = self._context
        started = began = workflow.now()
        window, every = timedelta(seconds=wanted.window_seconds), timedelta(seconds=wanted.every_seconds)
        rounds = looks = 0
        context.step = StepName.CANARY
        seen = context.gate.order

        async def look() -> CanaryReport | Again:
            nonlocal began, rounds, looks, seen
            await context.pass_gate()
            if context.gate.order is not seen:
                # Whatever was green before a pause says nothing of the time after it.
                seen, began, rounds = context.gate.order, workflow.now(), 0
            looks += 1
            lasted = (workflow.now() - began).total_seconds()
            shown = f"canary of {wanted.merge_sha[:12]}: {counted(rounds, 'round')} green, {lasted:.0f} s"
            context.show(RunStatus.RUNNING, f"{shown} of {window.total_seconds():.0f} s")
            request = ProbeInput(run=context.run, candidate=wanted, artifacts=self._ledger.artifacts, round=looks)
            found = await context.gate.abortable(steps.PROBE_CANARY(request, f"probe {wanted.merge_sha[:12]}"))
            if context.gate.order is not seen:
                return await look()
            rounds += 1
            now = workflow.now()
            report = CanaryReport(
                merge_sha=wanted.merge_sha,
                branch=wanted.canary_branch,
                began_at=began,
                ended_at=now,
                rounds=rounds,
                health=found.health,
                last=found.results,
            )
            left = began + window - now
            if found.health is not Health.GREEN or (left <= timedelta() and rounds > 1):
                self._keep(report, started, found.audit_head)
                return report
            # The last round is at the window's end, not before it.
            wait = max(min(every, left), timedelta(seconds=1))
            news = context.gate.news(seen)
            return Again(wait, f"canary {wanted.merge_sha[:12]}, round {rounds} green", news)

        return await polled(look)

    def _keep(self, report: CanaryReport, started: datetime, audit_head: str) -> None:
        green = report.health is Health.GREEN
        troubled = ", ".join(f"{one.name} {one.health}" for one in report.last if one.health is not Health.GREEN)
        lasted = (report.ended_at - report.began_at).total_seconds()
        reason = f"{counted(report.rounds, 'round')} in {lasted:.0f} s" + (f": {troubled}" if troubled else "")
        rule = "every probe is green on the merge result"
        verdict = (allow if green else ask)(rule, reason, mergeSha=report.merge_sha, branch=report.branch)
        record = StepRecord(
            step=StepName.CANARY,
            started_at=started,
            ended_at=report.ended_at,
            handover=None,
            verdict=verdict,
            audit_head=audit_head,
        )
        self._ledger.records.append(record)

    def _canary_push(self, wanted: MergeCandidate) -> PlannedWrite:
        """A branch of the merge result's own; a later run removes it, when this one has ended."""
        return PlannedWrite(
            action=WriteAction.PUSH_BRANCH,
            task_id=self._ledger.task_id or "",
            branch=wanted.canary_branch,
            base_branch=wanted.base_branch,
            base_sha=wanted.base_sha,
            head_sha=wanted.merge_sha,
            commit_message=wanted.commit_message,
        )

    async def _landed(self, wanted: MergeCandidate, write: WriteResult) -> End:
        """What the base got is what the books know; where it is not what was checked, Control hears of it at once."""
        merged = self._ledger.merged = write.merged or self._as_planned(wanted, write.landed)
        what = f"{wanted.base_branch} is at {merged.merge_sha[:12]}, tree {merged.tree_sha[:12]}"
        if merged.tree_sha == wanted.tree_sha:
            return RunStatus.MERGED, f"merged: {what} as checked"
        reason = f"{what}, which is not the checked {wanted.tree_sha[:12]}"
        told = Regression(merged=merged, reason=f"merged, but not what was checked: {reason}", failing=(P4,))
        answer = await steps.TELL(
            self._context.run.target, REGRESSION, told, "tell Control: the base holds what nobody checked"
        )
        return RunStatus.MERGED, f"{told.reason}. {answer.verdict.reason}"

    def _as_planned(self, wanted: MergeCandidate, landed: Landed | None) -> Merged:
        """Of a write whose result is older than ``merged`` in it (P15)."""
        landed = landed or Landed(commit_sha=wanted.merge_sha, parent_sha=wanted.base_sha, tree_sha=wanted.tree_sha)
        numbers = [write.pull_request.number for write in self._ledger.writes if write.pull_request]
        return Merged(
            run=self._context.run,
            merge_sha=landed.commit_sha,
            parent_sha=landed.parent_sha,
            tree_sha=landed.tree_sha,
            head_sha=wanted.head_sha,
            task_id=self._ledger.task_id or "",
            pull_request=numbers[-1] if numbers else 0,
            merged_at=workflow.now(),
        )

    def _to_a_person(self, reason: str) -> End:
        self._ledger.outcome = Outcome.REQUIRES_HUMAN_REVIEW
        return RunStatus.PR_OPENED, f"pull request opened; a person reviews: {reason}"
