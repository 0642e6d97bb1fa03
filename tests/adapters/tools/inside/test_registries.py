"""What registries of npm, crates and modules say, and what packages say of themselves."""

from __future__ import annotations

import base64
import gzip
import hashlib
import http.server
import io
import json
import tarfile
import threading
import time
import zipfile

import pytest

from adapters.tools.inside import registries
from adapters.tools.inside.archives import NotKnown, about

TEXT = "Permission is hereby granted, free of charge, to any person"


@pytest.fixture
def served(monkeypatch):
    """A server of these bodies by path."""
    bodies: dict[str, bytes] = {}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            if self.path.startswith("/slow"):
                time.sleep(0.3)
                return
            if self.path.startswith("/garbage"):
                self.wfile.write(b"no answer\r\n\r\n")
                return
            body = bodies.get(self.path)
            self.send_response(404 if body is None else 200)
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, *_):
            """Quiet."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    host = f"127.0.0.1:{server.server_address[1]}"
    said = {"go": f"http://{host}/proxy,direct\n", "npm": f"http://{host}/\n"}
    monkeypatch.setattr(registries.subprocess, "run", lambda argv, **_: Said(said[argv[0]].encode()))
    yield host, bodies
    server.shutdown()
    server.server_close()


class Said:
    def __init__(self, stdout):
        self.stdout = stdout


def ask(kind, host, name, version="1.0.0", what="releases", **more):
    package = {"name": name, "version": version, "registry": f"http://{host}", "url": "", "digest": ""} | more
    request = {"ask": what, "kind": kind, "hosts": [host], "seconds": 60, "packages": [package]}
    return registries.answered(request)[f"{name} {version}"]


def test_npm(served):
    """Times are beside the versions; what is deprecated was taken back; prereleases are left out."""
    host, bodies = served
    versions = {"1.0.0": {}, "1.1.0": {"deprecated": "no"}, "2.0.0-rc.1": {}}
    times = {"1.0.0": "2026-01-01T00:00:00Z", "1.1.0": "2026-02-01T00:00:00Z"}
    bodies["/@a%2fb"] = json.dumps({"versions": versions, "time": times}).encode()
    expected = [("1.0.0", "2026-01-01T00:00:00Z", False), ("1.1.0", "2026-02-01T00:00:00Z", True)]
    assert {"releases": expected} == ask("npm", host, "@a/b")
    # A lock file may leave out where a package is from: then npm itself says it.
    assert {"releases": expected} == ask("npm", host, "@a/b", registry="")
    body = packed({"package/package.json": '{"license": "ISC"}'})
    bodies["/@a/b/-/b-1.0.0.tgz"] = body
    digest = "sha512-" + base64.b64encode(hashlib.sha512(body).digest()).decode()
    assert "ISC" == ask("npm", host, "@a/b", "1.0.0", "about", registry="", digest=digest)["licence"]


def test_cargo(served):
    """The index is that of the listed hosts that answers as one."""
    host, bodies = served
    assert "none of `environment.hosts`" in ask("cargo", host, "itoa")["problem"]
    bodies["/config.json"] = json.dumps({"dl": f"http://{host}/crates"}).encode()
    lines = [{"vers": "1.0.0", "pubtime": "2026-01-01T00:00:00Z"}, {"vers": "1.0.1", "yanked": True}]
    bodies["/it/oa/itoa"] = "\n".join(map(json.dumps, lines)).encode()
    assert [("1.0.1", "", True), ("1.0.0", "2026-01-01T00:00:00Z", False)] == ask("cargo", host, "itoa")["releases"]
    body = packed({"itoa-1.0.1/Cargo.toml": '[package]\nlicense = "MIT OR Apache-2.0"\n'})
    bodies["/crates/itoa/1.0.1/download"] = body
    digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
    assert "MIT OR Apache-2.0" == ask("cargo", host, "itoa", "1.0.1", "about", digest=digest)["licence"]


def test_go(served):
    """By Go's own word where to ask; what a newer version retracts was taken back; capitals are escaped."""
    host, bodies = served
    place = "/proxy/host.x/!one/@v"
    bodies[f"{place}/list"] = b"v1.0.0\nv1.0.1\nv1.2.0\nv2.0.0-rc.1\n"
    bodies[f"{place}/v1.2.0.mod"] = b"module x\nretract (\n\tv1.0.1 // bad\n\t[v0.1.0, v0.2.0]\n)\nretract v0.0.1\n"
    for version in ("v1.0.0", "v1.0.1", "v1.2.0"):
        bodies[f"{place}/{version}.info"] = json.dumps({"Time": f"2026-01-0{version[3]}T00:00:00Z"}).encode()
    answer = ask("go", host, "host.x/One", "v1.0.0")["releases"]
    assert {("v1.0.0", False), ("v1.0.1", True), ("v1.2.0", False)} == {(each[0], each[2]) for each in answer}
    body = zipped(
        {"host.x/One@v1.2.0/LICENSE": f"Copyright x\n{TEXT}", "host.x/One@v1.2.0/CHANGELOG.md": "## v1.2.0\n- new\n"}
    )
    bodies[f"{place}/v1.2.0.zip"] = body
    told = ask("go", host, "host.x/One", "v1.2.0", "about", digest=h1(body))
    assert ("MIT", "- new") == (told["licence"], told["notes"])
    assert "other bytes" in ask("go", host, "host.x/One", "v1.2.0", "about", digest="h1:other=")["problem"]


