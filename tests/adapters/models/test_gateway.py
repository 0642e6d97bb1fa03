"""The gateway: every row of the design's table of endings, in three dialects, streamed and whole."""

from __future__ import annotations

import json
import ssl
import threading
import time
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

from adapters.models import gateway as gateway_module
from adapters.models import upstream
from contracts.budget import Amounts
from contracts.exchange import Ending
from demo.scripted_model import Move
from ports.control_desk import ControlUnavailable
from tests.adapters.git.test_tls import certificate
from tests.adapters.models.gateways import (
    DIALECTS,
    KEY,
    NOTHING,
    PATHS,
    TOOLS,
    TRUE,
    Unix,
    Wallet,
    ask,
    body_of,
    gateway,
    raw_ask,
    refusing,
    scripted,
)

BOTH = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
EACH = pytest.mark.parametrize("dialect", DIALECTS)


@EACH
@BOTH
@pytest.mark.parametrize(
    ("move", "ending", "cost"),
    [
        (Move(say="Done."), Ending.SAID, TRUE),
        (Move(run="ls"), Ending.TOOL, TRUE),
        (Move(say="I was", length=True), Ending.LENGTH, TRUE),
        (Move(refuse="I will not."), Ending.REFUSAL, TRUE),
        (Move(say="Done.", usage=None), Ending.SAID, None),
        (Move(say="Done.", usage=(-1, 50)), Ending.SAID, None),
        (Move(say="Done.", usage=(1000, 10**9)), Ending.SAID, None),
        (Move(say="Done.", usage=(10**9, 50)), Ending.SAID, None),
        (Move(say="Done.", usage=(0, 50)), Ending.SAID, None),
        (Move(say="Done.", usage=(1000.5, 50)), Ending.SAID, None),
        (Move(say="Done.", usage=("many", "few")), Ending.SAID, None),
        (Move(say="Done.", cut=True), Ending.CUT, "worst"),
        (Move(drop=True), Ending.CUT, "worst"),
    ],
)
def test_what_a_whole_answer_is_and_costs(
    tmp_path: Path, dialect: str, stream: bool, move: Move, ending: Ending, cost: Any
) -> None:
    with scripted(move) as model, gateway(tmp_path, model.url) as (opened, wallet):
        said = ask(opened.socket, dialect, stream=stream, tools=[TOOLS[dialect]])
        [exchange] = opened.exchanges
    expected = wallet.reserved[0] if cost == "worst" else cost
    assert (exchange.ending, exchange.dialect, exchange.model) == (ending, dialect, "small")
    assert wallet.settled == {"1": expected}
    assert exchange.bound == (cost != TRUE)
    assert exchange.usd == (expected or wallet.reserved[0]).usd
    assert exchange.tools == (("bash",) if ending is Ending.TOOL else ())
    if ending is Ending.CUT:
        assert said.status == 502 or not said.whole
    else:
        assert said.whole
        assert said.status == 200
    [received] = model.received
    assert received.headers["x-api-key" if dialect == "messages" else "authorization"].removeprefix("Bearer ") == KEY


@EACH
@BOTH
def test_a_usage_that_is_not_a_number(tmp_path: Path, dialect: str, stream: bool) -> None:
    """Python's own reader would take NaN for one."""
    with (
        scripted(Move(say="x", usage=(float("nan"), 5))) as model,
        gateway(tmp_path, model.url) as (opened, wallet),
    ):
        ask(opened.socket, dialect, stream=stream)
    assert opened.exchanges[0].bound
    assert wallet.settled["1"] != TRUE


NO_TEXT = "\\ud800"
"""Half of a pair, as JSON can say it."""
ODD_NAME = (
    f'{{"choices": [{{"message": {{"tool_calls": [{{"function": {{"name": "{NO_TEXT}"}}}}]}},'
    '"finish_reason": "stop"}], "usage": {"prompt_tokens": 1000, "completion_tokens": 50}}'
)


