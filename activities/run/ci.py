"""One look at the forge's own CI, and at the pull request whose commit it is about (runbook §3, §6.2)."""

from dataclasses import dataclass
from datetime import date, timedelta

from temporalio import activity

from activities.api import LOOK_AT_CI
from activities.heartbeat import heartbeating
from activities.step_session import StepPorts, StepSession, closed
from contracts.alert import Alert, AlertKind
from contracts.audit import AuditEvent
from contracts.ci import CiReport, CiState
from contracts.forge_facts import CommitCheck
from contracts.handover import CiInput, CiLook, Handover, PlannedWrite, StepResult
from contracts.modes import Outcome, Role, StepName, WriteAction
from contracts.pull_request import PullRequest
from contracts.release import ReleaseDecision
from contracts.verdict import Decision, Fact, Verdict
from policies.counted import shortened
from policies.release.ci import CiFacts, ci_state, complete, counted, heard, judge_ci, likely_cause, rejected_by_ci
from policies.texts.pull_request import not_released
from ports.crashpoints import crashpoint
from ports.forge import Forge, ForgeError
from ports.repository import Repository, RepositoryError

_CARRIED = 60
"""Checks whose verdicts cross Temporal; ``ci.json`` holds all of them."""


@dataclass(frozen=True)
class LookingAtCi:
    """Asks; the workflow keeps the time."""

    bench: StepPorts

    @activity.defn(name=LOOK_AT_CI.name, no_thread_cancel_exception=True)
    def look_at_ci(self, request: CiInput) -> CiLook:
        """Read, judge, keep; of a "no", also the release decision that it makes void and the write that follows."""
        with heartbeating() as alive:
            policy = self.bench.pinned_policy(request.step.run)
            session = StepSession(self.bench, request.step, StepName.CI, Role.CHECKS, policy, alive)
            return self._look(request, session)

    def _look(self, request: CiInput, session: StepSession) -> CiLook:
        facts = self._facts(request, session)
        verdict, pull = judge_ci(facts), facts.pull
        report = CiReport(
            run_id=session.run.run_id,
            commit_sha=request.commit_sha,
            pull_request=pull.number if pull else 0,
            state=ci_state(facts, verdict),
            checks=complete(facts.checks, facts.named),
            began_at=request.began_at,
            looked_at=facts.looked_at,
            deadline=request.deadline,
            looks=request.looks,
            verdict=verdict,
        )
        session.save("ci.json", report)
        decided = session.load("release_decision.json", ReleaseDecision)
        writes: tuple[PlannedWrite, ...] = ()
        if verdict.decision is Decision.DENY:
            today = date.fromisoformat(session.run.date)
            rejected = rejected_by_ci(decided, verdict, report.state, session.policy, today)
            session.save("release_decision.json", rejected)
            if report.state is CiState.RED and pull is not None:
                writes = (self._closing(session, report, rejected, pull),)
        result = self._result(session, report, decided.task_id, verdict, writes)
        waits = verdict.decision is Decision.HOLD
        cause = facts.problem or likely_cause(report.checks, session.policy.target.base_branch)
        first_word = request.began_at + timedelta(seconds=request.terms.first_seconds) - facts.looked_at
        return CiLook(
            result=result,
            state=report.state,
            cause=cause if waits else "",
            again_seconds=max(1.0, first_word.total_seconds()) if waits and facts.settling else None,
        )

    def _facts(self, request: CiInput, session: StepSession) -> CiFacts:
        forge = self.bench.forges(session.policy.target)
        pull, head, checks, problem = None, "", None, ""
        looked_at = activity.info().started_time
        try:
            pull = _pull_request(forge, request)
            head = _branch_head(forge, pull, request.commit_sha)
            # What is named says what counts; else what was there before is missed when it is gone.
            named, ignored = request.terms.named, request.terms.ignored
            before = () if named else checks_before(forge, session.repository, request.step.base_sha, ignored)
            checks = checks_of(forge, request.commit_sha, named, ignored, before)
        except (ForgeError, RepositoryError) as unclear:
            problem = self._unclear(request, session, unclear)
        return CiFacts(
            commit_sha=request.commit_sha,
            named=request.terms.named,
            checks=checks,
            pull=pull,
            branch_head=head,
            began_at=request.began_at,
            looked_at=looked_at,
            over=request.over,
            settling=looked_at < request.began_at + timedelta(seconds=request.terms.first_seconds),
            problem=problem,
        )

    def _unclear(self, request: CiInput, session: StepSession, unclear: Exception) -> str:
        """Why the forge could not be asked. Where only a person can mend it, somebody hears of it at once.

        Raises:
            ApplicationError: and nobody did until the deadline. That is no fault of the change.
        """
        waits = self.bench.resting(session.run, unclear)
        if waits and request.over:
            raise closed(str(unclear), session.policy.target) from unclear
        out = None if waits else self.bench.kept_out(session.policy.target, unclear)
        if out is None:
            return shortened(str(unclear), 300)
        if request.over:
            raise out from unclear
        run = session.run
        alert = Alert(
            kind=AlertKind.RUN_STUCK,
            target=run.target,
            run_id=run.run_id,
            summary=shortened(f"{run.run_id} waits for CI and cannot ask: {out.message}", 1000),
            fingerprint=f"run_stuck/{run.run_id}/ci",
        )
        self.bench.alerts.send(alert)
        return shortened(out.message, 600)

    def _closing(
        self, session: StepSession, report: CiReport, decision: ReleaseDecision, pull: PullRequest
    ) -> PlannedWrite:
        """A rejected change does not wait for a person; its pull request says why."""
        text = session.load_bytes("pull_request.md") + not_released(report).encode()
        kept = session.save("pull_request_closed.md", text, "text/markdown")
        return PlannedWrite(
            action=WriteAction.CLOSE_PULL_REQUEST,
            task_id=decision.task_id,
            branch=pull.branch,
            base_branch=pull.base_branch,
            base_sha=decision.base_sha,
            head_sha=report.commit_sha,
            body_sha256=kept.sha256,
        )

    def _result(
        self, session: StepSession, report: CiReport, task_id: str, verdict: Verdict, writes: tuple[PlannedWrite, ...]
    ) -> StepResult:
        info, run_id = activity.info(), session.run.run_id
        facts: dict[str, Fact] = {
            "commit": report.commit_sha,
            "state": report.state,
            "decision": verdict.decision,
            "reason": shortened(verdict.reason, 500),
            "look": report.looks,
        }
        event = AuditEvent(
            key=f"ci/{info.activity_id}",
            role=Role.CHECKS,
            event="CI looked at",
            facts=facts,
            artifacts=tuple(ref.sha256 for ref in session.outputs),
        )
        crashpoint("ci.before_done")
        head = self.bench.record(run_id, (event,), info.started_time)
        crashpoint("ci.after_done")
        return StepResult(
            handover=Handover(
                run_id=run_id,
                task_id=task_id,
                role=Role.CHECKS,
                input_artifacts=tuple(session.inputs),
                output_artifacts=tuple(session.outputs),
                confidence=1.0,
                blocking_issues=() if verdict.allowed else (verdict.reason,),
            ),
            verdict=_carried(verdict),
            audit_head=head,
            outcome=Outcome.REJECT if verdict.decision is Decision.DENY else None,
            writes=writes,
        )