def test_what_is_not_had_by_http_or_in_time_is_not_asked(served):
    """A lock file may name any address."""
    host, _ = served
    assert "not to be had by HTTP" in ask("npm", host, "a", what="about", url="file:///etc/passwd")["problem"]
    request = {
        "ask": "releases",
        "kind": "npm",
        "hosts": [],
        "seconds": -1,
        "packages": [{"name": "a", "version": "1"}],
    }
    assert {"problem": "there was no time left to ask"} == registries.answered(request)["a 1"]


def test_a_slow_registry_or_one_that_speaks_otherwise_is_left(served, monkeypatch):
    """Before its first word, and between its words."""
    host, _ = served
    assert "cannot be reached" in ask("npm", host, "a", registry=f"http://{host}/garbage")["problem"]
    monkeypatch.setattr(registries, "_PATIENCE", 0.1)
    assert "timed out" in ask("npm", host, "a", registry=f"http://{host}/slow")["problem"]
    monkeypatch.setattr(registries, "_PATIENCE", -1)
    with pytest.raises(NotKnown, match="the registry is too slow"):
        registries.read_all(iter([b"{", b"}", b""]).__next__, 100)


def packed(files: dict[str, str]) -> bytes:
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w") as archive:
        for path, text in files.items():
            info = tarfile.TarInfo(path)
            info.size = len(text.encode())
            archive.addfile(info, io.BytesIO(text.encode()))
    return gzip.compress(whole.getvalue())


def zipped(files: dict[str, str]) -> bytes:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    return whole.getvalue()


def h1(body: bytes) -> str:
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        lines = [f"{hashlib.sha256(archive.read(name)).hexdigest()}  {name}\n" for name in sorted(archive.namelist())]
    return "h1:" + base64.b64encode(hashlib.sha256("".join(lines).encode()).digest()).decode()


def said(kind: str, body: bytes, version: str = "1.2.0") -> dict[str, str]:
    return about(kind, body, {"version": version, "digest": f"sha256:{hashlib.sha256(body).hexdigest()}"})


@pytest.mark.parametrize(
    ("kind", "file", "text", "expected"),
    [
        ("uv", "x-1/PKG-INFO", "Name: x\nLicense-Expression: MIT\nLicense: other\n", "MIT"),
        ("uv", "x-1/PKG-INFO", "Name: x\nLicense: BSD\n", "BSD"),
        ("uv", "x-1/PKG-INFO", "Classifier: License :: OSI Approved :: MIT License\n", "MIT License"),
        ("uv", "x-1.dist-info/METADATA", f"License: {'long ' * 40}\n", ""),
        ("npm", "package/package.json", '{"license": "ISC"}', "ISC"),
        ("npm", "package/package.json", '{"licenses": [{"type": "MIT"}, {"type": "X"}]}', "MIT OR X"),
        ("cargo", "x-1/Cargo.toml", '[package]\nlicense-file = "L"\n', "L"),
        ("npm", "package/deep/er/and/package.json", '{"license": "ISC"}', ""),
        ("npm", "package/LICENSE", TEXT, "MIT"),
    ],
)
def test_the_licence_that_a_package_names(kind, file, text, expected):
    """In its own metadata; else the kind that its licence's words are of."""
    assert expected == said(kind, packed({file: text}))["licence"]


def test_the_words_of_a_licence_are_the_same_whoever_holds_it():
    """Another year is no other licence, another word is."""
    texts = [f"MIT\nCopyright (c) {year} me\n{TEXT}" for year in (2025, 2026)] + [f"MIT\n{TEXT} but not you"]
    one, other, third = (said("npm", packed({"package/LICENSE": text}))["text"] for text in texts)
    assert one == other != third


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "# 1.3\n* next\n# 1.2.0 (2026-01-01)\n\n* this\n  1.1 is mended\n# 1.1\n* before\n",
            "* this\n  1.1 is mended",
        ),
        ("Version 1.2.0\n-------------\n\n- this\n\nVersion 1.1.9\n-------------\n- before\n", "- this"),
        ("## [v1.2.0] - 2026\nthis\n## [v1.1.0]\n", "this"),
        ("# 1.2.01\nanother\n", ""),
        ("nothing\n", ""),
        ("# 1.2.0\n" + "line\n" * 1000, "\n".join(["line"] * 30)),
    ],
)
def test_notes_are_of_the_version_alone(text, expected):
    """Bounded, and nothing of others."""
    assert expected == said("npm", packed({"package/CHANGELOG.md": text}))["notes"]


@pytest.mark.parametrize(
    "body", [b"", b"PK\x03\x04broken", gzip.compress(b"no tar"), b"plain"], ids=["empty", "zip", "tar", "plain"]
)
def test_an_archive_that_cannot_be_read_says_nothing(body):
    """It is not an empty one."""
    with pytest.raises(NotKnown, match="cannot be read"):
        said("npm", body)


def test_a_bomb_is_left_alone(monkeypatch):
    """What unpacks to more than is looked at."""
    monkeypatch.setattr("adapters.tools.inside.archives._LARGEST_WHOLE", 1000)
    for body in (gzip.compress(b"0" * 5000), zipped({"a": "0" * 5000})):
        with pytest.raises(NotKnown, match="unpacks to more"):
            said("npm", body)
