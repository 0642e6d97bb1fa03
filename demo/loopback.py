"""A server of the demo's own, on loopback."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Answer = tuple[HTTPStatus, Mapping[str, str], bytes]
"""Status, headers, body."""


@contextmanager
def serving(answer: Callable[[str], Answer]) -> Iterator[str]:
    """Answer every GET of a path by ``answer``; the server's root, written as the address that it is."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            """What the path leads to."""
            status, headers, body = answer(self.path)
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_given: object) -> None:
            """Quiet: what was answered is in the artifacts."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
