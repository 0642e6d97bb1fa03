"""The final report of a run, and the five questions of runbook §10, answered from facts alone."""

from collections import Counter

from contracts.budget import RunCost
from contracts.change import Change
from contracts.ci import CiReport, CiState
from contracts.evidence import CheckResult, ChecksReport, CheckStatus, FailedCheck
from contracts.modes import RiskLevel
from contracts.release import ReleaseDecision
from contracts.report import PostRunReview, ReportInput, RunReport
from contracts.rollback import Idea
from contracts.task import TaskContract, TaskType
from policies.counted import counted, sized
from policies.release.checks import cautions
from policies.release.ci import not_green
from policies.release.rejection import judged

COST_NOTE = "Control has no record of what this run cost. Not measured is not zero"
FAILED = (CheckStatus.RED, CheckStatus.TIMEOUT)


def build_report(
    request: ReportInput,
    decision: ReleaseDecision | None,
    contract: TaskContract | None,
    change: Change | None,
    checks: ChecksReport | None,
    audit_head: str,
    failed_checks: tuple[FailedCheck, ...] = (),
    remediation: str = "",
    cost: RunCost | None = None,
    ci: CiReport | None = None,
    missing: tuple[str, ...] = (),
    unseen: tuple[str, ...] = (),
) -> RunReport:
    """Put together what is known; what a run ended too early to make, or what was lost since, is None."""
    opened = [write.pull_request for write in request.writes if write.done and write.pull_request]
    return RunReport(
        run=request.run,
        status=request.status,
        reason=request.reason,
        cautions=cautions(checks, unseen),
        base_sha=request.base_sha,
        task_id=request.task_id,
        outcome=request.outcome,
        rejection=decision.rejection if decision else None,
        idea=_idea(contract, change),
        judged=judged(request, decision),
        failed_checks=failed_checks,
        remediation=remediation,
        ci=ci,
        pull_request=opened[-1] if opened else None,
        merged=request.merged,
        refused_writes=tuple(write.planned for write in request.writes if not write.done),
        steps=request.steps,
        writes=request.writes,
        review=PostRunReview(
            objective=contract.objective if contract else "none: no task was planned",
            expected=_expected(contract),
            achieved=request.reason if contract and contract.trial else _achieved(contract, change),
            risk_score=decision.risk if decision else None,
            risk_against_outcome=_risk_against_outcome(decision, checks, ci),
            check_stability=_check_stability(checks, ci),
            cost_usd=None if cost is None or cost.unknown else cost.total.usd,
            cost_tokens=None if cost is None or cost.unknown else cost.total.tokens,
            agent_minutes=None if cost is None else cost.total.agent_minutes,
            cost_note=_cost_note(cost),
            policy_updates_suggested=_policy_updates(request.run.target, decision, contract, change, checks),
        ),
        artifacts=request.artifacts,
        missing=missing,
        audit_head=audit_head,
        ended_at=request.ended_at,
    )


def _idea(contract: TaskContract | None, change: Change | None) -> Idea | None:
    """By the files it touched: what a person or a gate said of the change was said of these."""
    if contract is None:
        return None
    touched = {path.path for path in change.paths} if change else set()
    paths = tuple(sorted(touched or contract.scope.allowed_paths))
    return Idea(task_id=contract.task_id, title=contract.title, tool=contract.tool, rule=contract.rule, paths=paths)


def _cost_note(cost: RunCost | None) -> str:
    if cost is None:
        return COST_NOTE
    minutes = f"{cost.total.agent_minutes:.1f} agent minutes, measured"
    if cost.unknown:
        known = f"{cost.total.usd:.2f} USD and {counted(cost.total.tokens, 'token')} are booked so far"
        return f"{minutes}; unknown for {', '.join(cost.unknown)} (`starter.py budget state-cost`); {known}"
    told = f"{minutes}; {counted(cost.total.tokens, 'token')} and the money as the backends reported them"
    if cost.lost:
        attempts = "1 attempt" if cost.lost == 1 else f"{cost.lost} attempts"
        told += f"; {attempts} died before saying and count at the worst case"
    return told


def _expected(contract: TaskContract | None) -> str:
    if not contract:
        return "nothing"
    return f"{contract.metric}: {contract.metric_before} → {contract.metric_before + contract.expected_metric_delta}"


def _achieved(contract: TaskContract | None, change: Change | None) -> str:
    if not contract:
        return "nothing"
    if not change:
        if contract.type is TaskType.SOURCE_TRIAL:
            return "judged by its gates, in source_trial_report.json"
        return f"{contract.metric}: {contract.metric_before}, the run ended before a change was made"
    ahead = _ahead(contract, change)
    if ahead == 0:
        judged = "as expected"
    elif ahead > 0:
        judged = f"{ahead} better than expected"
    else:
        judged = f"{-ahead} short of what was expected"
    return f"{change.metric}: {change.metric_before} → {change.metric_after}, {judged}"