@pytest.mark.parametrize(
    ("body", "ending", "tools"),
    [
        ('{"choices": [{"message": {"tool_calls": [{"index": [], "function": {"name": "x"}}]}}]}', Ending.CUT, ("x",)),
        (
            ODD_NAME,
            Ending.TOOL,
            ("?",),
        ),
        ('{"choices": {}, "usage": {"prompt_tokens": {}}}', Ending.CUT, ()),
    ],
)
def test_an_answer_that_is_odd_inside_is_settled_and_recorded(
    tmp_path: Path, body: str, ending: Ending, tools: tuple[str, ...]
) -> None:
    with scripted(Move(body=body)) as model, gateway(tmp_path, model.url) as (opened, wallet):
        ask(opened.socket, "chat")
    [exchange] = opened.exchanges
    assert (exchange.ending, exchange.tools) == (ending, tools)
    assert exchange.model_dump_json()
    assert wallet.settled == {"1": TRUE if ending is Ending.TOOL else wallet.reserved[0]}


@pytest.mark.parametrize(("size", "ending", "cost"), [(10, Ending.SAID, TRUE), (33, Ending.CUT, "worst")])
def test_megabytes_of_an_answer(tmp_path: Path, size: int, ending: Ending, cost: Any) -> None:
    """Passed on whole, paid by its usage, and the transcript keeps a part; beyond what anybody reads it is cut."""
    text, usage = "x" * (size << 20), '{"prompt_tokens": 1000, "completion_tokens": 50}'
    said = f'{{"choices": [{{"message": {{"content": "{text}"}}, "finish_reason": "stop"}}], "usage": {usage}}}'
    with scripted(Move(body=said)) as model, gateway(tmp_path, model.url) as (opened, wallet):
        answer = ask(opened.socket, "chat")
    assert (len(answer.body) > size << 20) is (ending is Ending.SAID)
    assert [each.ending for each in opened.exchanges] == [ending]
    assert wallet.settled == {"1": wallet.reserved[0] if cost == "worst" else cost}
    assert len(opened.transcript) < 1 << 20


def test_an_error_in_no_text_is_recorded(tmp_path: Path) -> None:
    """In the middle of a stream, in words that UTF-8 cannot say."""
    said = f'data: {{"error": {{"message": "{NO_TEXT}"}}}}\n\n'
    move = Move(body=said, headers={"Content-Type": "text/event-stream"})
    with scripted(move) as model, gateway(tmp_path, model.url) as (opened, wallet):
        ask(opened.socket, "chat", stream=True)
    assert (opened.exchanges[0].ending, opened.exchanges[0].reason) == (Ending.CUT, "?")
    assert wallet.settled == {"1": wallet.reserved[0]}


def test_what_nobody_foresaw_in_an_answer_is_paid_as_one_that_was_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(upstream.Upstream, "_judge", broken)
    with scripted() as model, gateway(tmp_path, model.url) as (opened, wallet):
        assert ask(opened.socket, "chat").status == 502
        assert not ask(opened.socket, "chat", stream=True).whole
    assert [each.reason for each in opened.exchanges] == ["the answer cannot be read: ZeroDivisionError"] * 2
    assert list(wallet.settled.values()) == wallet.reserved


@pytest.mark.parametrize("status", [201, 203, 206])
def test_another_kind_of_yes_is_not_for_nothing(tmp_path: Path, status: int) -> None:
    """Whoever stands between may say so of a whole answer."""
    with scripted(Move(status=status, say="Done.")) as model, gateway(tmp_path, model.url) as (opened, wallet):
        assert ask(opened.socket, "chat").status == 502
    assert (opened.exchanges[0].ending, opened.exchanges[0].bound) == (Ending.CUT, True)
    assert wallet.settled == {"1": wallet.reserved[0]}


