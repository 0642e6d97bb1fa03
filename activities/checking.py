"""Runs a target's checks on one exact tree and reads the results (P4, P8)."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from contracts.artifact import ArtifactRef
from contracts.evidence import CheckAttempt, CheckResult, CheckStatus
from policies.checked import ran_nothing, runs_tests
from policies.counted import counted
from policies.schema import CheckKind, CheckPolicy, SandboxLimits
from ports.environments import CheckEnvironment
from ports.sandbox import Command, CommandResult, Limits, Sandbox, SandboxUnavailable

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
    return CheckResult(
        name=check.name,
        kind=check.kind.value,
        argv=check.argv,
        required=check.required,
        status=status,
        attempts=tuple(attempts),
        base_count=(checking.base_counts or {}).get(check.name),
    )


def _attempt(check: CheckPolicy, checking: Checking, number: int) -> CheckAttempt:
    environment = checking.environment
    limits = _limits(check, checking.limits)
    try:
        with checking.fresh() as tree:
            command = Command(
                argv=check.argv,
                tree=tree,
                limits=limits,
                environment=environment.environment,
                read_only=((environment.path, environment.guest), *environment.read_only),
            )
            result = checking.sandbox.run(command, checking.alive)
    except SandboxUnavailable as problem:
        return CheckAttempt(
            status=CheckStatus.INFRASTRUCTURE, exit_code=None, seconds=0, output=None, detail=str(problem)
        )
    count = _count(check, result, limits)
    status, detail = _judge(check, result, count, checking.base_counts)
    said = result.output[-_SUMMARY_BYTES:].decode("utf-8", "replace")
    idle = runs_tests(check.kind, check.argv) and status is CheckStatus.GREEN and ran_nothing(said)
    output = checking.save(f"checks/{check.name}-{number}.txt", result.output)
    return CheckAttempt(
        status=status,
        exit_code=result.exit_code,
        seconds=result.seconds,
        output=output,
        detail=detail,
        count=count,
        ran_nothing=idle,
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
            f"`{check.argv[0]}` could not be started (exit {code}): add what it needs to `environment.packages`"
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


def _limits(check: CheckPolicy, limits: SandboxLimits) -> Limits:
    return Limits.of(limits, min(check.seconds or limits.seconds, limits.seconds))
