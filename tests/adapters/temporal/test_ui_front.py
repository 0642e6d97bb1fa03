"""Web pages cannot talk to the embedded server: by rules, by bytes, and in a real browser (`make test-browser`)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from temporalio.client import Client
from temporalio.service import RPCError

from adapters.temporal.embedded_server import EmbeddedServer, start_embedded_server
from adapters.temporal.ui_front import judged
from tests.chromium import browse

OWN = "Host: 127.0.0.1:8233"
LINK = "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document"


def head(*lines, method="GET"):
    return "\r\n".join([f"{method} /api HTTP/1.1", *lines, "", ""]).encode()


@pytest.mark.parametrize(
    "asked",
    [
        head(OWN),
        head("Host: localhost:8233"),
        head("host: [::1]:9000", "Origin: http://[::1]:9000", method="POST"),
        head(OWN, "Origin: http://127.0.0.1:8233", "Sec-Fetch-Site: same-origin", method="POST"),
        head(OWN, method="POST"),
        head(OWN, LINK),
        head(OWN, "Sec-Fetch-Site: none"),
    ],
)
def test_own_pages_tools_and_links_pass(asked):
    """One request a connection: what follows would be judged by nobody."""
    refused, passed = judged(asked.replace(b"\r\n\r\n", b"\r\nConnection: keep-alive\r\n\r\n"))
    assert ("", 1) == (refused, passed.lower().count(b"\r\nconnection: "))
    assert passed.endswith(b"\r\nConnection: close\r\n\r\n")


@pytest.mark.parametrize(
    "asked",
    [
        head(),
        head("Host: rebound.test:8233"),
        head("Host: 127.0.0.1.rebound.test"),
        head("Host: localhost@rebound.test"),
        head("Host:"),
        head(OWN, "Host: rebound.test"),
        head("Host: rebound.test", OWN),
        head(OWN, "Origin: http://evil.test", method="POST"),
        head(OWN, "Origin: http://127.0.0.1:9999", method="POST"),
        head(OWN, "Origin: http://localhost:8233", method="POST"),
        head(OWN, "Origin: null", method="POST"),
        head(OWN, "Sec-Fetch-Site: cross-site"),
        head(OWN, "Sec-Fetch-Site: same-site"),
        head(OWN, LINK, method="POST"),
        head(OWN, LINK.replace("document", "iframe")),
        head(OWN, "Content-Length: 1", "Content-Length: 2", method="POST"),
        head(OWN, "X: a\nHost: rebound.test"),
        head(OWN, " Host: rebound.test"),
        head(OWN, "Host : rebound.test"),
        head(OWN).replace(b"HTTP/1.1", b"HTTP/1.0"),
        b"GET http://rebound.test/ HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n\r\n",
        b"\r\n\r\n",
    ],
)
def test_strangers_and_what_cannot_be_read_are_refused(asked):
    """A name that is not this machine's, another page, an unclear request."""
    refused, passed = judged(asked)
    assert refused
    assert not passed


@pytest.fixture(scope="module")
async def running(tmp_path_factory):
    """A server as `starter.py up` starts it."""
    made = await start_embedded_server(None, tmp_path_factory.mktemp("server") / "log")
    yield made
    await made.stop()


async def raw(address: tuple[str, int], sent: bytes) -> bytes:
    """What a connection answers until it is closed."""
    reader, writer = await asyncio.open_connection(*address)
    writer.write(sent)
    async with asyncio.timeout(10):
        answer = await reader.read()
    writer.close()
    return answer


async def test_front_shows_the_ui_and_one_answer_a_connection(running: EmbeddedServer):
    """A second request behind the first, with another host, gets nothing."""
    place = urlsplit(running.ui)
    own = f"Host: {place.netloc}"
    asked = b"GET /api/v1/settings HTTP/1.1\r\n"
    first = await raw((place.hostname, place.port), asked + own.encode() + b"\r\n\r\n" + asked + b"Host: x\r\n\r\n")
    assert (1, True) == (first.count(b"HTTP/1.1 "), b"Codec" in first)
    assert b"403" in await raw((place.hostname, place.port), asked + b"Host: rebound.test\r\n\r\n")
    page = await raw((place.hostname, place.port), f"GET / HTTP/1.1\r\n{own}\r\n\r\n".encode())
    assert b"<html" in page


