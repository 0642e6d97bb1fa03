"""Who may command is who can reach Temporal: TLS, a client's certificate and an API key come from the environment."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from adapters.temporal.connection import connect
from ports.server import ServerUnavailable

_DAYS = "30"


def _openssl(folder: Path, *argv: str) -> None:
    subprocess.run(["openssl", *argv], cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An authority, a server for 127.0.0.1 and a client, as a company would make them."""
    folder = tmp_path_factory.mktemp("certificates")
    key = ("-newkey", "rsa:2048", "-noenc")
    _openssl(folder, "req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=ca", "-days", _DAYS)
    (folder / "names").write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
    for who in ("server", "client"):
        _openssl(folder, "req", "-new", *key, "-keyout", f"{who}.key", "-out", f"{who}.csr", "-subj", f"/CN={who}")
        signed = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", _DAYS, "-extfile", "names")
        _openssl(folder, "x509", "-req", "-in", f"{who}.csr", "-out", f"{who}.pem", *signed)
    return folder


@asynccontextmanager
async def behind_tls(server: str, certificates: Path) -> AsyncIterator[str]:
    """The test server behind a proxy that lets in only clients with a certificate of the authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "server.pem", certificates / "server.key")
    context.load_verify_locations(certificates / "ca.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    context.set_alpn_protocols(["h2"])
    host, _, port = server.rpartition(":")

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection(host, int(port))
        await asyncio.gather(pump(reader, inner_writer), pump(inner_reader, writer), return_exceptions=True)

    proxy = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    try:
        yield f"127.0.0.1:{proxy.sockets[0].getsockname()[1]}"
    finally:
        proxy.close()


async def test_tls_with_a_clients_certificate(server: str, certificates: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With certificate: in. Without one, without TLS, or with an unknown authority: nobody answers."""
    monkeypatch.setenv("TEMPORAL_TLS", "true")
    monkeypatch.setenv("TEMPORAL_TLS_SERVER_CA_CERT_PATH", str(certificates / "ca.pem"))
    monkeypatch.setenv("TEMPORAL_TLS_CLIENT_CERT_PATH", str(certificates / "client.pem"))
    monkeypatch.setenv("TEMPORAL_TLS_CLIENT_KEY_PATH", str(certificates / "client.key"))
    async with behind_tls(server, certificates) as address:
        monkeypatch.setenv("TEMPORAL_ADDRESS", address)
        client = await connect()
        assert await client.service_client.check_health()
        refused = {
            "no certificate": ("TEMPORAL_TLS_CLIENT_CERT_PATH", "TEMPORAL_TLS_CLIENT_KEY_PATH"),
            "unknown authority": ("TEMPORAL_TLS_SERVER_CA_CERT_PATH",),
            "no TLS": tuple(f"TEMPORAL_TLS{rest}" for rest in ("", "_SERVER_CA_CERT_PATH")),
        }
        for names in refused.values():
            with monkeypatch.context() as without:
                for name in names:
                    without.delenv(name)
                if "TEMPORAL_TLS" in names:
                    without.delenv("TEMPORAL_TLS_CLIENT_CERT_PATH")
                    without.delenv("TEMPORAL_TLS_CLIENT_KEY_PATH")
                with pytest.raises(ServerUnavailable):
                    await connect()


async def test_an_api_key_is_sent_and_only_over_tls(
    server: str, certificates: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TEMPORAL_API_KEY turns TLS on: a key never travels in the clear by accident."""
    monkeypatch.setenv("TEMPORAL_API_KEY", "secret-of-the-operator")
    monkeypatch.setenv("TEMPORAL_ADDRESS", server)
    with pytest.raises(ServerUnavailable):
        await connect()
    for name, file in (("SERVER_CA_CERT", "ca.pem"), ("CLIENT_CERT", "client.pem"), ("CLIENT_KEY", "client.key")):
        monkeypatch.setenv(f"TEMPORAL_TLS_{name}_PATH", str(certificates / file))
    async with behind_tls(server, certificates) as address:
        monkeypatch.setenv("TEMPORAL_ADDRESS", address)
        client = await connect()
        assert await client.service_client.check_health()
        assert "secret-of-the-operator" == client.service_client.config.api_key
