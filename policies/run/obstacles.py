"""What keeps a run from its repository and is no fault of its change: which cure helps, one sentence each."""

import re
from collections.abc import Iterable, Iterator

from contracts.forge_facts import FORGE_RESTS, AccessFinding
from contracts.verdict import Verdict
from policies.settings.schema import Target
from policies.verdicts import hold

_LIMITED = r"limits the rate|rate limit|error: 429"
_UNNAMED_REST, _LONGEST_REST = 60.0, 3600.0
"""Seconds; no forge's window is longer than an hour, and a nonsensical answer must not stop a run for days."""
_OF_BRANCHES = (
    r"[Pp]rotected branch|is protected from|protected ref\b|creations being restricted|[Cc]annot force-push"
    r"|through a pull request|verified signatures|required status check"
)
_CURES: tuple[tuple[str, str], ...] = (
    (_LIMITED, "nothing is to be mended: it answers again by itself; run again then"),
    (r"archived|read-only", "unarchive the repository, or take {file} away"),
    (r"renamed or moved|redirect|url base|error: 30", "set `remote` in {file} to the repository's address of now"),
    (r"quota|[Nn]o space left|too large|answered 413", "free space on the forge, or have the quota raised"),
    (_OF_BRANCHES, "let {account} push to autonomy/** in the forge's branch protection"),
    (r"belongs to", "give {write} a token of {account}, or name its account in {file}"),
    (
        r"answered 401|error: 401|[Aa]uthenticat|invalid username|not set in the worker|printed nothing",
        "renew the token of {write}, and start the worker with it",
    ),
    (r"could not read Username|answered 404|error: 404|not found", "set {read} to a token that may read it"),
    (r"answered 5\d\d|gave no answer", "see whether the forge is up, and reachable from here"),
    (r"scope", "give the token of {write} the scope that is named"),
    (r"", "give {account} the right to write, and the token of {write} the scopes for it"),
)
"""The first that the words of the refusal call for; the last takes the rest."""


def resting(words: str, retry_after: float | None) -> Verdict | None:
    """HOLD until the forge answers again, where it limits the rate; None: it does not.

    ``retry_after``: seconds, the forge's own word. Nothing is mended by a person, and nothing is the change's fault.
    """
    if retry_after is None and not re.search(_LIMITED, words):
        return None
    rests = min(_LONGEST_REST, max(1.0, _UNNAMED_REST if retry_after is None else retry_after))
    return hold("the forge answers", f"{words}. The run goes on by itself", **{FORGE_RESTS: rests})


def one_cure_each(found: Iterable[AccessFinding]) -> Iterator[AccessFinding]:
    """What was found, without the rows that only repeat a cure."""
    told: set[str] = set()
    for row in found:
        if row.ok or row.remedy not in told:
            yield row
        if not row.ok:
            told.add(row.remedy)


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
