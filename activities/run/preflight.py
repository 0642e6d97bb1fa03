"""Step 1: the six checks of runbook §3, each with a receipt."""

import time
from dataclasses import dataclass
from datetime import date, timedelta
from zoneinfo import ZoneInfo

from temporalio import activity

from activities.api import PREFLIGHT
from activities.run.asking import BASE_CI
from activities.run.checking import CheckRunner
from activities.run.ci import checks_before, checks_of
from activities.run.rollback_drill import drilled
from activities.step_session import StepPorts, StepSession
from contracts.audit import AuditEvent
from contracts.ci import RedInCi
from contracts.evidence import CheckResult, CheckStatus, PreflightReport, Receipt
from contracts.forge_facts import CommitCheck
from contracts.handover import StepInput, StepResult
from contracts.modes import Role, RunKind, StepName
from contracts.verdict import Decision, Fact, Verdict
from policies.counted import counted
from policies.release.checks import how_it_ended
from policies.release.ci import complete, judge_base
from policies.run.preflight import budget_caps, gates_refuse, judge_preflight, policy_current, protected_loaded
from policies.task.asked import agent_codes, as_tried, red_check, red_in_ci
from policies.verdicts import all_of, allow, deny
from ports.environments import EnvironmentUnavailable
from ports.repository import RemoteUnavailable, RepositoryError
from ports.sandbox import SandboxUnavailable
from ports.store import StoreError

_BREATHERS = (0.5, 2.0)
"""Seconds between looks at a remote that does not answer."""
_GATES: dict[str, Verdict] = {}
"""Of the policy that was asked for last, by its digest."""


@dataclass(frozen=True)
class Preflight:
    """Nothing runs without its receipts."""

    bench: StepPorts
    checks: CheckRunner

    @activity.defn(name=PREFLIGHT.name, no_thread_cancel_exception=True)
    def preflight(self, request: StepInput) -> StepResult:
        """Fetch and pin the base, then make the six checks."""
        return self.bench.perform(request, StepName.PREFLIGHT, Role.GATEKEEPER, self._work)

    def _work(self, session: StepSession) -> StepResult:
        try:
            base = session.input.base_sha or _fetched(session)
        except RepositoryError as problem:
            if waits := self.bench.resting(session.run, problem):
                return session.done(waits)
            if out := self.bench.kept_out(session.policy.target, problem):
                raise out from problem
            return session.done(deny("the base can be fetched", str(problem)))
        try:
            session.repository.facts(base)
        except RepositoryError as problem:
            return session.done(deny("the base is within the target's limits", str(problem)), base_sha=base)
        in_ci, reds = self._in_ci(session, base)
        if in_ci.decision is Decision.HOLD:
            # The run waits with a durable timer, and makes this step again.
            return session.done(in_ci)
        named = self._default_branch(session)
        session.note("base pinned", baseSha=base, defaultBranch=named)
        today = activity.info().started_time.astimezone(ZoneInfo(session.policy.target.time_zone)).date()
        receipts = (
            Receipt(name="policy_current", verdict=self._policy_current(session, today, named)),
            self._required_checks(session, base, in_ci, reds),
            Receipt(name="budget_caps", verdict=_budget_caps(session)),
            Receipt(name="audit_logging", verdict=self._audit_works(session)),
            Receipt(
                name="protected_paths_loaded",
                verdict=all_of("the gates refuse", [protected_loaded(session.policy), _gates_refuse(session)]),
            ),
            Receipt(name="rollback_tested", verdict=drilled(session, base, activity.info().started_time)),
        )
        verdict = judge_preflight(receipts)
        report = PreflightReport(
            run_id=session.run.run_id, base_sha=base, policy_digest=session.policy.digest, receipts=receipts
        )
        session.save("preflight.json", report)
        for receipt in receipts:
            session.note(f"receipt {receipt.name}", decision=receipt.verdict.decision, reason=receipt.verdict.reason)
        return session.done(verdict, base_sha=base, next_role=Role.SENSING)

    def _default_branch(self, session: StepSession) -> str:
        try:
            return session.repository.default_branch() or "none"
        except RepositoryError:
            # It is said, not judged: which branch changes go to is the operator's choice.
            return "unknown"

    def _policy_current(self, session: StepSession, today: date, named: str) -> Verdict:
        """With the base branch beside the one the remote calls its own: a rename shows."""
        verdict = policy_current(session.policy, session.run.policy.digest, today)
        branches: dict[str, Fact] = {"baseBranch": session.policy.target.base_branch, "defaultBranch": named}
        return verdict.model_copy(update={"facts": verdict.facts | branches})

    def _in_ci(self, session: StepSession, base: str) -> tuple[Verdict, tuple[CommitCheck, ...]]:
        """What the forge's own CI says of the base, and what of it is red while all else is green."""
        target = session.policy.target
        until = session.run.started_at + timedelta(minutes=target.ci.minutes)
        over = activity.info().started_time >= until
        forge = session.bench.forges(target)
        checks = checks_of(forge, base, target.ci.required, target.ci.ignore)
        # Pushed a moment ago, a base has no word of CI on it yet; the commits before it tell whether one is coming.
        earlier = checks_before(forge, session.repository, base, target.ci.ignore) if checks is None else ()
        names = tuple(check.name for check in earlier)
        verdict = judge_base(checks, base, target, over=over, until=until, before=names)
        return verdict, red_in_ci(complete(checks, target.ci.required))

    def _required_checks(
        self, session: StepSession, base: str, in_ci: Verdict, reds: tuple[CommitCheck, ...]
    ) -> Receipt:
        name = "required_checks_green"
        required = [check for check in session.policy.target.checks if check.required]
        if not required:
            reason = f"no required check is configured for {session.policy.target.name}: add one to its [[checks]]"
            return Receipt(name=name, verdict=deny("required checks are configured", reason))
        mends = _may_mend(session)
        if not in_ci.allowed and not (mends and reds):
            return Receipt(name=name, verdict=in_ci)
        sandbox = session.bench.sandbox.self_test()
        if not sandbox.allowed:
            return Receipt(name=name, verdict=sandbox)
        try:
            hours = session.policy.autopilot.preflight.receipt_hours
            report = self.checks.on_base(session, base, reuse_for=timedelta(hours=hours))
        except (EnvironmentUnavailable, SandboxUnavailable, RepositoryError) as problem:
            return Receipt(name=name, verdict=deny("the required checks could be run on the base", str(problem)))
        ref = session.save("checks/base.json", report)
        verdicts: list[Verdict] = [sandbox]
        if not in_ci.allowed:
            session.save(BASE_CI, RedInCi(base_sha=base, checks=reds))
            reason = f"{in_ci.reason}; only the task that is to make it pass again is taken"
            verdicts.append(allow("the forge's CI may be mended", reason, baseSha=base, red=len(reds)))
        mending = red_check(report) if mends else None
        for result in report.results:
            green = result.status is CheckStatus.GREEN
            if result is mending:
                reason = "red on the base: only the task that is to make it pass again is taken"
                verdicts.append(allow(f"{result.name} may be mended", reason, baseSha=base, red=result.name))
            elif result.required:
                rule = f"{result.name} is green on the base"
                told = allow(rule, result.status, baseSha=base) if green else deny(rule, _advice(session, result))
                verdicts.append(told)
        return Receipt(name=name, verdict=all_of("required checks are green on the base", verdicts), artifacts=(ref,))

    def _audit_works(self, session: StepSession) -> Verdict:
        log = f"run/{session.run.run_id}"
        event = AuditEvent(key="preflight/probe", role=Role.AUDIT, event="audit log probed")
        try:
            head = session.bench.audit.append(log, (event,), activity.info().started_time)
            checked = session.bench.audit.verify(log, {"just written": head})
        except StoreError as problem:
            return deny("audit logging is active", str(problem))
        if checked.problem is not None:
            return deny("audit logging is active", f"record {checked.problem.seq} of {log}: {checked.problem.problem}")
        return allow(
            "audit logging is active", f"{counted(checked.records, 'record verified', 'records verified')}", head=head
        )