@pytest.mark.parametrize(
    ("move", "ending", "told"),
    [
        (Move(status=429), Ending.RATE_LIMITED, 429),
        (Move(status=429, retry_after="3600"), Ending.RATE_LIMITED, 429),
        (Move(status=401), Ending.UNAUTHORISED, 401),
        (Move(status=403), Ending.UNAUTHORISED, 401),
        (Move(status=500), Ending.UNREACHABLE, 502),
        (Move(status=529), Ending.UNREACHABLE, 502),
        (Move(status=400, say="too long"), Ending.REJECTED, 400),
        (Move(status=302, headers={"Location": "http://127.0.0.1:1/v1/messages"}), Ending.REJECTED, 302),
        (Move(body="<html>Please log in</html>"), Ending.CUT, 502),
        (Move(body="[" * 100_000), Ending.CUT, 502),
        (Move(body='{"choices": 1e999}'), Ending.CUT, 502),
    ],
)
@EACH
def test_what_is_no_answer(tmp_path: Path, dialect: str, move: Move, ending: Ending, told: int) -> None:
    with scripted(move) as model, gateway(tmp_path, model.url, retries=0) as (opened, wallet):
        said = ask(opened.socket, dialect)
        [exchange] = opened.exchanges
    assert (exchange.ending, said.status, exchange.tries) == (ending, told, 1)
    assert wallet.settled["1"] == (wallet.reserved[0] if ending is Ending.CUT else NOTHING)
    assert exchange.retry_after == (3600 if move.retry_after else None)
    assert len(model.received) == 1


def test_nobody_is_there(tmp_path: Path) -> None:
    with gateway(tmp_path, "http://127.0.0.1:9", retries=1) as (opened, wallet):
        said = ask(opened.socket, "chat")
    assert (said.status, opened.exchanges[0].ending, opened.exchanges[0].tries) == (502, Ending.UNREACHABLE, 2)
    assert set(wallet.settled.values()) == {NOTHING}


WAITS = ["0.2", formatdate(time.time() + 1, usegmt=True), "-5", "NaN", "soon", ""]


# By number: processes that share the tests must call each alike, whatever time it is.
@pytest.mark.parametrize("wait", WAITS, ids=range(len(WAITS)))
def test_a_limit_that_passes_is_waited_out_by_us(tmp_path: Path, wait: str) -> None:
    """The agent sees one answer; each try was reserved and settled by itself, so that nothing is held while we wait."""
    limited = Move(status=429, retry_after=wait)
    with scripted(before=(limited,)) as model, gateway(tmp_path, model.url) as (opened, wallet):
        said = ask(opened.socket, "responses")
    assert (said.status, opened.exchanges[0].ending, opened.exchanges[0].tries) == (200, Ending.SAID, 2)
    assert wallet.settled == {"1": NOTHING, "2": TRUE}


def test_a_limit_longer_than_an_exchange_may_take_is_told_at_once(tmp_path: Path) -> None:
    began = time.monotonic()
    with (
        scripted(Move(status=429, retry_after="90")) as model,
        gateway(tmp_path, model.url, seconds=60) as (g, _),
    ):
        ask(g.socket, "chat")
    assert (g.exchanges[0].retry_after, g.exchanges[0].tries) == (90, 1)
    assert time.monotonic() - began < 5


def test_a_pause_between_two_tries_holds(tmp_path: Path) -> None:
    purse = refusing(Ending.PAUSED, "paused by ann: odd diff", most=1)
    with scripted(Move(status=503)) as model, gateway(tmp_path, model.url, purse) as (opened, _):
        said = ask(opened.socket, "chat")
    assert (len(model.received), opened.exchanges[0].ending) == (1, Ending.PAUSED)
    assert b"paused by ann" in said.body


@pytest.mark.parametrize(
    ("ending", "reason"),
    [
        (Ending.PAUSED, "paused by ann: odd diff"),
        (Ending.OVER_BUDGET, "0.9 of 1 USD spent"),
        (Ending.UNPRICED, "the cost of an earlier exchange is unknown"),
    ],
)
def test_what_control_does_not_let_through(tmp_path: Path, ending: Ending, reason: str) -> None:
    with scripted() as model, gateway(tmp_path, model.url, refusing(ending, reason)) as (opened, _):
        said = ask(opened.socket, "messages")
    assert (said.status, json.loads(said.body)["error"]["message"]) == (403, reason)
    assert (opened.exchanges[0].ending, opened.exchanges[0].usd) == (ending, 0)
    assert model.received == []


def test_a_control_that_cannot_be_asked_lets_nothing_through(tmp_path: Path) -> None:
    class Gone(Wallet):
        def reserve(self, worst: Amounts) -> Any:
            raise ControlUnavailable("no server")

    with scripted() as model, gateway(tmp_path, model.url, Gone()) as (opened, _):
        ask(opened.socket, "chat")
    assert (opened.exchanges[0].ending, model.received) == (Ending.PAUSED, [])


