"""``[forge_access]`` of a target: where its forge is, who we are there, where tokens come from."""

from typing import Annotated

from pydantic import Field, StringConstraints

from policies.settings.section import Section


class TokenSource(Section):
    """Where a token comes from; the token itself is never in a file."""

    variable: Annotated[str, StringConstraints(pattern=r"^([A-Za-z_][A-Za-z0-9_]*)?$")] = ""
    """Environment variable of the worker that holds it."""
    command: tuple[str, ...] = ()
    """Or an argv list whose first line of output it is."""


class AppAccess(Section):
    """A GitHub App's installation: its tokens are made for each use, for one repository, and last an hour at most."""

    id: Annotated[str, StringConstraints(pattern=r"^[\w.-]*$")] = ""
    """The App's id or client id; empty: no App, tokens come from ``write`` and ``read``."""
    installation: int = Field(default=0, ge=0)
    """The installation's number, as in the address of its settings page."""
    key: TokenSource = TokenSource()
    """The App's private key in PEM form; everything that a command prints."""


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
    app: AppAccess = AppAccess()
    """GitHub only, instead of both: we are an App, and ``account`` is its ``<slug>[bot]``."""
