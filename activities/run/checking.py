"""Step 7: a target's checks, run on one exact tree, and how their results are read (``checks/checks.json``; P4, P8)."""

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from pathlib import Path

from pydantic import AwareDatetime, ValidationError
from temporalio import activity

from activities.api import CHECK
from activities.run import coverage
from activities.step_session import StepPorts, StepSession
from contracts.artifact import ArtifactRef, Contract
from contracts.evidence import CheckAttempt, CheckResult, ChecksReport, CheckStatus, ReviewReport
from contracts.handover import StepInput, StepResult
from contracts.modes import Role, StepName
from contracts.task import TaskContract
from contracts.verdict import Verdict
from policies.counted import counted, shortened
from policies.release.checks import how_it_ended, ran_nothing, runs_tests
from policies.settings.schema import CheckKind, CheckPolicy, SandboxLimits
from policies.task.rounds import after_checks, rounds_left
from policies.verdicts import all_of, allow, deny
from ports.environments import CheckEnvironment, Environments, EnvironmentUnavailable
from ports.repository import Repository
from ports.sandbox import CommandResult, Limits, Sandbox, SandboxUnavailable
from ports.store import StoreError

_PYTEST_NO_TESTS = 5
_NOT_STARTED = (126, 127)
_CPU_LIMIT = 128 + 24  # SIGXCPU
_TOOL_FAILED = 2
_SUMMARY_BYTES = 20_000
"""Of the end of an output, where test runners say how many ran."""
_SIGNALS = range(129, 193)


@dataclass(frozen=True)
class Checking:
    """What all checks of one tree share."""

    fresh: Callable[[], AbstractContextManager[Path]]
    """A new folder holding exactly the tested tree, for one attempt: a check may change what it runs on."""
    environment: CheckEnvironment
    sandbox: Sandbox
    limits: SandboxLimits
    save: Callable[[str, bytes], ArtifactRef]
    """Keeps an output as an artifact under a name such as ``checks/tests-1.txt``."""
    alive: Callable[[], None]
    base_counts: dict[str, int] | None
    """Findings of the base by check name; None when the tree is the base itself."""


def run_checks(checks: tuple[CheckPolicy, ...], checking: Checking) -> tuple[CheckResult, ...]:
    """Run every check; one that is red runs once more on a fresh copy of the same tree."""
    return tuple(_run_check(check, checking) for check in checks)


def counts_of(results: tuple[CheckResult, ...]) -> dict[str, int]:
    """What a run on the base found, to judge a change by; nothing from a check that gave no sound answer there."""
    sound = (result for result in results if result.status is CheckStatus.GREEN)
    return {result.name: count for result in sound if (count := result.attempts[-1].count) is not None}


def _run_check(check: CheckPolicy, checking: Checking) -> CheckResult:
    attempts = [_attempt(check, checking, 1)]
    status = attempts[0].status
    if status is CheckStatus.RED:
        attempts.append(_attempt(check, checking, 2))
        # Only a green second attempt makes it flaky; a timeout or no answer does not weaken the first red.
        status = CheckStatus.FLAKY if attempts[1].status is CheckStatus.GREEN else CheckStatus.RED
    return _result(check, status, *attempts, base_count=(checking.base_counts or {}).get(check.name))


def _result(
    check: CheckPolicy, status: CheckStatus, *attempts: CheckAttempt, base_count: int | None = None
) -> CheckResult:
    return CheckResult(
        name=check.name,
        kind=check.kind.value,
        argv=check.argv,
        required=check.required,
        status=status,
        attempts=attempts,
        base_count=base_count,
    )


