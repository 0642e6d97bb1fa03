"""The only way out of a preparing sandbox: a proxy of ours on a unix socket that lets named hosts through."""

import base64
import ipaddress
import json
import os
import socket
import ssl
import threading
import time
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import unquote, urlsplit

from policies.counted import shortened

_LARGEST_HEAD = 16 << 10
_PATIENCE = 20.0
_MOST_AT_ONCE = 64
_MOST_NOTED = 2000
_LONGEST = 300
_PRIVATE = tuple(
    ipaddress.ip_network(each)
    for each in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16",
        "224.0.0.0/3", "::/127", "64:ff9b::/96", "fc00::/7", "fe80::/10", "ff00::/8",
    )
)  # fmt: skip
"""Where machines of one's own live: what a name leads there for is not a registry's business."""
_HOP_BY_HOP = (b"authorization:", b"connection:", b"host:", b"keep-alive:", b"proxy-", b"upgrade:")
_OF_A_FETCH = (b"accept", b"accept-encoding", b"if-modified-since", b"if-none-match", b"range", b"user-agent")
"""All that is passed on beside a credential: nothing by which one request could become two, or another one."""
_FETCHES = frozenset({"GET", "HEAD"})
_TAB, _FIRST_SHOWN = 9, 32


class Refused(Exception):
    """Why a connection does not pass."""


@dataclass(eq=False)
class Talk:
    """A connection that passed."""

    target: str
    begun: float
    """By ``time.monotonic``, as ``ended``."""
    counts: list[int] = field(default_factory=lambda: [0, 0])
    """Bytes sent and received so far."""
    ended: float = 0
    """When the far end was done; 0: it is not, or whoever asked was gone before."""


