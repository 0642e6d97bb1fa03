"""What a request may hold: one of the charter's models, a limit, and nothing that reaches beyond this one exchange."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

from adapters.models.dialects import Dialect, Json, Place
from adapters.models.input_bound import Counted, tokens_at_most
from policies.counted import shortened
from policies.settings.charter import RolePolicy

LARGEST = 8 << 20
"""Bytes of a request's body."""
_LEAST_THINKING = 1024
_LISTED = 20
"""Of what was taken out of one request."""

_REACH_BEYOND = ("previous_response_id", "conversation", "background", "cachedContent")
"""What the provider kept, or would go on with by itself: neither is in the body, so the cost has no bound."""
_ANY = "model stream temperature top_p top_k metadata tools tool_choice thinking cache_control"
_BOTH = (
    f"{_ANY} user store parallel_tool_calls reasoning top_logprobs prompt_cache_key safety_identifier stream_options"
)
_PARAMETERS = {
    "chat": f"{_BOTH} messages stop seed n response_format reasoning_effort verbosity logprobs logit_bias min_p"
    " functions function_call frequency_penalty presence_penalty repetition_penalty chat_template_kwargs"
    " enable_thinking think",
    "responses": f"{_BOTH} input instructions text truncation include client_metadata",
    "messages": f"{_ANY} messages system stop_sequences output_config output_format",
    "generate": "contents systemInstruction tools toolConfig safetySettings labels generationConfig temperature topP"
    " topK candidateCount stopSequences seed presencePenalty frequencyPenalty responseMimeType responseSchema"
    " responseJsonSchema responseLogprobs logprobs thinkingConfig",
}
"""What a dialect's request may hold beside its limit; it goes up without anything else. Other models to fall back on, a
dearer tier, work at the provider that the usage does not tell: nobody can list what servers understand besides.
"""
_DEEPEST = 100
"""Lists and objects in one another; whoever handles a request later must not fail at what went up."""
_FETCHED = ("url", "image_url", "file_url", "file_id", "fileUri")
_WITHIN = ("content", "source", "file", "output", "parts", "fileData")


class Forbidden(Exception):
    """Why a request does not go up."""

    def __init__(self, reason: str, model: str = "") -> None:
        super().__init__(reason)
        self.model = model
        """The one that was asked for and is not the charter's."""


@dataclass(frozen=True)
class ModelRequest:
    """A request as it goes up."""

    model: str
    body: Json
    sent: bytes
    path: str
    limit: int
    """Of output tokens."""
    most_in: int
    """Input tokens at most, whatever was asked before."""
    worst_in: int
    """The same, by what was asked before: what is reserved."""
    taken_out: tuple[str, ...] = ()


