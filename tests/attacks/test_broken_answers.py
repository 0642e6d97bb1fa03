"""Answers that break their schema: asked again at most N times, kept, then a typed failure."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from temporalio.exceptions import ApplicationError

from activities.run.checking import CheckRunner
from activities.run.coding import Coding
from activities.run.planning import Planning
from activities.run.reviewing import Reviewing
from activities.run.triaging import Triaging
from contracts.exchange import AgentOutcome
from contracts.handover import StepInput, StepResult
from contracts.modes import Role
from contracts.verdict import Decision
from ports.agents import AgentStopped, Brief, InvalidAnswer
from tests.attacks.stage import PATH, RIGHT, TYPO, PlayedAgent, Stage, candidate, done

LISTED = {"runId": "x", "baseSha": "x", "candidates": [candidate().model_dump(mode="json")]}


def listed(**other: object) -> str:
    """A list of ideas, with one value changed."""
    return json.dumps(LISTED | {"candidates": [candidate().model_dump(mode="json") | other]})


NONSENSE = {
    "empty": "",
    "not JSON": "I fixed everything, trust me.",
    "JSON in prose": f"Here you are:\n```json\n{json.dumps(LISTED)}\n```",
    "two documents": f"{json.dumps(LISTED)}\n{json.dumps(LISTED)}",
    "wrong top": "[]",
    "wrong type": listed(confidence="very"),
    "out of range": listed(confidence=1.5),
    "NaN": listed(confidence=float("nan")),
    "NaN where no bounds are": listed(score=float("nan")),
    "infinite": listed(score=float("inf")),
    "infinite by digits": listed().replace('"score": 1.0', '"score": 1e999'),
    "missing fields": json.dumps({"runId": "x"}),
    "unknown fields": json.dumps(LISTED | {"approvedBy": "the owner"}),
    "10 MB": json.dumps(LISTED | {"runId": "x" * 10_000_000}),
    "a book in one field": listed(title="x" * 100_000),
    "deep": "[" * 100_000 + "]" * 100_000,
    "deep inside": listed().replace('"evidence": []', '"evidence": ' + "[" * 5000 + "]" * 5000),
    "lone surrogate": listed(title="\ud800"),
    "raw surrogate": '"\ud800"',
    "NUL": "\0",
    "number without end": listed().replace('"before": 2', '"before": ' + "9" * 100_000),
}


def triage(stage: Stage, agent: PlayedAgent) -> StepResult:
    """The step with the largest schema."""
    step = Triaging(stage.with_agent(agent), stage.adapters.index).triage
    return done(step, stage.given(("state_snapshot.json", stage.snapshot)))


def scripted(role: Role, *answers: str) -> PlayedAgent:
    """Gives one answer after the other, the last one for ever."""
    left = list(answers)
    return PlayedAgent({role: lambda brief: left.pop(0) if len(left) > 1 else left[0]})


@pytest.mark.parametrize("name", NONSENSE)
def test_broken_answer_fails_after_its_repairs_and_is_kept(name: str, stage: Stage) -> None:
    """Asked 1 + N times with the problem as feedback, then AgentOutputInvalid; every answer and try is on record."""
    agent = scripted(Role.TRIAGING, NONSENSE[name])
    with pytest.raises(ApplicationError) as failure:
        triage(stage, agent)

    most = 1 + stage.policy.autopilot.agents.repair_attempts
    assert ("AgentOutputInvalid", True) == (failure.value.type, failure.value.non_retryable)
    assert "played as triaging" in str(failure.value)
    assert most == len(agent.asked)
    assert ["", *[True] * (most - 1)] == ["" if not brief.feedback else True for brief in agent.asked]
    answers = [stage.kept(f"rejected_answers/triaging-{number}.txt") for number in range(1, most + 1)]
    assert all(NONSENSE[name][:1000].encode("utf-8", "replace") in answer for answer in answers)
    log = stage.kept("audit_log.jsonl").decode()
    assert most == log.count('"event":"answer rejected"')


def test_message_of_a_failure_stays_small(stage: Stage) -> None:
    """Temporal carries it: a 10 MB answer must not come back as the error about itself."""
    with pytest.raises(ApplicationError) as failure:
        triage(stage, scripted(Role.TRIAGING, NONSENSE["10 MB"]))
    assert 3000 > len(str(failure.value))


def test_one_repair_is_enough(stage: Stage) -> None:
    """Nonsense first, a valid answer second: the step goes on, and the first is kept."""
    agent = scripted(Role.TRIAGING, NONSENSE["NaN"], json.dumps(LISTED))
    result = triage(stage, agent)
    assert result.verdict.allowed
    assert [False, True] == [bool(brief.feedback) for brief in agent.asked]
    assert "rejected_answers/triaging-1.txt" in {ref.name for ref in result.handover.output_artifacts}


def test_an_answer_that_says_what_it_may_not_is_repaired_too(stage: Stage) -> None:
    """The right shape is not enough; the reason comes back as feedback, and the answer is kept."""

    def answer(brief: Brief) -> str:
        if not brief.feedback:
            raise InvalidAnswer("mine", "name only what is listed")
        assert brief.feedback == "name only what is listed"
        return json.dumps(LISTED)

    result = triage(stage, PlayedAgent({Role.TRIAGING: answer}))
    assert result.verdict.allowed
    assert stage.kept("rejected_answers/triaging-1.txt") == b"mine"


@pytest.mark.parametrize(
    ("outcome", "decision"), [(AgentOutcome.RATE_LIMITED, Decision.HOLD), (AgentOutcome.REFUSED, Decision.DENY)]
)
def test_an_agent_that_is_not_done_never_means_yes(outcome: AgentOutcome, decision: Decision, stage: Stage) -> None:
    """In any role: the run waits, or the step says no, with the reason; the cost is settled all the same."""

    def stopped(_brief: Brief) -> str:
        raise AgentStopped(outcome, "model m: it would not", 30.0)

    result = triage(stage, PlayedAgent({Role.TRIAGING: stopped}))
    assert (result.verdict.decision, result.verdict.reason.partition(".")[0]) == (
        decision,
        f"{outcome.value}: model m: it would not",
    )
    assert stage.bench.control.state.budget.reservations == {}


def plan(stage: Stage, agent: PlayedAgent) -> StepResult:
    given = stage.given(("state_snapshot.json", stage.snapshot), ("candidate_tasks.json", stage.candidates))
    return done(Planning(stage.with_agent(agent)).plan, given)


def code(stage: Stage, agent: PlayedAgent) -> StepResult:
    bench = stage.with_agent(agent)
    return done(Coding(bench, CheckRunner(bench.environments, bench.sandbox)).code, stage.to_code(stage.contract))


def review(stage: Stage, agent: PlayedAgent) -> StepResult:
    return done(Reviewing(stage.with_agent(agent)).review, after_coding(stage))


def after_coding(stage: Stage) -> StepInput:
    """The input of Review."""
    before = (("task_contract.json", stage.contract), ("state_snapshot.json", stage.snapshot))
    return stage.after(stage.code(lambda tree: None), *before)


STEPS: dict[Role, Callable[[Stage, PlayedAgent], StepResult]] = {
    Role.PLANNING: plan,
    Role.CODING: code,
    Role.REVIEW: review,
}


@pytest.mark.parametrize("role", STEPS)
def test_every_role_is_held_to_its_schema(role: Role, stage: Stage) -> None:
    """Planning, Coding and Review fail the same way."""
    with pytest.raises(ApplicationError, match=f"played as {role}") as failure:
        STEPS[role](stage, scripted(role, "nonsense"))
    assert "AgentOutputInvalid" == failure.value.type


def test_forged_ids_in_an_answer_are_replaced(stage: Stage) -> None:
    """P6: run, base and task ids are ours; a fresh id cannot slip past what is suppressed."""
    result = triage(stage, scripted(Role.TRIAGING, listed(taskId="x\n" * 1000)))
    kept = stage.kept_json("candidate_tasks.json")
    assert (stage.run.run_id, stage.base) == (kept["runId"], kept["baseSha"])
    assert [candidate().task_id] == [each["taskId"] for each in kept["candidates"]]
    assert result.verdict.facts["best"] == candidate().task_id


def flood_of_remarks(brief: Brief) -> str:
    """As much blocking as fits an answer."""
    remark = {"severity": "blocking", "path": None, "message": "no " * 1300}
    return json.dumps({"approve": False, "confidence": 1, "summary": "no", "remarks": [remark] * 900})


def test_flood_of_words_does_not_cross_temporal(stage: Stage) -> None:
    """A reviewer's 3 MB of remarks stay in the artifact: a step's result is small, or its run could not end."""
    result = STEPS[Role.REVIEW](stage, PlayedAgent({Role.REVIEW: flood_of_remarks}))
    assert not result.verdict.allowed
    assert 500_000 > len(result.model_dump_json())
    assert 900 == len(stage.kept_json("review_report.json")["remarks"])
    assert stage.kept_json("verdicts/review.json")["reason"].startswith("no no")


def mend(brief: Brief) -> str:
    assert brief.tree is not None
    file = brief.tree / PATH
    file.write_text(file.read_text().replace(TYPO, RIGHT))
    return json.dumps({"summary": "mended"})


@pytest.mark.parametrize("base", ["", "e" * 40])
def test_what_was_seen_of_another_base_is_no_measure(base: str, stage: Stage) -> None:
    """Nothing was found there: on this base that would leave nothing to improve; of another one it says nothing."""
    seen = {"findings": (), "base_sha": base or stage.base}
    given = stage.to_code(stage.contract, **seen)
    bench = replace(stage.with_agent(PlayedAgent({Role.CODING: mend})), measures=stage.bench.measures)
    result = done(Coding(bench, CheckRunner(bench.environments, bench.sandbox)).code, given)
    assert bool(base) is result.verdict.allowed


def test_the_played_coder_is_sound(stage: Stage) -> None:
    """The counterpart: with an honest answer each of these steps goes on."""
    good = json.dumps({"approve": True, "confidence": 1, "summary": "fine"})
    assert code(stage, PlayedAgent({Role.CODING: mend})).verdict.allowed
    assert plan(stage, scripted(Role.PLANNING, stage.contract.model_dump_json())).verdict.allowed
    assert review(stage, scripted(Role.REVIEW, good)).verdict.allowed