@dataclass
class AllowListProxy:
    """Listens while it is entered. CONNECT, or a plain request by its whole address, to an exact ``host:port``."""

    path: Path
    """The socket."""
    hosts: tuple[str, ...]
    """``host:port``, or ``host:port=address`` for one at an address that would be refused."""
    credentials: Mapping[str, str] = field(default_factory=dict)
    """``Authorization`` by ``host:port``: added out here to what is asked as ``http://host:port/…``, sent by TLS."""
    asked: list[dict[str, str | int]] = field(default_factory=list)
    """What was asked for, oldest first, refusals included."""
    refused: dict[str, None] = field(default_factory=dict)
    """Targets that are not on the list."""
    unreachable: dict[str, str] = field(default_factory=dict)
    """Targets on the list that could not be reached, and why."""
    talks: set[Talk] = field(default_factory=set)
    """Those that are not done."""
    last: Talk | None = None
    """The one that was done last."""

    def __enter__(self) -> Self:
        """Start to listen; only this user's processes, and whoever is shown the socket, can connect."""
        self._known = {name.lower(): address for name, _, address in (each.partition("=") for each in self.hosts)}
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._slots = threading.BoundedSemaphore(_MOST_AT_ONCE)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self.path))
        self.path.chmod(0o666)  # The sandbox's user is another one.
        self._listener.listen(_MOST_AT_ONCE)
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop, whoever is connected."""
        with self._lock:
            still_open = [self._listener, *self._open]
        for each in still_open:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def journal(self) -> bytes:
        """One JSON object a line."""
        return "".join(json.dumps(each) + "\n" for each in tuple(self.asked)).encode()

    def _accept(self) -> None:
        while True:
            self._slots.acquire()
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._handle, args=(near,), daemon=True).start()

    def _handle(self, near: socket.socket) -> None:
        begun, target = time.monotonic(), "nothing complete"
        with self._slot(near):
            near.settimeout(_PATIENCE)
            try:
                head, early = _read_head(near)
                target = _target(head)
                self._allow(target)
                first = self._first(head, target)
                far = self._reached(target)
                with self._kept(far):
                    # What follows a fetch with a credential is nobody's: it stays here.
                    alone = bool(first) and target in self.credentials
                    talk = Talk(target, begun)
                    self._talks(talk)
                    whole = first if alone else first + early
                    if _joined(near, far, whole, talk.counts, plain=bool(first), alone=alone):
                        self._done(talk)
            except Refused as refusal:
                self._note(target=target, refused=str(refusal))
                _answer(near, 403, str(refusal))
                return
            except (OSError, ValueError) as problem:
                self._note(target=target, failed=str(problem))
                _answer(near, 502, str(problem))
                return
        sent, received = talk.counts
        self._note(target=target, sent=sent, received=received, ms=int((time.monotonic() - begun) * 1000))

    def _allow(self, target: str) -> None:
        if target not in self._known:
            with self._lock:
                self.refused.setdefault(target)
            raise Refused(f"{target} is not on the list of allowed hosts")

    def _first(self, head: bytes, target: str) -> bytes:
        """What a plain request begins with as its server must see it; nothing of CONNECT."""
        line, *headers = head.split(b"\r\n")
        if any(byte < _FIRST_SHOWN and byte != _TAB for each in (line, *headers) for byte in each):
            raise Refused("a control character in the request: servers differ in where such a line ends")
        method, address, _ = line.decode("latin-1").split(" ", 2)
        if method == "CONNECT":
            return b""
        place = urlsplit(address)
        path = (place.path or "/") + (f"?{place.query}" if place.query else "")
        first = [f"{method} {path} HTTP/1.1".encode("latin-1"), f"Host: {target}".encode("latin-1")]
        if secret := self.credentials.get(target):
            if method not in _FETCHES:
                raise Refused(f"{shortened(method, 20)}: with a credential of the operator things are fetched alone")
            first.append(f"Authorization: {secret}".encode("latin-1"))
            kept = [each for each in headers if each.partition(b":")[0].lower() in _OF_A_FETCH]
        else:
            kept = [each for each in headers if not each.lower().startswith(_HOP_BY_HOP)]
        return b"\r\n".join([*first, *kept, b"Connection: close", b"", b""])

    def _reached(self, target: str) -> socket.socket:
        host, _, port = target.rpartition(":")
        try:
            far = _connected(host.strip("[]"), int(port), self._known[target])
            if target in self.credentials:
                return tls(far, host)
        except Refused:
            raise
        except OSError as problem:
            with self._lock:
                self.unreachable[target] = str(problem)
            raise
        return far

    def _talks(self, talk: Talk) -> None:
        with self._lock:
            self.talks.add(talk)

    def _done(self, talk: Talk) -> None:
        with self._lock:
            talk.ended = time.monotonic()
            self.talks.discard(talk)
            self.last = talk

    def _note(self, **facts: str | int) -> None:
        with self._lock:
            if len(self.asked) < _MOST_NOTED:
                self.asked.append(facts)

    def _slot(self, near: socket.socket) -> "_Held":
        return _Held(self, near, self._slots.release)

    def _kept(self, far: socket.socket) -> "_Held":
        return _Held(self, far, lambda: None)

    def hold(self, each: socket.socket) -> None:
        """Remember an open connection, to end it with us."""
        with self._lock:
            self._open.add(each)

    def let_go(self, each: socket.socket) -> None:
        """Close it."""
        with self._lock:
            self._open.discard(each)
        each.close()


@dataclass
class _Held:
    proxy: AllowListProxy
    connection: socket.socket
    then: Callable[[], None]

    def __enter__(self) -> None:
        self.proxy.hold(self.connection)

    def __exit__(self, *ended: object) -> None:
        self.proxy.let_go(self.connection)
        self.then()


def _read_head(near: socket.socket) -> tuple[bytes, bytes]:
    """The request's head, and what came after it."""
    head = b""
    while b"\r\n\r\n" not in head:
        piece = near.recv(4096)
        if not piece or len(head) > _LARGEST_HEAD:
            raise Refused("no complete request")
        head += piece
    text, _, early = head.partition(b"\r\n\r\n")
    return text, early


def _target(head: bytes) -> str:
    """``host:port``; of what is no request for one, its first words, which are on no list."""
    method, _, rest = head.partition(b"\r\n")[0].decode("latin-1").partition(" ")
    address = rest.partition(" ")[0]
    if method == "CONNECT":
        return shortened(address.lower(), _LONGEST)
    place = urlsplit(address)
    target = f"{place.hostname}:{place.port or 80}" if place.scheme == "http" else f"{method} {address}"
    return shortened(target, _LONGEST)


