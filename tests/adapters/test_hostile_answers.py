"""Whatever a forge answers: a value or a `ForgeError`, in bounded time; and nothing leads our token anywhere else."""

from __future__ import annotations

import contextlib
import gc
import gzip
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from adapters.forges.gitea.api import GiteaRepository
from adapters.forges.github.api import GitHubRepository
from adapters.forges.github.client import GitHubApi
from adapters.forges.http.json_api import JsonApi
from adapters.forges.http.wire import LARGEST
from ports.forge import ForgeError

Serve = Callable[[socket.socket], None]
CLIENTS: dict[str, Callable[[str], JsonApi]] = {
    "pool": lambda base: JsonApi(base, {"Authorization": "token secret"}),
    "githubkit": lambda base: GitHubApi(base, "secret"),
}
BREATH = 0.5


@contextmanager
def serving(serve: Serve) -> Iterator[tuple[str, list[str]]]:
    """A forge that reads one request and does this with the connection; its address, and what was asked for."""
    asked: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def work() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    asked.append(connection.recv(1 << 16).decode(errors="replace"))
                    with connection, contextlib.suppress(OSError):
                        serve(connection)

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", asked
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(10)


def answer(body: bytes, *headers: str, status: str = "200 OK") -> Serve:
    """A whole answer."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers, "", ""]
    return lambda connection: connection.sendall("\r\n".join(lines).encode("latin-1") + body)


def dripping(beginning: bytes) -> Serve:
    """A byte now and then, each in time for any library, for as long as somebody listens."""

    def serve(connection: socket.socket) -> None:
        connection.sendall(beginning)
        while True:
            connection.sendall(b"x")
            time.sleep(BREATH / 10)

    return serve


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize(
    "beginning",
    [b"", b"HTTP/1.1 200 OK\r\nX-Long: ", b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"],
    ids=["status line", "header", "body"],
)
def test_an_answer_has_a_deadline_as_a_whole(client: str, beginning: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever it drips."""
    for module in ("http.wire", "github.client"):
        monkeypatch.setattr(f"adapters.forges.{module}.WHOLE_SECONDS", BREATH)
    begun = time.monotonic()
    with serving(dripping(beginning)) as (base, _), pytest.raises(ForgeError, match="no whole answer within"):
        CLIENTS[client](base).act("POST", "/x", {})
    assert time.monotonic() - begun < 10 * BREATH


