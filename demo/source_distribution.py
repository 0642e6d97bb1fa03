"""A package's source distribution, fetched and unpacked without executing any of it."""

from __future__ import annotations

import hashlib
import io
import os
import re
import ssl
import subprocess
import tarfile
import tempfile
import tomllib
import urllib.request
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.error import URLError

import uv

_PIN = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)==(?P<version>[A-Za-z0-9.!+_-]+)")
_LARGEST = 100 << 20
_AUTHORITIES = ("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE")


class FetchFailed(Exception):
    """The message says what to do."""


@dataclass(frozen=True)
class Pin:
    """``name==version``."""

    name: str
    version: str
    sha256: str = ""
    """Of its source distribution; empty: what the registry says it is."""

    @classmethod
    def parse(cls, text: str, sha256: str = "") -> Pin:
        """Read ``DEMO_PACKAGE``."""
        found = _PIN.fullmatch(text.strip())
        if found is None:
            raise FetchFailed(
                f"{text!r} is no pinned package: write it as name==version, for example itsdangerous==1.1.0"
            )
        return cls(re.sub(r"[-_.]+", "-", found["name"]).lower(), found["version"], sha256)

    def __str__(self) -> str:
        """As pip writes it."""
        return f"{self.name}=={self.version}"


def fetch(pin: Pin, downloads: Path, into: Path) -> Path:
    """Download, verify, unpack; the folder that holds the package.

    pip and uv run a source distribution's own set-up code to learn its requirements. Here uv only resolves the pin,
    under metadata stated beforehand, to an address and a digest; the bytes are fetched and unpacked as data.

    Raises:
        FetchFailed: no such source distribution, registry unreachable, or wrong bytes.
    """
    # What is pinned by its digest and here already needs no registry.
    archive = next(downloads.glob(f"{pin.sha256}-*"), None) if pin.sha256 else None
    archive = archive or downloaded(pin, downloads)
    body = archive.read_bytes()
    if not archive.name.startswith(f"{hashlib.sha256(body).hexdigest()}-"):
        raise FetchFailed(f"{archive} is damaged: remove it and try again")
    into.mkdir(parents=True)
    unpack(archive.name, body, into)
    folders = [path for path in into.iterdir() if path.is_dir()]
    return folders[0] if len(folders) == 1 else into


def downloaded(pin: Pin, downloads: Path) -> Path:
    """Its archive, from the registry, as ``<sha256>-<name>``; raises FetchFailed as ``fetch`` does."""
    url, digest = _locate(pin)
    if pin.sha256 not in {"", digest}:
        raise FetchFailed(
            f"{pin} has the digest {digest}, not {pin.sha256}: it is not what was pinned, and is not used"
        )
    archive = downloads / f"{digest}-{url.rsplit('/', 1)[1]}"
    if not archive.exists():
        body = _download(url)
        if hashlib.sha256(body).hexdigest() != digest:
            raise FetchFailed(f"{url} is not what the registry's digest says: try again, and do not use it")
        downloads.mkdir(parents=True, exist_ok=True)
        archive.write_bytes(body)
    return archive


def _locate(pin: Pin) -> tuple[str, str]:
    with tempfile.TemporaryDirectory(prefix="autonomy-demo-") as made:
        folder = Path(made)
        (folder / "uv.toml").write_text(
            f'dependency-metadata = [{{ name = "{pin.name}", version = "{pin.version}", requires-dist = [] }}]\n'
        )
        (folder / "wanted.in").write_text(f"{pin}\n")
        argv = [uv.find_uv_bin(), "pip", "compile", "wanted.in", "--config-file", "uv.toml", "--no-deps", "--quiet"]
        argv += ["--format", "pylock.toml", "--output-file", "pylock.toml"]
        answer = subprocess.run(argv, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
        if answer.returncode:
            raise FetchFailed(f"the package registry does not give {pin}: {answer.stderr.strip()}")
        package = tomllib.loads((folder / "pylock.toml").read_text())["packages"][0]
    found = package.get("sdist")
    if found is None:
        raise FetchFailed(f"{pin} has no source distribution: choose another version by DEMO_PACKAGE=name==version")
    return str(found["url"]), str(found["hashes"]["sha256"])


def _download(url: str) -> bytes:
    authorities = next((os.environ[name] for name in _AUTHORITIES if os.environ.get(name)), None)
    context = ssl.create_default_context(cafile=authorities)
    try:
        with urllib.request.urlopen(url, timeout=120, context=context) as answer:  # noqa: S310  # the registry's own answer
            body: bytes = answer.read(_LARGEST + 1)
    except (URLError, OSError) as problem:
        raise FetchFailed(f"{url} cannot be fetched: {problem}; check the network and the proxy") from problem
    if len(body) > _LARGEST:
        raise FetchFailed(f"{url} is larger than {_LARGEST >> 20} MiB: choose a smaller package")
    return body


def unpack(name: str, body: bytes, into: Path) -> None:
    """Plain files and folders only: no links, no devices, nothing outside, and only the executable bit is kept.

    Not tarfile's own data filter: Python 3.11 has it from 3.11.4 on, and Debian's is older.
    """
    try:
        for path, executable, content in _zipped(body) if name.endswith(".zip") else _tarred(body):
            parts = PurePosixPath(path).parts
            if not parts or path.startswith("/") or ".." in parts or ".git" in parts:
                raise FetchFailed(
                    f"{name} holds the path {path!r}, which leads where it must not: choose another package"
                )
            place = into.joinpath(*parts)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
            place.chmod(0o755 if executable else 0o644)
    except (tarfile.TarError, zipfile.BadZipFile, OSError, EOFError) as problem:
        raise FetchFailed(f"{name} cannot be unpacked: {problem}") from problem


def _tarred(body: bytes) -> Iterator[tuple[str, bool, bytes]]:
    with tarfile.open(fileobj=io.BytesIO(body)) as archive:
        for member in archive:
            content = archive.extractfile(member) if member.isreg() else None
            if content is not None:
                yield member.name, bool(member.mode & 0o100), content.read()


def _zipped(body: bytes) -> Iterator[tuple[str, bool, bytes]]:
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        for member in archive.infolist():
            if not member.is_dir():
                yield member.filename, bool(member.external_attr >> 16 & 0o100), archive.read(member)