def _connected(host: str, port: int, address: str) -> socket.socket:
    """By the operator's own proxy where there is one, else to the address that was judged: looked up once."""
    proxies = urllib.request.getproxies_environment()
    between = proxies.get("https") or proxies.get("all")
    if between and not _bypassed(host, proxies):
        return _through(between, host, port)
    found = dict.fromkeys(
        str(each[4][0]) for each in socket.getaddrinfo(address or host, port, type=socket.SOCK_STREAM)
    )
    private = [each for each in found if is_private(each)]
    if private and address not in private and not is_literal(host):
        raise Refused(
            f"{host} is at the private address {private[0]}: write `{host}:{port}={private[0]}` if it is meant"
        )
    last: OSError = OSError(f"{host} has no address")
    for each in found:
        try:
            return socket.create_connection((each, port), timeout=_PATIENCE)
        except OSError as problem:
            last = problem
    raise last


def _bypassed(host: str, proxies: Mapping[str, str]) -> bool:
    """Whether ``no_proxy`` names the host, or a domain that it is in."""
    names = [each.strip().lstrip(".").lower() for each in proxies.get("no", "").split(",")]
    return any(name and (name in {"*", host} or host.endswith(f".{name}")) for name in names)


def _through(proxy: str, host: str, port: int) -> socket.socket:
    place = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    between = socket.create_connection((place.hostname or "", place.port or 8080), timeout=_PATIENCE)
    if place.scheme == "https":
        between = tls(between, place.hostname or "")
    lines = [f"CONNECT {host}:{port} HTTP/1.1", f"Host: {host}:{port}"]
    if place.username:
        pair = f"{unquote(place.username)}:{unquote(place.password or '')}"
        lines.append(f"Proxy-Authorization: Basic {base64.b64encode(pair.encode()).decode()}")
    between.sendall("\r\n".join([*lines, "", ""]).encode())
    answer, _ = _read_head(between)
    status = answer.split(b"\r\n")[0].decode("latin-1").split(" ")
    if status[1:2] != ["200"]:
        between.close()
        raise OSError(f"the proxy of this machine answered {shortened(' '.join(status[1:]), 100)}")
    return between


def tls(far: socket.socket, host: str) -> socket.socket:
    """A connection that shows itself to be the host."""
    return ssl.create_default_context().wrap_socket(far, server_hostname=host)


def is_private(address: str) -> bool:
    """Whether it is one of this machine, or of its own network."""
    place = ipaddress.ip_address(address.partition("%")[0])
    place = getattr(place, "ipv4_mapped", None) or place
    return any(place.version == each.version and place in each for each in _PRIVATE)


def is_literal(host: str) -> bool:
    """Whether a host is written as an address."""
    with suppress(ValueError):
        return bool(ipaddress.ip_address(host))
    return False


def _joined(
    near: socket.socket, far: socket.socket, first: bytes, counts: list[int], *, plain: bool, alone: bool
) -> bool:
    """Copy both ways until both ends are done, or the answer ``alone``; whether the far end was."""
    if not plain:
        near.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
    far.sendall(first)
    for each in (near, far):
        each.settimeout(None)
    counts[0] = len(first)
    up = threading.Thread(target=_pump, args=(near, far, counts, 0), daemon=True)
    if not alone:
        up.start()
    done = _pump(far, near, counts, 1)
    # The answer is complete: whoever still sends has lost its reader.
    with suppress(OSError):
        near.shutdown(socket.SHUT_RDWR)
    if not alone:
        up.join(5)
    return done


def _pump(source: socket.socket, sink: socket.socket, counts: list[int], at: int) -> bool:
    with suppress(OSError):
        while piece := source.recv(1 << 16):
            counts[at] += len(piece)
            sink.sendall(piece)
        sink.shutdown(socket.SHUT_WR)
        return True
    return False


def _answer(near: socket.socket, status: int, why: str) -> None:
    told = why.encode()
    with suppress(OSError):
        near.sendall(
            f"HTTP/1.1 {status} Refused\r\nContent-Type: text/plain\r\nConnection: close\r\n"
            f"Content-Length: {len(told)}\r\n\r\n".encode()
            + told
        )


def certificates() -> Path | None:
    """What this machine trusts, a company's own authority included: shown inside, where TLS ends."""
    named = [os.environ.get(name, "") for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")]
    usual = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")
    return next((Path(each).resolve() for each in (*named, *usual) if each and Path(each).is_file()), None)