@pytest.mark.parametrize("client", CLIENTS)
def test_an_answer_has_a_largest_size(client: str) -> None:
    """Whatever its length says; and nothing packed is unpacked."""

    def flood(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
        for _ in range(4 * LARGEST >> 20):
            connection.sendall(b" " * (1 << 20))

    with serving(flood) as (base, _), pytest.raises(ForgeError, match=f"more than {LARGEST} bytes"):
        CLIENTS[client](base).act("POST", "/x", {})
    packed = answer(b"{}", "Content-Encoding: gzip")
    with serving(packed) as (base, _), pytest.raises(ForgeError, match="packed"):
        CLIENTS[client](base).act("POST", "/x", {})


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("place", ["http://{other}/y", "/y", "//{other}/y"])
def test_no_redirect_is_followed(client: str, place: str) -> None:
    """Neither with the token to another host, nor to another path of this one, whatever the method becomes."""
    for status in ("301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"):
        with serving(answer(b"{}")) as (other, elsewhere):
            to = f"Location: {place.format(other=other.removeprefix('http://'))}"
            with serving(answer(b"", to, status=status)) as (base, asked):
                with pytest.raises(ForgeError, match="which is not followed"):
                    CLIENTS[client](base).get("/x")
                assert [] == elsewhere
                assert ["GET /x "] == [each[:7] for each in asked]


@pytest.fixture(autouse=True)
def no_collection() -> Iterator[None]:
    """What earlier tests left is not finalised at the bottom of a recursion, where no finaliser can work."""
    gc.disable()
    yield
    gc.enable()


ABSURD = {
    "deep": answer(b"[" * 200_000),
    "deep and whole": answer(b"[" * 100_000 + b"]" * 100_000),
    "a number without end": answer(b"9" * 10_000),
    "no number": answer(b'{"id": NaN}'),
    "half a character": answer(b'"\xff"'),
    "nothing": answer(b""),
    "null": answer(b"null"),
    "no status": answer(b"{}", status="OK"),
    "an unknown status": answer(b"{}", status="999 Odd"),
    "a redirect to nowhere": answer(b"", "Location: http://[", status="302 Found"),
    "a delay without end": answer(b"", "Retry-After: " + "9" * 5000, status="429 Slow"),
    "a delay in a year without end": answer(b"", "Retry-After: Mon, 01 Jan 0001 00:00:00 -2359", status="429 Slow"),
    "a reset without end": answer(
        b"", "X-RateLimit-Remaining: 0", "X-RateLimit-Reset: " + "9" * 5000, status="403 Slow"
    ),
    "a count without end": answer(b'[{"id": 1}]', "X-Total-Count: " + "9" * 5000),
    "an id that is a list": answer(b'[{"id": [1]}, {"id": {}}]'),
    "a link to nowhere": answer(b'[{"id": 1}]', 'Link: <http://[>; rel="next"'),
    "a header without end": answer(b"{}", "X: " + "x" * 100_000),
    "headers without end": answer(b"{}", *[f"X-{n}: x" for n in range(2000)]),
}


@pytest.mark.parametrize("name", ABSURD)
@pytest.mark.parametrize("client", CLIENTS)
def test_an_absurd_answer_is_an_error_with_a_name(client: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or a value that has nothing in it; never another exception, which would be tried again as a fault of ours."""
    monkeypatch.setattr("time.sleep", lambda _: None)
    with serving(ABSURD[name]) as (base, _):
        api = CLIENTS[client](base)
        for use in (lambda: api.get("/x"), lambda: list(api.pages("/x")), lambda: api.act("POST", "/x", {})):
            with contextlib.suppress(ForgeError):
                use()


def cut(connection: socket.socket) -> None:
    """The connection ends before the answer does."""
    connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\nConnection: close\r\n\r\n[{"id": 1}')


BAD: dict[str, Serve] = {
    "a page of HTML": answer(b"<html><body>Sign in</body></html>", "Content-Type: text/html"),
    "JSON that ends too soon": answer(b'[{"id": 1}, {"id"'),
    "an answer that ends too soon": cut,
    "a bomb": answer(gzip.compress(b" " * (64 << 20)), "Content-Encoding: gzip"),
    "a redirect to itself": answer(b"", "Location: /x", status="302 Found"),
    "ten thousand levels": answer(b'{"a":' * 10_000 + b"1" + b"}" * 10_000),
    "no number": answer(b'{"id": NaN}'),
    "more than a float holds": answer(b'{"id": 1e999}'),
    "more than any number of a forge": answer(b'{"id": ' + b"9" * 4000 + b"}"),
    "one key twice": answer(b'{"id": 1, "id": 2}'),
    "half a character": answer(b'{"a": "\xff"}'),
    "a header without end": answer(b"{}", "X: " + "x" * 200_000),
}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("client", CLIENTS)
def test_what_cannot_be_told_for_sure_is_an_error(client: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a sentence, of bounded length, in a moment and in bounded memory; looking once and page by page."""
    monkeypatch.setattr("time.sleep", lambda _: None)
    begun = time.monotonic()
    with serving(BAD[name]) as (base, _):
        api = CLIENTS[client](base)
        for use in (lambda: api.get("/x"), lambda: list(api.pages("/x"))):
            with pytest.raises(ForgeError, match=r"^127\.0\.0\.1:\d+ (answered|gave no answer)") as told:
                use()
            assert len(str(told.value)) < 1000
    assert time.monotonic() - begun < 20


WRONG: list[object] = [None, 1, "x", [], {}, [1], [None], [[]], [{}], [{"id": 1}], {"statuses": 1}, {"check_runs": {}}]
WRONG += [
    {"login": 1}, {"parents": [1]}, {"parents": [{"sha": []}]}, [{"id": 1, "submitted_at": "x"}],
    [{"type": "required_status_checks", "parameters": {"required_status_checks": 5}}],
    [{"type": "required_status_checks", "parameters": {"required_status_checks": [5]}}],
]  # fmt: skip


@pytest.mark.parametrize("kind", [GiteaRepository, GitHubRepository])
def test_wrong_types_are_errors_with_a_name(kind: type[GiteaRepository | GitHubRepository]) -> None:
    """Every way to look at a repository, with every wrong answer."""
    told: list[bytes] = [b""]

    def serve(connection: socket.socket) -> None:
        answer(told[0])(connection)

    with serving(serve) as (base, _):
        repository = kind(base, "team/project", "bot", "secret")
        looks = [
            repository.account_of_token,
            lambda: list(repository.our_pulls()),
            lambda: list(repository.our_tickets()),
            lambda: list(repository.issues("autonomy")),
            lambda: repository.statuses("0" * 40),
            lambda: repository.branch("main"),
            lambda: repository.reviews(1),
        ]
        looks += (
            [lambda: repository.timeline(1)]
            if isinstance(repository, GiteaRepository)
            else [lambda: repository.rules("main"), lambda: repository.check_runs("0" * 40)]
        )
        for wrong in WRONG:
            told[0] = json.dumps(wrong).encode()
            for look in looks:
                with contextlib.suppress(ForgeError):
                    look()
