"""The post-incident report: each of the seven parts of §12, and who may change what, when."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from contracts.audit import AuditRecord
from contracts.incident import CloseRequest, HumanFacts, IncidentRecord, IncidentState, NamedPull, PostIncidentReport
from contracts.modes import Role
from contracts.rollback import RollbackOutcome, RollbackTag
from policies.after import incident
from policies.after.incident import (
    PARTS,
    close,
    concerns,
    edit,
    prevented,
    proposal,
    proposing,
    timeline,
)
from reporting.incident_markdown import render_incident

AT = datetime(2026, 3, 2, 9, tzinfo=UTC)
ASKED = CloseRequest(actor="bob", reason="all is said")
HUMAN = {
    "impact": "none",
    "root_cause": "a prompt",
    "remediation": "paused",
    "prevention": "a better prompt",
    "owner": "ann",
    "due_on": "2026-04-01",
}


def drafted() -> PostIncidentReport:
    record = IncidentRecord(
        incident="INC-demo-2026-03-02-pr-1-policy-violation",
        run_id="demo-2026-03-02-pr-1",
        trigger="policy_violation",
        reason=".env is protected: secrets",
        opened_at=AT,
    )
    return proposing(PostIncidentReport.begun("demo", record))


def regressed(ordered_by: str = "") -> PostIncidentReport:
    record = IncidentRecord(
        incident="INC-r-regression", run_id="r", trigger="regression", reason="it hurts", opened_at=AT,
        ordered_by=ordered_by,
    )  # fmt: skip
    return proposing(PostIncidentReport.begun("demo", record))


def filled(**facts: str) -> PostIncidentReport:
    report, verdict = edit(drafted(), HumanFacts(actor="ann", **(HUMAN | facts)))
    assert verdict.allowed
    return report


def closed() -> PostIncidentReport:
    return close(filled(), ASKED, AT)[0]


def test_the_system_fills_in_nothing_that_only_a_person_knows() -> None:
    """§12: id, time and trigger are the system's; root cause and the rest never are."""
    assert tuple(PARTS)[2:] == drafted().empty_parts
    assert {""} == {getattr(drafted(), name) for name in incident.HUMAN}


@pytest.mark.parametrize("part", PARTS)
def test_12_part_must_be_there_to_close(part: str) -> None:
    """§12: each of the seven parts alone keeps the incident open, and the refusal names it."""
    without = filled().model_copy(update=dict.fromkeys(PARTS[part], ""))
    report, verdict = close(without, ASKED, AT)

    assert (IncidentState.OPEN, False) == (report.state, verdict.allowed)
    assert f"missing: {part}" == verdict.reason
    assert [f"§12 {part} is there"] == [child.rule for child in verdict.children if not child.allowed]


def test_half_filled_names_everything_that_is_missing() -> None:
    """Bad input of the issue: closing an incident half filled."""
    half, _ = edit(drafted(), HumanFacts(actor="ann", impact="none", owner="ann"))
    _, verdict = close(half, ASKED, AT)
    assert "missing: root cause, immediate remediation, long-term prevention, owner and due date" == verdict.reason


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({}, "nothing is said"),
        ({"impact": "   "}, "impact: blank is not an answer"),
        ({"root_cause": "\n\t "}, "root_cause: blank is not an answer"),
        ({"due_on": "2026-02-30"}, "2026-02-30 is no date of the calendar"),
        ({"due_on": "0000-01-01"}, "0000-01-01 is no date of the calendar"),
        ({"due_on": "2026-02-28"}, "is before the incident"),
        ({"due_on": "9999-12-31"}, "is more than 3660 days after the incident"),
    ],
)
def test_facts_that_say_nothing_are_refused(facts: dict[str, str], reason: str) -> None:
    """Bad input: refused with the reason, and nothing changed."""
    before = drafted()
    report, verdict = edit(before, HumanFacts(actor="ann", **facts))
    assert report is before
    assert (False, True) == (verdict.allowed, reason in verdict.reason)


