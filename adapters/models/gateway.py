"""ports.models.ModelGateway: HTTP on a unix socket, to the agent's side, in a bounded number of threads."""

import os
import socket
import threading
from collections.abc import Sequence
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingMixIn, UnixStreamServer
from types import TracebackType
from typing import Any, Self

from adapters.forges.http.wire import AnswerDeadline
from adapters.models.asked import LARGEST
from adapters.models.exchanging import Exchanging, Terms, error
from adapters.models.prices import PriceList
from adapters.models.transcript import Transcript
from adapters.models.upstream import Upstream
from contracts.exchange import Exchange
from contracts.modes import Role
from policies.settings.charter import Provider
from policies.settings.schema import EffectivePolicy
from ports.models import ModelGateway, Purse

NAME = "model.sock"
_AT_ONCE = 16
"""Connections that are answered; others wait until one ends."""
_MOST_WAITING = 256
"""Connections that have no thread yet: beyond, a connect on a unix socket fails at once."""
_MOST = 2000
"""Exchanges of one attempt, those that were refused included; what comes after is refused, and not recorded."""
_LARGEST_LEFT = 64 << 20
_PATIENCE = 120.0
"""Seconds for the next bytes of an agent, and for it to take the next ones of ours."""
_LOOK = 0.1
_LAST_WORDS = 20.0
"""Seconds in which what was cut at the end is settled."""
_QUIET = 120.0
_PASSED_ON = ("anthropic-version", "anthropic-beta")
_USUAL = {"Content-Type": "application/json", "anthropic-version": "2023-06-01", "User-Agent": "autonomy-runbook"}


def open_gateway(policy: EffectivePolicy, role: Role, purse: Purse, folder: Path) -> ModelGateway:
    """ports.models.OpenGateway; the key is read here, from the worker's environment, and goes nowhere but up."""
    role_policy = policy.charter.roles[role]
    provider = policy.charter.providers.get(role_policy.provider)
    barred = "" if provider else f"the charter has no provider {role_policy.provider!r} for {role}"
    provider = provider or Provider(url="https://nowhere.invalid")
    key = os.environ.get(provider.key_variable, "").strip() if provider.key_variable else ""
    missing = f"the variable {provider.key_variable} is not set in the worker's environment"
    keyless = missing if provider.key_variable and not key else ""
    upstream = Upstream(provider.url, key, _QUIET)
    prices = PriceList(policy.charter.prices, provider.url)
    terms = Terms(role_policy, provider, upstream, prices, purse, Transcript(key), barred or upstream.barred, keyless)
    return Gateway(terms, folder / NAME)


