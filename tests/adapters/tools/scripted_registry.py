"""A registry of Python packages on loopback, and programs that act as uv and pip-audit do on it."""

from __future__ import annotations

import gzip
import hashlib
import http.server
import io
import json
import stat
import sys
import tarfile
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

UV = f"""#!{Path(sys.executable).resolve()} -IS
import json, os, pathlib, sys, time
env = pathlib.Path(os.environ.get("TEST_ENV", "/env"))
wanted = sys.argv[sys.argv.index("--upgrade-package") + 1] if "--upgrade-package" in sys.argv else "alone"
made = json.loads((env / "made.json").read_text()).get(wanted)
if made is None and wanted != "alone":
    sys.exit(f"no solution for {{wanted}}")
for path, text in (made or {{}}).items():
    if text == "GONE":
        pathlib.Path(path).unlink()
    else:
        pathlib.Path(path).write_text(text.replace("NOW", str(time.time_ns())))
"""
PIP_AUDIT = f"""#!{Path(sys.executable).resolve()} -IS
import json, os, pathlib, sys
env = pathlib.Path(os.environ.get("TEST_ENV", "/env"))
locked = [line.split("==") for line in pathlib.Path(sys.argv[2]).read_text().split()]
known = json.loads((env / "known.json").read_text())
found = [{{"name": n, "version": v, "vulns": known.get(n + "==" + v, [])}} for n, v in locked]
print(json.dumps({{"dependencies": found}}))
sys.exit(any(one["vulns"] for one in found))
"""
LICENCE_TEXT = "Permission is hereby granted, free of charge, to any person"


@dataclass
class Release:
    days: float = 30
    licence: str = "MIT"
    notes: str = "* Mends a leak"
    yanked: bool = False
    other_bytes: bool = False
    """Served is something else than locked."""


@dataclass
class Registry:
    """``packages``: name to version to its release."""

    packages: dict[str, dict[str, Release]]
    answers: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    """Instead of the truth, by path."""
    asked: list[str] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.host = f"127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def archive(self, name: str, version: str) -> bytes:
        release = self.packages[name][version]
        files = {
            "PKG-INFO": f"Name: {name}\nVersion: {version}\nLicense-Expression: {release.licence}\n",
            "CHANGES.md": f"# Changes\n\n## {version}\n\n{release.notes}\n\n## 0.1\n\n* First\n",
            "LICENSE": f"{release.licence} License\n\nCopyright (c) {version} somebody\n\n{LICENCE_TEXT}\n",
        }
        whole = io.BytesIO()
        with tarfile.open(fileobj=whole, mode="w") as archive:
            for path, text in files.items():
                info = tarfile.TarInfo(f"{name}-{version}/{path}")
                info.size = len(text.encode())
                archive.addfile(info, io.BytesIO(text.encode()))
        return gzip.compress(whole.getvalue(), mtime=0)

    def lock(self, **versions: str) -> str:
        """``uv.lock`` of a project that asks for all of them; names with ``_`` are taken along only."""
        asked = ", ".join(f'{{ name = "{name}" }}' for name in versions if not name.endswith("_"))
        text = 'version = 1\n\n[[package]]\nname = "x"\nversion = "1"\nsource = { virtual = "." }\n'
        text += f"dependencies = [{asked}]\n"
        for name, version in versions.items():
            digest = hashlib.sha256(self.archive(name, version)).hexdigest()
            text += f'\n[[package]]\nname = "{name}"\nversion = "{version}"\n'
            text += f'source = {{ registry = "http://{self.host}/simple" }}\n'
            url = f"http://{self.host}/files/{name}-{version}.tar.gz"
            text += f'sdist = {{ url = "{url}", hash = "sha256:{digest}", size = 999 }}\n'
        return text

    def programs(
        self, env: Path, made: dict[str, dict[str, str]], known: dict[str, list[dict[str, object]]] | None
    ) -> None:
        """Put uv, and pip-audit where ``known`` says something, into an environment."""
        (env / "bin").mkdir(parents=True, exist_ok=True)
        (env / "made.json").write_text(json.dumps(made))
        (env / "known.json").write_text(json.dumps(known))
        for name, text in (("uv", UV), *((("pip-audit", PIP_AUDIT),) if known is not None else ())):
            (env / "bin" / name).write_text(text)
            (env / "bin" / name).chmod(0o755 | stat.S_IXOTH)

    def _answer(self, path: str) -> tuple[int, bytes]:
        if path in self.answers:
            return self.answers[path]
        kind, _, rest = path.strip("/").partition("/")
        if kind == "simple" and rest.strip("/") in self.packages:
            now, name = datetime.now(UTC), rest.strip("/")
            files = [
                {
                    "filename": f"{name}-{version}.tar.gz",
                    "url": f"../../files/{name}-{version}.tar.gz",
                    "hashes": {"sha256": hashlib.sha256(self.archive(name, version)).hexdigest()},
                    "upload-time": (now - timedelta(days=one.days)).isoformat(),
                    "yanked": one.yanked,
                }
                for version, one in self.packages[name].items()
            ]
            return 200, json.dumps({"files": files}).encode()
        name, _, version = rest.removesuffix(".tar.gz").rpartition("-")
        if kind == "files" and version in self.packages.get(name, {}):
            body = self.archive(name, version)
            return 200, gzip.compress(b"another") if self.packages[name][version].other_bytes else body
        return 404, b""

    def _handler(self) -> type[http.server.BaseHTTPRequestHandler]:
        registry = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                registry.asked.append(self.path)
                status, body = registry._answer(self.path)
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Quiet."""

        return Handler
