"""``[forge_access]`` of a target: where its forge is, who we are there, where tokens come from."""

from __future__ import annotations

from typing import Annotated

from pydantic import StringConstraints

from policies.section import Section


class TokenSource(Section):
    """Where a token comes from; the token itself is never in a file."""

    variable: Annotated[str, StringConstraints(pattern=r"^([A-Za-z_][A-Za-z0-9_]*)?$")] = ""
    """Environment variable of the worker that holds it."""
    command: tuple[str, ...] = ()
    """Or an argv list whose first line of output it is."""


class ForgeAccess(Section):
    """``[forge_access]``: how a forge with an API is reached (every ``forge`` but ``local``)."""

    account: str = ""
    """Login that the writing token belongs to: pull requests and tickets are ours only if it opened them."""
    api: str = ""
    """Address of the API; empty: derived from ``remote``."""
    repository: str = ""
    """``owner/name``; empty: derived from ``remote``."""
    write: TokenSource = TokenSource()
    """The token that may push and open pull requests; only the child process of a write ever gets it."""
    read: TokenSource = TokenSource()
    """For a forge that shows nothing without a token: one that may only read."""
