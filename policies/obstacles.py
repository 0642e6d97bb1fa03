"""What keeps a run from its repository and is no fault of its change: which cure helps, one sentence each."""

from __future__ import annotations

import re

from policies.schema import Target

_CURES: tuple[tuple[str, str], ...] = (
    (r"archived|read-only", "unarchive the repository, or take {file} away"),
    (r"renamed or moved|redirect|url base|error: 30", "set `remote` in {file} to the repository's address of now"),
    (r"quota|too large|answered 413", "free space on the forge, or have the quota raised"),
    (r"protected branch", "let {account} push to autonomy/** in the forge's branch protection"),
    (r"belongs to", "give {write} a token of {account}, or name its account in {file}"),
    (
        r"answered 401|error: 401|[Aa]uthenticat|invalid username|not set in the worker|printed nothing",
        "renew the token of {write}, and start the worker with it",
    ),
    (r"could not read Username|answered 404|error: 404|not found", "set {read} to a token that may read it"),
    (r"scope", "give the token of {write} the scope that is named"),
    (r"", "give {account} the right to write, and the token of {write} the scopes for it"),
)
"""The first that the words of the refusal call for; the last takes the rest."""


def cure(words: str, target: Target) -> str:
    """What a person has to do about a forge that does not let us work."""
    access, file = target.forge_access, f"targets/{target.name}.toml"
    place = "[forge_access] {}.variable" + f" of {file}"
    found = next(cure for pattern, cure in _CURES if re.search(pattern, words))
    return found.format(
        file=file,
        account=access.account or "the account",
        write=f"the variable {access.write.variable}" if access.write.variable else place.format("write"),
        read=f"{place.format('read')} ({access.read.variable or 'none is named'})",
    )