@pytest.mark.parametrize(
    "facts",
    [
        {},
        {"actor": ""},
        {"actor": "a", "impact": "x"},
        {"actor": "a", "impact": "x" * 4001},
        {"actor": "a", "dueOn": "soon"},
        {"actor": "a", "dueOn": "2026-4-1"},
        {"actor": "a", "owner": ""},
        {"actor": "a", "cause": "mistyped"},
        {"actor": "a", "rootCause": 7},
        {"actor": None, "impact": "none"},
    ],
)
def test_malformed_facts_are_refused_at_the_sender(facts: dict[str, Any]) -> None:
    """P14: they never become a message."""
    with pytest.raises(ValidationError):
        HumanFacts.model_validate(facts)


def test_after_closing_only_the_prevention_may_be_said_better() -> None:
    """A closed report is what was agreed on; a moved due date would hide that it is overdue."""
    for name in ("impact", "root_cause", "remediation", "owner", "due_on"):
        report, verdict = edit(closed(), HumanFacts(actor="eve", **{name: HUMAN[name]}))
        assert (False, closed()) == (verdict.allowed, report)
        assert f"{name} cannot be changed any more" in verdict.reason
    better, verdict = edit(closed(), HumanFacts(actor="eve", prevention="no prompt"))
    assert (True, "no prompt") == (verdict.allowed, better.prevention)


def test_closing_and_prevention_are_idempotent_and_in_order() -> None:
    """P7: said twice is said once; the prevention cannot be done before the incident is closed."""
    assert "close it first" in prevented(filled(), ASKED, AT)[1].reason
    once = closed()
    assert (once, True) == (close(once, ASKED, AT)[0], close(once, ASKED, AT)[1].allowed)
    done, verdict = prevented(once, ASKED, AT)
    assert (True, "bob") == (verdict.allowed, done.prevention_done_by)
    assert done is prevented(done, ASKED, AT)[0]
    assert not edit(done, HumanFacts(actor="eve", prevention="more"))[1].allowed
    assert not prevented(once, CloseRequest(actor="bob", reason="    "), AT)[1].allowed


def test_a_reset_loses_nothing_that_was_written_down() -> None:
    """What was said since wins; the rest comes from the kept report; its revision is newer than both."""
    said_since, _ = edit(drafted(), HumanFacts(actor="eve", impact="two pull requests"))
    merged = said_since.taking_over(closed())
    assert ("two pull requests", "a prompt", "bob") == (merged.impact, merged.root_cause, merged.closed_by)
    assert (IncidentState.CLOSED, ("ann", "eve")) == (merged.state, merged.edited_by)
    assert merged.revision > max(said_since.revision, closed().revision)
    assert said_since is said_since.taking_over(None)


def test_facts_of_the_timeline_cite_their_records_in_order() -> None:
    """§12: every fact names the log and the hash that prove it; noise is left out; it is bounded."""

    def record(seq: int, event: str, **facts: Any) -> AuditRecord:
        chain = {"seq": seq, "log": "run/r", "at": AT, "previous": "", "hash": f"h{seq}"}
        return AuditRecord(key=str(seq), role=Role.AUDIT, event=event, facts=facts, **chain)

    found = timeline([record(3, "run ended", status="ESCALATED"), record(1, "run issued"), record(2, "changed")])
    assert [("run issued", "h1"), ("run ended: status ESCALATED", "h3")] == [(f.text, f.record) for f in found]
    assert ["h9"] == [fact.record for fact in timeline([record(9, "code done", decision="escalate")])]
    many = timeline(record(seq, "paused") for seq in range(500))
    assert (60, "h0", "h499") == (len(many), many[0].record, many[-1].record)


RESTORED = RollbackTag(
    outcome=RollbackOutcome.RESTORED, reason="health confirmed 3 times in a row", seconds=42.4, impact="60 s",
    revert_sha="c" * 40, restored_tree="t" * 40,
)  # fmt: skip
FAILED = RollbackTag(outcome=RollbackOutcome.ESCALATED, reason="a conflict in a.py", seconds=3, impact="60 s")


