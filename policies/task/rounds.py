"""Rounds: whether what failed goes back to the agent that coded, within the same run, contract and budget."""

from contracts.evidence import CheckResult, ChecksReport, CheckStatus, ReviewReport
from contracts.handover import StepInput
from contracts.modes import Role
from contracts.verdict import Decision, Verdict
from policies.settings.schema import EffectivePolicy
from policies.task.asked import agent_codes, coder


def rounds_left(policy: EffectivePolicy, request: StepInput) -> int:
    """How often Coding may still be asked again in this run; a change out of quarantine was made by nobody here."""
    run = request.run
    if run.grant is not None or not agent_codes(policy, run.asked):
        return 0
    return max(0, coder(policy, run.asked).rounds - (request.round - 1))


def after_coding(verdict: Verdict, left: int) -> Role | None:
    """Who is next after a step of Coding: itself where it may try again; a violation is no matter of trying."""
    return Role.CODING if left and verdict.decision is Decision.DENY else None


def after_checks(report: ChecksReport, review: ReviewReport, left: int) -> Role:
    """Who is next after the checks: Coding while something is red by the change, or Review said no; else Release.

    A check that could not be run, or not in time, says nothing that an agent could mend.
    """
    return Role.CODING if left and (red(report) or not review.approve) else Role.RELEASE


def red(report: ChecksReport) -> tuple[CheckResult, ...]:
    """The required checks that an agent is told of."""
    return tuple(each for each in report.results if each.required and each.status is CheckStatus.RED)
