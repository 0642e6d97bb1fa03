"""The service that runs what the demo's base branch holds, and says of any commit whether it is well.

It stands for what no check can see: somebody outside relies on the released bytes. A commit that nobody runs is well,
also on a canary branch; one that is on the base is well while its files are the released ones.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from demo.repository import git
from demo.source_distribution import FetchFailed


@dataclass(frozen=True)
class Production:
    """What runs is read from the remote, at every question."""

    remote: Path
    released: str
    """The tree that those outside rely on."""

    @classmethod
    def of(cls, remote: Path) -> Production:
        """Production as it is when the demo begins."""
        return cls(remote, git(remote, "rev-parse", "main^{tree}").strip())

    def status(self, commit: str) -> HTTPStatus:
        """200: well, or not running here; 500: it runs, and is not what was relied on; 404: no such commit."""
        try:
            if (
                git(self.remote, "rev-parse", "--verify", "--end-of-options", f"{commit}^{{tree}}").strip()
                == self.released
            ):
                return HTTPStatus.OK
            running = git(self.remote, "rev-list", "--first-parent", "main").split()
        except FetchFailed:
            return HTTPStatus.NOT_FOUND
        return HTTPStatus.INTERNAL_SERVER_ERROR if commit in running else HTTPStatus.OK


@contextmanager
def served(production: Production) -> Iterator[str]:
    """Serve it on loopback; the URL of the health probe, with the place for the SHA."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            """Health of the commit that the path names."""
            self.send_response(production.status(self.path.rsplit("/", 1)[-1]))
            self.end_headers()

        def log_message(self, *_given: object) -> None:
            """Quiet: the probes' evidence is in the artifacts."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/health/{{sha}}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
