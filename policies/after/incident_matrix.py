"""The incident matrix: what happens when something goes wrong, in which order (runbook §6; policy, "escalate on").

One table. Each response is idempotent, and where a row pauses, the pause comes first: everything else may fail and be
tried again while nothing moves. docs/design.md shows the same table.
"""

from typing import NamedTuple

from contracts.incident import Response, Trigger
from contracts.verdict import Verdict
from policies.verdicts import deciding


class Row(NamedTuple):
    """One trigger: where it stands in the runbook, and its responses in order."""

    section: str
    """Runbook section, or ``policy`` for the escalations only the policy names."""
    responses: tuple[Response, ...]


MATRIX: dict[Trigger, Row] = {
    Trigger.POLICY_VIOLATION: Row(
        "6.1", (Response.PAUSE_ALL, Response.OPEN_INCIDENT, Response.ALERT, Response.MARK_ESCALATED)
    ),
    Trigger.UNCERTAIN_COMPLIANCE: Row(
        "policy", (Response.PAUSE_TARGET, Response.OPEN_INCIDENT, Response.ALERT, Response.MARK_ESCALATED)
    ),
    Trigger.CI_GATE_FAILURE: Row(
        "6.2", (Response.REJECT_RELEASE, Response.ATTACH_DETAILS, Response.QUEUE_REMEDIATION, Response.ALERT)
    ),
    Trigger.REPEATED_FAILURES: Row("policy", (Response.PAUSE_TARGET, Response.OPEN_INCIDENT, Response.ALERT)),
    Trigger.BUDGET_EXHAUSTED: Row("6.4", (Response.STOP_NEW_RUNS, Response.REPORT_BUDGET, Response.ALERT)),
}

PAUSES = frozenset({Response.PAUSE_ALL, Response.PAUSE_TARGET})


def trigger_of(verdict: Verdict) -> Trigger:
    """What an escalating verdict is about, told by a fact of the rule that decided.

    A verdict that does not say (or whose tree was too bulky to carry) is a policy violation: the harder answer.
    """
    said = deciding(verdict).facts.get("trigger")
    return Trigger.UNCERTAIN_COMPLIANCE if said == Trigger.UNCERTAIN_COMPLIANCE.value else Trigger.POLICY_VIOLATION
