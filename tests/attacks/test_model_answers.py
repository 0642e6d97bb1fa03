"""A model in a step, before a scripted server: repaired, refused, cut, limited; each question is paid."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from activities.run.triaging import Triaging
from adapters.tools.measures import TOOLS
from contracts.admission import Order, OrderState, RunRecord
from contracts.forge_facts import FORGE_RESTS
from contracts.handover import StepResult
from contracts.modes import Role, TargetStatus
from contracts.verdict import Decision
from demo.scripted_model import Move, ScriptedModel
from policies.settings.charter import Price, Provider, RolePolicy
from tests.attacks.stage import Stage, done
from tests.attacks.test_told import asks
from tests.workflows.test_model_roles import told

SAID = RolePolicy(backend="model", provider="lab", models=("m-1",), usd=1, tokens=100_000)


def triage(stage: Stage, url: str) -> StepResult:
    """The step, with the charter's own backend."""
    tables = {
        "providers": {"lab": Provider(url=url, retries=0)},
        "prices": {"m-1": Price(input=3, output=15)},
    }
    asks(stage, Role.TRIAGING, said=SAID, **tables)
    # As admitted: Control lets no exchange of another run through.
    books, run = stage.bench.control.state, stage.run
    books.status = TargetStatus.ACTIVE
    order = Order(revision=1, epoch=1, state=OrderState.PROCEED)
    books.runs[run.run_id] = RunRecord.model_construct(run_id=run.run_id, kind=run.kind, mode=run.mode, order=order)
    facts = next(each for each in TOOLS if each.name == "codespell").facts("comments", stage.policy)
    found = tuple(each.model_copy(update={"facts": facts}) for each in stage.snapshot.findings)
    known = stage.snapshot.model_copy(update={"findings": found})
    return done(Triaging(stage.bench, stage.adapters.index).triage, stage.given(("state_snapshot.json", known)))


def same(body: dict[str, Any], **changed: Any) -> Move:
    """Our own ideas again, changed."""
    return Move(call="final_result", arguments=json.loads(told(body)["candidates.json"]) | changed)


BAD = {
    "prose": lambda _body: Move(say="I would begin with the typo."),
    "another shape": lambda _body: Move(call="final_result", arguments={"ideas": []}),
    "NaN": lambda _body: Move(say='{"candidates": [], "runId": NaN}'),
    "an invented idea": lambda body: same(
        body, candidates=[{**json.loads(told(body)["candidates.json"])["candidates"][0], "taskId": "rm-rf"}]
    ),
    "hidden text": lambda body: same(body, runId="x", approvedBy="\u202eme"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_answer_is_repaired_and_each_question_is_paid(name: str, stage: Stage) -> None:
    """It comes back with the reason, as data; the good one counts."""
    with ScriptedModel(decide=lambda body, number: BAD[name](body) if number == 0 else same(body)) as model:
        result = triage(stage, model.url)
    assert result.verdict.allowed, result.verdict
    first, second = model.received
    assert "refusal" not in told(first.body)
    assert told(second.body)["refusal"]
    cost = stage.bench.control.state.budget.runs["demo-run"]
    assert cost.total.usd == pytest.approx(2 * 0.00375)
    assert not stage.bench.control.state.budget.reservations
    kept = [ref.name for ref in result.handover.output_artifacts]
    assert len([name for name in kept if re.fullmatch(r"agent/triaging-\w+\.json", name)]) == 2
    assert "rejected_answers/triaging-1.txt" in kept


def test_it_is_asked_no_more_often_than_policy_says(stage: Stage) -> None:
    """Then a typed failure, never a guess."""
    with ScriptedModel([Move(say="no JSON")]) as model, pytest.raises(ApplicationError) as failure:
        triage(stage, model.url)
    assert failure.value.type == "AgentOutputInvalid"
    assert len(model.received) == 1 + stage.policy.autopilot.agents.repair_attempts
    assert not stage.bench.control.state.budget.reservations


@pytest.mark.parametrize(
    ("move", "decision", "words"),
    [
        (Move(refuse="I would rather not."), Decision.DENY, "refused: m-1: the model refused"),
        (Move(say="{", length=True), Decision.DENY, "length: m-1"),
        (Move(say="{", cut=True), Decision.DENY, "cut: m-1"),
        (Move(status=429, retry_after="7"), Decision.HOLD, "rate_limited: m-1"),
        (Move(status=401), Decision.HOLD, "unauthorised: m-1"),
        (Move(status=503), Decision.HOLD, "endpoint_down: m-1"),
    ],
)
def test_each_end_is_told_apart_and_never_a_yes(move: Move, decision: Decision, words: str, stage: Stage) -> None:
    """One exchange, nothing left reserved, the record kept, the reason in the verdict."""
    with ScriptedModel([move]) as model:
        result = triage(stage, model.url)
    assert (result.verdict.decision, words in result.verdict.reason) == (decision, True), result.verdict.reason
    assert len(model.received) == 1
    if move.retry_after:
        assert result.verdict.facts[FORGE_RESTS] == 7
    assert not stage.bench.control.state.budget.reservations
    (kept,) = [ref.name for ref in result.handover.output_artifacts if ref.name.endswith("Z.json")]
    assert stage.kept_json(kept)["outcome"] == result.verdict.facts["outcome"]
