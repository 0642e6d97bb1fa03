"""Where a target's forge is, derived from the remote or as stated, and under which address it knows our account."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

from adapters.forges.kinds import FORGES
from adapters.git.merging import NOBODY, Author
from ports.forge import ForgeError

if TYPE_CHECKING:  # a child that writes starts at every effect: what it does not read, it does not import
    from policies.settings.schema import Target

_REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")
_SCP_LIKE = re.compile(r"(?:[^@/:]+@)?(?P<host>[^/:]+):(?P<path>[^:]+)")
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
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
    access = target.forge_access
    over_http = urlsplit(target.remote) if target.remote.startswith(("http://", "https://")) else None
    host, path = _place(target.remote)
    parts = path.strip("/").removesuffix(".git").split("/")
    if not host or len(parts) == 1:
        raise ForgeError(f"the remote {target.remote} is no repository of a forge: use an https or ssh URL, owner/name")
    above = "/".join(["", *parts[:-2]]) if over_http else ""
    root = f"{over_http.scheme}://{over_http.netloc}" if over_http else f"https://{host}"
    kind = FORGES[target.forge]
    public = kind.public_api if host in kind.public_hosts else ""
    api = (access.api or public or root + above + kind.api_path).rstrip("/")
    repository = access.repository or "/".join(parts[-2:])
    if not _REPOSITORY.fullmatch(repository):
        raise ForgeError(f"forge_access.repository {repository!r} must be owner/name")
    _demand_safe(urlsplit(api), "forge_access.api")
    pair = bool(public) and api == public
    if over_http is None:
        if public and not pair:
            raise ForgeError(f"forge_access.api of {host} is {public}, not {urlsplit(api).netloc}")
        return ForgeAddress(api, repository, "")
    _demand_safe(over_http, "the remote")
    if _origin(urlsplit(api)) != _origin(over_http) and not (pair and root == f"https://{kind.public_hosts[0]}"):
        raise ForgeError(f"forge_access.api is on another host than the remote: {urlsplit(api).netloc}")
    return ForgeAddress(api, repository, root)


def our_author(target: Target) -> Author:
    """Whose name our commits on the base carry: the account's; without one, or on a forge without accounts, just us."""
    account = target.forge_access.account
    kind = FORGES.get(target.forge)
    # What nobody can log in under, and a forge takes for its own account.
    if not account or kind is None or not kind.no_reply or not account.isprintable() or set(account) & set("<>"):
        return NOBODY
    try:
        host = urlsplit(forge_address(target).api).hostname or "localhost"
    except ForgeError:
        return NOBODY
    return Author(account, f"{account}@{kind.no_reply}.{host.removeprefix('api.')}")


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
