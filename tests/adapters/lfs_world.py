"""A server of git LFS on loopback: the batch API and its contents, as honest as a test wants it to be."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


def oid_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def pointer(content: bytes) -> str:
    """As git-lfs writes it."""
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{oid_of(content)}\nsize {len(content)}\n"


@dataclass
class LfsWorld:
    """One server; what it knows, what it was asked, and how it lies."""

    port: int = 0
    objects: dict[str, bytes] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    change: Callable[[dict[str, Any]], Any] = lambda answer: answer
    """What becomes of a batch's answer."""
    sent: Callable[[bytes], bytes] = lambda content: content
    """What is sent for a content."""
    redirects: dict[str, str] = field(default_factory=dict)
    waits: float = 0
    status: int = 200

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def remote(self) -> str:
        return f"http://{self.host}/team/app.git"

    @property
    def downloads(self) -> list[str]:
        return [path for path, _ in self.asked if path.startswith("/content/")]

    def keep(self, content: bytes) -> str:
        """Have it; its pointer."""
        self.objects[oid_of(content)] = content
        return pointer(content)


@contextmanager
def serving_lfs() -> Iterator[LfsWorld]:
    """While it is entered."""
    world = LfsWorld()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_arguments: object) -> None:
            """Say nothing."""

        def do_GET(self) -> None:
            self._heard()
            content = world.objects.get(self.path.partition("?")[0].rpartition("/")[2])
            self._say(404 if content is None else 200, world.sent(content or b""))

        def do_POST(self) -> None:
            self._heard()
            assert self.path == "/team/app.git/info/lfs/objects/batch"
            assert self.headers["Accept"] == self.headers["Content-Type"] == "application/vnd.git-lfs+json"
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            assert asked["operation"] == "download"
            assert asked["ref"] == {"name": "refs/heads/main"}
            answer = {"transfer": "basic", "objects": [self._told(each) for each in asked["objects"]]}
            self._say(world.status, json.dumps(world.change(answer)).encode())

        def _told(self, each: dict[str, Any]) -> dict[str, Any]:
            if each["oid"] not in world.objects:
                return {**each, "error": {"code": 404, "message": "Object does not exist"}}
            href = f"http://{world.host}/content/{each['oid']}?signed=1"
            return {**each, "actions": {"download": {"href": href, "header": {"X-Given": "along"}}}}

        def _heard(self) -> None:
            world.asked.append((self.path, dict(self.headers)))
            time.sleep(world.waits)

        def _say(self, status: int, body: bytes) -> None:
            to = next((new for old, new in world.redirects.items() if self.path.startswith(old)), "")
            self.send_response(302 if to else status)
            if to:
                self.send_header("Location", to)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    world.port = server.server_address[1]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield world
    finally:
        server.shutdown()
        server.server_close()
