"""Agents' threads of requests, with faults, through gateway, purse and Control's ledger: each is paid, once (P9)."""

from __future__ import annotations

import json
import os
import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from temporalio.testing import ActivityEnvironment

from activities.run.spending import RunPurse, purse_of
from adapters.models.gateway import Gateway, open_gateway
from contracts.budget import Amounts, CostStatement
from contracts.exchange import Ending
from contracts.messages import RESERVE, SETTLE_COST
from contracts.modes import Role
from demo.scripted_model import Move, Received, ScriptedModel
from policies.settings.charter import Charter
from ports.models import NotReserved, Reserved
from tests.adapters.models.gateways import DIALECTS, PRICE, TOOLS, ask
from tests.policies.sample_policy import policy
from tests.workflows.books import Books
from tests.workflows.money import terms
from workflows.control import budget

CAPS = {"usd_per_run": 1e6, "usd_per_day": 1e6, "usd_per_week": 1e6, "usd_per_month": 1e6}
CAPS |= {name.replace("usd", "tokens"): 10**9 for name in CAPS}
STATED = Amounts(usd=0.01, tokens=7)
"""What the person says of a cost that nobody knows."""


@dataclass
class Desk:
    """Control's own rules, one question after the other, and a person who states what is unknown at once."""

    books: Books = field(default_factory=lambda: Books(terms=terms(), max_active=9, runs_per_day=99).opened())
    settled: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def ask(self, _target: str, message: Any, request: Any) -> Any:
        with self.lock:
            state, now = self.books.state, self.books.now
            if message.name == RESERVE.name:
                return budget.reserve(state, request, now)
            assert message.name == SETTLE_COST.name
            answer = budget.settle(state, request, now)
            assert answer.accepted, answer
            self.settled.append(f"{request.key}@{request.attempt}")
            if request.cost is None:
                said = CostStatement(key=request.key, cost=STATED, evidence="the bill", actor="ann")
                assert budget.state_cost(state, said, now).accepted
            return answer


def priced(url: str, backend: str = "model", **said: Any) -> Any:
    role = {"backend": backend, "provider": "scripted", "models": ["small"], "usd": 1e6, "tokens": 10**9, **said}
    charter = {
        "roles": {"coding": role},
        "providers": {"scripted": {"url": url, "retries": 2}},
        "prices": {"small": PRICE},
    }
    return policy({"caps": CAPS}).model_copy(update={"charter": Charter.model_validate(charter)})


def purse(desk: Any, run_id: str, said: Any) -> RunPurse:
    run = SimpleNamespace(run_id=run_id, target="demo")
    session: Any = SimpleNamespace(run=run, control=desk, step="code", role=Role.CODING, policy=said)
    made = ActivityEnvironment().run(lambda: purse_of(session))
    assert isinstance(made, RunPurse)
    return made


def faulty(chance: random.Random) -> Move:
    """An answer, more often than not a bad one."""
    kinds: list[Move] = [
        Move(say="Done."),
        Move(run="ls"),
        Move(say="x" * chance.randrange(400), usage=(chance.randrange(1, 200), chance.randrange(200))),
        Move(refuse="no"),
        Move(say="I was", length=True),
        Move(status=429, retry_after=chance.choice(["0", "0.01", "9999", ""])),
        Move(status=chance.choice([401, 400, 404, 500, 503, 529])),
        Move(say="cut", cut=True),
        Move(drop=True),
        Move(body="<html>"),
        Move(say="x", usage=None),
        Move(say="x", usage=chance.choice([(-5, 5), (10**9, 1), (0, 0), (float("nan"), 1), ("1", "2")])),
    ]
    return chance.choice(kinds)


def paid(each: Received) -> Amounts:
    """Of what the model saw and said, reckoned by another hand than the gateway's."""
    move, limit = each.move, next(value for name, value in each.body.items() if name.startswith("max_"))
    worst_in = each.size + 512
    rate = 3.75 if each.dialect == "messages" else 3.0
    worst = Amounts(usd=(worst_in * rate + limit * 15) / 1e6, tokens=worst_in + limit)
    if move.status != 200:
        return Amounts()
    if move.cut or move.drop or move.body:
        return worst
    usage = (1000, 50) if move.usage == "as scripted" else move.usage
    if usage is None or not all(type(number) is int for number in usage):
        # No JSON at all is no answer, so a cut one; in a stream of chunks it is one without a usage.
        garbage = usage is not None and any(isinstance(number, float) for number in usage)
        return STATED if not garbage or (each.dialect == "chat" and each.body.get("stream")) else worst
    into, out = usage
    if into < 1 or out < 0 or into > worst_in + 4096 or out > limit + 256:
        return STATED
    return Amounts(usd=(into * 3 + out * 15) / 1e6, tokens=into + out)


