"""The incident matrix: every row of §6 that is built, and the policy's own escalations."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from contracts.incident import Response, Trigger
from policies.after.incident import MATRIX, PAUSES, trigger_of
from policies.verdicts import all_of, allow, escalate

DESIGN = (Path(__file__).parents[2] / "docs" / "design.md").read_text()
WORDS = {
    Response.PAUSE_ALL: "pause every target",
    Response.PAUSE_TARGET: "pause the target",
    Response.OPEN_INCIDENT: "open the incident",
    Response.MARK_ESCALATED: "the run ends ESCALATED",
    Response.REJECT_RELEASE: "release REJECT with the rejection's fields",
    Response.ATTACH_DETAILS: "failing details in the report",
    Response.QUEUE_REMEDIATION: "remediation queued",
    Response.STOP_NEW_RUNS: "new runs refused",
    Response.REPORT_BUDGET: "`budget_alert_report.json`",
    Response.ALERT: "alert",
}
NAMES = {
    Trigger.POLICY_VIOLATION: "policy violation",
    Trigger.UNCERTAIN_COMPLIANCE: "uncertain compliance",
    Trigger.CI_GATE_FAILURE: "required checks failed",
    Trigger.REPEATED_FAILURES: "repeated run failures",
    Trigger.BUDGET_EXHAUSTED: "budget exhausted",
}


def test_every_trigger_has_a_row() -> None:
    """A trigger without an answer would be silence."""
    # §6.3 is a dialogue with a merge, not a list of responses: workflows/control/rollback_records.py has its rules.
    assert set(Trigger) - {Trigger.REGRESSION} == set(MATRIX)


@pytest.mark.parametrize("trigger", MATRIX)
def test_6_1_what_pauses_pauses_first_and_everything_alerts(trigger: Trigger) -> None:
    """Issue 4: where a row pauses, the pause comes first; nobody is left unaware."""
    responses = MATRIX[trigger].responses
    assert PAUSES.isdisjoint(responses[1:])
    assert Response.ALERT in responses
    if Response.OPEN_INCIDENT in responses:
        assert responses[0] in PAUSES
    assert len(responses) == len(set(responses))


@pytest.mark.parametrize("trigger", MATRIX)
def test_the_design_shows_the_same_table(trigger: Trigger) -> None:
    """docs/design.md agrees with the code, section and order included."""
    (line,) = re.findall(rf"^\| {NAMES[trigger]}\b.*$", DESIGN, re.MULTILINE)
    _, _, section, told, _ = (cell.strip() for cell in line.split("|"))
    row = MATRIX[trigger]
    assert row.section == section
    assert [WORDS[response] for response in row.responses] == [part.strip() for part in told.split(";")[0].split("·")]


def test_a_verdict_tells_its_trigger_and_doubt_is_a_violation() -> None:
    """Without a fact, or with both: the harder answer, which pauses everybody."""
    licence = escalate("licence", "touched", trigger="uncertain_compliance")
    violation = escalate("path", "protected", path=".env")
    assert Trigger.UNCERTAIN_COMPLIANCE is trigger_of(all_of("fits", [allow("a", "b"), licence]))
    assert Trigger.POLICY_VIOLATION is trigger_of(all_of("fits", [violation, licence]))
    assert Trigger.POLICY_VIOLATION is trigger_of(escalate("whole", "too bulky", whole="verdicts/code.json"))
    assert Trigger.POLICY_VIOLATION is trigger_of(escalate("odd", "odd", trigger="ci_gate_failure"))
