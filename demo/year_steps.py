"""The steps of a run without repository, sandbox and agent.

What each *finds* comes from a day that was made up (`demo/year_people.py`); what it *says* is the real thing: artifacts
by the contracts, the audit log, costs reserved and settled, and the release decision made by the rules.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from activities import api
from activities.run.releasing import decided, release_facts
from activities.step_session import StepPorts, StepSession
from contracts import handover, messages
from contracts.change import Change, ChangedPath
from contracts.control import InstallationFacts
from contracts.evidence import CheckAttempt, CheckResult, ChecksReport, CheckStatus, ReviewReport
from contracts.merging import Health, MergeCandidate, ProbeResult, ProbeRound
from contracts.modes import Outcome, RiskLevel, Role, StepName, TargetStatus, WriteAction
from contracts.source import Fetched, Grade, Quality, Reading, SourceUse
from contracts.task import (
    Risk,
    RollbackPlan,
    Scope,
    StateSnapshot,
    TaskContract,
    TaskState,
    TaskType,
    VerificationPlan,
)
from demo.year_forge import Day, Forge, sha
from policies.run.alerts import PROTECTED_RULE
from policies.run.caps import control_terms
from policies.task.planning import terms_digest
from policies.verdicts import allow, deny, escalate
from ports.repository import MergeResult
from ports.store import RunIndex

TAKES = {
    step.name: timedelta(minutes=minutes)
    for step, minutes in ((api.PREFLIGHT, 2), (api.SENSE, 1), (api.CODE, 4), (api.REVIEW, 1), (api.CHECK, 3))
}
"""How long the longer ones take."""
_QUARTER, _STALE = 13, 3
"""Weeks."""


@dataclass(frozen=True)
class Stage:
    """The nine steps, and those before a merge."""

    bench: StepPorts
    index: RunIndex
    forge: Forge

    def steps(self) -> Mapping[str, Callable[..., Any]]:
        """By the names of the steps they stand for."""
        return {
            **self.forge.steps(),
            api.RAISE_ALERTS.name: _alerts,
            api.SYNC_SCHEDULE.name: _schedule,
            api.REGISTER.name: self.register,
            api.PREFLIGHT.name: self.preflight,
            api.SENSE.name: self.sense,
            api.TRIAGE.name: self.triage,
            api.PLAN.name: self.plan,
            api.CODE.name: self.code,
            api.REVIEW.name: self.review,
            api.CHECK.name: self.check,
            api.RELEASE.name: self.release,
            api.MERGE_CHECK.name: self.merge_check,
            api.PROBE_CANARY.name: self.probe,
            api.MERGE_RELEASE.name: self.merge_release,
        }

    def register(self, request: api.RegisterInput) -> InstallationFacts:
        """Nobody ever knew this target."""
        terms = control_terms(self.bench.policies.effective(request.target))
        fresh = self.bench.audit.head(f"target/{request.target}") is None
        return InstallationFacts(epoch=1, status=TargetStatus.ACTIVE, ready=True, fresh=fresh, terms=terms)

    # The nine steps

    def preflight(self, request: handover.StepInput) -> handover.StepResult:
        """Fine."""
        verdict = allow("the run may start", "a year of good weather")
        return self._step(
            request,
            StepName.PREFLIGHT,
            Role.GATEKEEPER,
            lambda s: s.done(verdict, base_sha=sha("base", request.run.date)),
        )

    def sense(self, request: handover.StepInput) -> handover.StepResult:
        """A snapshot without findings: what there is to do is the day's."""

        def work(session: StepSession) -> handover.StepResult:
            run = request.run
            snapshot = StateSnapshot(
                run_id=run.run_id, target=run.target, base_branch="main", base_sha=request.base_sha, files=40,
                bytes=90_000, completeness=1, findings=(),
            )  # fmt: skip
            session.save("state_snapshot.json", snapshot)
            self._ask(session)
            return session.done(allow("the snapshot is complete", "all of it was looked at"))

        return self._step(request, StepName.SENSE, Role.SENSING, work)

    def _ask(self, session: StepSession) -> None:
        """A source, every Monday until it is lowered; in three weeks of a quarter it is stale."""
        run, source, today = session.run, "feed", date.fromisoformat(session.run.date)
        book = session.bench.control.query(run.target, messages.SOURCES)
        if today.weekday() or book is None or book.of(source).lowered:
            return
        stale = today.isocalendar().week % _QUARTER < _STALE
        age = int(sha("age", run.run_id)[:2], 16) / 16 + (96 if stale else 0)
        graded, reasons = (Grade.BREACH, ("its newest record is too old",)) if stale else (Grade.GOOD, ())
        reading = Reading(
            fetched=Fetched(source=source, connector="http", at=self.forge.clock(), asked="https://feed.example/"),
            quality=Quality(available=True, records=3, freshness_hours=age), grade=graded, reasons=reasons,
        )  # fmt: skip
        session.save(f"sources/{source}/reading.json", reading)
        use = SourceUse(run_id=run.run_id, source=source, grade=graded, reasons=reasons)
        session.bench.control.ask(run.target, messages.SOURCE_USED, use)

    def triage(self, request: handover.StepInput) -> handover.StepResult:
        """The day's task, unless too many pull requests wait."""
        day = self.forge.day(request.run)

        def work(session: StepSession) -> handover.StepResult:
            waiting = self.forge.waiting(request.run.target)
            most = session.policy.autopilot.caps.open_pull_requests
            if waiting >= most:
                reason = f"{waiting} pull requests wait for a person, caps.open_pull_requests is {most}"
                return session.done(allow("something is worth doing", reason), nothing_to_do=True)
            found = day.type is not None
            reason = "one candidate" if found else "nothing is worth doing"
            return session.done(allow("something is worth doing", reason), nothing_to_do=not found)

        return self._step(request, StepName.TRIAGE, Role.TRIAGING, work)

    def plan(self, request: handover.StepInput) -> handover.StepResult:
        """A contract for exactly what the day holds."""
        day = self.forge.day(request.run)

        def work(session: StepSession) -> handover.StepResult:
            contract = _contract(session, day)
            session.save("task_contract.json", contract)
            pins = handover.Pins(contract_digest=terms_digest(contract))
            verdict = allow("the contract is approved for the run", "within what policy approves")
            return session.done(verdict, task_id=contract.task_id, pins=pins)

        return self._step(request, StepName.PLAN, Role.PLANNING, work)

    def code(self, request: handover.StepInput) -> handover.StepResult:
        """The change; what it cost is told here."""
        day = self.forge.day(request.run)

        def work(session: StepSession) -> handover.StepResult:
            contract, meter = session.load("task_contract.json", TaskContract), session.meter
            meter.usd, meter.tokens, meter.seconds = day.usd or 0, day.tokens, 60 * day.minutes
            if day.usd is None:
                meter.unknown.append("the agent did not say what it cost")
            bundle = session.save("change.bundle", request.run.run_id.encode(), "application/octet-stream")
            diff = session.save("change.diff", b"", "text/x-diff")
            change = Change(
                base_sha=request.base_sha, head_sha=sha("head", request.run.run_id),
                tree_sha=sha("tree", request.run.run_id), paths=_paths(day), bundle=bundle, diff=diff,
                metric=contract.metric, metric_before=contract.metric_before, metric_after=0,
            )  # fmt: skip
            session.save("change.json", change)
            if day.protected:
                path = change.paths[-1].path
                verdict = escalate(PROTECTED_RULE, f"{path} is protected: CI configuration", path=path)
                return session.done(verdict, task_id=contract.task_id)
            return session.done(
                allow("the change is what was agreed", f"{contract.metric} {contract.metric_before} → 0"),
                task_id=contract.task_id,
                pins=handover.Pins(head_sha=change.head_sha),
            )

        return self._step(request, StepName.CODE, Role.CODING, work)

    def review(self, request: handover.StepInput) -> handover.StepResult:
        """Approved, and every file shown to be equal."""

        def work(session: StepSession) -> handover.StepResult:
            change, contract = session.load("change.json", Change), session.load("task_contract.json", TaskContract)
            report = ReviewReport(
                run_id=request.run.run_id, task_id=contract.task_id, head_sha=change.head_sha, reviewer="tools",
                approve=True, confidence=0.9, summary="does what it says",
                proved=tuple(path.path for path in change.paths),
            )  # fmt: skip
            session.save("review_report.json", report)
            return session.done(allow("the review approves", "no blocking remark"))

        return self._step(request, StepName.REVIEW, Role.REVIEW, work)

    def check(self, request: handover.StepInput) -> handover.StepResult:
        """Green, or red, on the merge result."""
        status = CheckStatus.GREEN if self.forge.day(request.run).green else CheckStatus.RED

        attempt = CheckAttempt(status=status, exit_code=int(status is not CheckStatus.GREEN), seconds=2, output=None)

        def work(session: StepSession) -> handover.StepResult:
            change = session.load("change.json", Change)
            results = tuple(
                CheckResult(
                    name=check.name, kind=check.kind, argv=check.argv, required=check.required, status=status,
                    attempts=(attempt,),
                )
                for check in session.policy.target.checks
            )  # fmt: skip
            merge = _merge(change.base_sha, change.head_sha)
            report = ChecksReport(
                commit_sha=merge.commit, tree_sha=merge.tree, base_sha=change.base_sha, head_sha=change.head_sha,
                environment="year", sandbox="none", results=results,
            )  # fmt: skip
            session.save("checks/checks.json", report)
            if sha("flake", request.run.run_id)[0] == "0":
                # Another look at the same tree, with another answer.
                other = CheckStatus.RED if status is CheckStatus.GREEN else CheckStatus.GREEN
                looks = tuple(each.model_copy(update={"status": other}) for each in results)
                session.save("checks/base.json", report.model_copy(update={"results": looks}))
            return session.done((allow if status is CheckStatus.GREEN else deny)("the checks are green", status.value))

        return self._step(request, StepName.CHECK, Role.CHECKS, work)

    def release(self, request: handover.StepInput) -> handover.StepResult:
        """By the rules, from the facts above."""

        def work(session: StepSession) -> handover.StepResult:
            decision = self._decided(session, canary_passed=False)
            if decision.outcome is Outcome.REJECT:
                verdict = deny("the change may be released", decision.verdict.reason)
                return session.done(verdict, task_id=decision.task_id, outcome=decision.outcome)
            push = handover.PlannedWrite(
                action=WriteAction.PUSH_BRANCH, task_id=decision.task_id, branch=f"autonomy/{decision.task_id}",
                base_branch="main", base_sha=decision.base_sha, head_sha=decision.head_sha,
            )  # fmt: skip
            pull = push.model_copy(update={"action": WriteAction.OPEN_PULL_REQUEST, "title": decision.task_id})
            verdict = allow("the change may be released", f"{decision.outcome}: {decision.verdict.reason}")
            return session.done(verdict, task_id=decision.task_id, outcome=decision.outcome, writes=(push, pull))

        return self._step(request, StepName.RELEASE, Role.RELEASE, work)

    # SELECTIVE_AUTO

    def merge_check(self, request: handover.MergeInput) -> handover.MergeResult:
        """The base is where it was."""

        def work(session: StepSession) -> handover.StepResult:
            return session.done(allow("the merge result is the checked one", "the base did not move"))

        result = self._step(request.step, StepName.MERGE_CHECK, Role.CHECKS, work)
        base, head = request.step.base_sha, request.step.pins.head_sha
        merge, limits = _merge(base, head), self.bench.pinned_policy(request.step.run).autopilot.auto_merge
        wanted = MergeCandidate(
            base_sha=base, head_sha=head, merge_sha=merge.commit, tree_sha=merge.tree, base_branch="main",
            canary_branch=f"autonomy/canary-{merge.commit[:8]}", window_seconds=60 * limits.canary_minutes,
            every_seconds=limits.canary_every_seconds,
        )  # fmt: skip
        return handover.MergeResult(result=result, candidate=wanted)

    def probe(self, _given: handover.ProbeInput) -> ProbeRound:
        """Nothing to be seen yet: what breaks, breaks on the base."""
        green = ProbeResult(name="imports", health=Health.GREEN, seconds=1)
        return ProbeRound(health=Health.GREEN, results=(green,))

    def merge_release(self, request: handover.MergeInput) -> handover.MergeResult:
        """By the rules once more, with the canary."""
        wanted = request.candidate
        if wanted is None or request.canary is None:
            raise ValueError("nothing was looked at")
        canary = request.canary

        def work(session: StepSession) -> handover.StepResult:
            decision = self._decided(session, canary_passed=canary.health is Health.GREEN)
            session.save("canary.json", canary)
            merge = handover.PlannedWrite(
                action=WriteAction.MERGE, task_id=decision.task_id, branch="main", base_branch="main",
                base_sha=wanted.base_sha, head_sha=wanted.merge_sha, tree_sha=wanted.tree_sha,
            )  # fmt: skip
            verdict = allow("the change may be merged without a person", f"{decision.outcome}")
            return session.done(verdict, task_id=decision.task_id, outcome=decision.outcome, writes=(merge,))

        result = self._step(request.step, StepName.MERGE_RELEASE, Role.RELEASE, work)
        return handover.MergeResult(result=result, candidate=wanted)

    # What these are made of

    def _step(
        self,
        request: handover.StepInput,
        step: StepName,
        role: Role,
        work: Callable[[StepSession], handover.StepResult],
    ) -> handover.StepResult:
        return self.bench.perform(request, step, role, work)

    def _decided(self, session: StepSession, *, canary_passed: bool) -> Any:
        change = session.load("change.json", Change)
        facts = release_facts(
            session, self.index, change, _merge(change.base_sha, change.head_sha), pinned_base=session.input.base_sha,
            base_now=session.input.base_sha, canary_passed=canary_passed,
        )  # fmt: skip
        return decided(session, facts)