def _attempt(check: CheckPolicy, checking: Checking, number: int) -> CheckAttempt:
    environment = checking.environment
    limits = _limits(check, checking.limits)
    try:
        with checking.fresh() as tree:
            held = coverage.there(tree)
            result = checking.sandbox.run(environment.command(check.argv, tree, limits), checking.alive)
            report = coverage.left_by(tree, held)
    except SandboxUnavailable as problem:
        return CheckAttempt(
            status=CheckStatus.INFRASTRUCTURE, exit_code=None, seconds=0, output=None, detail=str(problem)
        )
    count = _count(check, result, limits)
    status, detail = _judge(check, result, count, checking.base_counts)
    tail = result.output[-_SUMMARY_BYTES:].decode("utf-8", "replace")
    idle = runs_tests(check.kind, check.argv) and status is CheckStatus.GREEN and ran_nothing(tail, check.argv)
    output = checking.save(f"checks/{check.name}-{number}.txt", result.output)
    kept = None
    if report and status is CheckStatus.GREEN:
        kept = checking.save(f"checks/{check.name}{coverage.KEPT}", report)
    return CheckAttempt(
        status=status,
        exit_code=result.exit_code,
        seconds=result.seconds,
        output=output,
        detail=detail,
        count=count,
        ran_nothing=idle,
        coverage=kept,
    )


def _judge(
    check: CheckPolicy, result: CommandResult, count: int | None, base_counts: dict[str, int] | None
) -> tuple[CheckStatus, str]:
    """Result is not timeout is not infrastructure trouble."""
    code = result.exit_code
    if result.killed_for == "timeout" or code == _CPU_LIMIT:
        return CheckStatus.TIMEOUT, f"not done after {result.seconds:.0f} s; see `seconds` of the check"
    if result.killed_for or code is None:
        return CheckStatus.RED, f"killed: it took more {result.killed_for} than `sandbox` in the policy allows"
    if code in _NOT_STARTED:
        return CheckStatus.INFRASTRUCTURE, (
            f"`{check.argv[0]}` could not be started (exit {code}): add what it needs to `environment.packages`, or "
            "show its folder in `environment.toolchains`"
        )
    if check.judge == "not_worse":
        return _judge_findings(check, code, count, base_counts)
    if code == 0:
        return CheckStatus.GREEN, ""
    if code == _PYTEST_NO_TESTS and check.kind is CheckKind.TESTS and any("pytest" in word for word in check.argv):
        return CheckStatus.RED, "pytest found no tests (exit 5)"
    if code in _SIGNALS:
        return CheckStatus.RED, f"ended by signal {code - _SIGNALS.start + 1}"
    return CheckStatus.RED, f"exit {code}"


def _judge_findings(
    check: CheckPolicy, code: int, count: int | None, base_counts: dict[str, int] | None
) -> tuple[CheckStatus, str]:
    if code >= _TOOL_FAILED:
        return CheckStatus.INFRASTRUCTURE, f"`{check.argv[0]}` itself failed (exit {code}): its findings are incomplete"
    if count is None:
        return CheckStatus.INFRASTRUCTURE, f"its findings could not be counted as `{check.count}`"
    if base_counts is None:
        return CheckStatus.GREEN, f"{counted(count, 'finding')} on the base"
    if check.name not in base_counts:
        return CheckStatus.INFRASTRUCTURE, f"{counted(count, 'finding')}, but the base's are unknown"
    base = base_counts[check.name]
    return (CheckStatus.GREEN if count <= base else CheckStatus.RED), f"{counted(count, 'finding')}, {base} on the base"


def _count(check: CheckPolicy, result: CommandResult, limits: Limits) -> int | None:
    """Findings, or None. Cut output is not counted: fewer than there are would look better than the base."""
    if check.count == "none" or result.output_total > limits.output_bytes:
        return None
    if check.count == "lines":
        return sum(1 for line in result.stdout.splitlines() if line.strip())
    try:
        found = json.loads(result.stdout)
    except (ValueError, RecursionError):
        return None
    if isinstance(found, list):
        return len(found)
    if not isinstance(found, dict):
        return None
    # A file the tool could not read is an error and no result: both count, or breaking a file would hide findings.
    lists = [found[key] for key in ("results", "errors") if isinstance(found.get(key), list)]
    return sum(len(entries) for entries in lists) if lists else None