class Gateway:
    """Open while it is entered."""

    def __init__(self, terms: Terms, path: Path) -> None:
        self._terms, self._path = terms, path
        self._exchanges: list[Exchange] = []
        self._served = 0
        self._busy = 0
        self._changed = threading.Condition()
        self.closing = threading.Event()
        self.underway: set[AnswerDeadline] = set()

    @property
    def socket(self) -> Path:
        """Where it listens."""
        return self._path

    @property
    def exchanges(self) -> Sequence[Exchange]:
        """In the order in which they ended."""
        with self._changed:
            return tuple(self._exchanges)

    @property
    def under_way(self) -> int:
        """Requests that are not answered yet."""
        with self._changed:
            return self._busy

    @property
    def transcript(self) -> bytes:
        """One JSON object a line."""
        return self._terms.transcript.written()

    def __enter__(self) -> Self:
        """Listen."""
        handler = type("Bound", (_Handler,), {"gateway": self})
        self._server = _Server(self._path, handler)
        threading.Thread(target=self._server.accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let nothing more through; what is under way is cut, and settled by its own thread."""
        self.closing.set()
        for deadline in tuple(self.underway):
            deadline.end()
        with self._changed:
            self._changed.wait_for(lambda: not self._busy, _LAST_WORDS)
        self._server.end()
        self._path.unlink(missing_ok=True)

    def exchange(self, path: str, raw: bytes, headers: dict[str, str], asking: "_Handler") -> None:
        """One request of the agent."""
        with self._changed:
            self._served += 1
            number, self._busy = self._served, self._busy + 1
        try:
            if number > _MOST or self.closing.is_set():
                asking.answer(HTTPStatus.FORBIDDEN, error("the step is over"))
                return
            Exchanging(self._terms, number, asking, self.closing, self.underway, self._keep).run(path, raw, headers)
        finally:
            with self._changed:
                self._busy -= 1
                self._changed.notify_all()

    def _keep(self, exchange: Exchange) -> None:
        with self._changed:
            self._exchanges.append(exchange)


class _Server(ThreadingMixIn, UnixStreamServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = _MOST_WAITING

    def __init__(self, path: Path, handler: type[BaseHTTPRequestHandler]) -> None:
        self._slots, self._over = threading.BoundedSemaphore(_AT_ONCE), False
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        super().__init__(str(path), handler)

    def server_bind(self) -> None:
        """By the folder's descriptor: an address of a socket holds 107 bytes, and a path may have more."""
        path = Path(str(self.server_address))
        folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            self.socket.bind(f"/proc/self/fd/{folder}/{path.name}")
        finally:
            os.close(folder)
        path.chmod(0o666)  # The sandbox's user is another one; who is shown the folder decides.

    def accept(self) -> None:
        """Until the end."""
        while not self._over:
            self._handle_request_noblock()  # type: ignore[attr-defined]

    def process_request(self, request: Any, client_address: Any) -> None:
        """In a thread of its own, when there is room for one."""
        while not self._slots.acquire(timeout=_LOOK):
            if self._over:
                self.shutdown_request(request)
                return
        with self._lock:
            self._open.add(request)
        try:
            super().process_request(request, client_address)
        except BaseException:
            self._slots.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """As ever, then make room."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._lock:
                self._open.discard(request)
            self._slots.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """An agent that goes away is none."""

    def end(self) -> None:
        """Whoever is connected has no one any more."""
        self._over = True
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.server_close()
        with self._lock:
            for each in self._open:
                with suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    """exchanging.Asking, for one connection."""

    protocol_version = "HTTP/1.1"
    timeout = _PATIENCE
    gateway: Gateway
    _begun = _gone = False

    def log_message(self, *_: Any) -> None:
        """Exchanges are recorded, nothing else is."""

    def do_POST(self) -> None:
        """One request."""
        raw = self._body() or b""
        # One request each: no connection that is kept open takes the room of another.
        self.close_connection = True
        kept = {name: value for name in _PASSED_ON if (value := self.headers.get(name)) and value.isprintable()}
        self.gateway.exchange(self.path.partition("?")[0], raw, _USUAL | kept, self)

    def __getattr__(self, name: str) -> Any:
        """Any other method is an exchange, too: one that is refused."""
        if name.startswith("do_"):
            return self.do_POST
        raise AttributeError(name)

    def _body(self) -> bytes | None:
        """None: too large, or cut short; refused for what it is then, since nothing is no JSON."""
        if self.command != "POST":
            return None
        try:
            if "chunked" in (self.headers.get("Transfer-Encoding") or "").lower():
                return self._chunks()
            length = int(self.headers.get("Content-Length") or 0)
            if length > LARGEST:
                # Read all the same, else the refusal is never seen; an endless one is left.
                for _ in range(0, min(length, _LARGEST_LEFT), LARGEST):
                    self.rfile.read(min(LARGEST, length))
                    length -= LARGEST
                return None
            raw = self.rfile.read(max(0, length))
        except (OSError, ValueError):
            return None
        return raw if len(raw) == length else None

    def _chunks(self) -> bytes | None:
        raw = bytearray()
        while size := int(self.rfile.readline(80).split(b";")[0], 16):
            if size < 0 or len(raw) + size > LARGEST:
                return None
            raw += self.rfile.read(size)
            self.rfile.readline(3)
        while self.rfile.readline(1000).strip():
            pass
        return bytes(raw)

    # What follows never fails: whoever is gone has asked all the same, so the answer is read to its end.

    def begin(self, kind: str) -> None:
        """A stream, in pieces whose number nobody knows."""
        self._begun = True
        self._head(HTTPStatus.OK, f"Content-Type: {kind}", "Cache-Control: no-cache", "Transfer-Encoding: chunked")

    def line(self, line: bytes) -> None:
        """A piece."""
        self._write(f"{len(line):x}\r\n".encode() + line + b"\r\n")

    def answer(self, status: int, body: bytes) -> None:
        """The answer in one piece; of a stream that has begun there is no other end than being cut."""
        if self._begun:
            return
        self._head(status, "Content-Type: application/json", f"Content-Length: {len(body)}")
        if self.command != "HEAD":
            self._write(body)

    def end(self, *, whole: bool) -> None:
        """Of a stream: without its last piece it was cut, and whoever reads sees that."""
        if not self._begun:
            self.answer(HTTPStatus.BAD_GATEWAY, error("the answer was cut before it began"))
        elif whole:
            self._write(b"0\r\n\r\n")

    def _head(self, status: int, *lines: str) -> None:
        phrase = HTTPStatus(status).phrase if status in set(HTTPStatus) else ""
        self._write("\r\n".join([f"HTTP/1.1 {status} {phrase}", *lines, "Connection: close", "", ""]).encode())

    def _write(self, data: bytes) -> None:
        if self._gone:
            return
        try:
            self.wfile.write(data)
        except OSError:
            self._gone = True
