"""The four dialects, one row each: where a request goes and its limit stands, and how an answer says what it was."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from contracts.exchange import Ending
from policies.counted import shortened

Json = dict[str, Any]
_MOST_TEXT = 256 << 10
"""Characters of an answer that are kept for the transcript."""
_LONGEST_NAME = 80
_MOST_TOOLS = 50
_MOST_TOKENS = 10**12

_ENDS = {
    "stop": Ending.SAID,
    "end_turn": Ending.SAID,
    "stop_sequence": Ending.SAID,
    "pause_turn": Ending.SAID,
    "tool_calls": Ending.TOOL,
    "function_call": Ending.TOOL,
    "tool_use": Ending.TOOL,
    "length": Ending.LENGTH,
    "max_tokens": Ending.LENGTH,
    "max_output_tokens": Ending.LENGTH,
    "model_context_window_exceeded": Ending.LENGTH,
    "content_filter": Ending.REFUSAL,
    "refusal": Ending.REFUSAL,
    "STOP": Ending.SAID,
    "MAX_TOKENS": Ending.LENGTH,
    **dict.fromkeys(("SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII"), Ending.REFUSAL),
}
"""A provider's word for how it ended; any other is FAILED."""


class NotReadable(ValueError):
    """What came is no answer of the dialect."""


class Usage(NamedTuple):
    """Tokens of one exchange, as the provider told them."""

    tokens_in: int
    """With those of the cache."""
    tokens_out: int
    cached: int = 0
    """Of ``tokens_in``, read from the provider's cache."""
    written: int = 0
    """Of ``tokens_in``, written into it."""


@dataclass
class Reading:
    """What an answer has said of itself so far."""

    finished: bool = False
    """It said how it ended."""
    closed: bool = False
    """The dialect's own last word came: nothing may follow."""
    broken: str = ""
    """The provider broke it off, in its own words."""
    ending: Ending = Ending.SAID
    usage: Usage | None = None
    lies: str = ""
    """A usage that cannot be, as it was told."""
    text: list[str] = field(default_factory=list)
    calls: dict[Any, list[str]] = field(default_factory=dict)
    """Name, then pieces of the arguments, by whatever tells calls apart."""
    size: int = 0

    @property
    def tools(self) -> tuple[str, ...]:
        """Names of the tools that it wants run."""
        return tuple(shortened(call[0], _LONGEST_NAME) for call in self.calls.values())[:_MOST_TOOLS]

    def say(self, text: Any) -> None:
        """A piece of text."""
        if isinstance(text, str) and self.size < _MOST_TEXT:
            self.size += len(text)
            self.text.append(text)

    def call(self, key: Any, name: Any, arguments: Any) -> None:
        """A call, or a piece of one."""
        pieces = self.calls.setdefault(key if isinstance(key, int | str) else str(key), [""])
        if isinstance(name, str) and not pieces[0]:
            pieces[0] = name
        if not isinstance(arguments, str):
            arguments = json.dumps(arguments) if arguments else ""
        if self.size < _MOST_TEXT:
            self.size += len(arguments)
            pieces.append(arguments)

    def end(self, word: Any) -> None:
        """How it ended. A refusal outweighs whatever comes later; a call outweighs a plain end."""
        self.finished = True
        if self.ending is not Ending.REFUSAL:
            self.ending = _ENDS.get(word, Ending.FAILED) if isinstance(word, str) else Ending.FAILED
        if self.ending is Ending.SAID and self.calls:
            self.ending = Ending.TOOL

    def refuse(self) -> None:
        """It would not."""
        self.ending = Ending.REFUSAL

    def count(self, told: Any, read: Callable[[Mapping[str, Any]], Usage]) -> None:
        """A usage: the latest counts, for they only grow."""
        if told is None:
            return
        try:
            self.usage, self.lies = read(told), ""
        except (KeyError, TypeError, ValueError, AttributeError):
            self.usage, self.lies = None, shortened(f"the usage cannot be: {told!r}", 300)


class Reader(Protocol):
    """Of the answers of one dialect."""

    def event(self, reading: Reading, data: Json) -> None:
        """One event of a stream."""

    def whole(self, reading: Reading, data: Json) -> None:
        """An answer in one piece."""


