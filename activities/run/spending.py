"""Around the work of an agent step: reserve its worst case, measure, settle what it really cost (P9)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from temporalio import activity

from contracts import messages
from contracts.budget import Amounts, ReserveRequest, SettleCost
from policies.counted import shortened
from policies.run.caps import budget_terms, worst_case
from ports.agents import Agent, Brief, Meter
from ports.control_desk import ControlUnavailable
from ports.crashpoints import crashpoint

if TYPE_CHECKING:
    from activities.step_session import StepSession
    from contracts.handover import StepResult


@dataclass
class CostMeter:
    """What one attempt of one step has spent so far."""

    usd: float = 0.0
    tokens: int = 0
    seconds: float = 0.0
    """In which an agent was at work, by our clock."""
    unknown: list[str] = field(default_factory=list)

    @contextmanager
    def question(self) -> Iterator[Meter]:
        """One question to an agent, also when it fails."""
        meter, began = Meter(), time.monotonic()
        try:
            yield meter
        finally:
            self.seconds += time.monotonic() - began
            if meter.unknown:
                self.unknown.append(meter.unknown)
            self.usd += meter.usd
            self.tokens += meter.tokens


@dataclass(frozen=True)
class MeteredAgent:
    """An agent whose every question has a meter; without an answer on it, its cost is unknown."""

    agent: Agent
    meter: CostMeter

    @property
    def name(self) -> str:
        """The agent's own."""
        return self.agent.name

    def answer(self, brief: Brief) -> str:
        """As the agent does."""
        with self.meter.question() as meter:
            return self.agent.answer(replace(brief, meter=meter))


def spend(session: StepSession, work: Callable[[StepSession], StepResult], worst: Amounts | None = None) -> StepResult:
    """Do the work if its worst case could be reserved; else the run waits exactly here (HOLD).

    ``worst`` is stated by who asks no agent; else it is what the charter says of the role.
    A retry after a crash asks under the same key as another attempt: Control books the lost one and goes on.
    """
    info = activity.info()
    key = f"{session.run.run_id}/{session.step}"
    attempt = f"{info.workflow_run_id}/{info.activity_id}/{info.attempt}"
    request = ReserveRequest(
        run_id=session.run.run_id,
        key=key,
        attempt=attempt,
        worst=worst or worst_case(session.policy, session.role),
        terms=budget_terms(session.policy),
    )
    answer = session.bench.control.ask(session.run.target, messages.RESERVE, request)
    if not answer.reserved:
        return session.done(answer.verdict)
    crashpoint("spend.after_reserve")
    try:
        result = work(session)
    except BaseException:
        try:
            _settle(session, key, attempt)
        except ControlUnavailable as problem:
            # What went wrong is worth more than this: the next attempt, or the run's end, books it at the worst case.
            activity.logger.warning("the cost of %s could not be settled: %s", key, problem)
        raise
    crashpoint("spend.before_settle")
    _settle(session, key, attempt)
    crashpoint("spend.after_settle")
    return result


def _settle(session: StepSession, key: str, attempt: str) -> None:
    meter = session.meter
    minutes = round(meter.seconds / 60, 6)
    cost = None if meter.unknown else Amounts(usd=round(meter.usd, 6), tokens=meter.tokens, agent_minutes=minutes)
    note = shortened("; ".join(dict.fromkeys(meter.unknown)), 500)
    said = SettleCost(key=key, attempt=attempt, cost=cost, agent_minutes=minutes, note=note)
    session.bench.control.ask(session.run.target, messages.SETTLE_COST, said)
