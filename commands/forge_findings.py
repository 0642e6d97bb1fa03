"""What ``doctor`` says about each target's remote and forge. Tokens are read here, shown nowhere."""

from __future__ import annotations

from collections.abc import Iterator

from composition import Adapters, forge_checkup, open_repository
from policies.schema import Target
from ports.forge import ForgeError
from ports.repository import RepositoryError

_LOOK_SECONDS = 60
"""A mirror that takes longer is told as one that could not be read in time."""
Found = tuple[str, bool, str, str]
"""Name, whether it is well, detail, remedy."""


def target_findings(adapters: Adapters, target: Target) -> Iterator[Found]:
    """The base branch, our mirror of it, and for a forge with an API: token, account, rights, protection."""
    yield _base(adapters, target)
    yield _mirror(adapters, target)
    for found in forge_checkup(target):
        yield f"{target.name} {found.name}", found.ok, found.detail, found.remedy


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