def _number(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _MOST_TOKENS:
        raise ValueError(value)
    return value


def _items(value: Any) -> Iterator[Json]:
    yield from (each for each in value if isinstance(each, dict)) if isinstance(value, list) else ()


def _inner(data: Any, name: str) -> Json:
    found = data.get(name) if isinstance(data, dict) else None
    return found if isinstance(found, dict) else {}


def _words(error: Any) -> str:
    message = error.get("message") or error.get("type") if isinstance(error, dict) else error
    return shortened(str(message or "the provider broke the answer off"), 300)


class Chat:
    """Chat completions."""

    def event(self, reading: Reading, data: Json) -> None:
        """A chunk: pieces of a message; the last has the usage."""
        if data.get("error"):
            reading.broken = _words(data["error"])
        self._read(reading, data, "delta")

    def whole(self, reading: Reading, data: Json) -> None:
        """A completion."""
        if "choices" not in data:
            raise NotReadable("no choices")
        self._read(reading, data, "message")

    def _read(self, reading: Reading, data: Json, name: str) -> None:
        for choice in _items(data.get("choices")):
            delta = _inner(choice, name)
            reading.say(delta.get("content"))
            for at, call in enumerate(_items(delta.get("tool_calls"))):
                wanted = _inner(call, "function") or _inner(call, "custom")
                arguments = wanted.get("arguments", wanted.get("input"))
                reading.call(call.get("index", at), wanted.get("name"), arguments)
            if delta.get("refusal"):
                reading.say(delta["refusal"])
                reading.refuse()
            if choice.get("finish_reason"):
                reading.end(choice["finish_reason"])
        reading.count(data.get("usage"), self._usage)

    @staticmethod
    def _usage(told: Mapping[str, Any]) -> Usage:
        cached = (told.get("prompt_tokens_details") or {}).get("cached_tokens") or 0
        return Usage(_number(told["prompt_tokens"]), _number(told["completion_tokens"]), _number(cached))


class Responses:
    """Responses."""

    def event(self, reading: Reading, data: Json) -> None:
        """Whatever came before, the last event has the response as a whole."""
        kind = data.get("type")
        if kind in {"response.completed", "response.incomplete", "response.failed"}:
            # Text and calls stand in it again.
            reading.text, reading.calls, reading.size = [], {}, 0
            self.whole(reading, _inner(data, "response"))
            reading.closed = True
        elif kind == "error":
            reading.broken = _words(data.get("error") or data)
        elif kind == "response.output_text.delta":
            reading.say(data.get("delta"))

    def whole(self, reading: Reading, data: Json) -> None:
        """A response."""
        status = data.get("status")
        for at, item in enumerate(_items(data.get("output"))):
            if str(item.get("type")).endswith("_call"):
                arguments = item.get("arguments") or item.get("input") or item.get("action")
                reading.call(at, item.get("name") or item.get("type"), arguments)
            for part in _items(item.get("content")):
                reading.say(part.get("text") or part.get("refusal"))
                if part.get("type") == "refusal":
                    reading.refuse()
        reading.count(data.get("usage"), self._usage)
        if status == "failed":
            reading.say(_words(data.get("error")))
        if status in {"completed", "incomplete", "failed"}:
            finish = {"completed": "stop", "failed": "failed"}
            reading.end(finish.get(status) or _inner(data, "incomplete_details").get("reason"))
        elif status not in {"in_progress", "queued"}:
            raise NotReadable("no status")

    @staticmethod
    def _usage(told: Mapping[str, Any]) -> Usage:
        cached = (told.get("input_tokens_details") or {}).get("cached_tokens") or 0
        return Usage(_number(told["input_tokens"]), _number(told["output_tokens"]), _number(cached))


class Messages:
    """Messages."""

    def event(self, reading: Reading, data: Json) -> None:
        """Blocks come in pieces, the usage in two: it begins with the input, and its output grows."""
        kind, block = data.get("type"), _inner(data, "content_block")
        delta = _inner(data, "delta")
        if kind == "message_start":
            reading.count(_inner(data, "message").get("usage"), self._usage)
        elif kind == "content_block_start" and block.get("type") == "tool_use":
            reading.call(data.get("index"), block.get("name"), "")
        elif kind == "content_block_delta":
            reading.say(delta.get("text"))
            if delta.get("partial_json"):
                reading.call(data.get("index"), None, delta["partial_json"])
        elif kind == "message_delta":
            self._grow(reading, data.get("usage"))
            if delta.get("stop_reason"):
                reading.end(delta["stop_reason"])
        elif kind == "message_stop":
            reading.closed = True
        elif kind == "error":
            reading.broken = _words(data.get("error"))

    def whole(self, reading: Reading, data: Json) -> None:
        """A message."""
        if data.get("type") != "message":
            raise NotReadable("no message")
        for at, block in enumerate(_items(data.get("content"))):
            reading.say(block.get("text"))
            if block.get("type") == "tool_use":
                reading.call(at, block.get("name"), block.get("input"))
        reading.count(data.get("usage"), self._usage)
        if data.get("stop_reason"):
            reading.end(data["stop_reason"])

    def _grow(self, reading: Reading, told: Any) -> None:
        before = reading.usage
        if not isinstance(told, dict) or before is None:
            reading.count(told, self._usage)
            return
        fresh = before.tokens_in - before.cached - before.written
        known = {"input_tokens": fresh, "cache_read_input_tokens": before.cached}
        known["cache_creation_input_tokens"] = before.written
        # Providers that repeat the input may say null or 0 where they said it before.
        reading.count(known | {name: value for name, value in told.items() if value or name not in known}, self._usage)

    @staticmethod
    def _usage(told: Mapping[str, Any]) -> Usage:
        cached = _number(told.get("cache_read_input_tokens") or 0)
        written = _number(told.get("cache_creation_input_tokens") or 0)
        fresh, out = _number(told["input_tokens"]), _number(told["output_tokens"])
        return Usage(fresh + cached + written, out, cached, written)


class Generate:
    """generateContent of Google: a stream is answers, each with the next pieces and all that was counted so far."""

    def event(self, reading: Reading, data: Json) -> None:
        """The next pieces."""
        if data.get("error"):
            reading.broken = _words(data["error"])
        if _inner(data, "promptFeedback").get("blockReason"):
            reading.refuse()
            reading.finished = True
        for candidate in _items(data.get("candidates")):
            for part in _items(_inner(candidate, "content").get("parts")):
                reading.say(part.get("text"))
                if called := _inner(part, "functionCall"):
                    reading.call(len(reading.calls), called.get("name"), called.get("args"))
            if candidate.get("finishReason"):
                reading.end(candidate["finishReason"])
        reading.count(data.get("usageMetadata"), self._usage)

    def whole(self, reading: Reading, data: Json) -> None:
        """All of it."""
        if not {"candidates", "promptFeedback"} & data.keys():
            raise NotReadable("no candidates")
        self.event(reading, data)

    @staticmethod
    def _usage(told: Mapping[str, Any]) -> Usage:
        out = [_number(told.get(name) or 0) for name in ("candidatesTokenCount", "thoughtsTokenCount")]
        prompt_tokens = _number(told["promptTokenCount"]) + _number(told.get("toolUsePromptTokenCount") or 0)
        return Usage(prompt_tokens, sum(out), _number(told.get("cachedContentTokenCount") or 0))


@dataclass(frozen=True)
class Dialect:
    """One way to ask."""

    name: str
    path: str
    limits: tuple[str, ...]
    """Where the limit of output tokens may stand; the first is put in where there is none."""
    reader: Reader
    key: tuple[str, str]
    """The header that the key goes up in, and what stands before it."""
    tools: tuple[str, ...]
    """Kinds of tools that run where the agent is, by how they begin. Others run at the provider: taken out."""
    caches_by_order: bool = False
    """Input may cost more than its price, where the request has it cached."""
    settings: str = ""
    """The part of the body in which the limit stands; empty: beside all else."""


DIALECTS = {
    row.path: row
    for row in (
        Dialect(
            "chat",
            "/v1/chat/completions",
            ("max_tokens", "max_completion_tokens"),
            Chat(),
            ("Authorization", "Bearer "),
            ("function", "custom"),
        ),
        Dialect(
            "responses",
            "/v1/responses",
            ("max_output_tokens",),
            Responses(),
            ("Authorization", "Bearer "),
            ("function", "custom", "local_shell", "shell", "apply_patch", "namespace", "computer"),
        ),
        Dialect(
            "messages",
            "/v1/messages",
            ("max_tokens",),
            Messages(),
            ("x-api-key", ""),
            ("custom", "bash_", "text_editor_", "computer_", "memory_"),
            caches_by_order=True,
        ),
    )
}
"""By the path of a request."""
GENERATE = Dialect(
    "generate",
    "/v1beta/models",
    ("maxOutputTokens",),
    Generate(),
    ("x-goog-api-key", ""),
    ("functionDeclarations",),
    settings="generationConfig",
)
_GENERATES = re.compile(r"/v1(?:beta)?/models/([A-Za-z0-9._-]+):(generateContent|streamGenerateContent)")


class Place(NamedTuple):
    """Where a request goes, and what of it stands in the address."""

    dialect: Dialect
    path: str
    model: str = ""


def place_of(path: str) -> Place | None:
    """By the path of a request; None: no model answers there."""
    if row := DIALECTS.get(path):
        return Place(row, path)
    if found := _GENERATES.fullmatch(path):
        # As a stream of events: in its other form nothing tells where one piece ends.
        stream = "?alt=sse" if found[2] == "streamGenerateContent" else ""
        return Place(GENERATE, f"{GENERATE.path}/{found[1]}:{found[2]}{stream}", found[1])
    return None
