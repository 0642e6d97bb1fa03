"""Which lines an agent crossed, told once for each run (issue 14, runbook §9)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from contracts.alert import NEVER_SILENCED, AlertKind
from contracts.evidence import ReviewRemark, Severity
from contracts.exchange import AgentOutcome, AgentRecord, Ending, Exchange
from contracts.modes import RunStatus, StepName
from contracts.report import StepRecord
from contracts.verdict import Verdict
from policies.agents.crossing import FITS_RULE, PATHS_RULE, TREE_RULE, crossing
from policies.run.alerts import alerts_of
from policies.verdicts import all_of, allow, deny
from tests.reporting.sample_run import INPUT

FINE = allow("fine", "fine")
OUTSIDE = all_of(FITS_RULE, [deny(PATHS_RULE, "setup.cfg is outside the contract's scope"), FINE])
LONG = Verdict(rule=FITS_RULE, decision=deny("x", "y").decision, reason="a is protected", facts={"whole": "v.json"})
CHEATED = deny(
    "the reviewer approves",
    "removes a test: test_a",
    **crossing([ReviewRemark(severity=Severity.BLOCKING, path="t.py", message="removes a test: test_a", crosses=True)]),
)


def record(role: str = "coding", **more: Any) -> AgentRecord:
    """Of an agent that did its work."""
    known = {"run_id": "demo-1", "role": role, "backend": "command", "agent": "codex 1", "reason": "done"}
    return AgentRecord.model_validate(known | {"outcome": AgentOutcome.DONE} | more)


def forbidden(model: str) -> Exchange:
    """A request that did not go up."""
    return Exchange(number=1, at=datetime.now(UTC), model=model, dialect="chat", ending=Ending.FORBIDDEN)


def told(records: tuple[AgentRecord, ...], *verdicts: Verdict) -> list[str]:
    """Summaries of the alert."""
    at = datetime.now(UTC)
    steps = (
        StepRecord(step=StepName.CODE, started_at=at, ended_at=at, handover=None, verdict=each) for each in verdicts
    )
    ended = INPUT.model_copy(update={"steps": tuple(steps), "status": RunStatus.PR_OPENED})
    alerts = alerts_of(ended, None, agents=records)
    return [each.summary for each in alerts if each.kind is AlertKind.AGENT_CROSSED_LINE]


@pytest.mark.parametrize(
    ("records", "verdicts", "words"),
    [
        ((record(dropped=("AGENTS.md", ".claude/x")),), (), "not kept, at 2 paths: .claude/x, AGENTS.md"),
        ((record(exchanges=(forbidden("dear"),)),), (), "asked for 1 model: dear that the charter does not allow"),
        ((record(reached_out=2), record(reached_out=None)), (), "other machines past the gateway, in vain, 2 times"),
        ((record(hosts_refused=("example.org:443",)),), (), "asked for 1 host: example.org:443 that the charter"),
        ((record(changed=("pkg/.git/HEAD",)),), (), "a repository of its own"),
        ((record(),), (deny(TREE_RULE, "the coder left pipe, which is no file"),), "left its contract: the coder left"),
        ((record(),), (OUTSIDE,), "left its contract: setup.cfg is outside"),
        ((record(),), (LONG,), "left its contract: a is protected"),
        # What it did in an earlier round is told, too.
        ((record(), record()), (CHEATED, FINE, FINE), "no honest work needs: t.py removes a test: test_a"),
    ],
)
def test_each_line_is_told_once_for_each_run(
    records: tuple[AgentRecord, ...], verdicts: tuple[Verdict, ...], words: str
) -> None:
    """In one alert that names the agent, also where the run went on to a pull request."""
    (said,) = told(records, *verdicts)
    assert words in said
    assert "codex 1" in said


def test_several_lines_are_one_alert() -> None:
    """Each is in it."""
    (said,) = told((record(dropped=("AGENTS.md",), exchanges=(forbidden("dear"),)),), OUTSIDE, CHEATED, OUTSIDE)
    assert all(word in said for word in ("AGENTS.md", "dear", "setup.cfg", "test_a"))
    assert said.count("setup.cfg") == 1


@pytest.mark.parametrize(
    ("records", "verdicts"),
    [
        ((), (OUTSIDE, CHEATED)),
        ((record("review", backend="model"),), (OUTSIDE, CHEATED)),
        ((record(),), (FINE, deny("the effect is there", "2 findings did not improve"))),
        ((record(dropped=(".aider.input.history",), litter=(".aider.input.history",)),), ()),
        # A question about models (their list), which is no request to one, and what is not of the charter otherwise.
        ((record(exchanges=(forbidden(""),)),), ()),
        ((record(reached_out=0, hosts_refused=("a.example:443",), usual_hosts=("a.example:443",)),), ()),
        ((record(outcome=AgentOutcome.CRASHED),), (deny("the agent is done", "crashed: ended for its output"),)),
    ],
)
def test_whoever_does_no_such_thing_wakes_nobody(
    records: tuple[AgentRecord, ...], verdicts: tuple[Verdict, ...]
) -> None:
    """Our own tools, a model that reviews, work that failed."""
    assert [] == told(records, *verdicts)


def test_it_can_be_silenced_as_others_can() -> None:
    """Only violations and protected paths cannot."""
    assert AlertKind.AGENT_CROSSED_LINE not in NEVER_SILENCED


def test_only_marked_remarks_are_told() -> None:
    """A reviewer's other words are no accusation."""
    plain = ReviewRemark(severity=Severity.BLOCKING, path="a.py", message="no longer parses")
    assert {} == crossing([plain])
