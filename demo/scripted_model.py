"""A model that plays a script, on loopback: in every dialect of the gateway, streamed or whole, with faults.

    with ScriptedModel([Move(run="sed -i s/1/2/ shop.py"), Move(say="Done.")]) as model:
        ...  # model.url is the provider's, model.received is what came

It needs the standard library alone.

Which move is next is counted from the conversation in the request (turns that called a tool), and kept nowhere: a
repeat gets the same answer. Requests that offer no tool (titles, summaries) get ``side``; None: a move, too.
"""

import json
import re
import secrets
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from demo.scripted_answers import ANSWERS, Event, Json, Told, as_chat

SHELL = re.compile(
    r"^(bash|shell|exec_command|shell_command|run_shell_command|execute_bash|run_commands?|terminal|execute|execute_command)$",
    re.IGNORECASE,
)
COMMAND_ARGUMENTS = ("command", "cmd", "script", "commands", "code")


@dataclass(frozen=True)
class Move:
    """One answer: what the model says, or how it, or its provider, fails."""

    say: str = ""
    """``{key}`` in it is the key that the request came with."""
    run: str = ""
    """Calls the shell tool of whoever asks; its name and arguments are read from the tools that it offers."""
    call: str = ""
    """Calls this tool, with these arguments."""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    refuse: str = ""
    length: bool = False
    usage: Any = "as scripted"
    """Tokens in and out as told, of any kind; None: none are told."""
    status: int = 200
    retry_after: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""
    """In place of what a status, or a whole answer, says; ``{key}`` as above."""
    hang: float = 0.0
    """Seconds before the first byte."""
    stall: float = 0.0
    """Seconds in the middle of the answer."""
    cut: bool = False
    """The connection ends in the middle of the answer."""
    drop: bool = False
    """It ends before the first byte."""


@dataclass
class Received:
    """One request."""

    path: str
    dialect: str
    headers: dict[str, str]
    body: Json
    size: int
    move: Move
    at: int
    """Which move of the script it was answered by; -1: none."""
    told: Any = None
    """The usage of a whole answer, as it was told; None: none was."""
    began: float = 0.0
    ended: float = 0.0
    """``time.monotonic()``; 0: it is being answered."""


Decide = Callable[[Json, int], Move]
"""A request's body, and how many came before it."""


