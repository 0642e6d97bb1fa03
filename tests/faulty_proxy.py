"""A loopback proxy before a forge: passes everything on, and fails where a test says, before or after acting."""

from __future__ import annotations

import contextlib
import http.client
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

_HOP = frozenset({"connection", "transfer-encoding", "keep-alive", "content-length"})


@dataclass
class Fault:
    """What goes wrong, and where."""

    kind: str
    """Without acting: ``cut_before``, ``fail_before`` (502), ``status`` (``value``), ``redirect`` (to ``value``).
    After acting: ``cut_after``, ``fail_after`` (502), ``half`` (of the body), ``empty`` (a list without its entries),
    ``unlinked`` (no word of a next page).
    ``slow``: first ``value`` seconds of nothing."""
    method: str = ""
    path: str = ""
    value: str = ""
    times: int = 1
    at: int | None = None
    """Only the call with this number."""
    headers: dict[str, str] = field(default_factory=dict)
    """Of a ``status``; else a rate limit's."""


@dataclass
class Call:
    """One request that came in."""

    method: str
    path: str
    authorization: str
    at: float = field(default_factory=time.monotonic)


@dataclass
class FaultyProxy:
    """``with`` starts and ends it."""

    upstream: str
    faults: list[Fault] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    on_call: Callable[[Call], None] = lambda _call: None
    _server: ThreadingHTTPServer | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def address(self) -> str:
        """Where it listens."""
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        """Listen on a free port of loopback."""
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            def __getattr__(self, name: str) -> Callable[[], None]:
                if name.startswith("do_"):
                    return lambda: proxy._handle(self)
                raise AttributeError(name)

            def log_message(self, *_arguments: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Listen no more."""
        assert self._server is not None
        self._server.shutdown()
        self._server.server_close()

    def _handle(self, asked: BaseHTTPRequestHandler) -> None:
        body = _body(asked)
        call = Call(asked.command, asked.path, asked.headers.get("Authorization", ""))
        with self._lock:
            number = len(self.calls)
            self.calls.append(call)
            fault = self._due(call, number)
        self.on_call(call)
        asked.close_connection = True
        match fault.kind if fault else "":
            case "cut_before":
                return None
            case "fail_before" | "status":
                limits = {"Retry-After": "1"} if fault.value in {"429", "503"} else {}
                told = [*(fault.headers or limits).items()]
                return _say(asked, int(fault.value or 502), b'{"message": "made up"}', told)
            case "redirect":
                return _say(asked, 302, b"", [("Location", fault.value + asked.path)])
            case "slow":
                time.sleep(float(fault.value))
        status, headers, content = self._pass_on(asked, body)
        match fault.kind if fault else "":
            case "cut_after":
                return None
            case "fail_after":
                return _say(asked, 502, b"<html>bad gateway</html>", [])
            case "empty":
                return _say(asked, status, b"[]", headers)
            case "unlinked":
                return _say(asked, status, content, [each for each in headers if each[0].lower() != "link"])
            case "half":
                return _say(asked, status, content[: len(content) // 2], headers, len(content))
        return _say(asked, status, content, headers)

    def _due(self, call: Call, number: int) -> Fault | None:
        for fault in self.faults:
            here = fault.at is None or fault.at == number
            if here and fault.times > 0 and fault.method in {"", call.method} and re.search(fault.path, call.path):
                fault.times -= 1
                return fault
        return None

    def _pass_on(self, asked: BaseHTTPRequestHandler, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        connection = http.client.HTTPConnection(urlsplit(self.upstream).netloc, timeout=60)
        headers = {name: value for name, value in asked.headers.items() if name.lower() not in _HOP}
        try:
            connection.request(asked.command, asked.path, body, headers | {"Content-Length": str(len(body))})
            answer = connection.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        finally:
            connection.close()


def _body(asked: BaseHTTPRequestHandler) -> bytes:
    if "chunked" not in asked.headers.get("Transfer-Encoding", ""):
        return asked.rfile.read(int(asked.headers.get("Content-Length") or 0))
    chunks = []
    while size := int(asked.rfile.readline().split(b";")[0], 16):
        chunks.append(asked.rfile.read(size))
        asked.rfile.readline()
    asked.rfile.readline()
    return b"".join(chunks)


def _say(
    asked: BaseHTTPRequestHandler, status: int, body: bytes, headers: list[tuple[str, str]], length: int | None = None
) -> None:
    asked.send_response(status)
    for name, value in headers:
        if name.lower() not in _HOP:
            asked.send_header(name, value)
    asked.send_header("Content-Length", str(len(body) if length is None else length))
    # Whoever asked may be gone: a child whose time is over.
    with contextlib.suppress(OSError):
        asked.end_headers()
        asked.wfile.write(body)
