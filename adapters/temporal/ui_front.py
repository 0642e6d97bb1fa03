"""Before the embedded server's UI: only pages of its own may talk to it.

The UI takes any ``Host``, so that a page anywhere whose name is made to point to this machine (DNS rebinding) could
resume a target. It listens where no page can find it, and people come here: one request per connection, its head read
and judged, the rest passed on as it is.
"""

import asyncio
import contextlib
import re
import secrets
import socket
from collections.abc import Mapping

from ports.server import ServerUnavailable

_HEAD_SECONDS = 10
_HEAD_BYTES = 1 << 16
_REQUEST = re.compile(rb"([A-Z]+) (\S+) HTTP/1\.1\r\n((?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:[^\r\n\0]*\r\n)*)\r\n")
_HOST = re.compile(r"(?:127\.0\.0\.1|localhost|\[::1\])(?::\d{1,5})?", re.IGNORECASE)
"""No other machine's page can have such a name. Any port: a tunnel ends where its user likes."""
_SINGLE = (
    "host",
    "origin",
    "content-length",
    "transfer-encoding",
    "sec-fetch-site",
    "sec-fetch-mode",
    "sec-fetch-dest",
)
_DROPPED = ("connection", "keep-alive", "proxy-connection", "upgrade", "te")


def hidden_place() -> tuple[str, int]:
    """Where the UI itself listens: one of sixteen million loopback addresses, which a page would have to guess."""
    address = f"127.{secrets.randbelow(254) + 1}.{secrets.randbelow(256)}.{secrets.randbelow(254) + 1}"
    with socket.socket() as probe:
        probe.bind((address, 0))
        port: int = probe.getsockname()[1]
        return address, port


def judged(head: bytes) -> tuple[str, bytes]:
    """Why a request's head (everything up to its body) is refused, and what the UI gets of it otherwise."""
    read = _REQUEST.fullmatch(head)
    if read is None:
        return "this is no HTTP/1.1 request", b""
    lines = [line.partition(b":") for line in read[3].splitlines()]
    fields = [(name.decode().lower(), value.decode("latin-1").strip()) for name, _, value in lines]
    if any([name for name, _ in fields].count(name) > 1 for name in _SINGLE):
        return "a header is there twice", b""
    if refused := _stranger(read[1], dict(fields)):
        return refused, b""
    kept = [line for line in read[3].splitlines() if line.partition(b":")[0].decode().lower() not in _DROPPED]
    # Closed after the answer: a second request on this connection would be judged by nobody.
    return "", b"\r\n".join([head.partition(b"\r\n")[0], *kept, b"Connection: close", b"", b""])


def _stranger(method: bytes, fields: Mapping[str, str]) -> str:
    host, origin = fields.get("host", ""), fields.get("origin")
    if not _HOST.fullmatch(host):
        return f"the host {host!r} is not this machine: open the UI as 127.0.0.1 or localhost"
    if origin is not None and origin.lower() != f"http://{host}".lower():
        return f"the page {origin!r} is not the UI's own"
    wanted = fields.get("sec-fetch-mode"), fields.get("sec-fetch-dest")
    link = method == b"GET" and wanted == ("navigate", "document")
    if fields.get("sec-fetch-site", "none") not in {"same-origin", "none"} and not link:
        return "another page asks: it may link to the UI, and nothing else"
    return ""


class Front:
    """Listens on loopback, on behalf of a UI elsewhere."""

    def __init__(self, upstream: tuple[str, int]) -> None:
        self._upstream = upstream
        self._server: asyncio.Server | None = None
        self._answering: set[asyncio.Task[None]] = set()
        self.port = 0

    async def open(self, port: int) -> None:
        """Listen; 0 takes a free port.

        Raises:
            ServerUnavailable: the port is taken.
        """
        try:
            self._server = await asyncio.start_server(self._begin, "127.0.0.1", port, limit=_HEAD_BYTES)
        except OSError as problem:
            raise ServerUnavailable(f"the UI's port {port} is taken: choose another ({problem.strerror})") from problem
        self.port = self._server.sockets[0].getsockname()[1]

    def close(self) -> None:
        """Listen no more, and end what is being answered: the UI's own questions may wait for a minute."""
        if self._server is not None:
            self._server.close()
        for task in self._answering:
            task.cancel()

    def _begin(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._answer(reader, writer))
        # The loop alone would let a waiting task be collected.
        self._answering.add(task)
        task.add_done_callback(self._answering.discard)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            refused, head = judged(await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), _HEAD_SECONDS))
            await (_refuse(writer, refused) if refused else _pass_on(head, reader, writer, self._upstream))
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError):
            pass  # Nobody is there any more, or the UI is not there yet: the closed connection says so.
        finally:
            writer.close()


async def _refuse(writer: asyncio.StreamWriter, reason: str) -> None:
    body = f"{reason}\n".encode()
    head = f"HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {len(body)}\r\n"
    writer.write(head.encode() + b"X-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n" + body)
    await writer.drain()


async def _pass_on(
    head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, upstream: tuple[str, int]
) -> None:
    inner_reader, inner_writer = await asyncio.open_connection(*upstream)
    inner_writer.write(head)
    body = asyncio.create_task(_copy(reader, inner_writer))
    try:
        await _copy(inner_reader, writer)
    finally:
        body.cancel()
        inner_writer.close()


async def _copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while chunk := await source.read(_HEAD_BYTES):
            sink.write(chunk)
            await sink.drain()
