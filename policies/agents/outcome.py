"""How an agent's work ended, told from the wire, the tree and the clock, never from its own words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from contracts.budget import FITS_THE_BUDGET
from contracts.exchange import WAITS, AgentOutcome, AgentProgress, Ending, Exchange
from contracts.forge_facts import FORGE_RESTS
from contracts.verdict import Verdict
from policies.counted import counted, shortened
from policies.verdicts import deny, hold

AGENT_IS_DONE = "the agent is done"
TO_MEND = ". To mend it: "
_LONGEST_REASON = 1000


class Stop(StrEnum):
    """Why we ended it."""

    DEADLINE = "deadline"
    NO_PROGRESS = "no_progress"
    SAME = "same"
    """It left what was refused before as it was."""


@dataclass(frozen=True)
class Work:
    """One attempt, as we saw it."""

    exchanges: Sequence[Exchange]
    """In the order in which they ended."""
    changed: bool
    """Whether the tree is another than it began from, or an answer is there."""
    exit_code: int | None = None
    """128 and above: a signal. None: it was killed."""
    killed_for: str = ""
    """As of ``ports.sandbox.CommandResult``."""
    stopped: Stop | None = None


@dataclass(frozen=True)
class Ended:
    """An outcome, in one sentence."""

    outcome: AgentOutcome
    reason: str
    retry_after: float | None = None
    """Seconds; of RATE_LIMITED, where the provider named them."""


_HALTS = {
    Ending.PAUSED: AgentOutcome.PAUSED,
    Ending.OVER_BUDGET: AgentOutcome.BUDGET,
    Ending.UNPRICED: AgentOutcome.BUDGET,
    Ending.SPENT: AgentOutcome.SPENT,
    Ending.RATE_LIMITED: AgentOutcome.RATE_LIMITED,
    Ending.UNAUTHORISED: AgentOutcome.UNAUTHORISED,
    Ending.UNREACHABLE: AgentOutcome.ENDPOINT_DOWN,
}
"""What no asking again mends: the gateway has tried again already where that could help."""
_FAILED = {
    Ending.REFUSAL: (AgentOutcome.REFUSED, "the model refused"),
    Ending.LENGTH: (AgentOutcome.LENGTH, "the model's answer reached its limit of output tokens"),
    Ending.CUT: (AgentOutcome.CUT, "the model's answer was cut"),
    Ending.FAILED: (AgentOutcome.CUT, "the provider failed in the middle of its answer"),
}
_ANSWERED = frozenset({Ending.TOOL, Ending.SAID, Ending.LENGTH, Ending.REFUSAL, Ending.FAILED})
_SIGNAL = 128


def halting(exchanges: Sequence[Exchange]) -> Exchange | None:
    """The exchange after which an agent is ended at once: nothing was answered since; None: it may go on.

    What was under way beside it and is cut with the agent is no answer.
    """
    for exchange in reversed(exchanges):
        if exchange.ending in _ANSWERED:
            return None
        if exchange.ending in _HALTS:
            return exchange
    return None


def progress(agent: str, exchanges: Sequence[Exchange]) -> dict[str, Any]:
    """For the heartbeats (``AgentProgress``), as of now."""
    tools = [tool for each in exchanges for tool in each.tools]
    return AgentProgress(
        agent=agent,
        exchanges=len(exchanges),
        tokens=sum(each.tokens_in + each.tokens_out for each in exchanges),
        usd=round(sum(each.usd for each in exchanges), 6),
        tool=tools[-1] if tools else "",
        since=datetime.now(UTC).replace(microsecond=0),
    ).model_dump(mode="json")


def outcome_of(work: Work) -> Ended:
    """Type the end of an attempt.

    Rules, in order: what the gateway did not let through or could not get · our clock · how the last answer ended ·
    a crash · an unchanged tree · done. The exit status decides only between a crash and nothing done, where nothing
    was changed: nine of twelve agents exit 0 with nothing done.
    """
    if halt := halting(work.exchanges):
        return Ended(_HALTS[halt.ending], _why(halt), halt.retry_after)
    if work.stopped is Stop.NO_PROGRESS:
        return Ended(AgentOutcome.NO_PROGRESS, "it neither wrote anything nor asked a model for too long")
    if work.stopped is Stop.SAME:
        return Ended(AgentOutcome.NO_PROGRESS, "it left the change as it was when it was refused")
    if work.stopped is Stop.DEADLINE or work.killed_for == "timeout":
        return Ended(AgentOutcome.DEADLINE, "its time was over before it was done")
    last = work.exchanges[-1] if work.exchanges else None
    if last and last.ending in _FAILED:
        outcome, words = _FAILED[last.ending]
        return Ended(outcome, f"{words}: {last.reason}" if last.reason else words)
    if crash := _crash(work):
        return Ended(AgentOutcome.CRASHED, f"{crash}{_asked(work.exchanges)}")
    if not work.changed:
        return Ended(AgentOutcome.NOTHING_DONE, f"it changed nothing{_asked(work.exchanges)}")
    return Ended(AgentOutcome.DONE, f"it is done after {counted(len(work.exchanges), 'exchange')} with a model")


_ADVICE = {
    AgentOutcome.NOTHING_DONE: "read why in its transcript, say the task in more detail, or let another agent code",
    AgentOutcome.REFUSED: "read why in its transcript; say the task otherwise, or let another model code",
    AgentOutcome.LENGTH: "raise the role's output_tokens in charter.toml",
    AgentOutcome.CUT: "run it again; if it stays so, see what the provider says of it",
    AgentOutcome.DEADLINE: "raise the role's minutes in charter.toml",
    AgentOutcome.NO_PROGRESS: "read in its transcript where it stood still, or let another agent code",
    AgentOutcome.CRASHED: "read its output beside the transcript; `starter.py charter check` says whether it starts",
    AgentOutcome.UNAUTHORISED: "renew the key that key_variable of charter.toml names, and start the worker with it",
    AgentOutcome.BUDGET: "see `starter.py budget show`: raise the cap, state the cost, or wait for the next period",
    AgentOutcome.SPENT: "raise the role's usd and tokens in charter.toml; the next run goes on from what was kept",
    AgentOutcome.ENDPOINT_DOWN: "see whether the provider of charter.toml is up, and reachable from here",
}
_UNNAMED_REST, _LONGEST_REST = 60.0, 3600.0
"""Seconds, where a provider limits the rate and names no time, or names one without end."""


def judge_ended(outcome: AgentOutcome, reason: str, retry_after: float | None) -> Verdict:
    """What a step makes of an agent that is not done: wait and ask again (HOLD), or no. Never yes."""
    shown = shortened(f"{outcome.value}: {reason}", _LONGEST_REASON)
    advice = f"{TO_MEND}{_ADVICE[outcome]}" if outcome in _ADVICE else ""
    if outcome not in WAITS:
        return deny(AGENT_IS_DONE, shown + advice, outcome=outcome.value)
    rule = FITS_THE_BUDGET if outcome is AgentOutcome.BUDGET else AGENT_IS_DONE
    if outcome is AgentOutcome.RATE_LIMITED:
        rests = min(_LONGEST_REST, max(1.0, _UNNAMED_REST if retry_after is None else retry_after))
        return hold(rule, f"{shown}. The run goes on by itself", outcome=outcome.value, **{FORGE_RESTS: rests})
    return hold(rule, shown + advice, outcome=outcome.value)


def not_done(title: str, reason: str) -> str:
    """What a person would say where ``judge_ended`` ended the run; empty: something else did.

    ``title``: of the task, empty if the run got to none.
    """
    code, _, rest = reason.partition(": ")
    if code not in set(AgentOutcome) - WAITS:
        return ""
    told, mend, advice = rest.partition(TO_MEND)
    who, _, what = told.partition(": ")
    why = f"{what} ({who})" if what else who
    return f"The agent did not get {f'“{title}”' if title else 'its part'} done: {why}{mend}{advice.rstrip('.')}."


def _crash(work: Work) -> str:
    if work.killed_for:
        return f"it was ended for its {work.killed_for}"
    status = work.exit_code
    if status is None or status >= _SIGNAL:
        return "it was ended by a signal" + ("" if status is None else f" ({status - _SIGNAL})")
    return f"it ended with status {status} and changed nothing" if status and not work.changed else ""


def _asked(exchanges: Sequence[Exchange]) -> str:
    if not exchanges:
        return "; it asked no model"
    last = exchanges[-1]
    return "" if last.ending in _ANSWERED else f"; its last request was {_why(last)}"


def _why(exchange: Exchange) -> str:
    return f"{exchange.ending.value}: {exchange.reason}" if exchange.reason else exchange.ending.value
