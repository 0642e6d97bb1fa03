"""How many tokens a request can be read as at most: what is reserved for it, before anybody knows (P9).

Models read bytes: a token of theirs stands for one at least, so bytes are a sure bound, and four times too much for
prose. Agents send their whole conversation each time. Where a request begins as an earlier one did, word for word,
that beginning is no more tokens than the provider counted then, and bytes count only for what is new.
"""

import hashlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]

_HOW_TO_CALL = 512
"""Tokens that a provider puts in to tell how tools are called: 346 at Anthropic."""
_PICTURE, _DOCUMENT = 50_000, 1_000_000
"""Tokens of what is not read by bytes: the dearest picture there is (48,000), as much as the largest windows hold."""
_PICTURES = frozenset({"image", "image_url", "input_image", "computer_screenshot"})
_DOCUMENTS = frozenset({"document", "file", "input_file", "input_audio", "audio", "video", "input_video"})
_CONVERSATION = ("messages", "input", "contents")
_WITHIN = ("content", "output", "parts")
_MARK = "cache_control"


def tokens_at_most(body: Json, sent: bytes) -> int:
    """Of a request as it goes up, when nothing is known of an earlier one."""
    return len(sent) + _HOW_TO_CALL * bool(body.get("tools")) + _beyond_bytes(body)


@dataclass
class Counted:
    """What the provider has counted in one attempt of one step. From several threads at once."""

    _known: dict[bytes, int] = field(default_factory=dict)
    """A beginning, by its digest -> its tokens."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def at_most(self, body: Json, sent: bytes) -> int:
        """The least sure bound."""
        best = tokens_at_most(body, sent)
        with self._lock:
            known = [(count, self._known.get(digest)) for count, digest in _beginnings(body)]
        items = _items(body)
        for count, tokens in known:
            if tokens is not None:
                new = items[count:]
                best = min(best, tokens + sum(len(_written(each)) for each in new) + _beyond_bytes({"messages": new}))
        return best

    def learn(self, body: Json, tokens: int) -> None:
        """A request was counted as so many tokens."""
        *_, (_, whole) = _beginnings(body)
        with self._lock:
            self._known[whole] = min(tokens, self._known.get(whole, tokens))


def _items(body: Json) -> list[Any]:
    conversation = next((body[name] for name in _CONVERSATION if name in body), None)
    return conversation if isinstance(conversation, list) else []


def _beginnings(body: Json) -> Iterator[tuple[int, bytes]]:
    """Number of items and digest of each beginning of a conversation, all else of the request being in it."""
    items = _items(body)
    apart = {name: [] if items and name in _CONVERSATION else value for name, value in body.items()}
    digest = hashlib.sha256(_written(apart))
    yield 0, digest.digest()
    for count, each in enumerate(items, 1):
        # The mark of what is to be cached moves on with the conversation, and is no word of it.
        digest.update(hashlib.sha256(_written(_unmarked(each))).digest())
        yield count, digest.digest()


def _unmarked(item: Any) -> Any:
    """Without marks: on an item, and on the parts of its content."""
    if isinstance(item, list):
        return [_unmarked(each) for each in item]
    if isinstance(item, dict):
        kept = {name: value for name, value in item.items() if name != _MARK}
        return kept | {"content": _unmarked(kept["content"])} if "content" in kept else kept
    return item


def _written(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, sort_keys=True).encode()


def _beyond_bytes(body: Json) -> int:
    """Tokens of pictures and documents, wherever they stand; the arguments of calls are text."""
    found, waiting = 0, [body.get(name) for name in (*_CONVERSATION, "system", "systemInstruction")]
    while waiting:
        each = waiting.pop()
        if isinstance(each, list):
            waiting += each
        elif isinstance(each, dict):
            kind = str(each.get("type"))
            found += _PICTURE * (kind in _PICTURES) + _DOCUMENT * (kind in _DOCUMENTS or "inlineData" in each)
            waiting += [each[name] for name in _WITHIN if isinstance(each.get(name), list | dict)]
    return found
