"""The only way out of a preparing sandbox: what passes, what is added outside, and what cannot hide behind it."""

from __future__ import annotations

import socket
import time

import pytest

from adapters.environments.allow_list import AllowListProxy
from ports.environments import EnvironmentUnavailable
from tests.adapters.test_check_environments import quiet
from tests.adapters.test_prepared_environments import (
    base,  # noqa: F401  # fixtures, as the two others
    environments,  # noqa: F401
    hurried,
    prepared_by,
    repository,  # noqa: F401
    served,
)


def asked(line: str, *hosts: str, tmp_path, credentials=None) -> tuple[str, AllowListProxy]:
    """What the proxy answers to one request."""
    path = tmp_path / "s"
    with AllowListProxy(path, hosts, credentials or {}) as proxy, socket.socket(socket.AF_UNIX) as near:
        near.connect(str(path))
        near.sendall(line.encode() + b"\r\nAuthorization: mine\r\n\r\n")
        if line.startswith("CONNECT"):
            near.sendall(b"hello\n")
        said = b"".join(iter(lambda: near.recv(4000), b"")).decode()
    return said, proxy


@pytest.mark.parametrize(
    ("line", "hosts", "says"),
    [
        ("CONNECT localhost:{port} HTTP/1.1", "localhost:{port}", "private address"),
        ("CONNECT localhost:{port} HTTP/1.1", "localhost:{port}=127.0.0.1", "200 Connection"),
        ("CONNECT 127.0.0.1:{port} HTTP/1.1", "127.0.0.1:{port}", "200 Connection"),
        ("CONNECT 127.0.0.1:{port}.evil HTTP/1.1", "127.0.0.1:{port}", "not on the list"),
        ("CONNECT 127.0.0.2:{port} HTTP/1.1", "127.0.0.1:{port}", "not on the list"),
        ("GET http://127.0.0.1:{port}/a HTTP/1.1", "127.0.0.1:{port}", "from outside"),
        ("GET http://127.0.0.1/a HTTP/1.1", "127.0.0.1:{port}", "not on the list"),
        ("GET https://127.0.0.1:{port}/a HTTP/1.1", "127.0.0.1:{port}", "not on the list"),
        ("GET /a HTTP/1.1", "127.0.0.1:{port}", "not on the list"),
    ],
)
def test_only_what_is_listed_passes(tmp_path, line, hosts, says):
    """By the exact name and port; a name that leads to this machine or network only if the policy says that address."""
    with served() as (port, _):
        said, _ = asked(line.format(port=port), hosts.format(port=port), tmp_path=tmp_path)
    assert says in said


def test_the_operators_own_proxy_is_honoured_outside(tmp_path, monkeypatch):
    """With its password, which neither the client nor the record sees; what `no_proxy` names goes directly."""
    with served(b"HTTP/1.1 200 fine\r\n\r\nby the company\n") as (between, heard), served() as (port, _):
        for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
            monkeypatch.delenv(name.upper(), raising=False)
        monkeypatch.setenv("HTTPS_PROXY", f"http://ann:pass%20word@127.0.0.1:{between}")
        monkeypatch.setenv("NO_PROXY", "direct.test,.corp")
        said, proxy = asked("CONNECT far.test:443 HTTP/1.1", "far.test:443", tmp_path=tmp_path)
        assert " 200 " in said
        assert heard[0].startswith(b"CONNECT far.test:443 HTTP/1.1\r\n")
        assert b"Proxy-Authorization: Basic YW5uOnBhc3Mgd29yZA==" in heard[0]
        assert b"pass" not in proxy.journal()
        (tmp_path / "s").unlink()
        direct = f"direct.test:{port}"
        said, _ = asked(f"CONNECT {direct} HTTP/1.1", f"{direct}=127.0.0.1", tmp_path=tmp_path)
        assert "from outside" in said


