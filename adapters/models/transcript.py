"""What went through: one JSON object a line, capped, without secrets. It is written here, so no agent can forge it."""

import json
import threading
from contextlib import suppress
from typing import Any

from adapters.secret_shapes import blanked
from contracts.exchange import Exchange
from policies.counted import shortened

MOST = 8 << 20
"""Bytes of one transcript."""
_MOST_LINE = 512 << 10
_MOST_TEXT = 32 << 10
"""Characters of one text in it."""
_DEEPEST = 40


class Transcript:
    """Of one attempt of one step."""

    def __init__(self, key: str) -> None:
        self._key = key
        self._lines: list[bytes] = []
        self._size, self._left_out = 0, 0
        self._before: dict[str, list[Any]] = {}
        """By dialect, the conversation as it was sent last."""
        self._lock = threading.Lock()

    def add(self, exchange: Exchange, sent: dict[str, Any], answer: dict[str, Any], taken_out: tuple[str, ...]) -> None:
        """Keep an exchange. Of its conversation what is new: agents send all of it each time."""
        conversation = sent.get("messages", sent.get("input", sent.get("contents")))
        items = conversation if isinstance(conversation, list) else [conversation] if conversation is not None else []
        with self._lock:
            before = self._before.get(exchange.dialect, [])
            same = next((at for at, pair in enumerate(zip(before, items, strict=False)) if pair[0] != pair[1]), None)
            again = min(len(before), len(items)) if same is None else same
            self._before[exchange.dialect] = items
            line = {"exchange": exchange.model_dump(mode="json"), "again": again, "sent": items[again:]}
            if not again and (system := sent.get("system", sent.get("instructions", sent.get("systemInstruction")))):
                line["system"] = system
            if taken_out:
                line["takenOut"] = list(taken_out)
            self._keep(line | {"answer": answer})

    def _keep(self, line: dict[str, Any]) -> None:
        if self._left_out:
            self._left_out += 1
            return
        body = self._written(line)
        if len(body) > _MOST_LINE:
            line = {**line, "sent": "left out: too large", "system": "", "cut": True}
            body = self._written(line)
        if self._size + len(body) > MOST:
            self._left_out += 1
            return
        self._size += len(body)
        self._lines.append(body)

    def _written(self, line: dict[str, Any]) -> bytes:
        return json.dumps(self._clean(line, 0), ensure_ascii=False).encode("utf-8", "replace") + b"\n"

    def _clean(self, value: Any, depth: int) -> Any:
        if isinstance(value, str):
            if value.startswith("{"):
                # Arguments of calls are JSON within JSON: a secret in them is quoted twice, and looks like none.
                with suppress(ValueError, RecursionError):
                    return self._clean(json.loads(value), depth + 1)
            return shortened(blanked(value, self._key), _MOST_TEXT)
        if depth > _DEEPEST:
            return "left out: too deep"
        if isinstance(value, dict):
            return {blanked(str(name), self._key)[:200]: self._clean(item, depth + 1) for name, item in value.items()}
        if isinstance(value, list):
            return [self._clean(item, depth + 1) for item in value]
        return value

    def written(self) -> bytes:
        """All that was kept, and how much was not."""
        with self._lock:
            body = b"".join(self._lines)
            if self._left_out:
                body += json.dumps({"leftOut": self._left_out, "why": f"more than {MOST} bytes"}).encode() + b"\n"
            return body
