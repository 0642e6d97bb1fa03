"""Requests to one forge's JSON API: looking is repeated a little, acting never; what it says, for who can mend it."""

import json
import math
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode, urlsplit

from adapters.forges.http.wire import LARGEST, SHOWN, Send, UnclearAnswer, send_with_pool
from policies.counted import shortened
from ports.forge import AccessDenied, ForgeError, NotShown

_PAGE = 50
MOST_PAGES = 400
_LOOKS = 3
_LONGEST_WAIT = 20.0
_LONGEST_NUMBER = 20
"""Digits: 64 bits and a sign."""
_LONGEST_TOLD = 366 * 24 * 3600.0
_PLAIN = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "autonomy-runbook"}
_HINTS: dict[int, str] = {
    HTTPStatus.UNAUTHORIZED: "the token is missing, wrong or expired; see [forge_access]",
    HTTPStatus.FORBIDDEN: "the token or its account lacks a right",
    HTTPStatus.NOT_FOUND: "it is not there, or the token's account may not see it",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "a quota is used up",
    HTTPStatus.LOCKED: "the repository is archived",
}
_COUNT = re.compile(r"[0-9]{1,9}")
_CLOSED = frozenset({301, 302, 307, 308, 401, 403, 413, 423, 451})
_MOVED = re.compile(r"/repos/([\w.-]{1,100}/[\w.-]{1,100})(?=[/?#]|$)")
_BROKEN = HTTPStatus.INTERNAL_SERVER_ERROR
_PASSING = frozenset({429, 500, 502, 503, 504})
# What GitHub tells clients to wait after a secondary limit that names no time.
_UNNAMED = 60.0
_WHOLE_NUMBER = re.compile(r"[0-9]{1,12}")
_LIMITING = frozenset({HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})
# GitHub's words, older Enterprise Servers' included.
_LIMIT_WORDS = re.compile(r"rate limit|abuse detection|submitted too quickly", re.IGNORECASE)
# Those of its limit on what is opened, which it calls invalid.
_TOO_QUICK = "submitted too quickly"


@dataclass(frozen=True)
class Reply:
    """A complete answer, whatever its status."""

    status: int
    headers: Mapping[str, str]
    content: Any
    """Decoded JSON; None when the answer was none."""
    said: str
    """What the forge said, one short line for messages."""

    @property
    def good(self) -> bool:
        """2xx."""
        return HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES

    @property
    def delay(self) -> float | None:
        """Seconds the forge wants us to wait, where it limits the rate."""
        return server_delay(self.status, self.headers, self.said)


