"""One try over the wire: TLS checked, no redirect followed, bounded in size and time, the key blanked."""

import functools
import http.client
import ipaddress
import json
import os
import socket
import ssl
import time
import urllib.request
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from email.message import Message
from email.utils import parsedate_to_datetime
from typing import Any, NoReturn, Protocol
from urllib.parse import unquote, urlsplit

from adapters.forges.http.wire import AnswerDeadline
from adapters.models.dialects import Dialect, NotReadable, Reading
from policies.counted import shortened

_LARGEST = 32 << 20
"""Bytes of one answer."""
_LARGEST_LINE = 4 << 20
_LARGEST_ERROR = 64 << 10
_CHUNK = 1 << 16
_CONNECT_SECONDS = 20.0
_BLANK = b"[key]"
_SHOWN = 300
_OK = 200
_LONGEST_WAIT = 7 * 86400.0
_UNREADABLE = (ValueError, TypeError, LookupError, AttributeError, RecursionError)
"""What reading says of an answer that is none."""


class NotReached(Exception):
    """No connection: nothing went up."""


class StoppedHalfWay(Exception):
    """It may have gone up, and no whole answer came: it may cost."""


@dataclass
class UpstreamAnswer:
    """What one try brought."""

    status: int
    body: bytes = b""
    """Of an answer in one piece; empty of a stream, which was passed on."""
    kind: str = "application/json"
    streamed: bool = False
    retry_after: float | None = None
    reading: Reading = field(default_factory=Reading)
    cut: str = ""
    """Why it is not whole."""


class Passed(Protocol):
    """To whom a stream is passed on as it comes."""

    def begin(self, kind: str) -> None:
        """Its first bytes are there."""

    def line(self, line: bytes) -> None:
        """One line of it, with its end."""


@dataclass(frozen=True)
class Upstream:
    """One provider."""

    url: str
    key: str
    quiet: float
    """Seconds without a byte after which a stream stands still."""

    @property
    def barred(self) -> str:
        """Why nothing may go up to it at all; empty: it may."""
        place = urlsplit(self.url)
        if place.scheme == "http" and not _this_machine(place.hostname or ""):
            return f"{place.hostname} by plain http: anybody on the way could read the key; write https"
        if not (self.key.isascii() and self.key.isprintable() and " " not in self.key):
            return "the key is no key: it has characters that no header may have"
        return ""

    def ask(
        self,
        dialect: Dialect,
        where: str,
        sent: bytes,
        headers: Mapping[str, str],
        deadline: AnswerDeadline,
        passed: Passed,
    ) -> UpstreamAnswer:
        """Send one request up, and read its answer to the end, whoever still listens.

        Raises:
            NotReached: nothing went up.
            StoppedHalfWay: something did, and no answer began.
        """
        link = self._link(deadline)
        try:
            name, before = dialect.key
            known = {name: f"{before}{self.key}"} if self.key else {}
            path = urlsplit(self.url).path.rstrip("/") + where
            try:
                link.request("POST", path, sent, {**headers, **known, "Accept-Encoding": "identity"})
                answer = link.getresponse()
            except (OSError, http.client.HTTPException) as problem:
                raise StoppedHalfWay(_why(problem, deadline)) from problem
            return self._read(link, answer, dialect, deadline, passed)
        finally:
            link.close()

    def _link(self, deadline: AnswerDeadline) -> http.client.HTTPConnection:
        place = urlsplit(self.url)
        host, port = place.hostname or "", place.port
        try:
            if place.scheme == "https":
                link = _by_tls(host, port)
            else:
                link = http.client.HTTPConnection(host, port, timeout=_CONNECT_SECONDS)
            link._create_connection = _watched(deadline)  # type: ignore[attr-defined]  # noqa: SLF001  # before TLS
            link.connect()
        except (OSError, http.client.HTTPException) as problem:
            raise NotReached(shortened(f"{host} cannot be reached: {problem}", _SHOWN)) from problem
        # How long the first byte takes is the deadline's: a model may think before it speaks.
        link.sock.settimeout(None)
        return link

    def _read(
        self,
        link: http.client.HTTPConnection,
        answer: http.client.HTTPResponse,
        dialect: Dialect,
        deadline: AnswerDeadline,
        passed: Passed,
    ) -> UpstreamAnswer:
        kind = (answer.getheader("Content-Type") or "").partition(";")[0].strip().lower()
        stream = answer.status == _OK and kind == "text/event-stream"
        told = UpstreamAnswer(
            answer.status, streamed=stream, kind="text/event-stream" if stream else "application/json"
        )
        told.retry_after = retry_after(answer.headers, time.time())
        pieces = _pieces(answer, _LARGEST if answer.status == _OK else _LARGEST_ERROR)
        try:
            if stream:
                if link.sock is not None:
                    link.sock.settimeout(self.quiet)
                self._pass(pieces, dialect, told, passed)
            else:
                told.body = self.without_key(b"".join(pieces))
            if answer.length:
                raise http.client.IncompleteRead(b"")
            deadline.demand()
        except (OSError, http.client.HTTPException, ValueError) as problem:
            told.cut = "" if told.reading.closed else _why(problem, deadline)
        if answer.status == _OK and not told.cut:
            told.cut = told.reading.broken or self._judge(told, dialect)
        return told

    def _judge(self, told: UpstreamAnswer, dialect: Dialect) -> str:
        """Read an answer in one piece; why it is not whole."""
        if not told.streamed:
            try:
                data = json.loads(told.body, parse_constant=_no_number)
                if not isinstance(data, dict):
                    raise NotReadable("no JSON object")
                dialect.reader.whole(told.reading, data)
            except _UNREADABLE as problem:
                return shortened(f"the answer is none of {dialect.name}: {problem}", _SHOWN)
        return "" if told.reading.finished else "the answer never said how it ended"

    def _pass(self, pieces: Iterator[bytes], dialect: Dialect, told: UpstreamAnswer, passed: Passed) -> None:
        """Line by line, so that a key is found wherever the network cuts it."""
        begun, rest, data = False, b"", list[bytes]()
        for piece in pieces:
            if not begun:
                passed.begin(told.kind)
                begun = True
            *lines, rest = (rest + piece).split(b"\n")
            if len(rest) > _LARGEST_LINE:
                raise ValueError("a line without an end")
            for line in lines:
                passed.line(self.without_key(line) + b"\n")
                if line.startswith(b"data:"):
                    data.append(line[5:].strip())
                elif not line.strip() and data:
                    self._event(b"\n".join(data), dialect, told.reading)
                    data = []
        if rest:
            passed.line(self.without_key(rest))
        if data:
            self._event(b"\n".join(data), dialect, told.reading)

    def _event(self, data: bytes, dialect: Dialect, reading: Reading) -> None:
        if data == b"[DONE]":
            reading.closed = True
            return
        with suppress(*_UNREADABLE):
            event = json.loads(data, parse_constant=_no_number)
            if isinstance(event, dict):
                dialect.reader.event(reading, event)

    def without_key(self, body: bytes) -> bytes:
        """Bytes of a provider that may have the key in them: an error that names it, an answer that plays it back."""
        if self.key:
            for known in {self.key, json.dumps(self.key)[1:-1], self.key.replace("/", "\\/")}:
                body = body.replace(known.encode(), _BLANK)
        return body