def _ahead(contract: TaskContract, change: Change) -> int:
    """How far the measured metric is on the good side of the expected one."""
    missed = change.metric_after - (contract.metric_before + contract.expected_metric_delta)
    return missed if contract.expected_metric_delta > 0 else -missed


def _risk_against_outcome(decision: ReleaseDecision | None, checks: ChecksReport | None, ci: CiReport | None) -> str:
    if not decision:
        return "no risk was scored: the run ended before the release decision"
    scored = f"scored {decision.risk.level} ({decision.risk.total:.2f})"
    if not checks:
        return f"unknown: {scored}, and no check tested it"
    required = [result for result in checks.results if result.required]
    if failed := _named(required, *FAILED):
        judged = "underestimated" if _underestimated(decision, checks) else "borne out"
        return f"{judged}: {scored}, and failed on the merge result: {failed}"
    if ci and ci.state is CiState.RED:
        judged = "underestimated" if decision.risk.level is RiskLevel.LOW else "borne out"
        return f"{judged}: {scored}, and failed in the forge's CI: {not_green(ci.checks)}"
    if unclear := _named(required, CheckStatus.FLAKY, CheckStatus.INFRASTRUCTURE):
        return f"unknown: {scored}, and without a clear result: {unclear}"
    if not required:
        return f"unknown: {scored}, and no check was required"
    dangerous = decision.risk.level in {RiskLevel.HIGH, RiskLevel.CRITICAL}
    return f"{'not borne out' if dangerous else 'borne out'} so far: {scored}, and every required check was green"


def _underestimated(decision: ReleaseDecision | None, checks: ChecksReport | None) -> bool:
    if not decision or not checks or decision.risk.level is not RiskLevel.LOW:
        return False
    return any(result.required and result.status in FAILED for result in checks.results)


def _check_stability(checks: ChecksReport | None, ci: CiReport | None) -> str:
    if not checks or not checks.results:
        return "no check ran"
    attempts = [attempt for result in checks.results for attempt in result.attempts]
    reruns = sum(max(0, len(result.attempts) - 1) for result in checks.results)
    timeouts = sum(attempt.status is CheckStatus.TIMEOUT for attempt in attempts)
    counts = Counter(result.status for result in checks.results)
    told = [f"{counts[CheckStatus.GREEN]} of {counted(len(checks.results), 'check green', 'checks green')}"]
    told += [
        f"{counts[status]} {status} ({_named(checks.results, status)})"
        for status in CheckStatus
        if status is not CheckStatus.GREEN and counts[status]
    ]
    told.append(f"{counted(len(attempts), 'attempt')}, {reruns} of them reruns, {timeouts} timed out")
    if ci:
        waited = (ci.looked_at - ci.began_at).total_seconds() / 60
        told.append(f"the forge's CI {ci.state} after {waited:.0f} minutes and {ci.looks} looks")
    return "; ".join(told)


def _policy_updates(
    target: str,
    decision: ReleaseDecision | None,
    contract: TaskContract | None,
    change: Change | None,
    checks: ChecksReport | None,
) -> tuple[str, ...]:
    suggested = []
    for result in checks.results if checks else ():
        if late := [attempt for attempt in result.attempts if attempt.status is CheckStatus.TIMEOUT]:
            suggested.append(
                f"the check `{result.name}` was killed after {late[-1].seconds:.0f} s: make it faster, or raise its "
                f"`seconds` in targets/{target}.toml and `sandbox.seconds` in autopilot.toml"
            )
        if result.status is CheckStatus.FLAKY:
            suggested.append(
                f"the check `{result.name}` is flaky: mend it; until then it keeps every change from merging by itself"
            )
        if result.status is CheckStatus.INFRASTRUCTURE:
            suggested.append(
                f"the check `{result.name}` could not be run: look at `[environment]` in targets/{target}.toml"
            )
    if contract and change:
        if len(change.paths) > contract.scope.max_files or change.lines > contract.scope.max_lines:
            suggested.append(
                f"the change ({sized(len(change.paths), change.lines)}) is larger than its contract allowed "
                f"({sized(contract.scope.max_files, contract.scope.max_lines)}): estimates for "
                f"{contract.tool} {contract.rule} are too small"
            )
        if _ahead(contract, change) < 0:
            suggested.append(_less_than_expected(contract))
    if _underestimated(decision, checks):
        suggested.append("the risk score was too low: raise the weight that fits in `[risk]` of autopilot.toml")
    return tuple(suggested)


def _less_than_expected(contract: TaskContract) -> str:
    if contract.asked:
        return (
            "the agent did not do what it was asked for; if that repeats, ask for less at a time and say more "
            "exactly what is wanted, or let another model or agent code (charter.toml)"
        )
    return (
        f"{contract.tool} {contract.rule} did less than expected: its safe fixes leave findings behind; "
        "if that repeats, drop the rule in charter.toml"
    )


def _named(results: list[CheckResult] | tuple[CheckResult, ...], *statuses: CheckStatus) -> str:
    return ", ".join(result.name for result in results if result.status in statuses)