def _may_mend(session: StepSession) -> bool:
    """Whether an agent codes who can be asked for more than a tool's fix; a smoke proves that the base is sound."""
    return session.run.kind is not RunKind.SMOKE and agent_codes(session.policy, session.run.asked)


def _gates_refuse(session: StepSession) -> Verdict:
    """Worked out once for the policy's bytes, as nothing else goes into it."""
    pinned = session.run.policy.artifact.sha256
    if pinned not in _GATES:
        _GATES.clear()
        _GATES[pinned] = gates_refuse(session.policy)
    return _GATES[pinned]


def _budget_caps(session: StepSession) -> Verdict:
    """Also of whom a person tries in the role that codes."""
    policy, request = session.policy, session.run.asked
    if request is not None and agent_codes(policy, request):
        policy = as_tried(policy, request)
    first = {role: session.bench.first_exchange(policy, role) for role in policy.charter.roles}
    return budget_caps(policy, {role: worst for role, worst in first.items() if worst is not None})


def _fetched(session: StepSession) -> str:
    """The base's commit. One hiccup of the remote must not cost the day: asked a few times before it is a refusal."""
    for wait in _BREATHERS:
        try:
            return session.repository.fetch_base()
        except RemoteUnavailable as problem:
            activity.logger.warning("the base could not be fetched, again in %s s: %s", wait, problem)
            time.sleep(wait)
    return session.repository.fetch_base()


def _advice(session: StepSession, result: CheckResult) -> str:
    """How it failed, and what a person can do about it: no agent is asked while the base itself is red."""
    last = result.attempts[-1] if result.attempts else None
    target = session.policy.target
    seen = f" (its output: {last.output.name})" if last and last.output else ""
    mend = f"Mend {target.base_branch}, or the check in targets/{target.name}.toml, then run again"
    return f"{how_it_ended(result)}{seen}. {mend}"
