"""How an agent's work ended: every row of the design's table, in its order."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest

from contracts.exchange import WAITS, AgentOutcome, Ending, Exchange
from policies.agents.outcome import Stop, Work, halting, outcome_of

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
    assert (ending in {Ending.REFUSAL, Ending.LENGTH, Ending.CUT, Ending.FAILED}) is (outcome not in WAITS)


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
