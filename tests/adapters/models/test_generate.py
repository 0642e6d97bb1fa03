"""generateContent, streaming or not: held, reserved, read and paid as the other dialects are (issue 14.1)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from contracts.exchange import Ending
from demo.scripted_model import Move
from tests.adapters.models.gateways import KEY, NOTHING, TRUE, Said, gateway, raw_ask, scripted

WHOLE, STREAM = "/v1beta/models/small:generateContent", "/v1beta/models/small:streamGenerateContent?alt=sse"
SHELL = {"functionDeclarations": [{"name": "run_shell_command", "parameters": {"properties": {"command": {}}}}]}


def asked(text: str = "Mend it.", **more: Any) -> dict[str, Any]:
    return {"contents": [{"role": "user", "parts": [{"text": text}]}], **more}


def ask(socket: Path, path: str, body: Any) -> Said:
    return raw_ask(socket, path, json.dumps(body).encode())


@pytest.mark.parametrize("path", [WHOLE, STREAM])
@pytest.mark.parametrize(
    ("move", "ending", "cost"),
    [
        (Move(say="Done."), Ending.SAID, TRUE),
        (Move(run="ls"), Ending.TOOL, TRUE),
        (Move(refuse="no"), Ending.REFUSAL, TRUE),
        (Move(say="I was", length=True), Ending.LENGTH, TRUE),
        (Move(say="Done. And more.", cut=True), Ending.CUT, "worst"),
        (Move(say="x", usage=None), Ending.SAID, None),
        (Move(status=401), Ending.UNAUTHORISED, NOTHING),
    ],
)
def test_each_end_is_told_apart_and_paid(tmp_path: Path, path: str, move: Move, ending: Ending, cost: Any) -> None:
    with scripted(move) as model, gateway(tmp_path, model.url, retries=0) as (opened, wallet):
        ask(opened.socket, path, asked(tools=[SHELL]))
    [exchange], [received] = opened.exchanges, model.received
    assert (exchange.ending, exchange.dialect, exchange.model) == (ending, "generate", "small")
    assert exchange.tools == (("run_shell_command",) if move.run else ())
    assert [wallet.reserved[0] if cost == "worst" else cost] == list(wallet.settled.values())
    assert received.headers["x-goog-api-key"] == KEY
    assert received.path == path
    assert wallet.reserved[0].tokens == received.size + 512 + 8000


def test_its_answer_comes_through_in_its_own_words(tmp_path: Path) -> None:
    with scripted(Move(run="ls")) as model, gateway(tmp_path, model.url) as (opened, _):
        whole = json.loads(ask(opened.socket, WHOLE, asked(tools=[SHELL])).body)
        stream = ask(opened.socket, STREAM, asked(tools=[SHELL])).body
    assert whole["candidates"][0]["content"]["parts"][0]["functionCall"]["args"] == {"command": "ls"}
    assert b'"functionCall"' in stream
    assert {Ending.TOOL} == {each.ending for each in opened.exchanges}


@pytest.mark.parametrize(
    ("path", "body", "why"),
    [
        ("/v1beta/models/dear:generateContent", asked(), "'dear' is not of the charter"),
        ("/v1beta/models/small:countTokens", asked(), "does not pass"),
        ("/v1beta/models/small:batchGenerateContent", asked(), "does not pass"),
        ("/v1beta/models/../x:generateContent", asked(), "does not pass"),
        (WHOLE, asked(cachedContent="cachedContents/1"), "has to stand in the request"),
        (WHOLE, asked(generationConfig={"candidateCount": 3}), "one answer at a time"),
        (WHOLE, asked(generationConfig=[]), "an object"),
        (WHOLE, asked(generationConfig={"maxOutputTokens": "all"}), "a whole number of tokens"),
        (
            WHOLE,
            {"contents": [{"parts": [{"fileData": {"fileUri": "https://evil.example/?leak"}}]}]},
            "the provider would fetch it",
        ),
    ],
)
def test_what_no_charter_allows(tmp_path: Path, path: str, body: Any, why: str) -> None:
    with scripted() as model, gateway(tmp_path, model.url) as (opened, wallet):
        said = ask(opened.socket, path, body)
    assert why in json.loads(said.body)["error"]["message"]
    assert (opened.exchanges[0].ending, model.received, wallet.reserved) == (Ending.FORBIDDEN, [], [])


def test_limits_are_lowered_and_what_runs_at_the_provider_is_taken_out(tmp_path: Path) -> None:
    tools = [SHELL | {"googleSearch": {}}, {"codeExecution": {}}]
    config = {"maxOutputTokens": 10**6, "temperature": 0}
    with scripted() as model, gateway(tmp_path, model.url) as (opened, _):
        ask(opened.socket, WHOLE, asked(tools=tools, generationConfig=config))
        ask(opened.socket, WHOLE, asked(tools=[{"urlContext": {}}], toolConfig={}))
    first, second = (each.body for each in model.received)
    assert ([SHELL], {"maxOutputTokens": 8000, "temperature": 0}) == (first["tools"], first["generationConfig"])
    assert not {"tools", "toolConfig"} & second.keys()
    assert ["tool googleSearch", "tool codeExecution"] == json.loads(opened.transcript.split(b"\n")[0])["takenOut"]


def test_thinking_is_paid_and_a_blocked_question_is_a_refusal(tmp_path: Path) -> None:
    counts = {
        "promptTokenCount": 900,
        "candidatesTokenCount": 30,
        "thoughtsTokenCount": 20,
        "toolUsePromptTokenCount": 100,
    }
    blocked = {"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": counts}
    with scripted(Move(body=json.dumps(blocked))) as model, gateway(tmp_path, model.url) as (opened, wallet):
        ask(opened.socket, WHOLE, asked())
    assert (Ending.REFUSAL, [TRUE]) == (opened.exchanges[0].ending, list(wallet.settled.values()))
