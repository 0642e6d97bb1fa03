"""Pure parts: how answers are read, what tokens cost, what a transcript keeps."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from email.message import Message
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

from adapters.models import transcript
from adapters.models.asked import read_request
from adapters.models.dialects import DIALECTS, Reading, Usage, place_of
from adapters.models.input_bound import Counted
from adapters.models.prices import PriceList
from adapters.models.transcript import Transcript
from adapters.models.upstream import retry_after
from contracts.exchange import Ending, Exchange
from policies.settings.charter import Price, RolePolicy
from tests.adapters.models.gateways import KEY, PATHS, body_of

OPENAI, ANTHROPIC = "https://api.openai.com", "https://api.anthropic.com"


def read(dialect: str, *events: Any, whole: bool = False) -> Reading:
    reading, reader = Reading(), DIALECTS[PATHS[dialect]].reader
    for event in events:
        (reader.whole if whole else reader.event)(reading, event)
    return reading


def test_the_cache_of_messages_counts_with_the_input() -> None:
    """The usage comes in two parts: what the second does not say again stays."""
    begun = {"input_tokens": 10, "cache_read_input_tokens": 900, "cache_creation_input_tokens": 90, "output_tokens": 1}
    reading = read(
        "messages",
        {"type": "message_start", "message": {"usage": begun}},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 42}},
        {"type": "message_stop"},
    )
    assert reading.usage == Usage(1000, 42, cached=900, written=90)
    assert (reading.finished, reading.closed, reading.ending) == (True, True, Ending.SAID)


@pytest.mark.parametrize(
    ("dialect", "word", "ending"),
    [
        ("chat", "stop", Ending.SAID),
        ("chat", "content_filter", Ending.REFUSAL),
        ("chat", "length", Ending.LENGTH),
        ("chat", "function_call", Ending.TOOL),
        ("chat", "insufficient_system_resource", Ending.FAILED),
        ("chat", 7, Ending.FAILED),
        ("messages", "pause_turn", Ending.SAID),
        ("messages", "model_context_window_exceeded", Ending.LENGTH),
    ],
)
def test_a_word_for_the_end(dialect: str, word: Any, ending: Ending) -> None:
    choice = {"choices": [{"message": {}, "finish_reason": word}]}
    answer = choice if dialect == "chat" else {"type": "message", "stop_reason": word}
    assert read(dialect, answer, whole=True).ending is ending


def test_a_plain_end_with_a_call_is_a_call() -> None:
    """Some servers say "stop" although they want a tool run."""
    call = {"function": {"name": "bash", "arguments": "{}"}}
    reading = read("chat", {"choices": [{"message": {"tool_calls": [call]}, "finish_reason": "stop"}]}, whole=True)
    assert (reading.ending, reading.tools) == (Ending.TOOL, ("bash",))


def test_a_response_that_failed() -> None:
    failed = {"status": "failed", "error": {"message": "overloaded"}, "usage": None}
    reading = read("responses", {"type": "response.failed", "response": failed})
    assert (reading.ending, reading.finished, reading.usage, reading.text) == (
        Ending.FAILED,
        True,
        None,
        ["overloaded"],
    )
    filtered = {"status": "incomplete", "incomplete_details": {"reason": "content_filter"}}
    assert read("responses", filtered, whole=True).ending is Ending.REFUSAL


@pytest.mark.parametrize("dialect", PATHS)
@pytest.mark.parametrize(
    "event",
    [
        {},
        {"choices": 7, "response": [], "message": 3, "delta": "x", "type": "message_delta", "usage": "none"},
        {"choices": [None, {"delta": None}, {"delta": {"tool_calls": [{"function": 5}], "content": {}}}]},
        {"type": "response.completed", "response": {"status": 5, "output": [{"content": [7]}]}},
        {"type": "message_start", "message": {"usage": []}},
        {"type": "content_block_start", "content_block": {"type": "tool_use", "name": {}}},
    ],
)
def test_nonsense_is_read_as_nothing(dialect: str, event: Any) -> None:
    try:
        reading = read(dialect, event)
    except ValueError:
        return
    assert (reading.finished, reading.usage) == (False, None)


@pytest.mark.parametrize(
    ("url", "model", "usage", "usd"),
    [
        (OPENAI, "mine", Usage(1_000_000, 0), 2.0),
        (OPENAI, "mine", Usage(0, 1_000_000), 10.0),
        (OPENAI, "mine", Usage(1_000_000, 0, cached=500_000), 1.1),
        (OPENAI, "mine", Usage(1_000_000, 0, written=1_000_000), 2.5),
        (OPENAI, "plain", Usage(1_000_000, 0, cached=1_000_000), 1.0),
        (OPENAI, "plain", Usage(1, 0), 0.000001),
        (ANTHROPIC, "claude-sonnet-4-5", Usage(1000, 50, cached=100, written=100), 0.003555),
        (OPENAI, "gpt-5", Usage(1000, 50), 0.00175),
        (OPENAI, "claude-sonnet-4-5", Usage(1000, 50), None),
        ("http://127.0.0.1:8000", "gpt-5", Usage(1000, 50), None),
        (OPENAI, "no-such-model", Usage(1000, 50), None),
    ],
)
def test_what_tokens_cost(url: str, model: str, usage: Usage, usd: float | None) -> None:
    """The charter's price counts first; the list's is the provider's own, or none."""
    mine = {"mine": Price(input=2, output=10, cached_input=0.2), "plain": Price(input=1, output=1)}
    assert PriceList(mine, url).cost(model, usage) == usd