def test_a_control_that_cannot_be_told_is_said(tmp_path: Path) -> None:
    """The answer was paid: the agent has it; the reservation is booked later, at its worst case."""

    class Deaf(Wallet):
        def settle(self, reserved: Any, cost: Any, note: str = "") -> None:
            raise ControlUnavailable("no server")

    with scripted() as model, gateway(tmp_path, model.url, Deaf()) as (opened, _):
        assert ask(opened.socket, "chat").status == 200
    assert opened.exchanges[0].bound
    assert "could not be told" in opened.exchanges[0].reason


def test_no_price(tmp_path: Path) -> None:
    with (
        scripted() as model,
        gateway(tmp_path, model.url, prices={"large": {"input": 1, "output": 1}}) as (opened, w),
    ):
        said = ask(opened.socket, "chat")
    assert (opened.exchanges[0].ending, model.received, w.reserved) == (Ending.UNPRICED, [], [])
    assert b'enter [prices.\\"small\\"] in charter.toml' in said.body


@BOTH
@EACH
def test_the_key_goes_nowhere_but_up(tmp_path: Path, dialect: str, stream: bool) -> None:
    """Also when the provider plays it back, in an answer or in an error."""
    rejected = Move(status=401, say="Incorrect API key provided: {key}")
    script = scripted(Move(say="Your key is {key}, is it not? {key}"), before=(rejected,))
    with script as model, gateway(tmp_path, model.url) as (opened, _):
        told = [ask(opened.socket, dialect, stream=stream, text=f"twice {n}") for n in range(2)]
        seen = repr(opened.exchanges).encode() + opened.transcript + b"".join(each.body for each in told)
    assert [each.status for each in told] == [401, 200]
    assert KEY.encode() not in seen
    assert json.dumps(KEY)[1:-1].encode() not in seen
    assert all(KEY not in str(each.headers) for each in told)
    assert {r.headers.get("host") for r in model.received} == {model.url.removeprefix("http://")}


def test_headers_do_not_pass(tmp_path: Path) -> None:
    """Neither down, but for the content type; nor up, but for the dialect's own."""
    answer = Move(say="x", headers={"Set-Cookie": "a=b", "X-Request-Id": "7", "Retry-After": "9"})
    mine = {
        "Authorization": "Bearer mine",
        "x-api-key": "mine",
        "Cookie": "a=b",
        "anthropic-beta": "b",
        "X-Tracking": "1",
    }
    with scripted(answer) as model, gateway(tmp_path, model.url) as (opened, _):
        body = json.dumps(body_of("messages")).encode()
        said = raw_ask(opened.socket, PATHS["messages"] + "?beta=true", body, headers=mine)
    assert set(said.headers) == {"content-type", "content-length", "connection"}
    [received] = model.received
    assert received.path == PATHS["messages"]
    assert received.headers["anthropic-beta"] == "b"
    assert not {"cookie", "x-tracking", "authorization"} & received.headers.keys()
    assert received.headers["x-api-key"] == KEY


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://models.example", "by plain http"),
        ("http://127.0.0.1.evil.example", "by plain http"),
        ("http://10.0.0.1", "by plain http"),
    ],
)
def test_plain_http_only_to_this_machine(tmp_path: Path, url: str, why: str) -> None:
    with gateway(tmp_path, url) as (opened, wallet):
        ask(opened.socket, "chat")
    assert why in opened.exchanges[0].reason
    assert (opened.exchanges[0].ending, wallet.reserved) == (Ending.FORBIDDEN, [])


def test_a_key_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_MODEL_KEY", " ")
    with scripted() as model, gateway(tmp_path, model.url) as (opened, _):
        said = ask(opened.socket, "chat")
    assert (said.status, model.received) == (403, [])
    assert b"TEST_MODEL_KEY is not set" in said.body
    # The run waits for a key, as for one that is void.
    assert opened.exchanges[0].ending is Ending.UNAUTHORISED


