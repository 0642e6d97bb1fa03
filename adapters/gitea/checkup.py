"""Whether a target's Gitea can be used as its file says: read only, one clear sentence each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from adapters.forge_access.address import forge_address
from adapters.forge_access.tokens import read_token
from adapters.gitea.api import GiteaRepository
from contracts.forge_facts import AccessFinding
from policies.schema import Target
from ports.forge import ForgeError


def check_gitea(target: Target) -> Iterator[AccessFinding]:
    """The address, each token, whose it is, what it may do, and whether the base's protection can be read."""
    said = target.forge_access
    try:
        address = forge_address(target)
        writing = read_token(said.write, "forge_access.write")
        reading = read_token(said.read, "forge_access.read")
    except ForgeError as problem:
        yield AccessFinding(name="token", ok=False, detail=str(problem), remedy="set it where the worker runs")
        return
    if not writing:
        remedy = f"set [forge_access.write] in targets/{target.name}.toml"
        yield AccessFinding(name="token", ok=False, detail="no token to write with is named", remedy=remedy)
        return
    yield AccessFinding(name="token", ok=True, detail="the token to write with is there")
    writer = GiteaRepository(address.api, address.repository, said.account, writing)
    yield from _account(writer, said.account)
    yield from _rights(writer, address.repository)
    yield from _protection(GiteaRepository(address.api, address.repository, said.account, reading), target)


def _account(writer: GiteaRepository, account: str) -> Iterator[AccessFinding]:
    try:
        found = writer.account_of_token()
    except ForgeError as problem:
        remedy = "give the token the scope read:user, or a new one"
        yield AccessFinding(name="account", ok=False, detail=str(problem), remedy=remedy)
        return
    same = bool(account) and found.lower() == account.lower()
    detail = f"the token belongs to {found}" + ("" if same else f", forge_access.account is {account or 'not set'}")
    yield AccessFinding(
        name="account", ok=same, detail=detail, remedy=f'set account = "{found}", or that account\'s token'
    )


def _rights(writer: GiteaRepository, repository: str) -> Iterator[AccessFinding]:
    try:
        found: Any = writer.http.get(f"/repos/{repository}")
        push = bool(found["permissions"]["push"])
    except (ForgeError, KeyError, TypeError) as problem:
        detail = str(problem) if isinstance(problem, ForgeError) else "the forge does not say what the account may do"
        remedy = "give the account write access to the repository, and the token the scope write:repository"
        yield AccessFinding(name="rights", ok=False, detail=detail, remedy=remedy)
        return
    detail = f"the account may {'' if push else 'not '}push to {repository}"
    remedy = "give the account write access to the repository"
    yield AccessFinding(name="rights", ok=push, detail=detail, remedy=remedy)


def _protection(reader: GiteaRepository, target: Target) -> Iterator[AccessFinding]:
    try:
        found = reader.branch(target.base_branch)
    except ForgeError as problem:
        remedy = "set [forge_access.read] with a token of the scopes read:repository, read:issue"
        yield AccessFinding(name="protection", ok=False, detail=str(problem), remedy=remedy)
        return
    checks = ", ".join(found.status_check_contexts or ()) if found.enable_status_check else ""
    protected = f"protected, required checks: {checks or 'none'}" if found.protected else "not protected"
    yield AccessFinding(name="protection", ok=True, detail=f"{target.base_branch} is {protected}")
