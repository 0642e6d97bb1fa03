"""One LFS server: asked for objects by their digests, as git-lfs does (batch API, basic transfer), by a child of ours.

Where the server sends for a content is its own text: only hosts that the operator named are asked, no redirect is
followed, and what comes counts by its digest alone (P8).
"""

from __future__ import annotations

import json
import re
import time
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from adapters.git.submodules import host_of
from adapters.killable_child import answer_of
from policies.counted import shortened
from policies.paths.pointers import Pointer
from ports.environments import EnvironmentUnavailable

_PROGRAM = Path(__file__).parents[1] / "one_request.py"
_MEDIA_TYPE = "application/vnd.git-lfs+json"
_AT_ONCE = 100
"""Objects in one question, as git-lfs asks."""
_QUIET = 30
"""Seconds without a byte."""
_LARGEST_ANSWER = 4 << 20
_NOT_ITS_OWN = frozenset({"host", "connection", "content-length", "transfer-encoding", "accept-encoding"})
_HEADER = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,99}")
_VALUE = re.compile(r"[\x20-\x7e]{0,8000}")
_PLACE = re.compile(r"https?://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(:\d{1,5})?", re.ASCII)
_PORTS = {"http": 80, "https": 443}
_PASSING = re.compile(r"no answer|status (429|5\d\d)")


def server_of(remote: str) -> str:
    """Where git-lfs looks for the objects of a remote that is reached over the network.

    Raises:
        RepositoryError: the remote is no address that can be read in one way.
    """
    address, host = remote.rstrip("/"), host_of(remote)
    if not address.startswith(("http://", "https://")):
        path = address.partition("://")[2].partition("/")[2] if "://" in address else address.partition(":")[2]
        address = f"https://{host.rpartition(':')[0]}/{path.strip('/')}"
    return f"{address.removesuffix('.git')}.git/info/lfs"


