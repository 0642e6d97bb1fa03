"""What ``doctor`` says about each target's remote and forge. Tokens are read here, shown nowhere."""

from __future__ import annotations

from collections.abc import Iterator

from composition import Adapters, forge_checkup, open_forge, open_repository
from contracts.forge_facts import AccessFinding
from policies.ci import heard
from policies.ci_findings import CiSight, look_at_ci
from policies.schema import Target
from ports.forge import ForgeError
from ports.repository import RepositoryError

_LOOK_SECONDS = 60
"""A mirror that takes longer is told as one that could not be read in time."""
_EARLIER = 6
"""The base and the commits before it that are looked at for a word of CI."""
Found = tuple[str, bool, str, str]
"""Name, whether it is well, detail, remedy."""


def target_findings(adapters: Adapters, target: Target) -> Iterator[Found]:
    """The base branch, our mirror of it, and for a forge with an API: token, account, rights, protection."""
    base, rows = _base(adapters, target), forge_checkup(target)
    if base[1] or all(row.ok for row in rows):
        # Else the forge says what keeps us out, and git would only repeat it with less.
        yield base
    yield _mirror(adapters, target)
    for found in (*rows, *_ci(adapters, target)):
        yield f"{target.name} {found.name}", found.ok, found.detail, found.remedy


def _ci(adapters: Adapters, target: Target) -> Iterator[AccessFinding]:
    """Whether the forge's CI can ever say yes; nothing where the rows before this one say why it cannot be asked."""
    if target.forge == "local":
        return
    try:
        forge, mirror = open_forge(adapters.settings, target), open_repository(adapters.settings, target)
        base = mirror.fetch_base()
        looks = (forge.reported_checks(commit) for commit in mirror.line(base, _EARLIER))
        began = (tuple(check for check in look if heard(check)) for look in looks)
        sight = CiSight(
            target=target,
            demanded=forge.protection().required_checks,
            reported=next(filter(None, began), ()),
            paths=mirror.paths(base),
        )
    except (ForgeError, RepositoryError):
        return
    yield from look_at_ci(sight)


def _mirror(adapters: Adapters, target: Target) -> Found:
    name = f"{target.name} mirror"
    try:
        mirror = open_repository(adapters.settings, target)
        found = mirror.damage(_LOOK_SECONDS)
    except RepositoryError as problem:
        return name, False, str(problem), "mend `remote` in the target's file"
    remedy = f"nothing: the next step that meets it sets it aside as {mirror.aside.name} and fetches anew"
    kept = f"; a damaged one is kept as {mirror.aside}: remove it when you know why" if mirror.aside.exists() else ""
    return name, not found, (f"damaged: {found}" if found else f"whole, or not fetched yet{kept}"), remedy


def _base(adapters: Adapters, target: Target) -> Found:
    name = f"{target.name} base"
    try:
        mirror = open_repository(adapters.settings, target)
        heads, named = mirror.remote_heads(), mirror.default_branch()
    except (ForgeError, RepositoryError) as problem:
        return name, False, str(problem), "mend the remote, or `remote` in the target's file"
    elsewhere = f"; the remote's default branch is {named}" if named and named != target.base_branch else ""
    remedy = f'was it renamed? then set base_branch = "{named}"' if elsewhere else "set base_branch to one it has"
    if target.base_branch not in heads:
        return name, False, f"the remote has no branch {target.base_branch}{elsewhere}", remedy
    # Working on another branch than the default one is a choice; it is said, so that nobody makes it unknowingly.
    return name, True, f"{target.base_branch} at {heads[target.base_branch][:12]}{elsewhere}", ""
