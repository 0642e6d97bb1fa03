"""uv in a closed environment: the operator's registry, proxy and certificates; nothing of the repository's."""

import os
import re
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import uv

from ports.environments import EnvironmentUnavailable

_KEPT = {
    *("HOME", "PATH", "LANG", "TMPDIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "NETRC"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "SSL_CLIENT_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"),
    *("UV_DEFAULT_INDEX", "UV_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS", "UV_NO_INDEX"),
    *("UV_SYSTEM_CERTS", "UV_NATIVE_TLS"),
    *("UV_INDEX_STRATEGY", "UV_INSECURE_HOST", "UV_KEYRING_PROVIDER", "UV_CREDENTIALS_DIR", "UV_EXCLUDE_NEWER"),
    *("UV_CACHE_DIR", "UV_NO_CACHE", "UV_OFFLINE", "UV_HTTP_TIMEOUT", "UV_HTTP_RETRIES", "UV_CONCURRENT_DOWNLOADS"),
}
"""By name: many another variable of uv's would make it build sources, or start the environment's interpreter."""
_ADDRESS = re.compile(r"(\w+://)(?:[^\s/@]*@)?([^\s/)`'\"]+)[^\s)`'\"]*")
_CREDENTIAL = re.compile(r"UV_INDEX_\w+_(?:USERNAME|PASSWORD)")
_PROXIES = {"http_proxy", "https_proxy", "all_proxy", "no_proxy"}
_UNREACHABLE = ("Failed to fetch", "error sending request", "network was disabled", "operation timed out")
_AUTHORITIES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")
_LOOK_EVERY = 0.1


def run_uv(arguments: list[str], alive: Callable[[], None]) -> None:
    """Run uv to the end, in an empty folder.

    Raises:
        EnvironmentUnavailable: it failed; says what uv said and what to do.
    """
    with tempfile.TemporaryDirectory(prefix="autonomy-uv-") as empty, tempfile.TemporaryFile() as stderr:
        process = subprocess.Popen(
            [uv.find_uv_bin(), *arguments],
            cwd=empty,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=stderr,
            stderr=subprocess.STDOUT,
            # What it writes must be readable for the sandbox's user, whatever the worker's umask is.
            umask=0o022,
        )
        try:
            while process.poll() is None:
                alive()
                time.sleep(_LOOK_EVERY)
        finally:
            process.kill()
            process.wait()
        if process.returncode:
            stderr.seek(0)
            raise EnvironmentUnavailable(_explain(stderr.read(20_000).decode(errors="replace").strip()))


def _environment() -> dict[str, str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in _KEPT or name.lower() in _PROXIES or _CREDENTIAL.fullmatch(name)
    }
    if any(Path(bundle).exists() for bundle in _AUTHORITIES):
        # Trust what this machine trusts, a company's proxy for example; uv's own list otherwise.
        kept.setdefault("UV_SYSTEM_CERTS", "true")
    return kept | {"UV_NO_CONFIG": "1", "UV_PYTHON_DOWNLOADS": "never", "UV_NO_PROGRESS": "1", "NO_COLOR": "1"}


def _explain(report: str) -> str:
    # An index's address may hold a token anywhere, and this goes into reports: where it is suffices.
    report = _ADDRESS.sub(r"\1\2/…", report)
    if any(sign in report for sign in _UNREACHABLE):
        return (
            "the package registry could not be reached: check the network, the proxy and UV_DEFAULT_INDEX, "
            f"or fill uv's cache beforehand and set UV_OFFLINE=1\n{report}"
        )
    if "no usable wheels" in report or "Wheels are required" in report:
        return (
            "a requirement has no wheel for this interpreter, and source distributions are not built "
            "(building runs their code): choose a version with a wheel in `environment.packages`, "
            f"another `environment.python`, or serve a wheel from your own index\n{report}"
        )
    return f"the requirements cannot be installed: correct them, or pin in `environment.packages`\n{report}"