def not_run(check: CheckPolicy, broken: EnvironmentUnavailable) -> CheckResult:
    """What the change asks for could not be prepared: its own red, unless the network is to blame."""
    status = CheckStatus.INFRASTRUCTURE if broken.unreachable else CheckStatus.RED
    text = shortened(str(broken).partition("\n")[0], 500)
    attempt = CheckAttempt(status=status, exit_code=None, seconds=0, output=None, detail=f"not run: {text}")
    return _result(check, status, attempt)


def _keep_records(records: tuple[tuple[str, bytes], ...], save: Callable[[str, bytes], ArtifactRef]) -> None:
    for name, body in records:
        save(f"checks/environment-{name}", body)


def _limits(check: CheckPolicy, limits: SandboxLimits) -> Limits:
    return Limits.of(limits, min(check.seconds or limits.seconds, limits.seconds))


# Where a target's checks run: a prepared environment, a fresh checkout for each attempt, the sandbox (P4, P8).

_RECEIPTS = "receipts"


class BaseChecks(Contract):
    """A result on a base commit that later runs may reuse for a while."""

    made_at: AwareDatetime
    report: ChecksReport


@dataclass(frozen=True)
class CheckRunner:
    """Prepares, checks out, runs."""

    environments: Environments
    sandbox: Sandbox

    def on_base(self, session: StepSession, base: str, reuse_for: timedelta) -> ChecksReport:
        """The checks on the base itself; a result of the same base and policy is reused for a while.

        Raises:
            EnvironmentUnavailable, SandboxUnavailable: the checks could not be run at all.
        """
        now = activity.info().started_time
        name = f"base-{base}-{session.policy.digest}.json"
        known = self._known(session, name)
        if known is not None and now - known.made_at <= reuse_for and self._shown(session, known.report):
            session.note("base checks reused", madeAt=known.made_at.isoformat(), baseSha=base)
            return known.report
        report = self._run(session, commit=base, base=base, head=base, base_counts=None)
        kept = BaseChecks(made_at=now, report=report)
        session.bench.store.put(_RECEIPTS, name, kept.model_dump_json(indent=2).encode())
        return report

    def on_merge(self, session: StepSession, merged: str, head: str, base_report: ChecksReport) -> ChecksReport:
        """The checks on the exact merge result of base and change."""
        counts = counts_of(base_report.results)
        return self._run(session, commit=merged, base=base_report.base_sha, head=head, base_counts=counts)

    def after_merge(self, session: StepSession, commit: str, place: str) -> ChecksReport:
        """The checks on a commit of the base, always run: what was green once says nothing about now.

        A tree that does not build any more is red by its checks, as a change's is. ``place`` begins the names of the
        outputs.
        """
        return self._run(session, commit=commit, base=commit, head=commit, base_counts=None, place=place)

    def _run(
        self,
        session: StepSession,
        *,
        commit: str,
        base: str,
        head: str,
        base_counts: dict[str, int] | None,
        place: str = "",
    ) -> ChecksReport:
        repository, policy, alive = session.repository, session.policy, session.alive

        def save(name: str, body: bytes) -> ArtifactRef:
            if place:
                return session.save(f"{place}/{name.removeprefix('checks/')}", body, "text/plain")
            shown = name if commit != base else name.replace("checks/", "checks/base-", 1)
            return session.save(shown, body, "text/plain")

        # By what the base says, always: a change must not choose what it is checked with (P6).
        try:
            merged = commit if commit != base else ""
            environment = self.environments.prepare(repository, base, policy, alive, merged)
        except EnvironmentUnavailable as broken:
            _keep_records(broken.records, save)
            if commit == base or not broken.of_change:
                raise
            results = tuple(not_run(check, broken) for check in policy.target.checks)
            return self._report(repository, commit, base, head, results, "", broken.of_change)
        _keep_records(environment.records, save)
        with _checkout(session, commit) as tree:
            try:
                environment = self.environments.install(environment, tree, policy, alive)
            except EnvironmentUnavailable as broken:
                if commit == base and not place:
                    raise
                # The base built and the change does not: that is the change's own red.
                save("checks/build.txt", str(broken).encode())
                environment = replace(environment, notes=(*environment.notes, str(broken)))
            checking = Checking(
                fresh=fresh_trees(tree, partial(_checkout, session, commit)),
                environment=environment,
                sandbox=self.sandbox,
                limits=policy.autopilot.sandbox,
                save=save,
                alive=alive,
                base_counts=base_counts,
            )
            results = run_checks(policy.target.checks, checking)
        return self._report(repository, commit, base, head, results, environment.digest, environment.prepared_again)

    def _report(
        self,
        repository: Repository,
        commit: str,
        base: str,
        head: str,
        results: tuple[CheckResult, ...],
        environment: str,
        again: tuple[str, ...],
    ) -> ChecksReport:
        return ChecksReport(
            commit_sha=commit,
            tree_sha=repository.tree_of(commit),
            base_sha=base,
            head_sha=head,
            environment=environment,
            sandbox=self.sandbox.name,
            results=results,
            prepared_again=again,
        )

    def _shown(self, session: StepSession, report: ChecksReport) -> bool:
        """What failed on the base is shown by every run that it refuses, not only by the one that ran it.

        So is what it says of its tests, to every run that looks.
        """
        failed = [result for result in report.results if result.status is not CheckStatus.GREEN]
        left = [attempt.output for result in failed for attempt in result.attempts]
        left += [attempt.coverage for result in report.results for attempt in result.attempts]
        try:
            for output in filter(None, left):
                session.save(output.name, session.bench.store.get(output), "text/plain")
        except StoreError:
            # Its outputs are gone: run the checks again.
            return False
        return True

    def _known(self, session: StepSession, name: str) -> BaseChecks | None:
        ref = session.bench.store.find(_RECEIPTS, name)
        if ref is None:
            return None
        try:
            return BaseChecks.model_validate_json(session.bench.store.get(ref))
        except ValidationError:
            # Of an older version of this program: made again.
            return None


