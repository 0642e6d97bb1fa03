"""Which alerts the end of a run raises (runbook §9)."""

from collections.abc import Iterator, Sequence

from contracts.alert import Alert, AlertKind
from contracts.ci import CiReport
from contracts.evidence import ChecksReport, CheckStatus
from contracts.exchange import AgentRecord
from contracts.modes import GREEN_STATUSES, RunStatus, StepName
from contracts.report import ReportInput
from contracts.verdict import Decision, Verdict
from policies.agents.crossing import lines_crossed
from policies.counted import joined, shortened
from policies.release.ci import not_green

PROTECTED_RULE = "path is not protected"
"""The rule of `policies.paths.rules` that a touched protected path breaks."""
BASE_RULE = "preflight required_checks_green passed"
"""The rule of `policies.run.preflight` that a base breaks whose required checks are not green."""
_HEARD = frozenset({RunStatus.CANCELLED, RunStatus.PAUSED, RunStatus.REJECTED})
"""Ends that a person brought about, or an expected no."""


def alerts_of(
    ended: ReportInput,
    checks: ChecksReport | None,
    ci: CiReport | None = None,
    agents: Sequence[AgentRecord] = (),
) -> tuple[Alert, ...]:
    """What somebody must hear, the cause before its consequences."""
    found: list[Alert] = []
    verdicts = [record.verdict for record in ended.steps]
    violations = [verdict for verdict in verdicts if verdict.decision is Decision.ESCALATE]
    if violations:
        found.append(_alert(ended, AlertKind.POLICY_VIOLATION, violations[0].reason))
    touched = sorted({_touched(leaf) for verdict in verdicts for leaf in _broken(verdict)})
    if touched:
        found.append(_alert(ended, AlertKind.PROTECTED_PATH_TOUCHED, "; ".join(touched)))
    if crossed := lines_crossed(verdicts, agents):
        who = joined(sorted({each.agent for each in agents}))
        found.append(_alert(ended, AlertKind.AGENT_CROSSED_LINE, f"an agent ({who}) {'; it '.join(crossed)}"))
    sensed = next((record.verdict for record in ended.steps if record.step is StepName.SENSE), None)
    if sensed is not None and sensed.decision is Decision.DENY:
        found.append(_alert(ended, AlertKind.SOURCE_QUALITY, sensed.reason))
    red = _red(checks) or _not_green_in_ci(ci)
    if ended.status is RunStatus.REJECTED and red:
        found.append(_alert(ended, AlertKind.REQUIRED_CHECK_FAILED, f"not released: {red}"))
    if ended.status is RunStatus.REFUSED and (base := _red_base(ended)):
        found.append(_alert(ended, AlertKind.REQUIRED_CHECK_FAILED, f"on the base: {base}"))
    if ended.status not in GREEN_STATUSES | _HEARD:
        found.append(_alert(ended, AlertKind.RUN_FAILED, f"ended {ended.status}: {ended.reason}"))
    return tuple(found)


def _alert(ended: ReportInput, kind: AlertKind, summary: str) -> Alert:
    run = ended.run
    return Alert(
        kind=kind,
        target=run.target,
        run_id=run.run_id,
        summary=shortened(f"{run.run_id}: {summary}", 1000),
        facts={"mode": run.mode, "status": ended.status, "outcome": ended.outcome, "task": ended.task_id},
        fingerprint=f"{kind}/{run.run_id}"[:300],
    )


def _broken(verdict: Verdict) -> Iterator[Verdict]:
    if verdict.rule == PROTECTED_RULE and verdict.decision is Decision.ESCALATE:
        yield verdict
    if verdict.decision is Decision.ESCALATE and "whole" in verdict.facts:
        # Too long to travel, its children are in an artifact: rather told once too often.
        yield verdict
    for child in verdict.children:
        yield from _broken(child)


def _touched(leaf: Verdict) -> str:
    return str(leaf.facts.get("path") or leaf.reason)


def _red_base(ended: ReportInput) -> str:
    """What preflight said of the base's required checks; a base nobody could check is not green either."""
    preflight = (record.verdict for record in ended.steps if record.step is StepName.PREFLIGHT)
    leaves = (leaf for verdict in preflight for leaf in verdict.children)
    return next((leaf.reason for leaf in leaves if leaf.rule == BASE_RULE and not leaf.allowed), "")


def _red(checks: ChecksReport | None) -> str:
    if checks is None:
        return ""
    # A flaky check rejects nothing by itself: it goes to a person.
    good = {CheckStatus.GREEN, CheckStatus.FLAKY}
    failed = (each for each in checks.results if each.required and each.status not in good)
    return "; ".join(f"check {each.name} is {each.status}" for each in failed)


def _not_green_in_ci(ci: CiReport | None) -> str:
    """Of a run that CI rejected; a person who took the pull request over has seen it."""
    if ci is None or ci.verdict.decision is not Decision.DENY:
        return ""
    return f"the forge's CI: {not_green(ci.checks) or ci.verdict.reason}"