def retry_after(headers: Message, now: float) -> float | None:
    """Seconds to wait, as a number or as a date; None: it does not say."""
    header = (headers.get("Retry-After") or "").strip()
    try:
        seconds = float(header)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(header).timestamp() - now
        except (ValueError, TypeError, OverflowError, OSError):
            return None
    # Not a number, and for ever, fail both comparisons.
    return max(0.0, seconds) if seconds < _LONGEST_WAIT else _LONGEST_WAIT if seconds >= _LONGEST_WAIT else None


@functools.cache
def _context() -> ssl.SSLContext:
    # The same variable as for forges: a company's authorities; the system's otherwise.
    return ssl.create_default_context(cafile=os.environ.get("GIT_SSL_CAINFO"))


def _by_tls(host: str, port: int | None) -> http.client.HTTPConnection:
    """By the operator's own proxy where there is one."""
    proxies = urllib.request.getproxies_environment()
    between = proxies.get("https") or proxies.get("all")
    if not between or urllib.request.proxy_bypass(host):
        return http.client.HTTPSConnection(host, port, timeout=_CONNECT_SECONDS, context=_context())
    place = urlsplit(between if "://" in between else f"http://{between}")
    link = http.client.HTTPSConnection(
        place.hostname or "", place.port or 8080, timeout=_CONNECT_SECONDS, context=_context()
    )
    pair = f"{unquote(place.username)}:{unquote(place.password or '')}" if place.username else ""
    known = {"Proxy-Authorization": f"Basic {b64encode(pair.encode()).decode()}"} if pair else {}
    link.set_tunnel(host, port or 443, known)
    return link


def _watched(deadline: AnswerDeadline) -> Callable[..., socket.socket]:
    """Shown to the deadline before TLS begins: a handshake that stands still is ended, too."""

    def connect(*args: Any, **options: Any) -> socket.socket:
        made = socket.create_connection(*args, **options)
        deadline.watch(made)
        return made

    return connect


def _this_machine(host: str) -> bool:
    if host == "localhost":
        return True
    with suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return False


def _pieces(answer: http.client.HTTPResponse, most: int) -> Iterator[bytes]:
    """As they come, up to ``most`` bytes."""
    size = 0
    while piece := answer.read1(_CHUNK):
        size += len(piece)
        if size > most:
            raise ValueError(f"more than {most} bytes")
        yield piece


def _why(problem: Exception, deadline: AnswerDeadline) -> str:
    message = "it took too long" if deadline.over else f"{type(problem).__name__}: {problem}".rstrip(": ")
    return shortened(message, _SHOWN)


def _no_number(word: str) -> NoReturn:
    raise ValueError(f"{word} is no JSON")