class ScriptedModel:
    """Serves while it is entered."""

    def __init__(
        self,
        moves: Sequence[Move] = (Move(say="Done."),),
        faults: Mapping[int, Sequence[Move]] | None = None,
        *,
        usage: Any = (1000, 50),
        side: str | None = "A small fix",
        decide: Decide | None = None,
    ) -> None:
        self.moves, self.usage, self.side, self.decide = list(moves), usage, side, decide
        self.faults = {at: list(them) for at, them in (faults or {}).items()}
        """Done once each, in order, before the move of that number is made."""
        self.received: list[Received] = []
        self.stopping = threading.Event()
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        handler = type("Bound", (_Handler,), {"model": self})
        self._server = type("Server", (ThreadingHTTPServer,), {"request_queue_size": 128})(("127.0.0.1", 0), handler)
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def _serve(self) -> None:
        while not self.stopping.is_set():
            self._server._handle_request_noblock()  # noqa: SLF001  # ends with a closed socket, unlike serve_forever

    def __exit__(self, *ended: object) -> None:
        self.stopping.set()
        self._server.socket.shutdown(socket.SHUT_RDWR)
        self._server.server_close()

    @property
    def url(self) -> str:
        """Of the provider."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def next(self, body: Json, *, asks: bool) -> tuple[Move, int]:
        """The move that answers a request."""
        offered = tools_of(body)
        with self._lock:
            if not asks:
                return Move(status=404, body='{"error": {"message": "nothing here"}}'), -1
            if self.decide is not None:
                return self.decide(body, len(self.received)), len(self.received)
            if not offered and self.side is not None:
                return Move(say=self.side), -1
            at = calls_so_far(body)
            if waiting := self.faults.get(at):
                return waiting.pop(0), at
        return self.moves[min(at, len(self.moves) - 1)], at


def tools_of(body: Json) -> dict[str, Json]:
    """Name to schema of arguments, in any dialect."""
    found: dict[str, Json] = {}
    for tool in body.get("tools") or []:
        inner = tool.get("function", tool)
        for each in tool.get("functionDeclarations") or []:
            found[each["name"]] = each.get("parametersJsonSchema") or each.get("parameters") or {}
        if name := inner.get("name"):
            found[name] = inner.get("parameters") or inner.get("input_schema") or {}
    return found


def calls_so_far(body: Json) -> int:
    """Turns of the conversation in which the model had a tool called."""
    turns = 0
    for message in body.get("messages") or []:
        blocks: list[Json] = message["content"] if isinstance(message.get("content"), list) else []
        called = message.get("tool_calls") or any(each.get("type") == "tool_use" for each in blocks)
        turns += bool(called) and message.get("role") == "assistant"
    for content in body.get("contents") or []:
        turns += any("functionCall" in each for each in content.get("parts") or [])
    items: list[Json] = body["input"] if isinstance(body.get("input"), list) else []
    return turns + sum(each.get("type") in {"function_call", "custom_tool_call", "local_shell_call"} for each in items)


def _call(move: Move, tools: dict[str, Json]) -> tuple[str, Json] | None:
    if move.call:
        return move.call, dict(move.arguments)
    name = next((each for each in tools if SHELL.match(each)), None) if move.run else None
    return (name, _filled(tools[name], move.run)) if name else None


def _filled(schema: Json, command: str) -> Json:
    """The arguments of somebody's shell tool, for one command."""
    arguments: Json = {}
    for name, kind in (schema.get("properties") or {}).items():
        if name in COMMAND_ARGUMENTS:
            plain = str(kind.get("type")).lower() != "array"
            arguments[name] = command if plain else [command] if name == "commands" else ["bash", "-lc", command]
        elif name in (schema.get("required") or []):
            usual = {"boolean": False, "integer": 30, "number": 30, "array": [], "object": {}}
            arguments[name] = (
                kind["enum"][0] if kind.get("enum") else usual.get(str(kind.get("type")).lower(), "run a command")
            )
    return arguments


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    model: ScriptedModel

    def log_message(self, *args: Any) -> None:
        """Nothing: requests are kept in ``received``."""

    def do_GET(self) -> None:
        self.do_POST()

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        began = time.monotonic()
        try:
            body = json.loads(raw or b"{}")
        except ValueError:
            body = {}
        path = self.path.split("?")[0]
        dialect, tell = next((row for end, row in ANSWERS.items() if path.endswith(end)), ("", as_chat))
        move, at = self.model.next(body, asks=bool(dialect))
        headers = {name.lower(): value for name, value in self.headers.items()}
        received = Received(self.path, dialect, headers, body, len(raw), move, at, began=began)
        self.model.received.append(received)
        try:
            self._answer(received, tell)
        except OSError:
            self.close_connection = True
        finally:
            received.ended = time.monotonic()

    def _answer(self, received: Received, tell: Callable[[Told], tuple[Json, list[Event]]]) -> None:
        move, body = received.move, received.body
        if move.hang and self.model.stopping.wait(move.hang):
            return
        if move.drop:
            self._drop()
            return
        key = received.headers.get("authorization", "").removeprefix("Bearer ") or received.headers.get("x-api-key", "")
        key = key or received.headers.get("x-goog-api-key", "")
        if move.status != HTTPStatus.OK or move.body:
            kind = {401: "authentication_error", 429: "rate_limit_error", 529: "overloaded_error"}
            message = {
                "type": kind.get(move.status, "api_error"),
                "message": move.say.replace("{key}", key) or "scripted",
            }
            text = move.body.replace("{key}", key) or json.dumps({"type": "error", "error": message})
            self._whole(move, text.encode())
            return
        usage = self.model.usage if move.usage == "as scripted" else move.usage
        told = Told(
            model=str(body.get("model", "scripted")),
            say=move.say.replace("{key}", key),
            refuse=move.refuse,
            length=move.length,
            call=_call(move, tools_of(body)),
            usage=usage,
            ids=secrets.token_hex(6),
        )
        whole, stream = tell(told)
        if body.get("stream") or ":stream" in received.path:
            self._stream(move, stream, done=received.dialect == "chat")
        else:
            self._whole(move, json.dumps(whole).encode())
        received.told = None if move.cut else usage

    def _whole(self, move: Move, text: bytes) -> None:
        wait = {"Retry-After": move.retry_after} if move.retry_after else {}
        kind = "application/json" if text[:1] in b"{[" else "text/html"
        self._head(move.status, {"Content-Type": kind, "Content-Length": str(len(text)), **wait, **move.headers})
        half = len(text) // 2
        self.wfile.write(text[:half])
        self._middle(move)
        if move.cut:
            self._drop()
        else:
            self.wfile.write(text[half:])

    def _stream(self, move: Move, events: list[Event], *, done: bool) -> None:
        kind = {"Content-Type": "text/event-stream", "Transfer-Encoding": "chunked"}
        self._head(200, {**kind, **move.headers})
        half = max(1, len(events) // 2)
        for number, (name, event) in enumerate(events):
            if number == half:
                self._middle(move)
                if move.cut:
                    self._drop()
                    return
            self._chunk((f"event: {name}\n" if name else "") + f"data: {json.dumps(event)}\n\n")
        if done:
            self._chunk("data: [DONE]\n\n")
        self.wfile.write(b"0\r\n\r\n")

    def _middle(self, move: Move) -> None:
        self.wfile.flush()
        if move.stall:
            self.model.stopping.wait(move.stall)

    def _head(self, status: int, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def _chunk(self, text: str) -> None:
        data = text.encode()
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()

    def _drop(self) -> None:
        self.wfile.flush()
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)