@dataclass(frozen=True)
class LfsServer:
    """Until a moment; the target's reading token goes to its own origin and to no other."""

    url: str
    token: str
    token_origin: str
    hosts: tuple[str, ...]
    """``host:port``, or ``host:port=address``: where it may send for contents, beside itself."""
    branch: str
    until: float
    """By the monotonic clock."""
    alive: Callable[[], None]

    def fetch(self, wanted: Sequence[Pointer], into: Path) -> None:
        """Put each object under its digest into a folder.

        Raises:
            EnvironmentUnavailable: one cannot be had, or is something else than its pointer says.
        """
        for begin in range(0, len(wanted), _AT_ONCE):
            some = wanted[begin : begin + _AT_ONCE]
            for pointer, (href, headers) in zip(some, self._batch(some), strict=True):
                self._download(pointer, href, headers, into)

    def _batch(self, wanted: Sequence[Pointer]) -> list[tuple[str, dict[str, str]]]:
        """Where each is, and what to send along."""
        request = {
            "operation": "download",
            "transfers": ["basic"],
            "ref": {"name": f"refs/heads/{self.branch}"},
            "objects": [{"oid": each.oid, "size": each.size} for each in wanted],
            "hash_algo": "sha256",
        }
        headers = {"Accept": _MEDIA_TYPE, "Content-Type": _MEDIA_TYPE}
        order = {"body": json.dumps(request), "headers": headers, "most": _LARGEST_ANSWER}
        _, body = self._ask(f"{self.url}/objects/batch", order, f"the LFS server {self.url}")
        try:
            answer = json.loads(body)
            told = {each["oid"]: each for each in answer["objects"]}
            if answer.get("transfer", "basic") != "basic":
                raise EnvironmentUnavailable(f"the LFS server {self.url} wants another transfer than `basic`")
            return [self._action(pointer, told.get(pointer.oid, {})) for pointer in wanted]
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as problem:
            raise EnvironmentUnavailable(
                f"the LFS server {self.url} gives an answer that is none of its kind: {type(problem).__name__}"
            ) from problem

    def _action(self, pointer: Pointer, told: Mapping[str, Any]) -> tuple[str, dict[str, str]]:
        error = told.get("error")
        action = (told.get("actions") or {}).get("download")
        if error or not action:
            message = f"{error['code']} {error['message']}" if error else "it does not say where"
            raise EnvironmentUnavailable(
                f"the LFS server {self.url} does not give {_named(pointer)}: {shortened(str(message), 200)}"
            )
        if told["size"] != pointer.size:
            raise EnvironmentUnavailable(
                f"the LFS server {self.url} has {told['size']!r} bytes for {_named(pointer)}: refused"
            )
        headers = dict(action.get("header") or {})
        if any(
            not _HEADER.fullmatch(name) or name.lower() in _NOT_ITS_OWN or not _VALUE.fullmatch(value)
            for name, value in headers.items()
        ):
            raise EnvironmentUnavailable(f"the LFS server {self.url} asks for a header that no request of ours has")
        return str(action["href"]), headers

    def _download(self, pointer: Pointer, href: str, headers: Mapping[str, str], into: Path) -> None:
        place = into / f"{pointer.oid}.part"
        place.unlink(missing_ok=True)
        told, _ = self._ask(href, {"headers": headers, "most": pointer.size, "into": str(place)}, _named(pointer))
        if told["sha256"] != pointer.oid:
            place.unlink(missing_ok=True)
            raise EnvironmentUnavailable(f"{_named(pointer)}: other bytes came than its pointer says: refused")
        place.chmod(0o644)
        place.rename(into / pointer.oid)

    def _ask(self, url: str, order: dict[str, Any], what: str) -> tuple[dict[str, str], bytes]:
        """One request; the headers that are shown, and the body.

        Raises:
            EnvironmentUnavailable: there is no such answer.
        """
        allowed = self._judged(url, what)
        origin = _PLACE.match(url)
        secret = self.token and origin and origin[0].lower() == self.token_origin.lower()
        names = {name.lower() for name in order["headers"]}
        request = {
            "url": url,
            "hosts": [],
            "header": ["Authorization", _basic(self.token)] if secret and "authorization" not in names else None,
            "seconds": _QUIET,
            "redirects": 0,
            **allowed,
            **order,
        }
        left = self.until - time.monotonic()
        told = answer_of(_PROGRAM, json.dumps(request).encode(), left, self.alive) if left > 0 else None
        if told is None:
            raise EnvironmentUnavailable(
                f"{what}: it takes longer than `environment.minutes`, or the server does not go on", unreachable=True
            )
        head, _, body = told[0].partition(b"\n")
        reply = json.loads(head)
        if problem := reply["problem"]:
            hint = ": set [forge_access.read], which may read it" if problem in {"status 401", "status 403"} else ""
            raise EnvironmentUnavailable(f"{what}: {problem}{hint}", unreachable=bool(_PASSING.match(problem)))
        return reply["headers"], body

    def _judged(self, url: str, what: str) -> dict[str, Any]:
        """How a host that the operator named is reached."""
        found = _PLACE.match(url)
        if found is None or url[found.end() : found.end() + 1] not in {"", "/"} or not url.isprintable() or " " in url:
            raise EnvironmentUnavailable(f"{what} is said to be at {shortened(url, 100)!r}, which is no plain address")
        if self.url.startswith("https:") and not url.startswith("https:"):
            raise EnvironmentUnavailable(f"{what} is said to be at a plain http address: refused")
        host = _host(url)
        if host == _host(self.url):
            return {"private": True}
        known = {name: address for name, _, address in (each.partition("=") for each in self.hosts)}
        if host not in known:
            raise EnvironmentUnavailable(
                f"{what} is said to be on {host}, which `environment.git_hosts` does not list: add it if it is right"
            )
        return {"address": known[host]}


def _host(url: str) -> str:
    place = urlsplit(url)
    host = f"[{place.hostname}]" if ":" in (place.hostname or "") else place.hostname or ""
    return f"{host.lower()}:{place.port or _PORTS[place.scheme]}"


def _named(pointer: Pointer) -> str:
    return f"the LFS object {pointer.oid[:12]}… of {pointer.size} bytes"


def _basic(token: str) -> str:
    return f"Basic {b64encode(f'x-access-token:{token}'.encode()).decode()}"