def test_a_credential_is_added_outside(tmp_path, monkeypatch):
    """In place of whatever the client said; to that host alone, and it is in no record."""
    monkeypatch.setattr("adapters.environments.allow_list.tls", lambda far, host: far)
    with served() as (port, heard):
        host = f"127.0.0.1:{port}"
        said, proxy = asked(
            f"GET http://{host}/simple/?a=b HTTP/1.1", host, tmp_path=tmp_path, credentials={host: "Basic c2VjcmV0"}
        )
    assert "from outside" in said
    assert heard[0].startswith(b"GET /simple/?a=b HTTP/1.1\r\n")
    assert b"Authorization: Basic c2VjcmV0\r\n" in heard[0]
    assert b"mine" not in heard[0]
    assert b"c2VjcmV0" not in proxy.journal()


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("PUT http://{host}/pkg HTTP/1.1", "PUT: with a credential"),
        ("POST http://{host}/pkg HTTP/1.1", "POST: with a credential"),
        ("GET http://{host}/a HTTP/1.1\r\nX: y\n\nPUT /pkg HTTP/1.1\nX: y", "control character"),
        ("GET http://{host}/a\rb HTTP/1.1", "control character"),
    ],
)
def test_a_credential_fetches_and_does_nothing_else(tmp_path, monkeypatch, line, says):
    """The repository's code cannot publish by it, nor hide a second request behind the first."""
    monkeypatch.setattr("adapters.environments.allow_list.tls", lambda far, host: far)
    with served() as (port, heard):
        host = f"127.0.0.1:{port}"
        said, _ = asked(line.format(host=host), host, tmp_path=tmp_path, credentials={host: "Basic c2VjcmV0"})
    assert says in said
    assert [] == heard


def test_nothing_follows_a_fetch_with_a_credential(tmp_path, monkeypatch):
    """Neither a body, nor a name of another server, nor another request on the same connection."""
    monkeypatch.setattr("adapters.environments.allow_list.tls", lambda far, host: far)
    with served() as (port, heard):
        host = f"127.0.0.1:{port}"
        more = "Host: other.test\r\nContent-Length: 40\r\nAccept: text/html\r\n\r\nPUT /pkg HTTP/1.1"
        asked(f"GET http://{host}/a HTTP/1.1\r\n{more}", host, tmp_path=tmp_path, credentials={host: "Basic c2VjcmV0"})
    (told,) = heard
    assert f"Host: {host}\r\n".encode() in told
    assert b"Accept: text/html\r\n" in told
    assert not any(each in told for each in (b"other.test", b"Content-Length", b"PUT"))


FETCH = "python3 -c 'import urllib.request as u; u.urlopen(\"http://registry.test:{}/demo\").read(); {}'"
DRIPS = b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n", b"x" * 99
LIMITS_THE_RATE = (b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 3600\r\nContent-Length: 0\r\n\r\n",)
WHOLE = (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno",)
MISMATCH = 'import sys; sys.exit("DO NOT MATCH THE HASHES\\n  demo==1.0 from there")'


@pytest.mark.parametrize(
    ("answer", "then", "says", "passes"),
    [
        (DRIPS, "", r"timeout.*it was connected to {}, which had sent [5-9]\d bytes? in \d s; .*or try again", True),
        (LIMITS_THE_RATE, "", r"failed.*the registry \({}\) is down, slow or limits the rate: try again later", True),
        (WHOLE, "import time; time.sleep(99)", r"timeout.*last asked {}, \d s before: it builds, or was told", False),
        (WHOLE, MISMATCH, r"what was fetched from {} is not what the lock file says \(demo==1.0\)", False),
    ],
    ids=["drips", "429", "told to wait", "other bytes"],
)
def test_a_registry_that_misbehaves_is_named(environments, repository, base, answer, then, says, passes):  # noqa: F811
    """In bounded time: with what it did, and whether it may pass."""
    with served(*answer) as (port, _):
        chosen = prepared_by(FETCH.format(port, then), hosts=(f"registry.test:{port}=127.0.0.1",))
        began = time.monotonic()
        with pytest.raises(EnvironmentUnavailable, match=f"(?s){says.format(f'registry.test:{port}')}") as refused:
            environments.prepare(repository, base, hurried(chosen, minutes=0.05), quiet)
    assert time.monotonic() - began < 60
    assert passes == refused.value.unreachable
