"""Bare repositories over HTTP on loopback, by git's own `http-backend`, and what was asked of them."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.adapters.git.conftest import PERSON


@dataclass
class Served:
    """A folder of bare repositories, and the address it has."""

    folder: Path
    port: int = 0
    asked: list[str] = field(default_factory=list)
    moved: dict[str, str] = field(default_factory=dict)
    """Paths that answer with a redirect, and where to."""
    lfs: dict[str, bytes] = field(default_factory=dict)
    """What git LFS has, by digest."""

    @property
    def host(self) -> str:
        """As the policy lists it."""
        return f"127.0.0.1:{self.port}"

    def url(self, name: str) -> str:
        """Of one repository."""
        return f"http://{self.host}/{name}.git"

    def git(self, *arguments: str, cwd: Path | None = None) -> str:
        """As a person would."""
        argv = ["git", "-c", "protocol.file.allow=always", *arguments]
        done = subprocess.run(argv, cwd=cwd or self.folder, env=PERSON, capture_output=True, check=True, timeout=60)
        return done.stdout.decode().strip()

    def repository(self, name: str, files: dict[str, str], submodules: dict[str, tuple[str, str]] | None = None) -> str:
        """A new commit of a repository, made if missing; ``submodules``: by path, address and commit."""
        work, bare = self.folder / f"{name}-work", self.folder / f"{name}.git"
        if not bare.exists():
            self.git("init", "-q", "--bare", "-b", "main", str(bare))
            self.git("init", "-q", "-b", "main", str(work))
        for path, body in files.items():
            (work / path).parent.mkdir(parents=True, exist_ok=True)
            (work / path).write_text(body)
        listed = [
            f'[submodule "{path}"]\n\tpath = {path}\n\turl = {url}\n' for path, (url, _) in (submodules or {}).items()
        ]
        if listed:
            (work / ".gitmodules").write_text("".join(listed))
        self.git("add", "-A", cwd=work)
        for path, (_, commit) in (submodules or {}).items():
            self.git("update-index", "--add", "--cacheinfo", f"160000,{commit},{path}", cwd=work)
        self.git("commit", "-q", "--allow-empty", "-m", "x", cwd=work)
        self.git("push", "-q", str(bare), "HEAD:main", cwd=work)
        return self.git("rev-parse", "HEAD", cwd=work)


@contextmanager
def serving(folder: Path) -> Iterator[Served]:
    """While it is entered."""
    served = Served(folder)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer()

        def do_POST(self) -> None:
            self._answer()

        def log_message(self, *_arguments: object) -> None:
            """Say nothing."""

        def _answer(self) -> None:
            path, _, query = self.path.partition("?")
            served.asked.append(self.path)
            if to := next((new for old, new in served.moved.items() if path.startswith(old)), ""):
                self.send_response(302)
                self.send_header("Location", to + self.path[len(next(iter(served.moved))) :])
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if "/info/lfs/" in path:
                self._lfs(path, body)
                return
            environment = {
                "PATH": os.environ["PATH"], "GIT_PROJECT_ROOT": str(folder), "GIT_HTTP_EXPORT_ALL": "1",
                "PATH_INFO": path, "QUERY_STRING": query, "REQUEST_METHOD": self.command,
                "CONTENT_TYPE": self.headers.get("Content-Type", ""), "CONTENT_LENGTH": str(len(body)),
                "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""), "REMOTE_ADDR": "127.0.0.1",
                "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            }  # fmt: skip
            environment = {key: value for key, value in environment.items() if value}
            done = subprocess.run(["git", "http-backend"], input=body, capture_output=True, env=environment, check=True)
            head, _, content = done.stdout.partition(b"\r\n\r\n")
            headers = dict(line.split(": ", 1) for line in head.decode().splitlines())
            self.send_response(int(headers.pop("Status", "200").split()[0]))
            for name, value in (headers | {"Content-Length": str(len(content))}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def _lfs(self, path: str, body: bytes) -> None:
            content = served.lfs.get(path.rpartition("/")[2], b"")
            if path.endswith("/batch"):
                base = f"http://{served.host}{path.removesuffix('/objects/batch')}"
                found = [
                    {**each, "actions": {"download": {"href": f"{base}/{each['oid']}"}}}
                    for each in json.loads(body)["objects"]
                ]
                content = json.dumps({"objects": found}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served.port = server.server_address[1]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield served
    finally:
        server.shutdown()
        server.server_close()
