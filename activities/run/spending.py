"""Around the work of an agent step: reserve its worst case, measure, settle what it really cost (P9)."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Protocol, TypeVar

from temporalio import activity

from contracts import messages
from contracts.budget import EVERY_COST_IS_KNOWN, MAY_ASK, ROLE_HAS_ROOM, Amounts, ReserveRequest, SettleCost
from contracts.exchange import Ending
from contracts.handover import RunRef, StepResult
from contracts.modes import Role, StepName
from contracts.verdict import Decision, Verdict
from policies.counted import shortened
from policies.run.caps import budget_terms, held_for_step, worst_case
from policies.settings.charter import PAID_BY_EXCHANGE
from policies.settings.schema import EffectivePolicy
from ports.agents import Agent, Brief, Meter
from ports.control_desk import ControlDesk, ControlUnavailable
from ports.crashpoints import crashpoint
from ports.models import NotReserved, Purse, Reserved


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
    purse: Purse | None = None
    keep: Callable[[str, bytes, str], None] = field(default=lambda _name, _body, _media_type: None)
    tell: Callable[..., None] = field(default=lambda **_progress: None)

    @property
    def name(self) -> str:
        """The agent's own."""
        return self.agent.name

    def answer(self, brief: Brief) -> str:
        """As the agent does."""
        with self.meter.question() as meter:
            metered = replace(brief, meter=meter, purse=self.purse, keep=self.keep, tell=self.tell)
            return self.agent.answer(metered)


class Payer(Protocol):
    """What of a step's session its money is about."""

    policy: EffectivePolicy
    role: Role
    step: StepName
    meter: CostMeter

    @property
    def run(self) -> RunRef:
        """Of which run."""

    @property
    def control(self) -> ControlDesk:
        """Who keeps the money."""

    def done(self, verdict: Verdict) -> StepResult:
        """How the step ends, where nothing could be reserved."""


Session = TypeVar("Session", bound=Payer)


class RunPurse:
    """ports.models.Purse: Control's money, exchange by exchange, and no more than the charter gives the step's role.

    All of it is judged by Control, one question after the other, so threads, attempts and turns share one budget.
    """

    def __init__(self, session: Payer) -> None:
        self._target, self._control = session.run.target, session.control
        worst = worst_case(session.policy, session.role)
        self._step = ReserveRequest(
            run_id=session.run.run_id,
            key=_key(session),
            attempt=_attempt(),
            worst=worst,
            terms=budget_terms(session.policy),
            exchange=True,
            step_most=worst,
        )
        self._numbers = itertools.count(1)

    def reserve(self, worst: Amounts) -> Reserved | NotReserved:
        """Under ``run/step-n``: the key of no other exchange of this attempt."""
        key = f"{self._step.key}-{next(self._numbers)}"
        crashpoint("exchange.before_reserve")
        request = self._step.model_copy(update={"key": key, "worst": worst})
        answer = self._control.ask(self._target, messages.RESERVE, request)
        crashpoint("exchange.after_reserve")
        return Reserved(key) if answer.reserved else NotReserved(_ending(answer.verdict), answer.verdict.reason)

    def settle(self, reserved: Reserved, cost: Amounts | None, note: str = "") -> None:
        """By the same key and attempt."""
        crashpoint("exchange.before_settle")
        report = SettleCost(key=reserved.key, attempt=self._step.attempt, cost=cost, note=shortened(note, 500))
        self._control.ask(self._target, messages.SETTLE_COST, report)
        crashpoint("exchange.after_settle")


def purse_of(session: Payer) -> Purse | None:
    """None: the role's backend asks no model, or pays all at once."""
    role_policy = session.policy.charter.roles.get(session.role)
    return RunPurse(session) if role_policy is not None and role_policy.backend in PAID_BY_EXCHANGE else None


def _ending(verdict: Verdict) -> Ending:
    if verdict.rule == MAY_ASK or verdict.decision is Decision.DENY:
        return Ending.PAUSED
    rules = {child.rule for child in verdict.children}
    if ROLE_HAS_ROOM in rules:
        return Ending.SPENT
    return Ending.UNPRICED if EVERY_COST_IS_KNOWN in rules else Ending.OVER_BUDGET


def _key(session: Payer) -> str:
    return f"{session.run.run_id}/{session.step}"


def _attempt() -> str:
    info = activity.info()
    return f"{info.workflow_run_id}/{info.activity_id}/{info.attempt}"


def spend(session: Session, work: Callable[[Session], StepResult], worst: Amounts | None = None) -> StepResult:
    """Do the work if its worst case could be reserved; else the run waits exactly here (HOLD).

    ``worst`` is stated by who asks no agent; else it is what the charter says of the role.
    A retry after a crash asks under the same key as another attempt: Control books the lost one and goes on.
    """
    key, attempt = _key(session), _attempt()
    request = ReserveRequest(
        run_id=session.run.run_id,
        key=key,
        attempt=attempt,
        worst=worst or held_for_step(session.policy, session.role),
        terms=budget_terms(session.policy),
    )
    answer = session.control.ask(session.run.target, messages.RESERVE, request)
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


def _settle(session: Payer, key: str, attempt: str) -> None:
    meter = session.meter
    minutes = round(meter.seconds / 60, 6)
    cost = None if meter.unknown else Amounts(usd=round(meter.usd, 6), tokens=meter.tokens, agent_minutes=minutes)
    note = shortened("; ".join(dict.fromkeys(meter.unknown)), 500)
    report = SettleCost(key=key, attempt=attempt, cost=cost, agent_minutes=minutes, note=note)
    session.control.ask(session.run.target, messages.SETTLE_COST, report)
