"""Where a target's forge is: derived from the remote, or as stated."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

from adapters.forges.kinds import FORGES
from ports.forge import ForgeError

if TYPE_CHECKING:  # a child that writes starts at every effect: what it does not read, it does not import
    from policies.settings.schema import Target

_REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")
_SCP_LIKE = re.compile(r"(?:[^@/:]+@)?(?P<host>[^/:]+):(?P<path>[^:]+)")
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
# The one forge whose API has a host of its own.
_GITHUB, _GITHUB_API = frozenset({"github.com", "ssh.github.com"}), "https://api.github.com"
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class ForgeAddress:
    """One repository on one forge."""

    api: str
    """Base address of the API, without a slash at the end."""
    repository: str
    """``owner/name``."""
    git_origin: str
    """``scheme://host[:port]`` that git pushes to over HTTP; empty when the remote is reached by ssh."""


def forge_address(target: Target) -> ForgeAddress:
    """Derive what ``[forge_access]`` does not say.

    Raises:
        ForgeError: the remote is none of a forge, or a token would travel in the clear or to another host.
    """
    said = target.forge_access
    over_http = urlsplit(target.remote) if target.remote.startswith(("http://", "https://")) else None
    host, path = _place(target.remote)
    parts = path.strip("/").removesuffix(".git").split("/")
    if not host or len(parts) == 1:
        raise ForgeError(f"the remote {target.remote} is no repository of a forge: use an https or ssh URL, owner/name")
    above = "/".join(["", *parts[:-2]]) if over_http else ""
    root = f"{over_http.scheme}://{over_http.netloc}" if over_http else f"https://{host}"
    on_github = target.forge == "github" and host in _GITHUB
    api = (said.api or (_GITHUB_API if on_github else root + above + FORGES[target.forge].api_path)).rstrip("/")
    repository = said.repository or "/".join(parts[-2:])
    if not _REPOSITORY.fullmatch(repository):
        raise ForgeError(f"forge_access.repository {repository!r} must be owner/name")
    _demand_safe(urlsplit(api), "forge_access.api")
    pair = on_github and api == _GITHUB_API
    if over_http is None:
        if on_github and not pair:
            raise ForgeError(f"forge_access.api of {host} is {_GITHUB_API}, not {urlsplit(api).netloc}")
        return ForgeAddress(api, repository, "")
    _demand_safe(over_http, "the remote")
    if _origin(urlsplit(api)) != _origin(over_http) and not (pair and root == "https://github.com"):
        raise ForgeError(f"forge_access.api is on another host than the remote: {urlsplit(api).netloc}")
    return ForgeAddress(api, repository, root)


def _place(remote: str) -> tuple[str, str]:
    if "://" in remote:
        url = urlsplit(remote)
        return (url.hostname or "", url.path) if url.scheme != "file" else ("", "")
    found = _SCP_LIKE.fullmatch(remote)
    return (found["host"], found["path"]) if found else ("", "")


def _demand_safe(url: SplitResult, what: str) -> None:
    try:
        port = url.port
    except ValueError:
        port = 0
    if url.scheme not in _PORTS or not url.hostname or port == 0 or url.query or url.fragment or "@" in url.netloc:
        raise ForgeError(f"{what} is not a plain https address: {url.scheme}://{url.hostname}")
    if url.scheme == "http" and url.hostname not in _LOOPBACK:
        raise ForgeError(f"{what} on {url.hostname} would carry the token in the clear: use https")


def _origin(url: SplitResult) -> tuple[str, str | None, int]:
    return url.scheme, url.hostname, url.port or _PORTS[url.scheme]