def _alerts(request: api.RaiseAlertsInput) -> api.AlertsRaised:
    """Nobody is rung."""
    return api.AlertsRaised(count=len(request.alerts))


def _schedule(request: api.SyncScheduleInput) -> api.ScheduleSynced:
    """The year is its own Schedule."""
    return api.ScheduleSynced(done=request.reason)


def _contract(session: StepSession, day: Day) -> TaskContract:
    paths = tuple(path.path for path in _paths(day))
    limits = session.policy.autopilot.diff_budget
    return TaskContract(
        task_id=f"{day.tool}-{day.rule}-{sha(session.run.run_id)[:8]}",
        run_id=session.run.run_id,
        type=day.type or TaskType.CODE_IMPROVEMENT,
        state=TaskState.APPROVED_FOR_RUN,
        title=f"{day.tool} {day.rule} in {paths[0]}",
        objective=f"Bring {day.tool} {day.rule} findings from 4 to 0.",
        rationale="found by the tool",
        tool=day.tool,
        rule=day.rule,
        metric=f"{day.tool} {day.rule} findings",
        metric_before=4,
        expected_metric_delta=-4,
        test_strategy="the target's own checks",
        scope=Scope(allowed_paths=paths, max_files=limits.files, max_lines=limits.lines),
        risk=Risk(level=RiskLevel.LOW, category="cosmetic", blast_radius=f"{len(paths)} files"),
        verification=VerificationPlan(
            required_checks=tuple(check.name for check in session.policy.target.checks if check.required),
            acceptance_criteria=("fewer findings",),
        ),
        rollback=RollbackPlan(strategy="revert_commit", maximum_minutes=15),
        owner_role=Role.CODING,
        next_role=Role.REVIEW,
    )


def _paths(day: Day) -> tuple[ChangedPath, ...]:
    each = max(1, day.lines // max(1, len(day.paths)))
    return tuple(
        ChangedPath(
            path=path, status="M", old_mode="100644", new_mode="100644", old_sha="1" * 40, new_sha="2" * 40,
            added=each, removed=0, new_bytes=80 * each,
        )
        for path in day.paths
    )  # fmt: skip


def _merge(base: str, head: str) -> MergeResult:
    return MergeResult(sha("merge", base, head), sha("tree", base, head))