@contextmanager
def _checkout(session: StepSession, commit: str) -> Iterator[Path]:
    with session.bench.folder("check") as tree:
        session.repository.checkout(commit, tree)
        yield tree


def fresh_trees(
    unused: Path, another: Callable[[], AbstractContextManager[Path]]
) -> Callable[[], AbstractContextManager[Path]]:
    """Gives each attempt a checkout that nothing ran in: ``unused`` to the first, ``another`` to every other."""
    left = [unused]
    return lambda: nullcontext(left.pop()) if left else another()


@dataclass(frozen=True)
class CheckStep:
    """Results, not opinions; Release weighs them."""

    bench: StepPorts
    checks: CheckRunner

    @activity.defn(name=CHECK.name, no_thread_cancel_exception=True)
    def check(self, request: StepInput) -> StepResult:
        """Merge, check, compare with the base."""
        return self.bench.perform(request, StepName.CHECK, Role.CHECKS, self._work, request.turn)

    def _work(self, session: StepSession) -> StepResult:
        contract = session.load("task_contract.json", TaskContract)
        change = session.change()
        base_report = session.load("checks/base.json", ChecksReport)
        repository = session.repository
        # The change is a child of its base: this merge cannot conflict, but it is what would land.
        merge = repository.merge(change.base_sha, change.head_sha)
        report = self.checks.on_merge(session, merge.commit, change.head_sha, base_report)
        session.save("checks/checks.json", report)
        review = session.load("review_report.json", ReviewReport)
        after = after_checks(report, review, rounds_left(session.policy, session.input))
        verdict = judged(session, report)
        if after is Role.CODING and verdict.allowed:
            verdict = deny("the reviewer approves", review.summary)
        return session.done(verdict, task_id=contract.task_id, next_role=after)


def judged(session: StepSession, report: ChecksReport) -> Verdict:
    """Note every check; every required one must be green on the merge result."""
    verdicts = []
    for result in report.results:
        session.note(f"check {result.name}", status=result.status, attempts=len(result.attempts))
        green = result.status is CheckStatus.GREEN
        if result.required:
            verdicts.append(
                (allow if green else deny)(f"{result.name} is green", how_it_ended(result), status=result.status)
            )
    return all_of("every required check is green on the merge result", verdicts)