def test_a_stream_is_passed_on_as_it_comes(tmp_path: Path) -> None:
    """The first half is with the agent while the model still thinks about the second."""
    slow = Move(say="Let me think about that for a while.", stall=1.0)
    seen: list[float] = []
    with scripted(slow) as model, gateway(tmp_path, model.url) as (opened, _):
        link = Unix(opened.socket)
        link.request("POST", PATHS["chat"], json.dumps(body_of("chat", stream=True)))
        got = link.getresponse()
        began = time.monotonic()
        while got.readline():
            seen.append(time.monotonic() - began)
        link.close()
    assert seen[0] < 0.7
    assert seen[-1] > 0.8


@BOTH
def test_an_answer_that_stands_still(tmp_path: Path, stream: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway_module, "_QUIET", 0.3)
    with scripted(Move(say="x" * 99, stall=30)) as model, gateway(tmp_path, model.url, seconds=1) as (opened, w):
        ask(opened.socket, "chat", stream=stream)
    assert (opened.exchanges[0].ending, opened.exchanges[0].bound) == (Ending.CUT, True)
    assert opened.exchanges[0].seconds < 5
    assert w.settled["1"] == w.reserved[0]


def test_the_end_cuts_what_is_under_way_and_settles_it(tmp_path: Path) -> None:
    with scripted(Move(hang=60)) as model:
        with gateway(tmp_path, model.url) as (opened, wallet):
            asking = threading.Thread(target=ask, args=(opened.socket, "chat"))
            asking.start()
            while not model.received:
                time.sleep(0.01)
            began = time.monotonic()
        assert time.monotonic() - began < 5
        asking.join(5)
    assert [each.ending for each in opened.exchanges] == [Ending.CUT]
    assert wallet.settled["1"] == wallet.reserved[0]
    assert not opened.socket.exists()


def test_an_agent_that_hangs_up_pays_what_it_asked_for(tmp_path: Path) -> None:
    with scripted(Move(say="x" * 400, stall=0.3)) as model, gateway(tmp_path, model.url) as (opened, wallet):
        link = Unix(opened.socket)
        link.request("POST", PATHS["chat"], json.dumps(body_of("chat", stream=True)))
        link.getresponse().readline()
        link.close()
        deadline = time.monotonic() + 5
        while not opened.exchanges and time.monotonic() < deadline:
            time.sleep(0.01)
    assert wallet.settled == {"1": TRUE}


def test_more_connections_than_it_has_room_for(tmp_path: Path) -> None:
    """They wait their turn; none of them keeps the end waiting."""
    with scripted() as model, gateway(tmp_path, model.url) as (opened, wallet):
        threads = [threading.Thread(target=ask, args=(opened.socket, DIALECTS[n % 3])) for n in range(40)]
        for each in threads:
            each.start()
        for each in threads:
            each.join(20)
    assert len(opened.exchanges) == len(model.received) == 40
    assert sorted(each.number for each in opened.exchanges) == list(range(1, 41))
    assert list(wallet.settled.values()) == [TRUE] * 40


def test_a_socket_in_a_deep_folder(tmp_path: Path) -> None:
    """An address of a unix socket has 107 bytes."""
    deep = tmp_path / ("d" * 100) / ("e" * 100)
    deep.mkdir(parents=True)
    with scripted() as model, gateway(deep, model.url) as (opened, _):
        assert ask(opened.socket, "chat").status == 200


def test_tls_is_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A provider that nobody vouches for gets no byte of a request; one that the operator's authorities do, does."""
    place = certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(place)
    with scripted() as model:
        model._server.socket = context.wrap_socket(model._server.socket, server_side=True)
        url = model.url.replace("http:", "https:")
        for known, ending in (("", Ending.UNREACHABLE), (str(place), Ending.SAID)):
            monkeypatch.setenv("GIT_SSL_CAINFO", known) if known else monkeypatch.delenv("GIT_SSL_CAINFO", False)
            upstream._context.cache_clear()
            with gateway(tmp_path, url, retries=0) as (opened, _):
                ask(opened.socket, "chat")
            assert opened.exchanges[0].ending is ending
            assert len(model.received) == (1 if known else 0)
    upstream._context.cache_clear()
