"""A command with the one network there is, the hosts of `environment.hosts`: of `prepare`, and of updates."""

import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from weakref import finalize

from adapters.environments import forwarder
from adapters.environments.allow_list import AllowListProxy, certificates
from adapters.environments.prepare_words import explain, how, waited
from adapters.sandbox.interpreter import interpreter_mounts
from policies.settings.environment import EnvironmentPolicy
from ports.environments import CheckEnvironment, EnvironmentUnavailable
from ports.removal import held_folder
from ports.sandbox import CommandResult, Limits, Sandbox

_FORWARDER = "/opt/autonomy/forwarder.py"
_SOCKET = "/opt/autonomy/proxy.sock"
_PORT = 8118
_CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
_TRUST = ("SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS", "CARGO_HTTP_CAINFO", "PIP_CERT", "REQUESTS_CA_BUNDLE",
          "CURL_CA_BUNDLE", "GIT_SSL_CAINFO")  # fmt: skip
_CACHE = "/cache"
_OWN_CACHES = {
    "GOPATH": f"{_CACHE}/go", "GOMODCACHE": f"{_CACHE}/go/pkg/mod", "GOCACHE": f"{_CACHE}/go-build",
    "CARGO_HOME": f"{_CACHE}/cargo", "npm_config_cache": f"{_CACHE}/npm", "UV_CACHE_DIR": f"{_CACHE}/uv",
    "YARN_CACHE_FOLDER": f"{_CACHE}/yarn", "YARN_GLOBAL_FOLDER": f"{_CACHE}/yarn-global",
    "YARN_INSTALL_STATE_PATH": f"{_CACHE}/yarn-state", "YARN_ENABLE_IMMUTABLE_INSTALLS": "0",
    "XDG_CACHE_HOME": f"{_CACHE}/other",
}  # fmt: skip
"""`/env` is read-only by then: what such a command fetches goes elsewhere, and away. Where `CI` is set, yarn
writes no lock file."""
_OFFLINE = ("GOPROXY", "CARGO_NET_OFFLINE", "npm_config_offline")


@contextmanager
def listening(chosen: EnvironmentPolicy) -> Iterator[AllowListProxy]:
    """The way out, while it is entered.

    Raises:
        EnvironmentUnavailable: a credential that it is to add is not there.
    """
    found = {host: os.environ.get(variable, "") for host, variable in chosen.credentials.items()}
    if missing := [chosen.credentials[host] for host, secret in found.items() if not secret]:
        raise EnvironmentUnavailable(
            f"the worker has no variable {', '.join(missing)}, which `environment.credentials` names: set it, restart"
        )
    # A socket's path must be short; its folder is this user's alone.
    with (
        tempfile.TemporaryDirectory(prefix="autonomy-proxy-") as folder,
        AllowListProxy(Path(folder) / "s", chosen.hosts, found) as proxy,
    ):
        yield proxy


def reaching(environment: CheckEnvironment, proxy: AllowListProxy, more: dict[str, str]) -> CheckEnvironment:
    """The same, with the way to the proxy; ``more`` variables have the last word."""
    shown = [(Path(forwarder.__file__), _FORWARDER), (proxy.path, _SOCKET)]
    shown += interpreter_mounts(Path(sys.executable).resolve())
    if trusted := certificates():
        shown.append((trusted, _CERTIFICATES))
    through = f"http://127.0.0.1:{_PORT}"
    network = {name: through for each in ("http_proxy", "https_proxy", "all_proxy") for name in (each, each.upper())}
    network |= dict.fromkeys(("YARN_HTTP_PROXY", "YARN_HTTPS_PROXY"), through)
    network |= dict.fromkeys(_TRUST, _CERTIFICATES) if trusted else {}
    network["JAVA_TOOL_OPTIONS"] = " ".join(
        f"-D{kind}.proxyHost=127.0.0.1 -D{kind}.proxyPort={_PORT}" for kind in ("http", "https")
    )
    return replace(
        environment,
        environment=environment.environment | network | more,
        read_only=(*environment.read_only, *shown),
    )


def forwarded(argv: tuple[str, ...]) -> tuple[str, ...]:
    """The command, behind a loopback port that leads to the proxy."""
    python = Path(sys.executable).resolve()
    return (str(python), "-I", "-S", _FORWARDER, str(_PORT), _SOCKET, "--", *argv)


@dataclass(frozen=True)
class HostsReached:
    """``Online`` of the port: for commands on copies of a tree, in an environment that was prepared before."""

    sandbox: Sandbox
    chosen: EnvironmentPolicy
    environment: CheckEnvironment
    scratch: Path
    """Where the cache lies that all its commands share, as long as this is referred to."""
    _held: ExitStack = field(default_factory=ExitStack, compare=False, repr=False)

    @cached_property
    def _cache(self) -> Path:
        finalize(self, self._held.close)
        cache = self._held.enter_context(held_folder(self.scratch)) / "cache"
        cache.mkdir(mode=0o777)
        return cache

    def __call__(
        self,
        argv: tuple[str, ...],
        tree: Path,
        limits: Limits,
        alive: Callable[[], None],
        *,
        shown: tuple[tuple[Path, str], ...] = (),
        expected: tuple[int, ...] = (0,),
    ) -> CommandResult:
        """See the port."""
        variables = {
            name: value
            for name, value in self.environment.environment.items()
            if name not in _OFFLINE or name in self.chosen.variables
        }
        with listening(self.chosen) as proxy:
            inside = replace(
                reaching(replace(self.environment, environment=variables), proxy, self.chosen.variables | _OWN_CACHES),
                copies=(),
                instead=None,
            )
            command = inside.command(forwarded(argv), tree, limits)
            command = replace(command, read_only=(*command.read_only, *shown), writable=((self._cache, _CACHE),))
            result = self.sandbox.run(command, alive)
            self.environment.asked.append(f"$ {' '.join(argv)}\n".encode() + proxy.journal())
            if result.killed_for or result.exit_code not in expected:
                step = f"`{' '.join(argv)}` {how(argv, result)}"
                words, unreachable = explain(step, result, proxy, 0)
                if result.killed_for == "timeout":
                    waiting = waited(proxy, result.seconds)[0] or "see `sandbox.seconds`, or the registry is slow"
                    words = f"{step}; it had {limits.seconds:.0f} s: {waiting}"
                raise EnvironmentUnavailable(words, unreachable=unreachable)
            return result