def _pull_request(forge: Forge, request: CiInput) -> PullRequest | None:
    """By its number: a run that adopted another's finds no mark of its own."""
    if request.pull_request:
        return next((pull for pull in forge.pull_requests() if pull.number == request.pull_request), None)
    return forge.find_pull_request(f"{request.step.run.run_id}/{WriteAction.OPEN_PULL_REQUEST}")


def _branch_head(forge: Forge, pull: PullRequest | None, commit_sha: str) -> str:
    """Asked of git only where the forge shows another head: it may not have noticed a push of ours yet."""
    if pull is None or pull.state != "open" or pull.head_sha == commit_sha:
        return commit_sha
    return forge.branch_head(pull.branch) or ""


def _carried(verdict: Verdict) -> Verdict:
    """Hundreds of looks are in one history: while waiting, the reason is enough; and of many checks, the worst."""
    if verdict.decision is Decision.HOLD:
        return verdict.model_copy(update={"children": ()})
    worst_first = sorted(verdict.children, key=lambda child: child.allowed)
    return verdict.model_copy(update={"children": tuple(worst_first[:_CARRIED])})


# Which checks of the forge's CI count for a commit: what is reported, named, demanded, and what was there before.

_EARLIER = 5
"""Commits before one that are looked at for a word of CI."""


def checks_of(
    forge: Forge, commit: str, named: tuple[str, ...], ignored: tuple[str, ...], before: tuple[CommitCheck, ...] = ()
) -> tuple[CommitCheck, ...] | None:
    """What counts for the commit; ``before`` is missed where it is gone. None: there is no CI.

    Raises:
        ForgeError: could not be asked.
    """
    demanded = (*named, *forge.protection().required_checks) if ignored else named
    return counted(forge.required_checks(commit, named), before, ignored=ignored, demanded=demanded)


def checks_before(forge: Forge, repository: Repository, base: str, ignored: tuple[str, ...]) -> tuple[CommitCheck, ...]:
    """What reported on the base, or else on the last commit before it of which CI said anything.

    Raises:
        ForgeError, RepositoryError: could not be asked.
    """
    for commit in repository.line(base, 1 + _EARLIER):
        found = checks_of(forge, commit, (), ignored) or ()
        if answered := tuple(check for check in found if heard(check)):
            return answered
    return ()
