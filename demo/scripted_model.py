"""A model that plays a script, on loopback: chat completions, responses and messages, streamed or whole, with faults.

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
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

Json = dict[str, Any]
Event = tuple[str, Json]
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


@dataclass(frozen=True)
class _Told:
    """What every dialect says in its own words."""

    model: str
    say: str
    refuse: str
    length: bool
    call: tuple[str, Json] | None
    usage: Any
    """A pair, or None."""
    ids: str
    """Of this answer."""


def _pieces(text: str) -> list[str]:
    return re.findall(r".{1,20}", text, re.DOTALL)


def _chat(told: _Told) -> tuple[Json, list[Event]]:
    message: Json = {"role": "assistant", "content": told.say or None}
    finish = "stop"
    if told.call:
        function = {"name": told.call[0], "arguments": json.dumps(told.call[1])}
        message["tool_calls"], finish = (
            [{"id": f"call_{told.ids}", "type": "function", "function": function}],
            "tool_calls",
        )
    if told.refuse:
        message["refusal"], finish = told.refuse, "content_filter"
    finish = "length" if told.length else finish
    base: Json = {"id": f"chatcmpl-{told.ids}", "created": 1, "model": told.model}
    counts = ("prompt_tokens", "completion_tokens", "total_tokens")
    usage = dict(zip(counts, (*told.usage, 0), strict=True)) if told.usage else None
    whole = {**base, "object": "chat.completion", "usage": usage}
    whole["choices"] = [{"index": 0, "message": message, "finish_reason": finish, "logprobs": None}]

    def chunk(delta: Json, done: str | None = None) -> Event:
        choice = {"index": 0, "delta": delta, "finish_reason": done}
        return "", {**base, "object": "chat.completion.chunk", "choices": [choice]}

    stream = [chunk({"role": "assistant", "content": ""}), *(chunk({"content": each}) for each in _pieces(told.say))]
    if told.refuse:
        stream.append(chunk({"refusal": told.refuse}))
    for call in message.get("tool_calls", []):
        stream.append(chunk({"tool_calls": [{**call, "index": 0, "function": {**call["function"], "arguments": ""}}]}))
        pieces = _pieces(call["function"]["arguments"])
        stream += [chunk({"tool_calls": [{"index": 0, "function": {"arguments": each}}]}) for each in pieces]
    last = {**base, "object": "chat.completion.chunk", "choices": [], "usage": usage}
    return whole, [*stream, chunk({}, finish), *([("", last)] if usage else [])]


def _responses(told: _Told) -> tuple[Json, list[Event]]:
    output: list[Json] = []
    if text := told.refuse or told.say:
        part: Json = {"type": "output_text", "text": text, "annotations": []}
        part = {"type": "refusal", "refusal": text} if told.refuse else part
        output.append(
            {"type": "message", "id": f"msg_{told.ids}", "role": "assistant", "status": "completed", "content": [part]}
        )
    if told.call:
        name, arguments = told.call[0], json.dumps(told.call[1])
        call = {"type": "function_call", "id": f"fc_{told.ids}", "call_id": f"call_{told.ids}", "status": "completed"}
        output.append({**call, "name": name, "arguments": arguments})
    usage: Json | None = None
    if told.usage:
        usage = {"input_tokens": told.usage[0], "output_tokens": told.usage[1], "total_tokens": 0}
        usage |= {"input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0}}
    status = "incomplete" if told.length else "completed"
    whole: Json = {
        "id": f"resp_{told.ids}",
        "object": "response",
        "created_at": 1,
        "status": status,
        "model": told.model,
    }
    whole |= {"output": output, "usage": usage, "error": None, "metadata": {}, "parallel_tool_calls": False}
    whole |= {"incomplete_details": {"reason": "max_output_tokens"} if told.length else None}
    whole |= {"tool_choice": "auto", "tools": [], "instructions": None, "temperature": None, "top_p": None}
    events: list[Json] = [
        {"type": "response.created", "response": {**whole, "status": "in_progress", "output": [], "usage": None}}
    ]
    for index, item in enumerate(output):
        events += _item(index, item)
    events.append({"type": f"response.{status}", "response": whole})
    return whole, [(each["type"], {**each, "sequence_number": number}) for number, each in enumerate(events)]


def _item(index: int, item: Json) -> Iterator[Json]:
    at = {"output_index": index, "item_id": item["id"]}
    said = item["type"] == "message"
    empty: Json = {"content": []} if said else {"arguments": ""}
    begun = {**item, "status": "in_progress"} | empty
    yield {"type": "response.output_item.added", "output_index": index, "item": begun}
    if said and item["content"][0]["type"] == "output_text":
        part = item["content"][0]
        yield {"type": "response.content_part.added", **at, "content_index": 0, "part": {**part, "text": ""}}
        for piece in _pieces(part["text"]):
            yield {"type": "response.output_text.delta", **at, "content_index": 0, "delta": piece}
        yield {"type": "response.output_text.done", **at, "content_index": 0, "text": part["text"]}
    if said:
        yield {"type": "response.content_part.done", **at, "content_index": 0, "part": item["content"][0]}
    else:
        yield {"type": "response.function_call_arguments.delta", **at, "delta": item["arguments"]}
        yield {"type": "response.function_call_arguments.done", **at, "arguments": item["arguments"]}
    yield {"type": "response.output_item.done", "output_index": index, "item": item}


def _messages(told: _Told) -> tuple[Json, list[Event]]:
    content: list[Json] = [{"type": "text", "text": text}] if (text := told.refuse or told.say) else []
    if told.call:
        content.append({"type": "tool_use", "id": f"toolu_{told.ids}", "name": told.call[0], "input": told.call[1]})
    stop = "refusal" if told.refuse else "max_tokens" if told.length else "tool_use" if told.call else "end_turn"
    none = {"cache_creation_input_tokens": 0, "cache_read_input_tokens": 0}
    usage = {"input_tokens": told.usage[0], "output_tokens": told.usage[1], **none} if told.usage else None
    whole: Json = {
        "id": f"msg_{told.ids}",
        "type": "message",
        "role": "assistant",
        "model": told.model,
        "content": content,
    }
    whole |= {"stop_reason": stop, "stop_sequence": None, "usage": usage}
    begun = {**whole, "content": [], "stop_reason": None, "usage": {**usage, "output_tokens": 1} if usage else None}
    events: list[Json] = [{"type": "message_start", "message": begun}]
    for index, block in enumerate(content):
        empty = {**block, "text": ""} if block["type"] == "text" else {**block, "input": {}}
        events.append({"type": "content_block_start", "index": index, "content_block": empty})
        if block["type"] == "text":
            deltas = [{"type": "text_delta", "text": piece} for piece in _pieces(block["text"])]
        else:
            deltas = [{"type": "input_json_delta", "partial_json": json.dumps(block["input"])}]
        events += [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
        events.append({"type": "content_block_stop", "index": index})
    events.append({"type": "message_delta", "delta": {"stop_reason": stop, "stop_sequence": None}, "usage": usage})
    return whole, [(each["type"], each) for each in [*events, {"type": "message_stop"}]]


def _generate(told: _Told) -> tuple[Json, list[Event]]:
    parts: list[Json] = [{"text": text}] if (text := told.refuse or told.say) else []
    if told.call:
        parts.append({"functionCall": {"name": told.call[0], "args": told.call[1]}})
    finish = "SAFETY" if told.refuse else "MAX_TOKENS" if told.length else "STOP"
    counts = ("promptTokenCount", "candidatesTokenCount", "totalTokenCount")
    usage = {"usageMetadata": dict(zip(counts, (*told.usage, 0), strict=True))} if told.usage else {}

    def answer(said: list[Json], **more: Any) -> Json:
        candidate = {"content": {"role": "model", "parts": said}, "index": 0, **more}
        return {"candidates": [candidate], "modelVersion": told.model, "responseId": told.ids}

    pieces = [answer([{"text": each}]) for each in _pieces(text)] + [answer(parts[-1:])] * bool(told.call)
    return answer(parts, finishReason=finish) | usage, [
        ("", each) for each in (*pieces, answer([], finishReason=finish) | usage)
    ]


DIALECTS = {
    "/chat/completions": ("chat", _chat),
    "/responses": ("responses", _responses),
    "/messages": ("messages", _messages),
    ":generateContent": ("generate", _generate),
    ":streamGenerateContent": ("generate", _generate),
}


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
        dialect, tell = next((row for end, row in DIALECTS.items() if path.endswith(end)), ("", _chat))
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

    def _answer(self, received: Received, tell: Callable[[_Told], tuple[Json, list[Event]]]) -> None:
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
            said = {"type": kind.get(move.status, "api_error"), "message": move.say.replace("{key}", key) or "scripted"}
            text = move.body.replace("{key}", key) or json.dumps({"type": "error", "error": said})
            self._whole(move, text.encode())
            return
        usage = self.model.usage if move.usage == "as scripted" else move.usage
        told = _Told(
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