class JsonApi:
    """Requests to one API. Looking is repeated a little when the forge is out of breath; acting never is."""

    def __init__(self, base: str, headers: Mapping[str, str], send: Send | None = None) -> None:
        """``base``: address without a slash at the end; ``headers`` go with every request, and to no other host."""
        self._base = base
        self._headers = {**_PLAIN, **headers}
        self._host = urlsplit(base).netloc
        self._send = send or send_with_pool()

    def look(self, path: str, **query: str) -> Reply:
        """GET; waits out short breakdowns.

        Raises:
            ForgeError: no answer, or none of the 4xx that a caller could understand.
        """
        problem: ForgeError | None = None
        for attempt in range(_LOOKS):
            try:
                reply = self._ask("GET", path, query=query)
            except UnclearAnswer as broken:
                problem, wait = broken, 0.2 * 2**attempt
            else:
                if reply.status not in _PASSING and reply.delay is None:
                    return reply
                problem = ForgeError(self.complaint(reply, f"looking at {path}"), reply.delay)
                wait = 0.2 * 2**attempt if reply.delay is None else reply.delay
                if wait > _LONGEST_WAIT:
                    # Too long for a step that holds a slot: whoever runs the step waits instead.
                    break
            if attempt + 1 < _LOOKS:
                time.sleep(wait)
        raise problem or ForgeError("not asked")

    def get(self, path: str, **query: str) -> Any:
        """GET something that must be there.

        Raises:
            ForgeError: it is not, or may not be seen.
        """
        reply = self.look(path, **query)
        if not reply.good:
            raise self.failed(reply, f"looking at {path}")
        return reply.content

    def failed(self, reply: Reply, doing: str) -> ForgeError:
        """A bad answer as the error it is: ours to ask again, or a person's to mend."""
        complaint = self.complaint(reply, doing)
        if reply.status == HTTPStatus.NOT_FOUND:
            return NotShown(complaint)
        return AccessDenied(complaint) if closed_to_us(reply) else ForgeError(complaint)

    def end_of(self, path: str, most: int) -> str:
        """The end of a text, for a person to read; empty when it cannot be had: nothing is ever concluded from it."""
        headers = self._headers | {"Accept": "text/plain"}
        try:
            status, _shown, raw = self._send("GET", f"{self._base}{path}", headers, None)
        except UnclearAnswer:
            return ""
        whole = status == HTTPStatus.OK and len(raw) <= LARGEST
        return raw[-most:].decode(errors="replace") if whole else ""

    def pages(self, path: str, within: str = "", **query: str) -> Iterator[Any]:
        """Every item of a list (or of the list ``within`` an object), page by page, each once.

        A server may make pages smaller than asked for, so only its own count, or a page with nothing new, ends it.

        Raises:
            ForgeError: fewer items than the server counted: a truncated list proves nothing absent.
        """
        known: set[str] = set()
        for page in range(1, MOST_PAGES + 1):
            reply = self.look(path, **query, page=str(page), limit=str(_PAGE))
            if not reply.good:
                raise self.failed(reply, f"looking at {path}")
            counted, before = reply.headers.get("X-Total-Count", ""), len(known)
            for item in self._items(reply, path, within):
                if (identity := str(item["id"])) not in known:
                    known.add(identity)
                    yield item
            total = int(counted) if _COUNT.fullmatch(counted) else None
            if total is not None and len(known) >= total:
                return
            if len(known) == before:
                if total is not None:
                    raise ForgeError(f"{self._host} showed {before} of {total} entries of {path}: truncated")
                return
        raise ForgeError(f"{self._host} does not come to an end of {path}")

    def _items(self, reply: Reply, path: str, within: str) -> list[dict[str, Any]]:
        found = reply.content
        if within and isinstance(found, dict):
            found = found.get(within) or []
        if not isinstance(found, list) or not all(isinstance(item, dict) and "id" in item for item in found):
            raise ForgeError(f"{self._host} answered {path} with something that is no list of entries")
        return found

    def act(self, method: str, path: str, content: Mapping[str, object]) -> Reply:
        """POST, PATCH or the like, once.

        Raises:
            UnclearAnswer: cut off, timed out, or 5xx: it may have happened.
            ForgeError: the forge limits the rate: it did not happen, and may be asked again after its delay.
        """
        reply = self._ask(method, path, content)
        if reply.status == HTTPStatus.TOO_MANY_REQUESTS or (reply.delay is not None and reply.status < _BROKEN):
            raise ForgeError(self.complaint(reply, f"{method} {path}"), reply.delay)
        if reply.status >= _BROKEN:
            raise UnclearAnswer(self.complaint(reply, f"{method} {path}"), reply.delay)
        return reply

    def complaint(self, reply: Reply, doing: str) -> str:
        """What is wrong, for a person who can mend it."""
        hint = _HINTS.get(reply.status, "")
        if reply.status == HTTPStatus.TOO_MANY_REQUESTS or reply.delay is not None:
            hint = _limited(reply.delay)
        if place := reply.headers.get("Location"):
            hint = self._elsewhere(place)
        return f"{self._host} answered {reply.status} to {doing}: {'; '.join(filter(None, (hint, reply.said)))}"

    def _elsewhere(self, place: str) -> str:
        """Where a redirect leads, which is never followed; of a repository that was renamed or moved, its new name."""
        found, host = _MOVED.search(place), _host_of(place)
        if name := found[1] if found else self._name_at(place):
            return f"the repository was renamed or moved: it is {f'on {host} ' if host else ''}{name} now"
        return f"it redirects to {host or 'elsewhere'}, which is not followed: mend the address"

    def _name_at(self, place: str) -> str:
        """The name of the repository at an address that does not show it, where this forge can be asked for it."""
        del place
        return ""

    def _ask(
        self,
        method: str,
        path: str,
        content: Mapping[str, object] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> Reply:
        address = f"{self._base}{path}" + (f"?{urlencode(query)}" if query else "")
        headers = self._headers | ({"Content-Type": "application/json"} if content is not None else {})
        body = None if content is None else json.dumps(content).encode()
        try:
            status, shown, raw = self._send(method, address, headers, body)
        except UnclearAnswer as problem:
            raise UnclearAnswer(f"{self._host} gave no answer to {method} {path}: {problem}") from problem
        if len(raw) > LARGEST:
            raise ForgeError(f"{self._host} answered {method} {path} with more than {LARGEST} bytes")
        try:
            decoded = _decoded(raw) if raw else None
        except (ValueError, RecursionError):
            if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
                raise UnclearAnswer(
                    f"{self._host} answered {method} {path} with something that is no JSON, or not clearly one thing"
                ) from None
            decoded = None
        return Reply(status, shown, decoded, _said(decoded))


def _decoded(raw: bytes) -> Any:
    """JSON that means one thing only, to every reader.

    Raises:
        ValueError, RecursionError: it is none: not even numbers, a key that is there twice, or nested without end.
    """
    return json.loads(
        raw, parse_constant=_no_number, parse_int=_whole, parse_float=_finite, object_pairs_hook=_each_once
    )


def _no_number(text: str) -> None:
    raise ValueError(f"{text} is no JSON")


def _whole(text: str) -> int:
    if len(text) > _LONGEST_NUMBER:
        raise ValueError("a number that no forge counts to")
    return int(text)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("a number that is none")
    return number


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key that is there twice")
    return found


def _host_of(address: str) -> str:
    try:
        return urlsplit(address).netloc
    except ValueError:
        return ""


def server_delay(status: int, headers: Mapping[str, str], message: str) -> float | None:
    """Seconds after which to ask again; None when the answer is no rate limit, or names no time.

    A 403 is a refusal unless its headers or words say that it is a limit.
    """
    if status == HTTPStatus.UNPROCESSABLE_ENTITY and _TOO_QUICK in message:
        return _UNNAMED
    if status not in _LIMITING:
        return None
    if (named := _retry_after(headers.get("Retry-After", ""))) is not None:
        return named
    reset = headers.get("X-RateLimit-Reset", "")
    if headers.get("X-RateLimit-Remaining", "") == "0" and _WHOLE_NUMBER.fullmatch(reset):
        # One second more: the reset is told in whole ones.
        return max(0.0, float(reset) - time.time()) + 1.0
    return _UNNAMED if _LIMIT_WORDS.search(message) else None


def _retry_after(text: str) -> float | None:
    if _WHOLE_NUMBER.fullmatch(text):
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return None


def closed_to_us(reply: Reply) -> bool:
    """Whether the answer is about us and not about what was asked: token, right, address, archive, quota."""
    return reply.status in _CLOSED and reply.delay is None


def _limited(delay: float | None) -> str:
    """Until when, as far as it says so; a time that nobody lives to see is none."""
    if delay is None or delay > _LONGEST_TOLD:
        return "the forge limits the rate, and does not say until when"
    return f"the forge limits the rate until {datetime.now(UTC) + timedelta(seconds=delay):%Y-%m-%d %H:%M:%S} UTC"


def _said(content: object) -> str:
    fields: dict[str, Any] = content if isinstance(content, dict) else {}
    # GitHub: what is wrong with a request that is called invalid.
    errors = fields["errors"] if isinstance(fields.get("errors"), list) else []
    told = [each["message"] for each in errors if isinstance(each, dict) and isinstance(each.get("message"), str)]
    message = ": ".join(filter(None, (str(fields.get("message", "")), "; ".join(told))))
    words = "".join(char if char.isprintable() else " " for char in str(message)).split()
    return shortened(" ".join(words), SHOWN)
