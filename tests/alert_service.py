"""A web service that takes notifications, as a chat or paging service would; real HTTP on loopback."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SECRET = "s3cr3t-t0ken-7777"


class AlertService:
    """Says what it was told to: a status, after a while."""

    def __init__(self) -> None:
        self.status = 200
        self.seconds = 0.0
        self.received: list[dict[str, Any]] = []
        self.port = 0

    @property
    def url(self) -> str:
        """As it would stand in the worker's environment: with a secret."""
        return f"json://user:{SECRET}@127.0.0.1:{self.port}/{SECRET}/hook?+X-Key={SECRET}"


@contextmanager
def alert_service() -> Iterator[AlertService]:
    """Listens until the test ends."""
    service = AlertService()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            time.sleep(service.seconds)
            if service.status == 200:
                service.received.append(body)
            self.send_response(service.status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing on the terminal."""

        def handle(self) -> None:
            try:
                super().handle()
            except OSError:
                # A client that was killed at its timeout.
                return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    service.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield service
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
