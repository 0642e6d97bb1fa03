"""Whose name our commits on the base carry: the account's, by the address under which its forge knows it."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from adapters.forges.http.address import forge_address
from adapters.forges.kinds import FORGES
from adapters.git.merging import NOBODY, Author
from ports.forge import ForgeError

if TYPE_CHECKING:  # a child that writes starts at every effect: what it does not read, it does not import
    from policies.settings.schema import Target


def our_author(target: Target) -> Author:
    """The account of ``[forge_access]``; without one, or on a forge without accounts, just us."""
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
