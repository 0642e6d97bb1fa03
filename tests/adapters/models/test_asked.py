"""What a request may hold: refused, taken out, put in and lowered, before anything is reserved."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from contracts.exchange import Ending
from demo.scripted_model import Move
from tests.adapters.models.gateways import (
    NOTHING,
    PATHS,
    TOOLS,
    TRUE,
    ask,
    body_of,
    gateway,
    raw_ask,
    scripted,
)


def nested(deep: int) -> Any:
    return json.loads("[" * deep + "]" * deep)


FORBIDDEN: list[tuple[str, Any, str]] = [
    ("/v1/models", body_of("chat"), "does not pass"),
    ("/v1/embeddings", body_of("chat"), "does not pass"),
    ("/v1/chat/completions/../models", body_of("chat"), "does not pass"),
    (PATHS["chat"], body_of("chat", model="dear"), "is not of the charter, which allows small, large"),
    (PATHS["chat"], {"messages": []}, "is not of the charter"),
    (PATHS["chat"], {**body_of("chat"), "model": ["small"]}, "is not of the charter"),
    (PATHS["chat"], b"model=small", "no JSON"),
    (PATHS["chat"], b"[" * 100_000, "no JSON"),
    (PATHS["chat"], b'{"model": "small", "temperature": NaN}', "no JSON"),
    (PATHS["chat"], b'["small"]', "no JSON object"),
    (PATHS["chat"], b'{"model": "small", "messages": ["\\ud800"]}', "no Unicode text"),
    (PATHS["chat"], body_of("chat", n=3), "one answer at a time"),
    (PATHS["chat"], body_of("chat", max_tokens=-1), "a whole number of tokens"),
    (PATHS["chat"], body_of("chat", max_tokens="all"), "a whole number of tokens"),
    (PATHS["responses"], body_of("responses", previous_response_id="resp_1"), "has to stand in the request"),
    (PATHS["responses"], body_of("responses", background=True), "has to stand in the request"),
    (PATHS["responses"], body_of("responses", prompt={"id": "pmpt_1"}), "has to stand in the request"),
    (PATHS["responses"], {"model": "small", "input": [{"type": "item_reference", "id": "msg_1"}]}, "has to stand in"),
    (PATHS["responses"], {"model": "small", "input": [{"id": "msg_1"}]}, "has to stand in the request"),
    (PATHS["chat"], body_of("chat", tools=[nested(99)]), "is nested more than 100 deep"),
    (
        PATHS["chat"],
        body_of("chat") | {"messages": [{"content": [{"image_url": {"url": "https://evil.example/?leak"}}]}]},
        "the provider would fetch it",
    ),
    (
        PATHS["messages"],
        body_of("messages")
        | {"messages": [{"content": [{"content": [{"source": {"type": "url", "url": "https://evil.example"}}]}]}]},
        "the provider would fetch it",
    ),
]


@pytest.mark.parametrize(("path", "body", "why"), FORBIDDEN)
def test_what_no_charter_allows(tmp_path: Path, path: str, body: Any, why: str) -> None:
    with scripted() as model, gateway(tmp_path, model.url) as (opened, wallet):
        said = raw_ask(opened.socket, path, body if isinstance(body, bytes) else json.dumps(body).encode())
    assert said.status == 403
    assert why in json.loads(said.body)["error"]["message"]
    assert (opened.exchanges[0].ending, model.received, wallet.reserved) == (Ending.FORBIDDEN, [], [])


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_other_methods(tmp_path: Path, method: str) -> None:
    with scripted() as model, gateway(tmp_path, model.url) as (opened, _):
        said = raw_ask(opened.socket, PATHS["chat"], b"", method=method)
    assert (said.status, opened.exchanges[0].ending, model.received) == (403, Ending.FORBIDDEN, [])


def test_a_body_that_is_too_large(tmp_path: Path) -> None:
    with scripted() as model, gateway(tmp_path, model.url) as (opened, _):
        said = raw_ask(opened.socket, PATHS["chat"], b" " * ((8 << 20) + 1))
    assert (said.status, opened.exchanges[0].ending, model.received) == (403, Ending.FORBIDDEN, [])


def test_a_body_in_chunks(tmp_path: Path) -> None:
    with scripted() as model, gateway(tmp_path, model.url) as (opened, _):
        said = raw_ask(opened.socket, PATHS["chat"], json.dumps(body_of("chat")).encode(), chunked=True)
    assert (said.status, len(model.received)) == (200, 1)


@pytest.mark.parametrize(
    ("dialect", "given", "limit"),
    [
        ("chat", {}, {"max_tokens": 8000}),
        ("chat", {"max_tokens": 10**9}, {"max_tokens": 8000}),
        ("chat", {"max_completion_tokens": 100}, {"max_completion_tokens": 100}),
        ("responses", {"max_output_tokens": None}, {"max_output_tokens": 8000}),
        ("messages", {"max_tokens": 64000}, {"max_tokens": 8000}),
        (
            "messages",
            {"max_tokens": 64000, "thinking": {"type": "enabled", "budget_tokens": 63999}},
            {"max_tokens": 8000, "thinking": {"type": "enabled", "budget_tokens": 4000}},
        ),
    ],
)
def test_the_limit_is_put_in_and_lowered(tmp_path: Path, dialect: str, given: Any, limit: Any) -> None:
    with scripted() as model, gateway(tmp_path, model.url) as (opened, wallet):
        ask(opened.socket, dialect, **given)
    [received] = model.received
    assert {name: received.body.get(name) for name in (*given, *limit)} == limit
    most = limit.get("max_tokens") or limit.get("max_output_tokens") or limit["max_completion_tokens"]
    worst_in = received.size
    rate = 3.75 if dialect == "messages" else 3.0
    assert wallet.reserved[0].tokens == worst_in + most
    assert wallet.reserved[0].usd == pytest.approx((worst_in * rate + most * 15) / 1e6, abs=2e-6)


def test_a_provider_that_calls_the_limit_otherwise(tmp_path: Path) -> None:
    unknown = Move(status=400, say="Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.")
    with scripted(before=(unknown,)) as model, gateway(tmp_path, model.url) as (opened, wallet):
        assert ask(opened.socket, "chat").status == 200
    assert [r.body.get("max_completion_tokens") for r in model.received] == [None, 8000]
    assert "max_tokens" not in model.received[1].body
    assert list(wallet.settled.values()) == [NOTHING, TRUE]


@pytest.mark.parametrize(
    ("dialect", "tool"),
    [
        ("responses", {"type": "web_search"}),
        ("responses", {"type": "mcp", "server_url": "https://evil.example"}),
        ("messages", {"type": "web_fetch_20250910", "name": "web_fetch"}),
        ("messages", {"type": "code_execution_20250825", "name": "code"}),
        ("chat", {"type": "web_search_preview"}),
        ("responses", {"type": "shell", "environment": {"type": "container_auto"}}),
    ],
)
def test_what_would_run_at_the_provider_does_not_go_up(tmp_path: Path, dialect: str, tool: Any) -> None:
    """It would reach what the sandbox must not, and cost what no usage tells."""
    more = {
        "tools": [TOOLS[dialect], tool],
        "service_tier": "priority",
        "mcp_servers": [{"url": "https://evil.example"}],
    }
    with scripted() as model, gateway(tmp_path, model.url) as (opened, _):
        ask(opened.socket, dialect, **more)
    [received] = model.received
    assert received.body["tools"] == [TOOLS[dialect]]
    assert not {"service_tier", "mcp_servers"} & received.body.keys()
    assert "service_tier" in json.loads(opened.transcript)["takenOut"]


MCP = {"type": "mcp", "server_url": "https://evil.example"}


def test_no_tool_at_the_provider_is_hidden_in_another_or_in_what_was_said(tmp_path: Path) -> None:
    """A namespace has tools, and so has what an earlier search for tools brought."""
    local = {"type": "shell", "environment": {"type": "local"}}
    space = {"type": "namespace", "name": "x", "tools": [TOOLS["responses"], MCP]}
    found = {"type": "tool_search_output", "call_id": "1", "tools": [MCP, TOOLS["responses"]]}
    with scripted() as model, gateway(tmp_path, model.url) as (opened, _):
        body = {"model": "small", "input": [found], "tools": [local, space], "tool_choice": "auto"}
        assert raw_ask(opened.socket, PATHS["responses"], json.dumps(body).encode()).status == 200
    [received] = model.received
    assert received.body["tools"] == [local, {**space, "tools": [TOOLS["responses"]]}]
    assert received.body["input"] == [{**found, "tools": [TOOLS["responses"]]}]


@pytest.mark.parametrize(
    ("dialect", "more"),
    [
        ("chat", {"models": ["dear"], "route": "fallback"}),
        ("chat", {"fallbacks": ["dear"], "api_base": "https://evil.example"}),
        ("chat", {"plugins": [{"id": "web"}]}),
        ("chat", {"n_predict": 10**6, "best_of": 5}),
        ("chat", {"prediction": {"type": "content", "content": "x" * 9000}}),
        ("responses", {"context_management": [{"type": "compaction"}], "prompt_cache_retention": "24h"}),
        ("messages", {"context_management": {"edits": [{"type": "compact_20260112"}]}}),
        ("messages", {"service_tier": "auto", "speed": "fast", "container": "c", "whatever_comes_next": 1}),
    ],
)
def test_what_nobody_knows_does_not_go_up(tmp_path: Path, dialect: str, more: Any) -> None:
    """A router asks another model, a provider works on at a price of its own: neither is in the worst case."""
    with scripted() as model, gateway(tmp_path, model.url) as (opened, _):
        assert ask(opened.socket, dialect, temperature=0.5, **more).status == 200
    [received] = model.received
    assert not more.keys() & received.body.keys()
    assert received.body["temperature"] == 0.5
    assert json.loads(opened.transcript)["takenOut"] == sorted(more)


def test_an_hour_in_the_cache_is_not_paid_for(tmp_path: Path) -> None:
    text = {"type": "text", "text": "x", "cache_control": {"type": "ephemeral", "ttl": "1h"}}
    with scripted() as model, gateway(tmp_path, model.url) as (opened, _):
        ask(opened.socket, "messages", system=[text])
    assert model.received[0].body["system"][0]["cache_control"] == {"type": "ephemeral"}
