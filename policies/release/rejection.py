"""What a rejection states: reason code, failed gate, remediation, whether and when to retry (task contracts)."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from enum import Enum

from contracts.modes import RunStatus, StepName
from contracts.release import Rejection, ReleaseDecision
from contracts.report import ReportInput
from contracts.verdict import Decision, Verdict
from policies.settings.schema import EffectivePolicy
from policies.verdicts import deciding


@dataclass(frozen=True)
class _Advice:
    code: str
    remediation: str
    later: bool
    """The same attempt would fail again: not before the idea's suppression ends."""


CHECKS_RULE = "every required check is green"
"""What the gate ``CHECKS`` is called in verdicts and rejections."""
CI_RULE = "every required check of the forge's CI is green"
"""The same of the gates ``CI`` and ``CI_IN_TIME``."""


class FailedGate(Enum):
    """The mandatory gates of a release, each with its advice."""

    NOT_EMPTY = _Advice("empty_change", "Nothing to release; look at the coder's output.", later=True)
    NO_DRIFT = _Advice(
        "drift", "Run again: contract, policy, base and head must be those that were pinned.", later=False
    )
    PATHS = _Advice("path_refused", "Keep the change inside its scope, in plain files with honest names.", later=True)
    BUDGET = _Advice("over_budget", "Split the task; the contract's limits are in task_contract.json.", later=True)
    MERGE = _Advice("not_mergeable", "Run again on the present base; resolve what conflicts.", later=False)
    CHECKS = _Advice(
        "check_failed", "Read the failing check's output under checks/, and fix what it names.", later=True
    )
    REVIEW = _Advice("review_refused", "Answer the reviewer's remarks in review_report.json.", later=True)
    EFFECT = _Advice(
        "effect_unproven", "The metric did not improve on the changed tree; drop or change the idea.", later=True
    )
    RISK = _Advice("risk_unapproved", "Have a person approve the contract before the run.", later=False)
    CI = _Advice("ci_failed", "Read the failing check's log behind its link, and fix what it names.", later=True)
    CI_IN_TIME = _Advice(
        "ci_not_finished",
        "See why the forge's CI reported nothing, or raise [ci] minutes; the pull request is still open: a person may "
        "merge it once it is green.",
        later=False,
    )


_OF_THE_CHANGE = frozenset({StepName.PLAN, StepName.CODE})
"""Steps before the release decision whose no is about the idea itself."""
_PROTECTED = _Advice(
    "policy_violation",
    "A person decides: all runs are paused; see the incident and the quarantined change.",
    later=False,
)
_MACHINERY = _Advice("check_not_run", "Repair the check environment or raise the limit, then run again.", later=False)


def reject(gates: Iterable[tuple[FailedGate, Verdict]], policy: EffectivePolicy, today: date) -> Rejection:
    """The rejection that the worst gate, the first of them, explains."""
    failed = [pair for pair in gates if pair[1].decision not in {Decision.ALLOW, Decision.ASK}]
    gate, verdict = next((pair for pair in failed if pair[1].decision is Decision.ESCALATE), failed[0])
    cause = deciding(verdict)
    advice = gate.value
    if verdict.decision is Decision.ESCALATE:
        advice = _PROTECTED
    elif cause.facts.get("status") in {"timeout", "infrastructure"}:
        advice = _MACHINERY
    later = today + timedelta(days=policy.autopilot.candidates.suppress_days)
    return Rejection(
        reason_code=advice.code,
        failed_gate=verdict.rule,
        recommended_remediation=f"{cause.reason}. {advice.remediation}",
        can_retry=advice is not _PROTECTED,
        retry_after=later.isoformat() if advice.later else None,
    )


def judged(ended: ReportInput, decision: ReleaseDecision | None) -> bool:
    """Whether a run's end is a judgement of its change, or only of the day on which it was tried.

    Rules, the first that holds: escalated (a protected path, a licence) is one · what did not end REJECTED is none ·
    a person's no to the contract is one · of a release decision, what it says about trying again later · without one,
    a contract or a change that our rules refused is one. So a moved base, machinery, a remote that refuses, nobody's
    answer and unfinished CI are none.
    """
    if ended.status is RunStatus.ESCALATED:
        return True
    if ended.status is not RunStatus.REJECTED:
        return False
    if ended.refused_by:
        return True
    if decision is not None:
        return decision.rejection is not None and decision.rejection.retry_after is not None
    last = ended.steps[-1] if ended.steps else None
    own_idea = ended.run.grant is None
    return last is not None and own_idea and last.step in _OF_THE_CHANGE and last.verdict.decision is Decision.DENY