def listening(process: int) -> list[tuple[str, int]]:
    """Every loopback port that a process listens on."""
    sockets = {str(each.readlink()) for each in Path(f"/proc/{process}/fd").iterdir() if each.is_symlink()}
    found = []
    for line in Path(f"/proc/{process}/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[3] == "0A" and f"socket:[{fields[9]}]" in sockets:
            address, port = fields[1].split(":")
            found.append((".".join(str(byte) for byte in reversed(bytes.fromhex(address))), int(port, 16)))
    return found


async def test_no_port_of_127_0_0_1_starts_a_workflow_for_a_page(running: EmbeddedServer):
    """Whatever a browser may send across sites; the UI's own place is not where a page would look."""
    body = json.dumps({"workflowType": {"name": "X"}, "taskQueue": {"name": "q"}, "requestId": "x"}).encode()
    places = [place for place in listening(running.process.pid) if place[0] == "127.0.0.1"]
    assert len(places) > 2
    for number, (address, port) in enumerate(places):
        asked = f"POST /api/v1/namespaces/default/workflows/stranger-{number} HTTP/1.1\r\nHost: {address}:{port}\r\n"
        asked += f"Origin: http://evil.test\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\n"
        await answered((address, port), asked.encode() + b"Connection: close\r\n\r\n" + body)
    client = await Client.connect(running.address)
    for number in range(len(places)):
        with pytest.raises(RPCError, match="not found"):
            await client.get_workflow_handle(f"stranger-{number}").describe()


async def answered(address: tuple[str, int], sent: bytes) -> None:
    """Send, and wait until the other side is done with it; it may not like what it gets."""
    try:
        await raw(address, sent)
    except (OSError, TimeoutError):
        return


# In a real browser. Each attack is first seen to work where nothing is closed: one that fails anyway proves nothing.

ATTACK = """<body><script>
const start = JSON.stringify({workflowType: {name: "X"}, taskQueue: {name: "q"}, requestId: "x"});
(async () => {
  for (const [number, root] of ROOTS.entries()) {
    const own = root === "";
    try {
      const seen = await fetch(root + "/api/v1/namespaces", {mode: own ? "cors" : "no-cors"});
      document.body.dataset.seen = own ? await seen.text() : "";
      const token = document.cookie.split("=")[1] || "";
      const type = own ? "application/json" : "text/plain";
      const headers = {"Content-Type": type, ...(own ? {"X-CSRF-TOKEN": token} : {})};
      const how = {method: "POST", mode: own ? "cors" : "no-cors", headers, body: start};
      await fetch(root + "/api/v1/namespaces/default/workflows/NAME-" + number, how);
    } catch (error) { document.body.dataset.failed = error; }
  }
  document.body.dataset.done = "yes";
})();
</script></body>"""


@asynccontextmanager
async def page_of_a_stranger(roots: list[str], name: str, behind: tuple[str, int]) -> AsyncIterator[int]:
    """The port of ``/attack``. Whatever else is asked goes on to ``behind``, as it does once a name is bound anew."""
    body = ATTACK.replace("ROOTS", json.dumps(roots)).replace("NAME", name).encode()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = await reader.readuntil(b"\r\n\r\n")
        if asked.startswith(b"GET /attack "):
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n" + body)
        else:
            length = next((int(line.split(b":")[1]) for line in asked.split(b"\r\n") if b"Content-Length" in line), 0)
            asked = asked.replace(b"Connection: keep-alive", b"Connection: close")
            writer.write(await raw(behind, asked + await reader.readexactly(length)))
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as served:
        yield served.sockets[0].getsockname()[1]


async def started(server: EmbeddedServer, name: str) -> bool:
    try:
        await (await Client.connect(server.address)).get_workflow_handle(name).describe()
    except RPCError:
        return False
    return True


@pytest.mark.browser
async def test_page_of_another_origin_starts_nothing(running: EmbeddedServer, tmp_path: Path):
    """It posts to every port of this machine that the server and its front listen on."""
    opened = await start_embedded_server(None, tmp_path / "log", settings={"frontend.httpAllowedHosts": '["*"]'})
    try:
        for name, server in (("open", opened), ("closed", running)):
            ports = [place[1] for place in listening(server.process.pid) if place[0] == "127.0.0.1"]
            roots = [f"http://127.0.0.1:{port}" for port in ports] + [server.ui]
            async with page_of_a_stranger(roots, name, ("127.0.0.1", ports[0])) as port:
                assert 'data-done="yes"' in await browse(f"http://evil.test:{port}/attack", tmp_path / name)
            assert (name == "open") == any([await started(server, f"{name}-{each}") for each in range(len(roots))])
    finally:
        await opened.stop()


@pytest.mark.browser
async def test_page_under_another_name_reads_and_starts_nothing(running: EmbeddedServer, tmp_path: Path):
    """DNS rebinding: for the browser it is the UI's own page."""
    [hidden] = [place for place in listening(running.process.pid) if place[0] != "127.0.0.1"]
    place = urlsplit(running.ui)
    for name, behind in (("bare", hidden), ("front", (place.hostname, place.port))):
        async with page_of_a_stranger([""], name, behind) as port:
            shown = await browse(f"http://rebound.test:{port}/attack", tmp_path / name)
        assert 'data-done="yes"' in shown
        assert [name == "bare"] * 2 == ["namespaceInfo" in shown, await started(running, f"{name}-0")]


@pytest.mark.browser
async def test_ui_works_in_a_browser(running: EmbeddedServer, tmp_path: Path):
    """Its own scripts load and its own questions are answered."""
    shown = await browse(f"{running.ui}/namespaces/default/workflows", tmp_path / "profile")
    assert "Workflows" in shown
