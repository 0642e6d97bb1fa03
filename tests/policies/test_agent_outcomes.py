"""How an agent's work ended: every row of the design's table, in its order."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest

from contracts.budget import FITS_THE_BUDGET
from contracts.exchange import WAITS, AgentOutcome, Ending, Exchange
from contracts.forge_facts import FORGE_RESTS
from contracts.verdict import Decision
from policies.agents.outcome import Stop, Work, halting, judge_ended, outcome_of

DONE, NOTHING = AgentOutcome.DONE, AgentOutcome.NOTHING_DONE


def exchanges(*endings: Ending, **more) -> list[Exchange]:
    """So many, in this order; ``more`` is of the last."""
    at = datetime(2026, 3, 2, tzinfo=UTC)
    made = [Exchange(number=n, at=at, model="m", dialect="chat", ending=each) for n, each in enumerate(endings, 1)]
    return [*made[:-1], made[-1].model_copy(update=more)] if made else []


@pytest.mark.parametrize("changed", [False, True])
@pytest.mark.parametrize("exit_code", [0, 1, 145])
@pytest.mark.parametrize(
    ("ending", "outcome"),
    [
        (Ending.PAUSED, AgentOutcome.PAUSED),
        (Ending.OVER_BUDGET, AgentOutcome.BUDGET),
        (Ending.UNPRICED, AgentOutcome.BUDGET),
        (Ending.SPENT, AgentOutcome.SPENT),
        (Ending.RATE_LIMITED, AgentOutcome.RATE_LIMITED),
        (Ending.UNAUTHORISED, AgentOutcome.UNAUTHORISED),
        (Ending.UNREACHABLE, AgentOutcome.ENDPOINT_DOWN),
        (Ending.REFUSAL, AgentOutcome.REFUSED),
        (Ending.LENGTH, AgentOutcome.LENGTH),
        (Ending.CUT, AgentOutcome.CUT),
        (Ending.FAILED, AgentOutcome.CUT),
    ],
)
def test_the_wire_decides_before_the_exit(ending: Ending, outcome: AgentOutcome, exit_code: int, changed: bool) -> None:
    """Whatever the program says by its status, and whatever it left."""
    work = Work(exchanges(Ending.TOOL, ending), changed, exit_code)
    assert outcome is outcome_of(work).outcome
    assert (ending in {Ending.SPENT, Ending.REFUSAL, Ending.LENGTH, Ending.CUT, Ending.FAILED}) is (
        outcome not in WAITS
    )


@pytest.mark.parametrize(
    ("work", "outcome", "words"),
    [
        (Work(exchanges(Ending.SAID), True, 0), DONE, "after 1 exchange"),
        (Work(exchanges(Ending.TOOL), True, 1), DONE, ""),
        (Work((), True, 0), DONE, "0 exchanges"),
        (Work(exchanges(Ending.SAID), False, 0), NOTHING, "it changed nothing"),
        (Work((), False, 0), NOTHING, "it asked no model"),
        (Work(exchanges(Ending.FORBIDDEN, reason="gpt-x is not allowed"), False, 0), NOTHING, "gpt-x is not allowed"),
        (Work(exchanges(Ending.REJECTED, reason="bad field"), False, 1), AgentOutcome.CRASHED, "status 1 .* bad field"),
        (Work(exchanges(Ending.SAID), False, 1), AgentOutcome.CRASHED, "status 1 and changed nothing$"),
        (Work(exchanges(Ending.SAID), True, 137), AgentOutcome.CRASHED, "signal \\(9\\)"),
        (Work(exchanges(Ending.SAID), True, None), AgentOutcome.CRASHED, "by a signal"),
        (Work(exchanges(Ending.SAID), True, None, "memory"), AgentOutcome.CRASHED, "memory"),
        (Work(exchanges(Ending.SAID), True, None, "output"), AgentOutcome.CRASHED, "output"),
        (Work(exchanges(Ending.SAID), True, None, "files"), AgentOutcome.CRASHED, "files"),
        (Work(exchanges(Ending.SAID), True, None, "timeout"), AgentOutcome.DEADLINE, "time was over"),
        (Work(exchanges(Ending.REFUSAL), True, stopped=Stop.DEADLINE), AgentOutcome.DEADLINE, ""),
        (Work(exchanges(Ending.CUT), True, stopped=Stop.NO_PROGRESS), AgentOutcome.NO_PROGRESS, ""),
        (Work(exchanges(Ending.SAID), False, 0, stopped=Stop.SAME), AgentOutcome.NO_PROGRESS, "when it was refused"),
        (Work(exchanges(Ending.PAUSED), True, stopped=Stop.DEADLINE), AgentOutcome.PAUSED, ""),
        (Work(exchanges(Ending.REFUSAL, reason="no"), True, None, "memory"), AgentOutcome.REFUSED, "refused: no"),
    ],
)
def test_the_rest_of_the_order(work: Work, outcome: AgentOutcome, words: str) -> None:
    """Our clock, the last answer, a crash, an unchanged tree, done."""
    told = outcome_of(work)
    assert outcome is told.outcome
    assert re.search(words, told.reason), told.reason


def test_an_agent_that_went_on_is_judged_by_how_it_went_on() -> None:
    """A side request that met a limit ends nothing, and a request that is cut with the agent is no going on."""
    limited = exchanges(Ending.RATE_LIMITED, retry_after=7.0)
    assert (AgentOutcome.RATE_LIMITED, 7.0) == (
        outcome_of(Work(limited, True, 0)).outcome,
        outcome_of(Work(limited, True, 0)).retry_after,
    )
    assert DONE is outcome_of(Work([*limited, *exchanges(Ending.SAID)], True, 0)).outcome
    assert halting([*limited, *exchanges(Ending.TOOL)]) is None
    paused = [*exchanges(Ending.TOOL, Ending.PAUSED), *exchanges(Ending.CUT)]
    assert AgentOutcome.PAUSED is outcome_of(Work(paused, True, None)).outcome


@pytest.mark.parametrize("outcome", [each for each in AgentOutcome if each is not DONE])
def test_no_end_but_done_is_a_yes(outcome: AgentOutcome) -> None:
    """What passes by itself or by a person's hand is waited for; the rest is a no. Each says what it was."""
    said = judge_ended(outcome, "why", None)
    assert said.decision is (Decision.HOLD if outcome in WAITS else Decision.DENY)
    assert said.reason.startswith(f"{outcome.value}: why")
    assert (said.rule == FITS_THE_BUDGET) is (outcome is AgentOutcome.BUDGET)


@pytest.mark.parametrize(("told", "rests"), [(None, 60.0), (7.0, 7.0), (0.0, 1.0), (1e9, 3600.0), (-5.0, 1.0)])
def test_a_provider_that_limits_the_rate_is_asked_when_it_said(told: float | None, rests: float) -> None:
    """Within reason: no answer of theirs stops a run for days."""
    assert judge_ended(AgentOutcome.RATE_LIMITED, "429", told).facts[FORGE_RESTS] == rests
    assert FORGE_RESTS not in judge_ended(AgentOutcome.ENDPOINT_DOWN, "503", told).facts
