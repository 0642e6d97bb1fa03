"""One request over the wire: TLS checked, no redirect followed, no proxy, no repeat; bounded in size and in time."""

import functools
import os
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import NamedTuple

import urllib3
from urllib3.exceptions import HTTPError, MaxRetryError

from policies.counted import shortened
from ports.forge import ForgeError

CONNECT_SECONDS, READ_SECONDS, WHOLE_SECONDS = 10.0, 30.0, 60.0
"""The last one is for an answer as a whole: a byte every few seconds satisfies every time-out of a library for ever."""
LARGEST = 16 * 1024 * 1024
TOO_SLOW = "no whole answer within the time that one may take"
SHOWN = 300
"""Characters of what went wrong."""
_CHUNK = 1 << 16


class UnclearAnswer(ForgeError):
    """The request may or may not have had its effect: only looking tells."""


class RawAnswer(NamedTuple):
    """What came back over the wire; ``body`` is cut one byte after the largest that is read."""

    status: int
    headers: Mapping[str, str]
    body: bytes


Send = Callable[[str, str, Mapping[str, str], bytes | None], RawAnswer]
"""Method, address, headers, body. Follows nothing, repeats nothing; ``UnclearAnswer`` when no answer came."""


class AnswerDeadline:
    """Shuts the connections it was shown when the time is over, whatever thread waits for them."""

    def __init__(self) -> None:
        self.over = False
        self._lock = threading.Lock()
        self._shown: list[socket.socket] = []

    def watch(self, connection: socket.socket) -> None:
        """A connection that the answer may come over. Remembered by a copy: TLS takes the original's descriptor."""
        with self._lock:
            self._shown.append(connection.dup())
            if self.over:
                self._shut()

    def end(self) -> None:
        """The time is over: whoever waits gets an error now, and so does who comes later."""
        with self._lock:
            self.over = True
            self._shut()

    def demand(self) -> None:
        """After the answer: it came in time.

        Raises:
            TimeoutError: it did not, so its end may be missing.
        """
        if self.over:
            raise TimeoutError(TOO_SLOW)

    def close(self) -> None:
        """Forget the connections; those who use them go on."""
        with self._lock:
            for connection in self._shown:
                connection.close()
            self._shown.clear()

    def _shut(self) -> None:
        for connection in self._shown:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


@contextmanager
def answer_within(seconds: float) -> Iterator[AnswerDeadline]:
    """Within the block an answer has so long, from the first word of the request to the last of the body."""
    deadline = AnswerDeadline()
    timer = threading.Timer(seconds, deadline.end)
    timer.daemon = True
    timer.start()
    try:
        yield deadline
    finally:
        timer.cancel()
        deadline.close()


class _Watched:
    """Connections of a pool of one request, shown to its deadline as soon as they are there."""

    deadline: AnswerDeadline

    def _new_conn(self) -> socket.socket:
        made: socket.socket = super()._new_conn()  # type: ignore[misc]
        self.deadline.watch(made)
        return made


def send_with_pool() -> Send:
    """The client of forges that have none of their own."""
    # git's own variable for a company's authorities; the system's otherwise. Read once: it costs more than a request.
    context = functools.cache(lambda: ssl.create_default_context(cafile=os.environ.get("GIT_SSL_CAINFO")))
    timeout = urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS)

    def send(method: str, address: str, headers: Mapping[str, str], body: bytes | None) -> RawAnswer:
        secure = context() if address.startswith("https:") else None
        with (
            answer_within(WHOLE_SECONDS) as deadline,
            urllib3.PoolManager(retries=urllib3.Retry(0), timeout=timeout, ssl_context=secure) as pool,
        ):
            pool.pool_classes_by_scheme = _watched_by(deadline)
            try:
                answer = pool.request(
                    method, address, body=body, headers=headers, redirect=False, preload_content=False
                )
                try:
                    raw = RawAnswer(answer.status, answer.headers, _bounded(answer))
                finally:
                    answer.close()
                # Headers that break off are taken for whole ones.
                deadline.demand()
            except (HTTPError, OSError, ValueError) as problem:
                cause = problem.reason if isinstance(problem, MaxRetryError) and problem.reason else problem
                message = TOO_SLOW if deadline.over else f"{type(cause).__name__}: {cause}"
                raise UnclearAnswer(shortened(message, SHOWN)) from problem
            return raw

    return send


def _watched_by(deadline: AnswerDeadline) -> dict[str, type[urllib3.HTTPConnectionPool]]:
    found = {}
    for scheme, pool in (("http", urllib3.HTTPConnectionPool), ("https", urllib3.HTTPSConnectionPool)):
        connection = type("Watched", (_Watched, pool.ConnectionCls), {"deadline": deadline})
        found[scheme] = type("WatchedPool", (pool,), {"ConnectionCls": connection})
    return found


def _bounded(answer: urllib3.BaseHTTPResponse) -> bytes:
    """The body, cut one byte after the largest that is read."""
    if answer.headers.get("Content-Encoding", "identity") != "identity":
        # Unpacked it could be of any size.
        raise HTTPError("the answer is packed, though it was asked for plain")
    body = bytearray()
    while len(body) <= LARGEST and (chunk := answer.read1(_CHUNK, decode_content=False)):
        body += chunk
    return bytes(body[: LARGEST + 1])
