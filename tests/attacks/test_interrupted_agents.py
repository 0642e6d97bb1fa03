"""An agent that is interrupted: what it left is kept, gone on from, and judged when it is done (issue 14.3)."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from activities.run.checking import CheckRunner
from activities.run.coding import Coding
from contracts.exchange import AgentOutcome
from contracts.forge_facts import FORGE_RESTS
from contracts.handover import StepResult
from contracts.modes import Role
from contracts.verdict import Decision
from ports.agents import AgentStopped, Brief
from tests.attacks.stage import PATH, RIGHT, TYPO, PlayedAgent, Stage, done


def stopping(outcome: AgentOutcome, retry_after: float | None = None) -> Callable[[Brief], str]:
    """Mends the typo, and is interrupted."""

    def coding(brief: Brief) -> str:
        assert brief.tree is not None
        file = brief.tree / PATH
        file.write_text(file.read_text().replace(TYPO, RIGHT))
        brief.keep("record.json", b"{}", "application/json")
        raise AgentStopped(outcome, "played: it was interrupted", retry_after)

    return coding


def code(stage: Stage, coding: Callable[[Brief], str], **contract: str) -> StepResult:
    """The coding step, once."""
    task = stage.contract.model_copy(update=contract)
    bench = stage.with_agent(PlayedAgent({Role.CODING: coding}))
    return done(Coding(bench, CheckRunner(bench.environments, bench.sandbox)).code, stage.to_code(task))


@pytest.mark.parametrize(
    ("outcome", "decision", "words"),
    [
        (AgentOutcome.RATE_LIMITED, Decision.HOLD, "The run goes on by itself"),
        (AgentOutcome.ENDPOINT_DOWN, Decision.HOLD, "see whether the provider"),
        (AgentOutcome.BUDGET, Decision.HOLD, "raise the cap"),
        (AgentOutcome.SPENT, Decision.DENY, "raise the role's usd"),
        (AgentOutcome.UNAUTHORISED, Decision.HOLD, "renew the key"),
        (AgentOutcome.PAUSED, Decision.HOLD, "paused: played"),
        (AgentOutcome.DEADLINE, Decision.DENY, "played: it was interrupted"),
        (AgentOutcome.REFUSED, Decision.DENY, "played: it was interrupted"),
    ],
)
def test_what_waits_holds_and_what_failed_is_a_no(
    stage: Stage, outcome: AgentOutcome, decision: Decision, words: str
) -> None:
    """Each says what to do; the record and the tree are kept either way, and named by the audit log."""
    result = code(stage, stopping(outcome, 90.0))
    assert decision is result.verdict.decision
    assert words in result.verdict.reason
    assert (90.0 if outcome is AgentOutcome.RATE_LIMITED else None) == result.verdict.facts.get(FORGE_RESTS)
    kept = {ref.name for ref in result.handover.output_artifacts}
    assert {"agent/record.json", "agent/partial.bundle", "agent/partial.json"} == kept
    digests = {ref.sha256 for ref in result.handover.output_artifacts}
    records = stage.bench.audit.records(f"run/{stage.run.run_id}")
    assert any(digests <= set(record.artifacts) for record in records)


def test_the_same_step_goes_on_from_what_is_kept(stage: Stage) -> None:
    """It finds the tree as it was left, is told so, and its change is judged whole, against the base."""
    code(stage, stopping(AgentOutcome.PAUSED))
    seen = []

    def going_on(brief: Brief) -> str:
        assert brief.tree is not None
        brief.keep("record.json", b"{}", "application/json")
        seen.append((brief.resumed, (brief.tree / PATH).read_text()))
        return "{}"

    result = code(stage, going_on)
    assert [(True, True)] == [(resumed, RIGHT in text) for resumed, text in seen]
    assert result.verdict.allowed, result.verdict
    change = stage.kept_json("change.json")
    assert ([PATH], 2, 0) == (
        [each["path"] for each in change["paths"]],
        change["metricBefore"],
        change["metricAfter"],
    )


def test_another_contract_begins_from_the_base(stage: Stage) -> None:
    """What was left was left for its own task."""
    code(stage, stopping(AgentOutcome.PAUSED))
    seen = []

    def anew(brief: Brief) -> str:
        seen.append((brief.resumed, TYPO in (brief.tree / PATH).read_text()))
        return "{}"

    code(stage, anew, title="Another task")
    assert [(False, True)] == seen


def test_a_forged_tree_is_not_gone_on_from(stage: Stage) -> None:
    """Only what the run's own audit log names (P6)."""
    code(stage, stopping(AgentOutcome.PAUSED))
    forged = stage.kept("agent/partial.json") + b"\n"
    stage.bench.store.put(stage.run.run_id, "agent/partial.json", forged)
    seen = []

    def anew(brief: Brief) -> str:
        seen.append(brief.resumed)
        return "{}"

    code(stage, anew)
    assert [False] == seen


def test_what_no_commit_can_hold_is_not_kept(stage: Stage) -> None:
    """A pipe in the tree: the next attempt begins from the base."""

    def hostile(brief: Brief) -> str:
        assert brief.tree is not None
        os.mkfifo(brief.tree / "pipe")
        raise AgentStopped(AgentOutcome.DEADLINE, "its time was over")

    result = code(stage, hostile)
    assert Decision.DENY is result.verdict.decision
    assert [] == [ref.name for ref in result.handover.output_artifacts]


@pytest.mark.parametrize("stopped", [False, True])
def test_what_nobody_could_look_at_is_no_change(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, *, stopped: bool
) -> None:
    """A no of the step, and nothing of it is held in memory or kept: not an error, after which it is asked again."""
    monkeypatch.setattr("activities.run.coding._LARGEST_WORK", 1)

    def coding(brief: Brief) -> str:
        assert brief.tree is not None
        (brief.tree / PATH).write_bytes(b"x\n" * (2 << 20))
        if stopped:
            raise AgentStopped(AgentOutcome.DEADLINE, "played: it was interrupted")
        return "{}"

    result = code(stage, coding)
    assert result.verdict.decision is Decision.DENY
    assert stopped or "beyond the limits" in result.verdict.reason
    assert not [ref.name for ref in result.handover.output_artifacts if ref.name.endswith((".bundle", ".diff"))]
