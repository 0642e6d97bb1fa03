"""What this machine has of a language: where its toolchain is, and which registry its own client would ask.

Asked in an empty folder, so that nothing of a repository answers. No registry's address is written down here.
"""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import urllib.request
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from urllib.parse import urlsplit

from adapters.environments.allow_list import is_literal, is_private

_SECONDS = 60
_ANY_CRATE = '[package]\nname = "asking"\nversion = "0.0.0"\n[lib]\npath = "x"\n[dependencies]\nlibc = "*"\n'
_NOBODY = "http://127.0.0.1:9"


@dataclass(frozen=True)
class Client:
    """A language's own program on this machine."""

    toolchains: tuple[str, ...]
    """Folders that must be shown in the sandbox, or whose programs must be found there."""
    hosts: tuple[str, ...]
    """Where it fetches from, as `environment.hosts` has them."""


class Clients:
    """Those of this machine; each is asked at most once, and only when a repository needs it. None: not here."""

    @cached_property
    def go(self) -> Client | None:
        """Its proxies, and who vouches for what they send."""
        if (output := _said("go", "env", "GOROOT", "GOPROXY", "GOSUMDB")) is None:
            return None
        root, proxies, sums = (*output.splitlines(), "", "", "")[:3]
        hosts = [each for each in re.split(r"[,|]", proxies) if each not in {"direct", "off", ""}]
        vouching = [f"https://{sums.split()[-1].removeprefix('https://')}"] if sums and sums != "off" else []
        return Client((root,), _listed(*hosts, *(vouching if hosts else ())))

    @cached_property
    def cargo(self) -> Client | None:
        """Its index, and where that says crates are. What it would ask is in its words when it cannot."""
        root = _said("rustc", "--print", "sysroot")
        if root is None or not shutil.which("cargo"):
            return None
        with tempfile.TemporaryDirectory(prefix="autonomy-cargo-") as folder:
            (Path(folder) / "Cargo.toml").write_text(_ANY_CRATE)
            (Path(folder) / "x").write_text("")
            settings = Path(os.environ.get("CARGO_HOME", Path.home() / ".cargo")) / "config.toml"
            if settings.is_file():
                shutil.copy(settings, folder)
            away = {
                "CARGO_HOME": folder,
                "CARGO_NET_RETRY": "0",
                "CARGO_HTTP_PROXY": _NOBODY,
                "CARGO_TERM_COLOR": "never",
            }
            words = _said("cargo", "fetch", cwd=folder, failing=True, **away) or ""
        index = next(iter(re.findall(r"`(?:sparse\+)?(https?://[^`\s]+?)/?config\.json`", words)), "")
        return Client((root,), _listed(index, _crates_of(index)) if index else ())

    @cached_property
    def python(self) -> Client:
        """This process's own, and the index that pip asks: where that is, and where it says that files are."""
        output = _said(sys.executable, "-m", "pip", "index", "versions", "pip", "-vv") or ""
        pages = re.findall(r"Getting page (https?://\S+)", output)
        files = re.findall(r"Found link (https?://\S+)", output)
        return Client((sys.base_prefix,), _listed(*pages[:3], *files[:1], *files[-1:]))

    @cached_property
    def npm(self) -> Client | None:
        """Its registry."""
        node = shutil.which("node")
        registry = _said("npm", "config", "get", "registry")
        if node is None or registry is None:
            return None
        return Client(_outside_usr(Path(node)), _listed(registry))

    @cached_property
    def yarn(self) -> tuple[str, ...]:
        """Whom yarn asks, by its own word: npm fetches it, and it need not be installed. Empty: it did not tell."""
        output = _said("npm", "exec", "--yes", "--", "yarn@1", "config", "get", "registry")
        return _listed(*(output or "").splitlines()[-1:])


def _outside_usr(program: Path) -> tuple[str, ...]:
    """The folder above a program's `bin`; nothing where the sandbox finds it anyway."""
    if program.parent in {Path("/usr/bin"), Path("/usr/local/bin"), Path("/bin")} and program.resolve().is_relative_to(
        "/usr"
    ):
        return ()
    return (str(program.resolve().parent.parent),)


def _said(*argv: str, cwd: str = "", failing: bool = False, **variables: str) -> str | None:
    """What a program prints; None where it is missing or fails (``failing``: what it says then)."""
    with tempfile.TemporaryDirectory(prefix="autonomy-ask-") as empty:
        try:
            done = subprocess.run(
                argv, cwd=cwd or empty, env=os.environ | variables, capture_output=True, timeout=_SECONDS, check=False
            )
        except (OSError, subprocess.SubprocessError):
            return None
    if failing:
        return done.stderr.decode(errors="replace")
    return done.stdout.decode(errors="replace").strip() if done.returncode == 0 else None


def _crates_of(index: str) -> str:
    """Where a sparse index says that crates are downloaded; empty where it does not say."""
    place = f"{index.rstrip('/')}/config.json"
    with suppress(OSError, ValueError), urllib.request.urlopen(place, timeout=_SECONDS) as answer:  # noqa: S310  # http
        return str(json.loads(answer.read(1 << 16)).get("dl", ""))
    return ""


def _listed(*addresses: str) -> tuple[str, ...]:
    """As `environment.hosts` has them; with the address where it is one of this machine's own network."""
    found: dict[str, None] = {}
    for address in addresses:
        place = urlsplit(address)
        with suppress(ValueError):
            if place.hostname:
                found[_host(place.hostname, place.port or (80 if place.scheme == "http" else 443))] = None
    return tuple(found)


def _host(name: str, port: int) -> str:
    with suppress(OSError):
        own = [str(each[4][0]) for each in socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)]
        if own and is_private(own[0]) and not is_literal(name):
            return f"{name}:{port}={own[0]}"
    return f"{name}:{port}"
