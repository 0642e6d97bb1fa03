"""The kinds of forges: one row each. What a row does not name is refused, in the child as in look-ups (P7)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from contracts.forge_facts import AccessFinding
from contracts.modes import WriteAction
from ports.forge import Forge, ForgeError, OpenForge

if TYPE_CHECKING:
    from policies.settings.schema import Target

PULLS = frozenset({WriteAction.OPEN_PULL_REQUEST, WriteAction.UPDATE_PULL_REQUEST, WriteAction.CLOSE_PULL_REQUEST})
TICKETS = frozenset({WriteAction.OPEN_TICKET, WriteAction.UPDATE_TICKET, WriteAction.CLOSE_TICKET})
COMMENTS = frozenset({WriteAction.COMMENT})
LANDINGS = frozenset({WriteAction.MERGE, WriteAction.REVERT})
"""By a pull request of the forge's own; git moves the base on every forge."""


@dataclass(frozen=True)
class ForgeKind:
    """Where its parts are, as ``module:function``: imported when used, so that no forge pays for another's client."""

    open: str
    """``(home, mirrors) -> OpenForge``: for reading."""
    write: str
    """``(EffectOrder) -> EffectResult``: in the child, under a clearance."""
    actions: frozenset[WriteAction]
    """What ``write`` was written for."""
    check: str = ""
    """``(Target) -> Iterable[AccessFinding]``: what ``doctor`` says; empty: a forge without an API."""
    api_path: str = ""
    """Of its API, below the address of a repository's host."""
    public_hosts: tuple[str, ...] = ()
    """Of its public service, the one of its web pages first, where the API has a host of its own: ``public_api``."""
    public_api: str = ""
    app_token: str = ""
    """``(Target, "read" | "write") -> str``: a token made for one use, as the App of ``[forge_access.app]``."""
    no_reply: str = ""
    """Under ``<account>@<this>.<host>`` the forge takes a commit for the account's."""


FORGES = {
    "local": ForgeKind(
        open="adapters.forges.local:open_local_forge",
        write="adapters.effects.local_writes:write_locally",
        actions=PULLS | TICKETS | COMMENTS,
    ),
    "gitea": ForgeKind(
        open="adapters.forges.gitea.forge:open_gitea_forge",
        write="adapters.forges.gitea.writer:write_to_gitea",
        actions=PULLS | TICKETS | COMMENTS | LANDINGS,
        check="adapters.forges.gitea.checkup:check_gitea",
        api_path="/api/v1",
        no_reply="noreply",  # `[service] NO_REPLY_ADDRESS`
    ),
    "github": ForgeKind(
        open="adapters.forges.github.forge:open_github_forge",
        write="adapters.forges.github.writer:write_to_github",
        actions=PULLS | TICKETS | COMMENTS | LANDINGS,
        check="adapters.forges.github.checkup:check_github",
        api_path="/api/v3",
        public_hosts=("github.com", "ssh.github.com"),
        public_api="https://api.github.com",
        app_token="adapters.forges.github.app_tokens:installation_token",  # noqa: S106  # a name, not a token
        no_reply="users.noreply",
    ),
}


def part(where: str) -> Callable[..., Any]:
    """A part of a kind, imported."""
    module, _, name = where.partition(":")
    found: Callable[..., Any] = getattr(import_module(module), name)
    return found


def open_forges(home: Path, mirrors: Path) -> OpenForge:
    """Forges of every kind: the local one's records are under ``home``, our mirrors under ``mirrors``."""

    def opened(target: Target) -> Forge:
        if target.forge not in FORGES:
            raise ForgeError(f"the forge {target.forge!r} is not built")
        forge: Forge = part(FORGES[target.forge].open)(home, mirrors)(target)
        return forge

    return opened


def forge_checkup(target: Target) -> tuple[AccessFinding, ...]:
    """Whether a target's forge can be used as its file says; nothing to say of a forge without an API."""
    kind = FORGES.get(target.forge)
    if kind is None:
        remedy = f"name one of {', '.join(FORGES)} in targets/{target.name}.toml"
        detail = f"the forge {target.forge!r} is not built"
        return (AccessFinding(name="forge", ok=False, detail=detail, remedy=remedy),)
    found: Iterable[AccessFinding] = part(kind.check)(target) if kind.check else ()
    return tuple(found)
