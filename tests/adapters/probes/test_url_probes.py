"""A URL's answer, and every way it may fail to be one (issue: probes that flap, hang or answer garbage; P13)."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from adapters.probes.url import ChildUrlProbes

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@contextmanager
def server(*answers: bytes | None) -> Iterator[tuple[str, list[bytes]]]:
    """Says exactly these bytes, one after another; None: takes the question and says nothing, ever."""
    seen: list[bytes] = []
    held: list[socket.socket] = []
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        for answer in answers:
            try:
                connection = listening.accept()[0]
            except OSError:
                return
            seen.append(connection.recv(65536))
            if answer is None:
                held.append(connection)
                continue
            connection.sendall(answer)
            connection.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/health", seen
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join(10)
        for connection in held:
            connection.close()


def ask(url: str, seconds: float = 20) -> tuple[int | None, str]:
    answer = ChildUrlProbes().ask(url, seconds, lambda: None)
    return answer.status, answer.detail


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (OK, 200),
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204),
        (b"HTTP/1.1 500 Oh no\r\nContent-Length: 0\r\n\r\n", 500),
        (b"HTTP/1.1 404 Gone\r\nContent-Length: 0\r\n\r\n", 404),
        (b"\x00\xff garbage\r\n\r\n", None),
        (b"HTTP/1.1 two hundred\r\n\r\n", None),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\nshort", None),
        (b"", None),
    ],
)
def test_only_http_is_an_answer(answer: bytes, status: int | None) -> None:
    """Garbage, half an answer or none at all is no status; nothing is taken for green."""
    with server(answer) as (url, _):
        assert status == ask(url)[0]


def test_a_hanging_server_is_given_up_in_time() -> None:
    """Whatever it waits for, the child is killed when its seconds are over."""
    with server(None) as (url, _):
        began = time.monotonic()
        status, detail = ask(url, 3)
    assert (None, True) == (status, time.monotonic() - began < 15)
    assert "no answer" in detail


def test_nobody_listening_is_no_answer() -> None:
    """Unreachable."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert ask(f"http://127.0.0.1:{port}/")[0] is None


def test_redirects_stay_on_the_host() -> None:
    """The same host is followed; another one never learns of the question."""
    with server(b"HTTP/1.1 302 Found\r\nLocation: /there\r\nContent-Length: 0\r\n\r\n", OK) as (url, seen):
        assert 200 == ask(url)[0]
    assert seen[1].startswith(b"GET /there")
    away = b"HTTP/1.1 302 Found\r\nLocation: http://localhost:9/there\r\nContent-Length: 0\r\n\r\n"
    with server(away) as (url, _):
        status, detail = ask(url)
    assert 302 == status
    assert "not followed" in detail
    file = b"HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n"
    with server(file) as (url, _):
        assert 302 == ask(url)[0]


def test_a_cancelled_step_ends_the_asking() -> None:
    """``alive`` raises: the child is gone and the exception goes up."""

    def cancelled() -> None:
        raise KeyboardInterrupt

    with server(None) as (url, _), pytest.raises(KeyboardInterrupt):
        ChildUrlProbes().ask(url, 60, cancelled)
