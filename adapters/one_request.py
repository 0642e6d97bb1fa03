"""The child: ask for one URL, print what it is on one line and then the body. Standard library only (``python -I``).

Each address is looked up once and connected to as it was judged: a name cannot lead elsewhere in between. Only hosts
that the operator named are asked, and of these a private address only where the name is that address, or the order
says ``private``. ``body``: it is posted instead of got; ``into``: a new file for the answer, whose digest is printed.
"""

import hashlib
import http.client
import ipaddress
import json
import socket
import ssl
import sys
import zlib
from typing import Any
from urllib.parse import urljoin, urlsplit

_REDIRECTS = 3
_PIECE = 1 << 20
_SHOWN = ("content-type", "content-length", "content-encoding", "date", "last-modified", "etag", "age")


class Refused(Exception):
    """Why there is no answer."""


def main() -> int:
    """Read the order from standard input, do it."""
    payload = json.loads(sys.stdin.buffer.read())
    try:
        headers, body = fetched(payload)
        outcome = {"problem": "", "headers": headers}
    except Refused as reason:
        outcome, body = {"problem": str(reason)[:500], "headers": {}}, b""
    except (OSError, http.client.HTTPException, ValueError) as problem:
        outcome, body = {"problem": f"no answer: {str(problem)[:300] or type(problem).__name__}", "headers": {}}, b""
    sys.stdout.buffer.write(json.dumps(outcome).encode() + b"\n" + body)
    return 0


def fetched(request: dict[str, Any]) -> tuple[dict[str, str], bytes]:
    """Follow a few redirects to hosts that are named; the last answer."""
    url, own = request["url"], urlsplit(request["url"])
    hosts = {(own.hostname or "").lower(), *(host.lower() for host in request["hosts"])}
    redirects = request.get("redirects", _REDIRECTS)
    for _ in range(redirects + 1):
        place = urlsplit(url)
        if place.scheme not in {"http", "https"} or (own.scheme == "https" and place.scheme != "https"):
            raise Refused(f"it leads to {place.scheme or 'no scheme'}: not followed")
        if (place.hostname or "").lower() not in hosts:
            raise Refused(f"it leads to {place.hostname}, which is not among its hosts: not followed")
        same = (place.scheme, place.netloc) == (own.scheme, own.netloc)
        answer, connection = ask(url, request, with_secret=same)
        try:
            if answer.status in {301, 302, 303, 307, 308} and answer.headers.get("Location"):
                url = urljoin(url, answer.headers["Location"])
                continue
            if answer.status != http.client.OK:
                raise Refused(f"status {answer.status}")
            headers = {name: answer.headers[name] for name in _SHOWN if answer.headers.get(name)}
            if request.get("into"):
                return {"sha256": kept(answer, request["into"], request["most"])}, b""
            return headers, whole(answer, request["most"])
        finally:
            connection.close()
    raise Refused(f"more than {redirects} redirects" if redirects else f"it sends on to {urlsplit(url).netloc}")


def ask(
    url: str, request: dict[str, Any], *, with_secret: bool
) -> tuple[http.client.HTTPResponse, http.client.HTTPConnection]:
    """One request, over a connection to the address that was judged."""
    place = urlsplit(url)
    host, secure = place.hostname or "", place.scheme == "https"
    port = place.port or (443 if secure else 80)
    address = request.get("address") or judged(host, port, private=request.get("private", False))
    connection = http.client.HTTPConnection(host, port, timeout=request["seconds"])
    connection.sock = socket.create_connection((address, port), timeout=request["seconds"])
    if secure:
        connection.sock = ssl.create_default_context().wrap_socket(connection.sock, server_hostname=host)
    headers = {
        "User-Agent": "autonomy-runbook-source",
        "Accept-Encoding": "identity",
        "Host": place.netloc.rpartition("@")[2],
    }
    if with_secret and request["header"]:
        headers[request["header"][0]] = request["header"][1]
    headers |= request.get("headers", {})
    body = request.get("body")
    target = (place.path or "/") + (f"?{place.query}" if place.query else "")
    connection.request("GET" if body is None else "POST", target, body and body.encode(), headers)
    return connection.getresponse(), connection


def judged(host: str, port: int, *, private: bool) -> str:
    """The address to connect to: every one that the name has must be public, or the name itself an address."""
    found = sorted({str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)})
    if not found:
        raise Refused(f"{host} has no address")
    written = literal(host)
    inner = [each for each in found if not ipaddress.ip_address(each.partition("%")[0]).is_global]
    if inner and not (written or private):
        raise Refused(f"{host} is the private address {inner[0]}: name it by that address if it is meant")
    return found[0]


def literal(host: str) -> bool:
    """Whether a host is written as an address."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def whole(answer: http.client.HTTPResponse, most: int) -> bytes:
    """The body, unpacked if it was packed although nobody asked; never more than ``most``."""
    body = answer.read(most + 1)
    if len(body) > most:
        raise Refused(f"it is larger than {most >> 10} KiB")
    if answer.length:
        raise Refused(f"it ends {answer.length} bytes before the length that it says")
    packed = (answer.headers.get("Content-Encoding") or "identity").strip().lower()
    if packed == "identity":
        return body
    if packed not in {"gzip", "x-gzip", "deflate"}:
        raise Refused(f"it is packed by {packed}")
    unpacking = zlib.decompressobj(wbits=47 if packed != "deflate" else 15)
    try:
        found = unpacking.decompress(body, most + 1)
    except zlib.error as broken:
        raise Refused(f"it cannot be unpacked: {broken}") from broken
    if len(found) > most or unpacking.unconsumed_tail:
        raise Refused(f"unpacked it is larger than {most >> 10} KiB")
    return found


def kept(answer: http.client.HTTPResponse, into: str, most: int) -> str:
    """Write the body to a new file as it comes; its SHA-256."""
    digest, size = hashlib.sha256(), 0
    with open(into, "xb") as file:  # noqa: PTH123  # a name it was given
        while piece := answer.read(_PIECE):
            size += len(piece)
            if size > most:
                raise Refused(f"it is larger than {most} bytes")
            digest.update(piece)
            file.write(piece)
    return digest.hexdigest()


if __name__ == "__main__":
    sys.exit(main())