def test_a_price_of_the_charter_counts_before_the_list() -> None:
    assert PriceList({"gpt-5": Price(input=7, output=0)}, OPENAI).cost("gpt-5", Usage(1_000_000, 0)) == 7


@pytest.mark.parametrize("dialect", PATHS)
def test_the_worst_case_is_no_less_than_what_is_paid(dialect: str) -> None:
    role = RolePolicy(backend="model", models=("small",), output_tokens=500)
    row, place = DIALECTS[PATHS[dialect]], place_of(PATHS[dialect])
    assert place
    asked = read_request(json.dumps(body_of(dialect, text="x" * 3000)).encode(), place, role, Counted())
    prices = PriceList({"small": Price(input=3, output=15)}, OPENAI)
    worst = prices.worst(asked, row)
    assert worst is not None
    for usage in (
        Usage(asked.worst_in, 500),
        Usage(asked.worst_in, 500, written=asked.worst_in if dialect == "messages" else 0),
    ):
        assert prices.cost("small", usage) <= worst


@pytest.mark.parametrize(
    ("said", "seconds"),
    [("7", 7), ("0.5", 0.5), ("-3", 0), ("1e99", 604800), ("nan", None), ("soon", None), ("", None), ("date", 60)],
)
def test_how_long_to_wait(said: str, seconds: float | None) -> None:
    now = time.time()
    headers = Message()
    headers["Retry-After"] = formatdate(now + 60, usegmt=True) if said == "date" else said
    told = retry_after(headers, now)
    assert told == (pytest.approx(seconds, abs=1.1) if said == "date" else seconds)


def exchange(number: int) -> Exchange:
    return Exchange(number=number, at=datetime.now(UTC), model="small", dialect="chat", ending=Ending.SAID)


SECRETS = (
    KEY,
    "sk-" + "a1B2" * 8,
    "ghp_" + "x" * 36,
    "AKIA" + "ABCDEFGH12345678",
    "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA\nmore\n-----END RSA PRIVATE KEY-----",
)


@pytest.mark.parametrize("secret", SECRETS)
def test_a_transcript_has_no_secrets(secret: str) -> None:
    """Wherever they stand: in a text, a name, in arguments that are JSON within JSON."""
    kept = Transcript(KEY)
    inner = json.dumps({"command": f'export PASSWORD="hunter2hunter2"; echo {secret}'})
    sent = {"messages": [{"role": "user", "content": f"It is {secret}."}, {"tool_calls": [{"arguments": inner}]}]}
    kept.add(exchange(1), {**sent, "system": secret}, {"text": secret, secret: 1}, (secret,))
    body = kept.written().decode()
    assert secret not in json.loads(json.dumps(body))
    assert not any(line in body for line in secret.splitlines())
    assert "hunter2" not in body
    assert body.count("[secret]") >= 5


def test_a_transcript_keeps_what_is_new() -> None:
    """Agents send the whole conversation each time: kept whole it would grow by its square."""
    kept = Transcript("")
    said = [{"role": "user", "content": f"turn {n}"} for n in range(4)]
    kept.add(exchange(1), {"messages": said[:2]}, {"text": "a"}, ())
    kept.add(exchange(2), {"messages": said}, {"text": "b"}, ())
    first, second = map(json.loads, kept.written().splitlines())
    assert (first["again"], first["sent"]) == (0, said[:2])
    assert (second["again"], second["sent"]) == (2, said[2:])


def test_a_transcript_is_capped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transcript, "MOST", 100_000)
    kept = Transcript("")
    for number in range(8):
        kept.add(exchange(number), {"messages": [{"content": str(number) + "x" * 40_000}]}, {}, ())
    *lines, last = kept.written().splitlines()
    assert len(b"".join(lines)) < 100_000
    assert len(lines) + json.loads(last)["leftOut"] == 8
    huge = Transcript("")
    huge.add(exchange(1), {"messages": [{str(n): "y" * 30_000} for n in range(20)]}, {"text": "kept"}, ())
    [line] = map(json.loads, huge.written().splitlines())
    assert (line["cut"], line["answer"]) == (True, {"text": "kept"})


def test_the_price_list_asks_no_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import socket

    def none(*args: Any, **options: Any) -> Any:
        raise AssertionError("a connection")

    monkeypatch.setattr(socket, "create_connection", none)
    monkeypatch.setattr(socket.socket, "connect", none)
    assert PriceList({}, OPENAI).cost("gpt-5", Usage(1000, 50)) == 0.00175