def read_request(raw: bytes, place: Place, role: RolePolicy, counted: Counted) -> ModelRequest:
    """The request that goes up for this one.

    Raises:
        Forbidden: none does.
    """
    try:
        body = json.loads(raw, parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise Forbidden("the body is no JSON") from None
    if not isinstance(body, dict):
        raise Forbidden("the body is no JSON object")
    dialect, model = place.dialect, place.model or body.get("model")
    if not isinstance(model, str) or model not in role.models:
        allowed = ", ".join(role.models) or "none"
        wanted = shortened(str(model), 100)
        raise Forbidden(f"the model {wanted!r} is not of the charter, which allows {allowed}", wanted)
    settings = body.setdefault(dialect.settings, {}) if dialect.settings else body
    if not isinstance(settings, dict):
        raise Forbidden(f"{dialect.settings}: an object")
    _demand_bounded(body, settings)
    known = {*_PARAMETERS[dialect.name].split(), *dialect.limits}
    taken = [
        shortened(name, 60)
        for part in (body, settings)
        for name in sorted(part.keys() - known)
        if part.pop(name) is not None
    ][:_LISTED]
    for holder in (body, *_items(body.get("input"))):
        taken += _without_hosted_tools(holder, dialect)
    if "tools" not in body:
        body.pop("tool_choice", None)
        body.pop("toolConfig", None)
    limit = _put_limit(settings, dialect, role.output_tokens)
    for part in (body, *_parts(_said(body))):
        if isinstance(cached := part.get("cache_control"), dict):
            # For an hour it costs twice the price, and the usage does not tell.
            part["cache_control"] = {name: value for name, value in cached.items() if name != "ttl"}
    if dialect.name == "chat" and body.get("stream"):
        told = body.get("stream_options")
        body["stream_options"] = {**(told if isinstance(told, dict) else {}), "include_usage": True}
    sent = written(body)
    most, worst = tokens_at_most(body, sent), counted.at_most(body, sent)
    return ModelRequest(model, body, sent, place.path, limit, most, worst, taken_out=tuple(taken))


def written(body: Json) -> bytes:
    """A body as it goes up: read and written anew, so that no other reader finds another meaning in it.

    Raises:
        Forbidden: it is no text.
    """
    try:
        return json.dumps(body, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError):
        raise Forbidden("the body is no Unicode text") from None


def _no_number(word: str) -> NoReturn:
    raise ValueError(word)


def _demand_bounded(body: Json, settings: Json) -> None:
    for name in _REACH_BEYOND:
        if body.get(name):
            raise Forbidden(f"{name}: what is asked has to stand in the request")
    if isinstance(body.get("prompt"), dict):
        raise Forbidden("prompt: what is asked has to stand in the request")
    for item in _items(body.get("input")):
        if item.get("type") == "item_reference" or not (item.get("type") or item.get("role")):
            raise Forbidden("item_reference: what is asked has to stand in the request")
    for name in ("n", "candidateCount"):
        if settings.get(name) not in (None, 1):
            raise Forbidden(f"{name}: one answer at a time")
    level: list[Any] = [body]
    for _ in range(_DEEPEST):
        level = [item for each in level for item in _inside(each)]
    if level:
        raise Forbidden(f"the body is nested more than {_DEEPEST} deep")
    if body.get("stream") not in (None, True, False):
        raise Forbidden("stream: true or false")
    name, place = _fetched(_said(body))
    if name:
        raise Forbidden(f"{name} {shortened(place, 60)}: the provider would fetch it; send the bytes themselves")


def _items(value: Any) -> list[Json]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _inside(value: Any) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()


def _said(body: Json) -> list[Any]:
    return [body.get(name) for name in ("messages", "input", "contents", "system", "systemInstruction", "tools")]


def _fetched(value: Any) -> tuple[str, str]:
    """The first part of a conversation that stands somewhere else."""
    for part in _parts(value):
        for name in _FETCHED:
            told = part.get(name)
            told = told.get("url") if isinstance(told, dict) else told
            if isinstance(told, str) and not told.startswith("data:"):
                return name, told
    return "", ""


def _parts(value: Any) -> Iterator[Json]:
    """Parts of contents, those of tool results and sources included; not the arguments of calls."""
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, list):
            waiting += each
        elif isinstance(each, dict):
            yield each
            waiting += [each[name] for name in _WITHIN if name in each]


def _without_hosted_tools(holder: Json, dialect: Dialect) -> Iterator[str]:
    """Tools that would run at the provider: they reach hosts that no charter lists, and cost what no usage tells.

    A request has them, a namespace of it, and what an earlier search for tools brought.
    """
    tools = holder.get("tools")
    if not isinstance(tools, list):
        return
    kept: list[Any] = []
    for tool in tools:
        if dialect.settings:
            # There a tool is known by what it holds, and one entry may hold several.
            held = tool if isinstance(tool, dict) else {}
            yield from (f"tool {shortened(name, 60)}" for name in held if name not in dialect.tools)
            kept += [{name: held[name]} for name in held if name in dialect.tools]
            continue
        kind, place = (tool.get("type"), tool.get("environment")) if isinstance(tool, dict) else ("", None)
        remote = isinstance(place, dict) and place.get("type") != "local"
        if (kind is None or str(kind).startswith(dialect.tools)) and not remote:
            kept.append(tool)
            yield from _without_hosted_tools(tool, dialect) if isinstance(tool, dict) else ()
        else:
            yield f"tool {shortened(str(kind), 60)}"
    holder["tools"] = kept
    if not kept:
        del holder["tools"]


def _put_limit(body: Json, dialect: Dialect, most: int) -> int:
    limit = 0
    for name in dialect.limits:
        value = body.pop(name, None)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise Forbidden(f"{name}: a whole number of tokens")
        limit = body[name] = min(value, most, limit or most)
    if not limit:
        limit = body[dialect.limits[0]] = most
    thinking = body.get("thinking")
    if isinstance(thinking, dict) and isinstance(thinking.get("budget_tokens"), int):
        if limit <= _LEAST_THINKING:
            del body["thinking"]
        elif thinking["budget_tokens"] >= limit:
            # Anthropic refuses a budget that the lowered limit does not hold.
            body["thinking"] = {**thinking, "budget_tokens": max(_LEAST_THINKING, limit // 2)}
    return limit
