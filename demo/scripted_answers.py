"""What the scripted model says, in the words of each dialect: whole, and as the events of a stream."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]
Event = tuple[str, Json]
"""Name, empty where there is none, and data."""


@dataclass(frozen=True)
class Told:
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


def as_chat(told: Told) -> tuple[Json, list[Event]]:
    """Chat completions."""
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


def _as_responses(told: Told) -> tuple[Json, list[Event]]:
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
    is_message = item["type"] == "message"
    empty: Json = {"content": []} if is_message else {"arguments": ""}
    begun = {**item, "status": "in_progress"} | empty
    yield {"type": "response.output_item.added", "output_index": index, "item": begun}
    if is_message and item["content"][0]["type"] == "output_text":
        part = item["content"][0]
        yield {"type": "response.content_part.added", **at, "content_index": 0, "part": {**part, "text": ""}}
        for piece in _pieces(part["text"]):
            yield {"type": "response.output_text.delta", **at, "content_index": 0, "delta": piece}
        yield {"type": "response.output_text.done", **at, "content_index": 0, "text": part["text"]}
    if is_message:
        yield {"type": "response.content_part.done", **at, "content_index": 0, "part": item["content"][0]}
    else:
        yield {"type": "response.function_call_arguments.delta", **at, "delta": item["arguments"]}
        yield {"type": "response.function_call_arguments.done", **at, "arguments": item["arguments"]}
    yield {"type": "response.output_item.done", "output_index": index, "item": item}


def _as_messages(told: Told) -> tuple[Json, list[Event]]:
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


def _as_generate(told: Told) -> tuple[Json, list[Event]]:
    parts: list[Json] = [{"text": text}] if (text := told.refuse or told.say) else []
    if told.call:
        parts.append({"functionCall": {"name": told.call[0], "args": told.call[1]}})
    finish = "SAFETY" if told.refuse else "MAX_TOKENS" if told.length else "STOP"
    counts = ("promptTokenCount", "candidatesTokenCount", "totalTokenCount")
    usage = {"usageMetadata": dict(zip(counts, (*told.usage, 0), strict=True))} if told.usage else {}

    def answer(content: list[Json], **more: Any) -> Json:
        candidate = {"content": {"role": "model", "parts": content}, "index": 0, **more}
        return {"candidates": [candidate], "modelVersion": told.model, "responseId": told.ids}

    pieces = [answer([{"text": each}]) for each in _pieces(text)] + [answer(parts[-1:])] * bool(told.call)
    return answer(parts, finishReason=finish) | usage, [
        ("", each) for each in (*pieces, answer([], finishReason=finish) | usage)
    ]


ANSWERS = {
    "/chat/completions": ("chat", as_chat),
    "/responses": ("responses", _as_responses),
    "/messages": ("messages", _as_messages),
    ":generateContent": ("generate", _as_generate),
    ":streamGenerateContent": ("generate", _as_generate),
}
