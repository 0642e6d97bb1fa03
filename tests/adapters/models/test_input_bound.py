"""What is reserved for a request is no less than it can be read as (P9), and a usual budget still allows work."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from adapters.models.gateway import open_gateway
from adapters.models.input_bound import Counted
from contracts.exchange import Ending
from contracts.modes import Role
from demo.scripted_model import Move, ScriptedModel
from tests.activities.test_purse import Desk, priced, purse
from tests.adapters.models.gateways import PATHS, TOOLS, ask, body_of, gateway, raw_ask, scripted


def bound(body: Any, counted: Counted | None = None) -> int:
    """Of a request, in tokens."""
    return (counted or Counted()).at_most(body, json.dumps(body, ensure_ascii=False).encode())


def talk(*said: str, **more: Any) -> dict[str, Any]:
    """A conversation."""
    return {"model": "small", "messages": [{"role": "user", "content": text} for text in said], **more}


DENSE = "𒀀𒀁𒀂" * 500
"""A token for each byte, in every vocabulary that has no cuneiform."""


def test_dense_text_is_no_less_than_its_bytes(tmp_path: Path) -> None:
    """By the gateway, on the wire; a third of the bytes was no bound."""
    dense = Move(say="x", usage=(len(DENSE.encode()), 50))
    with scripted(dense) as model, gateway(tmp_path, model.url) as (opened, wallet):
        raw_ask(opened.socket, PATHS["chat"], json.dumps(body_of("chat", text=DENSE), ensure_ascii=False).encode())
    assert wallet.reserved[0].tokens >= len(DENSE.encode()) + 50
    [settled] = wallet.settled.values()
    assert settled.usd <= wallet.reserved[0].usd


def test_what_was_counted_before_is_not_counted_by_bytes() -> None:
    """A conversation that goes on: its beginning as counted, a byte a token for what is new."""
    counted, first, more = Counted(), talk("a" * 4000), "b" * 100
    counted.learn(first, 1000)
    grown = talk("a" * 4000, more)
    assert 1000 + 100 <= bound(grown, counted) < 1000 + 200
    counted.learn(grown, 1025)
    assert 1025 <= bound(talk("a" * 4000, more, "c"), counted) < 1100
    # What is told twice counts once, at the least.
    counted.learn(first, 5000)
    assert bound(first, counted) == 1000


@pytest.mark.parametrize(
    "other",
    [
        talk("a" * 3999 + "b", "x"),
        talk("x", "a" * 4000),
        talk("a" * 4000, "x", system="s"),
        talk("a" * 4000, "x", model="large"),
        talk("a" * 4000, "x", tools=[TOOLS["chat"]]),
        {"model": "small", "input": [{"role": "user", "content": "a" * 4000}]},
    ],
)
def test_another_beginning_counts_by_bytes(other: Any) -> None:
    """Another word, another order, another system, model, tool."""
    counted = Counted()
    counted.learn(talk("a" * 4000), 1000)
    assert bound(other, counted) >= 4000


def test_the_mark_of_a_cache_moves_on() -> None:
    """Agents set it anew with each request, at another place."""
    counted = Counted()
    part = {"type": "text", "text": "a" * 4000, "cache_control": {"type": "ephemeral"}}
    counted.learn({"messages": [{"role": "user", "content": [part]}]}, 1000)
    bare = {"type": "text", "text": "a" * 4000}
    assert bound({"messages": [{"role": "user", "content": [bare]}, {"role": "user", "content": "x"}]}, counted) < 1100


@pytest.mark.parametrize(
    ("part", "least"),
    [
        ({"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}, 50_000),
        ({"type": "input_image", "image_url": "data:image/png;base64,AA=="}, 50_000),
        ({"type": "document", "source": {"type": "base64", "data": "AA=="}}, 1_000_000),
        ({"type": "tool_result", "content": [{"type": "image", "source": {"data": "AA=="}}]}, 50_000),
    ],
)
def test_what_is_not_read_by_bytes(part: Any, least: int) -> None:
    """A picture of one colour has few bytes and many tokens; also where only it is new."""
    counted, first = Counted(), talk("a")
    counted.learn(first, 5)
    body = talk("a")
    body["messages"].append({"role": "user", "content": [part]})
    assert bound(body) >= least
    assert bound(body, counted) >= least
    called = talk("a")
    called["messages"].append({"role": "assistant", "tool_calls": [{"function": {"arguments": json.dumps(part)}}]})
    assert bound(called) < 1000


def test_a_usual_budget_still_lets_an_agent_work(tmp_path: Path) -> None:
    """Twenty-five exchanges, 60 KB of instructions and 4 KB more each time, in what the guide gives a coding agent."""
    body = {**body_of("chat"), "tools": [TOOLS["chat"]], "messages": [{"role": "system", "content": "i" * 60_000}]}

    def decide(received: Any, _before: int) -> Move:
        return Move(say="x", usage=(len(json.dumps(received)) // 4, 200))

    desk = Desk()
    assert desk.books.admit("w1", again=True)
    with ScriptedModel(decide=decide) as model:
        said = priced(model.url, usd=3.0, tokens=800_000)
        with open_gateway(said, Role.CODING, purse(desk, "demo-2026-03-02-pr-1", said), tmp_path) as opened:
            for _ in range(25):
                body["messages"].append({"role": "user", "content": "o" * 4000})
                ask(opened.socket, "chat", tools=body["tools"], messages=body["messages"])
    endings = [each.ending for each in opened.exchanges]
    assert [Ending.SAID] * 25 == endings, opened.exchanges[-1].reason
    assert sum(each.usd for each in opened.exchanges) < 3
