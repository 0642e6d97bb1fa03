"""TLS is on, and nobody can switch it off: not the worker's environment, not a configuration on disk."""

from __future__ import annotations

import ssl
import subprocess
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from adapters.forges.http.json_api import JsonApi
from adapters.git.mirror import Mirror
from ports.forge import ForgeError
from ports.repository import RepositoryError


def certificate(folder: Path) -> Path:
    """One nobody vouches for, with its key, for loopback."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    place = folder / "certificate.pem"
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    place.write_bytes(secret + made.public_bytes(serialization.Encoding.PEM))
    return place


class Refs(BaseHTTPRequestHandler):
    """Answers every question with one branch, as a smart git server does."""

    asked: list[str] = []

    def do_GET(self) -> None:
        """Advertise."""
        type(self).asked.append(self.path)
        line = b"0" * 39 + b"1 refs/heads/main\x00\n"
        body = b"001e# service=git-upload-pack\n0000" + f"{len(line) + 4:04x}".encode() + line + b"0000"
        self.send_response(200)
        self.send_header("Content-Type", "application/x-git-upload-pack-advertisement")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """Its address, and the file that would vouch for it."""
    place = certificate(tmp_path)
    Refs.asked = []
    listening = ThreadingHTTPServer(("127.0.0.1", 0), Refs)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(place)
    listening.socket = context.wrap_socket(listening.socket, server_side=True)
    thread = threading.Thread(target=listening.serve_forever, daemon=True)
    thread.start()
    yield f"https://127.0.0.1:{listening.server_address[1]}", place
    listening.shutdown()
    listening.server_close()
    thread.join()


@pytest.fixture
def careless(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every way to tell git, or a client, that certificates do not matter."""
    home = tmp_path / "home"
    home.mkdir()
    (home / ".gitconfig").write_text("[http]\n\tsslVerify = false\n")
    for name, value in {
        "GIT_SSL_NO_VERIFY": "1", "HOME": str(home), "GIT_CONFIG_GLOBAL": str(home / ".gitconfig"),
        "GIT_CONFIG_SYSTEM": str(home / ".gitconfig"), "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "http.sslVerify",
        "GIT_CONFIG_VALUE_0": "false", "GIT_CONFIG_PARAMETERS": "'http.sslverify=false'", "PYTHONHTTPSVERIFY": "0",
        "CURL_INSECURE": "1", "XDG_CONFIG_HOME": str(home),
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("careless")
@pytest.mark.parametrize("secret", [{}, {"AUTONOMY_FORGE_TOKEN": "t", "GIT_CONFIG_COUNT": "0"}], ids=["plain", "token"])
def test_git_never_talks_to_somebody_nobody_vouches_for(
    server: tuple[str, Path], tmp_path: Path, secret: dict[str, str]
) -> None:
    """With and without a credential, also when the mirror's own configuration says otherwise."""
    address, _ = server
    mirror = Mirror(tmp_path / "demo.git", f"{address}/team/project.git", "main", lambda: secret)
    subprocess.run(["git", "-C", str(mirror.path), "config", "http.sslVerify", "false"], check=True)
    for ask in (mirror.remote_heads, mirror.fetch_base, mirror.default_branch):
        with pytest.raises(RepositoryError, match="certificate"):
            ask()
    assert [] == Refs.asked


@pytest.mark.usefixtures("careless")
def test_our_client_never_does_either(server: tuple[str, Path]) -> None:
    """The token is in no request that was never sent."""
    address, _ = server
    with pytest.raises(ForgeError, match=r"(?i)certificate"):
        JsonApi(f"{address}/api/v1", {"Authorization": "token t"}).get("/version")
    assert [] == Refs.asked


def test_a_company_may_vouch_for_its_own(
    server: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """GIT_SSL_CAINFO names more authorities: this test can tell a refusal from a server that is not there."""
    address, place = server
    monkeypatch.setenv("GIT_SSL_CAINFO", str(place))
    mirror = Mirror(tmp_path / "demo.git", f"{address}/team/project.git", "main")
    assert {"main": "0" * 39 + "1"} == mirror.remote_heads()
    assert ["/team/project.git/info/refs?service=git-upload-pack"] == Refs.asked
