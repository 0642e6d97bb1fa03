"""Whether a target's GitHub can be used as its file says: read only, one clear sentence each."""

from __future__ import annotations

from collections.abc import Iterator

from adapters.forge_access.address import forge_address
from adapters.forge_access.tokens import TOKEN_VARIABLE, reading_token, writing_environment
from adapters.github.api import GitHubRepository
from contracts.forge_facts import AccessFinding
from policies.schema import Target
from ports.forge import ForgeError


def check_github(target: Target) -> Iterator[AccessFinding]:
    """The address, each token (of an App: made for this look), whose it is, and whether the base can be read."""
    said = target.forge_access
    try:
        address = forge_address(target)
        writing = writing_environment(target)[TOKEN_VARIABLE]
        reading = reading_token(target)
    except ForgeError as problem:
        remedy = f"see [forge_access] in targets/{target.name}.toml; variables are set where the worker runs"
        yield AccessFinding(name="token", ok=False, detail=str(problem), remedy=remedy)
        return
    yield AccessFinding(name="token", ok=True, detail="the token to write with is there")
    yield _account(GitHubRepository(address.api, address.repository, said.account, writing), said.account)
    yield _base(GitHubRepository(address.api, address.repository, said.account, reading), target)


def _account(writer: GitHubRepository, account: str) -> AccessFinding:
    try:
        found = writer.account_of_token()
    except ForgeError as problem:
        return AccessFinding(name="account", ok=False, detail=str(problem), remedy="give the worker a valid token")
    same = bool(account) and found.lower() == account.lower()
    detail = f"the token belongs to {found}" + ("" if same else f", forge_access.account is {account or 'not set'}")
    remedy = f'set account = "{found}", or that account\'s token'
    return AccessFinding(name="account", ok=same, detail=detail, remedy=remedy)


def _base(reader: GitHubRepository, target: Target) -> AccessFinding:
    try:
        found = reader.branch(target.base_branch)
    except ForgeError as problem:
        remedy = "give the token to read with access to this repository: contents, checks, commit statuses"
        return AccessFinding(name="protection", ok=False, detail=str(problem), remedy=remedy)
    protected = "protected" if found.protected else "not protected"
    return AccessFinding(name="protection", ok=True, detail=f"{target.base_branch} is {protected}")
