"""Which forge ``init`` writes into a target's file, and how it is reached."""

import re
from typing import get_args
from urllib.parse import urlsplit

from commands.exit_statuses import Exit
from commands.failures import CommandFailed
from policies.settings.forge_access import ForgeAccess, TokenSource
from policies.settings.schema import ForgeName

KINDS: tuple[ForgeName, ...] = get_args(ForgeName)
_GITHUB = "github.com"
_SCP_LIKE = re.compile(r"(?:[^@/:]+@)?([^/:]+):(?!:)")


def choose_forge(
    remote: str, forge: str | None, account: str, write_variable: str, read_variable: str
) -> tuple[ForgeName, ForgeAccess]:
    """The kind and its ``[forge_access]``.

    Raises:
        CommandFailed: which forge it is cannot be told, or something it needs is missing.
    """
    host = _host(remote)
    named = forge or ("local" if host is None else "github" if host == _GITHUB else "")
    if not named:
        message = f"which forge {host} runs cannot be seen from its address: say --forge gitea (also for Forgejo) or "
        raise CommandFailed(Exit.USAGE, f"{message}--forge github; --forge local keeps pull requests as records here")
    kind = next((known for known in KINDS if known == named), None)
    if kind is None:
        raise CommandFailed(Exit.USAGE, f"--forge {named} is none of {', '.join(KINDS)}")
    given = bool(account or write_variable or read_variable)
    if kind == "local":
        if given:
            raise CommandFailed(
                Exit.USAGE, "--account and the variables are for a forge with an API: say which by --forge"
            )
        return kind, ForgeAccess()
    if host is None:
        raise CommandFailed(Exit.USAGE, f"{remote} is a folder, no repository of a {kind}: give its https or ssh URL")
    for option, value in (("--account", account), ("--write-variable", write_variable)):
        if not value:
            raise CommandFailed(Exit.USAGE, f"a {kind} needs {option}; the README shows which token it is about")
    return kind, ForgeAccess(
        account=account, write=TokenSource(variable=write_variable), read=TokenSource(variable=read_variable)
    )


def _host(remote: str) -> str | None:
    """Lower-case; None for what is on this machine."""
    if "://" in remote:
        url = urlsplit(remote)
        return None if url.scheme == "file" else (url.hostname or "")
    found = _SCP_LIKE.match(remote)
    return found[1].lower() if found else None
