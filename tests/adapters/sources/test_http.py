"""One GET of a stranger: its time, size, type, packing, length and redirects are bounded (runbook §5)."""

from __future__ import annotations

import gzip
import time
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from adapters.sources.http import HttpSource
from policies.settings.sources import SourcePolicy
from ports.sources import SourceAnswer, SourceRequest
from tests.adapters.sources.conftest import answering

BODY = b'[{"id": "a"}]'


def fetch(url: str, **http: Any) -> SourceAnswer:
    """One answer."""
    source = SourcePolicy.model_validate(
        {"name": "x", "http": {"url": url, "seconds": 5} | http, "file": {"path": "x.json"}}
    )
    return HttpSource().fetch(source, SourceRequest(policy=None, repository=None, base_sha=""))


def say(handler: BaseHTTPRequestHandler, body: bytes = BODY, status: int = 200, **headers: str) -> None:
    """An answer of JSON, unless the headers say otherwise."""
    given = {"Content-Type": "application/json", "Content-Length": str(len(body))}
    given |= {name.replace("_", "-"): value for name, value in headers.items()}
    handler.send_response(status)
    for name, value in given.items():
        if value:
            handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(body)


def test_an_answer_is_kept_as_it_came() -> None:
    """With what it says of itself; what is asked for is shown without credentials."""
    with answering(lambda handler: say(handler, ETag='"7"', Set_Cookie="secret")) as url:
        found = fetch(f"{url}/x?key=secret")
    assert (BODY, "", f"{url}/x") == (found.body, found.problem, found.asked)
    assert {"content-type": "application/json", "etag": '"7"'}.items() <= found.headers.items()
    assert "set-cookie" not in found.headers


@pytest.mark.parametrize(
    ("headers", "body", "told"),
    [
        ({"Content_Type": "text/html"}, BODY, "its type is text/html"),
        ({"Content_Type": ""}, BODY, "its type is not said"),
        ({"Content_Length": "99"}, BODY, "before the length that it says"),
        ({"Content_Encoding": "br"}, BODY, "packed by br"),
        ({"Content_Encoding": "gzip"}, BODY, "cannot be unpacked"),
        ({}, b" " * (65 << 10), "larger than 64 KiB"),
        ({"Content_Encoding": "gzip"}, gzip.compress(b" " * (50 << 20)), "unpacked it is larger than 64 KiB"),
        ({"Content_Length": "-5"}, BODY, ""),
    ],
)
def test_5_what_is_not_an_answer(headers: dict[str, str], body: bytes, told: str) -> None:
    """Said in words, with no body to conclude from."""
    with answering(lambda handler: say(handler, body, **headers)) as url:
        found = fetch(url, most_kb=64)
    assert told in found.problem
    assert (found.body is None) is bool(found.problem)


def test_a_packed_answer_is_unpacked() -> None:
    """Some servers pack although nobody asked."""
    with answering(lambda handler: say(handler, gzip.compress(BODY), Content_Encoding="gzip")) as url:
        assert BODY == fetch(url).body


@pytest.mark.parametrize("status", [204, 304, 401, 404, 429, 500])
def test_a_status_that_is_no_answer(status: int) -> None:
    """Also what says "as before"."""
    with answering(lambda handler: say(handler, b"", status)) as url:
        assert f"status {status}" == fetch(url).problem


def test_5_redirects_stay_among_the_hosts() -> None:
    """A few are followed; one that leads elsewhere, inside, or to another scheme is not."""
    reached: list[str | None] = []

    def inside(handler: BaseHTTPRequestHandler) -> None:
        reached.append(handler.headers.get("X-Key"))
        say(handler)

    with answering(inside, "127.0.0.2") as there:
        for to, hosts, told in (
            (there, (), "which is not among its hosts"),
            ("http://localhost:1/", ("localhost",), "is the private address"),
            ("file:///etc/passwd", ("",), "it leads to file"),
            ("//169.254.169.254/latest", (), "which is not among its hosts"),
            ("/again", (), "more than 3 redirects"),
        ):
            with answering(lambda handler, to=to: say(handler, b"", 302, Location=to)) as url:
                found = fetch(url, hosts=hosts)
            assert told in found.problem
        assert [] == reached
        with (
            pytest.MonkeyPatch.context() as patch,
            answering(lambda handler: say(handler, b"", 307, Location=there)) as url,
        ):
            patch.setenv("FEED_KEY", "secret")
            assert BODY == fetch(url, hosts=("127.0.0.2",), header="X-Key", variable="FEED_KEY").body
    assert [None] == reached


def test_5_a_credential_comes_from_the_environment_alone() -> None:
    """Without it nobody is asked; it is in nothing that is kept."""
    heard: list[str | None] = []

    def keyed(handler: BaseHTTPRequestHandler) -> None:
        heard.append(handler.headers.get("Authorization"))
        say(handler)

    with answering(keyed) as url, pytest.MonkeyPatch.context() as patch:
        missing = fetch(url, header="Authorization", variable="FEED_KEY")
        patch.setenv("FEED_KEY", "Bearer s3cret")
        found = fetch(url, header="Authorization", variable="FEED_KEY")
    assert "FEED_KEY is not set" in missing.problem
    assert ["Bearer s3cret"] == heard
    assert "s3cret" not in repr(found)


def test_a_name_of_this_machine_is_refused() -> None:
    """Whoever means it writes the address."""
    with answering(say) as url:
        found = fetch(url.replace("127.0.0.1", "localhost"))
    assert "is the private address" in found.problem


@pytest.mark.parametrize("silent", [True, False])
def test_5_a_slow_answer_is_given_up(silent: bool) -> None:
    """Nothing at all, or a byte now and then: the child is killed when its time is over."""

    def drip(handler: BaseHTTPRequestHandler) -> None:
        if not silent:
            handler.send_response(200)
            handler.end_headers()
        for _ in range(40):
            time.sleep(0.1)
            try:
                handler.wfile.write(b"" if silent else b" ")
            except OSError:
                return

    with answering(drip) as url:
        began = time.monotonic()
        found = fetch(url, seconds=1)
        assert time.monotonic() - began < 3.5
    assert found.body is None
    assert found.problem


def test_nobody_there() -> None:
    """An answer, too."""
    assert "no answer" in fetch("http://127.0.0.1:1/").problem