@pytest.mark.parametrize(
    ("trigger", "tag", "said"),
    [
        ("policy_violation", None, "every target was paused, the run's change was kept, and not released"),
        ("repeated_failures", None, "the target was paused"),
        ("regression", None, "the mode was set to DRY_RUN"),
        ("regression", RESTORED, f"rolled back by {'c' * 40}, tree {'t' * 40}, in 42 s; health confirmed 3 times"),
        ("regression", FAILED, "the rollback was tried for 3 s and needs a person: a conflict in a.py"),
    ],
)
def test_the_remediation_that_is_known_is_proposed(trigger: str, tag: RollbackTag | None, said: str) -> None:
    """§12: what the system did at once, by trigger and by how the rollback ended."""
    assert said in proposal(trigger, tag)


def test_a_proposal_is_shown_and_counts_for_nothing_until_a_person_says_it() -> None:
    """§12: the remediation stays missing; the page shows proposal, health, duration and impact."""
    report = proposing(regressed().raised(rollback=RESTORED))
    assert "immediate remediation" in report.empty_parts
    assert 1 == report.revision
    page = render_incident(report, report.empty_parts)
    assert "Proposed, from what was done by itself: rolled back by" in page
    assert "## Rollback\n\n- outcome: **restored**, after 42.4 s\n- why: health confirmed 3 times in a row" in page
    stated = edit(report, HumanFacts(actor="ann", remediation="it was reverted"))[0]
    assert "Proposed" not in render_incident(stated, ())


def test_the_page_links_the_change_and_its_rollback_where_they_have_a_page() -> None:
    """§6.3: from the incident to both pull requests; a file of the worker's machine is no link."""
    at = "https://git.example.invalid/a/b/pulls/7"
    own, undoing = NamedPull(number=7, url=at), NamedPull(number=9, url="")
    page = render_incident(regressed().raised(pull_request=own, rollback_pull_request=undoing), ())
    assert f"Pull requests: [pull request #7]({at}) (the change), pull request #9 (its rollback)" in page
    here = own.model_copy(update={"url": "file:///home/forge/demo/pulls/7.json"})
    page = render_incident(regressed().raised(pull_request=here), ())
    assert ("pull request #7 (the change)" in page, "file:" in page) == (True, False)


def test_a_persons_reason_is_not_called_a_measured_regression() -> None:
    """§12: the page says whose word it is; a measured one goes by its trigger."""
    theirs, measured = (render_incident(regressed(who), ()) for who in ("ann", ""))
    assert "A person, `ann`, ordered the rollback of run `r` of demo: it hurts" in theirs
    assert "Regression in" not in theirs
    assert "Regression in run `r` of demo: it hurts" in measured


def test_a_lost_incident_keeps_its_rollback() -> None:
    """Break-glass: the tag that only the kept report has is taken from it, and proposed again."""
    back = proposing(regressed().taking_over(regressed().raised(rollback=RESTORED)))
    assert (RESTORED, proposal("regression", RESTORED)) == (back.rollback, back.proposed_remediation)


@pytest.mark.parametrize(
    ("facts", "ours"),
    [
        ({}, True),
        ({"runId": "r"}, True),
        ({"runId": "RB-r", "incident": "INC-1"}, True),
        ({"runId": "another"}, False),
        ({"incident": "INC-2"}, False),
    ],
)
def test_another_runs_day_is_no_part_of_the_timeline(facts: dict[str, Any], ours: bool) -> None:
    """A timeline that keeps up for weeks is not flooded by the target's other runs."""
    chain = {"seq": 1, "log": "target/demo", "at": AT, "previous": "", "hash": "h"}
    record = AuditRecord(key="k", role=Role.AUDIT, event="run admitted", facts=facts, **chain)  # type: ignore[arg-type]
    assert ours is concerns(record, "INC-1", ("r",))