def test_what_control_booked_is_what_the_model_was_asked(tmp_path: Path) -> None:
    """N agents, each with threads of its own: 0 unpaid, 0 paid twice, whatever goes wrong. The seed is printed."""
    seed = int(os.environ.get("EXCHANGES_SEED") or time.time_ns() % 10**9)
    print("EXCHANGES_SEED", seed)
    desk, asked = Desk(), Counter[str]()
    opened: list[Gateway] = []

    def decide(body: Any, _before: int) -> Move:
        """By the question and how often it came: threads come in any order."""
        text = json.dumps(body.get("input") or body["messages"])
        asked[text] += 1
        return faulty(random.Random(f"{seed}/{text}/{asked[text]}"))  # noqa: S311

    def agent(number: int, url: str) -> None:
        run = f"demo-2026-03-02-pr-{number}"
        folder = tmp_path / run
        folder.mkdir()
        said = priced(url)
        with open_gateway(said, Role.CODING, purse(desk, run, said), folder) as gateway:
            opened.append(gateway)  # type: ignore[arg-type]

            def work(thread: int) -> None:
                one = random.Random(f"{seed}/{number}/{thread}")  # noqa: S311
                for at in range(5):
                    dialect = one.choice(DIALECTS)
                    more = {"max_tokens": one.randrange(300, 900)} if dialect != "responses" else {}
                    ask(
                        gateway.socket,
                        dialect,
                        stream=one.random() < 0.5,
                        tools=[TOOLS[dialect]],
                        text=f"{number}/{thread}/{at}",
                        **more,
                    )

            _side_by_side(work, [1, 2, 3])

    for number in (1, 2, 3):
        assert desk.books.admit(f"w{number}", again=True)
    with ScriptedModel(decide=decide) as model:
        _side_by_side(lambda number: agent(number, model.url), [1, 2, 3])
    book, sure = desk.books.state.budget, [paid(each) for each in model.received]
    total = sum((run.total for run in book.runs.values()), Amounts())
    assert total.tokens == sum(each.tokens for each in sure)
    assert total.usd == pytest.approx(sum(each.usd for each in sure), abs=2e-6 * len(sure))
    assert book.reservations == {}
    assert len(desk.settled) == len(set(desk.settled)) == sum(each.tries for gate in opened for each in gate.exchanges)
    assert len(model.received) == len(desk.settled)


def _side_by_side(work: Any, each: list[Any]) -> None:
    problems: list[BaseException] = []

    def kept(one: Any) -> None:
        try:
            work(one)
        except BaseException as problem:
            problems.append(problem)

    threads = [threading.Thread(target=kept, args=(one,)) for one in each]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert problems == []


def test_why_an_exchange_may_not_go_up() -> None:
    """Control's words, as the endings that agents' work is told by."""
    desk, said = Desk(), priced("http://127.0.0.1:9", usd=1.0)
    desk.books.admit("w1", again=True)
    mine = purse(desk, "demo-2026-03-02-pr-1", said)
    first = mine.reserve(Amounts(usd=0.9, tokens=5))
    assert first == Reserved("demo-2026-03-02-pr-1/code-1")
    over = mine.reserve(Amounts(usd=0.2, tokens=5))
    assert isinstance(over, NotReserved)
    assert (over.ending, "the role's usd: 0.9 spent or reserved" in over.reason) == (Ending.SPENT, True)
    desk.books.admit("w2", again=True)
    dear = purse(desk, "demo-2026-03-02-pr-2", priced("http://127.0.0.1:9")).reserve(Amounts(usd=1e6, tokens=5))
    assert isinstance(dear, NotReserved)
    assert (dear.ending, "caps.usd_per_day" in dear.reason) == (Ending.OVER_BUDGET, True)
    desk.books.pause()
    held = mine.reserve(Amounts(usd=0.01))
    assert held == NotReserved(Ending.PAUSED, "paused: target pause by ann: smoke in the room")
    desk.books.finish("demo-2026-03-02-pr-1")
    ended = mine.reserve(Amounts(usd=0.01))
    assert isinstance(ended, NotReserved)
    assert ended.ending is Ending.PAUSED


def test_an_unknown_cost_stops_what_comes_after() -> None:
    desk, said = Desk(), priced("http://127.0.0.1:9")
    desk.books.admit("w1", again=True)
    mine = purse(desk, "demo-2026-03-02-pr-1", said)
    first = mine.reserve(Amounts(usd=0.1))
    assert isinstance(first, Reserved)
    state = desk.books.state
    report = budget.money.SettleCost(key=first.key, attempt=mine._step.attempt, cost=None, note="no usage")
    assert budget.settle(state, report, desk.books.now).accepted
    after = mine.reserve(Amounts(usd=0.1))
    assert isinstance(after, NotReserved)
    assert after.ending is Ending.UNPRICED
    assert "starter.py budget state-cost demo demo-2026-03-02-pr-1/code-1" in after.reason


def test_tools_have_no_purse() -> None:
    session: Any = SimpleNamespace(policy=policy(), role=Role.CODING)
    assert purse_of(session) is None
