"""Submodules and git LFS files that a target's checks can be given: proposed where whom to ask for them is plain."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from adapters.git.submodules import addresses, host_of, resolved
from adapters.survey.surveyor import Survey
from policies.counted import joined
from policies.paths.canonical import readable
from ports.repository import Repository, RepositoryError

LFS_NOTE = "Files in git LFS ("
SUBMODULES_NOTE = "Submodules ("
_NAMED = 5
_LFS = re.compile(r"^[^#\s]\S*\s.*\bfilter=lfs\b")


def with_submodules(seen: Survey, repository: Repository, commit: str, remote: str) -> Survey:
    """The same survey with those that may be fetched, and a note about them; the others are named with the reason."""
    seen = _with_lfs(seen, repository, commit)
    if not (links := repository.gitlinks(commit)):
        return seen
    hosts, refused = dict[str, str](), dict[str, str]()
    try:
        known = addresses(repository.read(commit, ".gitmodules") or b"")
    except RepositoryError as problem:
        known, refused = {}, dict.fromkeys(links, str(problem))
    for path in sorted(links.keys() - refused.keys()):
        try:
            hosts[path] = host_of(resolved(known[path], remote))
        except KeyError:
            refused[path] = "`.gitmodules` names no address for it"
        except RepositoryError as problem:
            refused[path] = str(problem)
    notes = list[str]()
    if hosts and seen.checks:
        shown = joined([readable(path) for path in list(hosts)[:_NAMED]] + (["more"] if len(hosts) > _NAMED else []))
        whom = joined(sorted(set(hosts.values())))
        notes.append(f"{SUBMODULES_NOTE}{shown}) are fetched from {whom} for the checks.")
    for path, why in list(refused.items())[:_NAMED]:
        notes.append(f"The submodule {readable(path)} is not checked out: {why}. A check that needs it fails.")
    wanted = tuple(hosts) if refused else bool(hosts)
    chosen = {"submodules": wanted, "git_hosts": tuple(sorted(set(hosts.values())))} if wanted else {}
    return _given(seen, chosen, tuple(notes))


def _with_lfs(seen: Survey, repository: Repository, commit: str) -> Survey:
    """With the contents of files in git LFS, where the base has such; that `.lfsconfig` is not obeyed is said."""
    attributes = [path for path in repository.paths(commit) if path.rpartition("/")[2] == ".gitattributes"]
    texts = [(repository.read(commit, path) or b"").decode("utf-8", "replace") for path in attributes]
    if not any(_LFS.search(line) for text in texts for line in text.splitlines()):
        return seen
    if not (found := sorted(repository.pointers(commit))):
        return seen
    shown = joined([readable(each) for each in found[:_NAMED]] + (["more"] if len(found) > _NAMED else []))
    notes = [f"{LFS_NOTE}{shown}) are fetched for the checks; a tree keeps its pointers."]
    if not seen.checks:
        notes = [f"Files in git LFS ({shown}) are not fetched: nothing is checked."]
    elif repository.read(commit, ".lfsconfig") is not None:
        notes.append("`.lfsconfig` is not obeyed: if the server that it names is right, write it as `lfs_url`.")
    return _given(seen, {"lfs": True} if seen.checks else {}, tuple(notes))


def _given(seen: Survey, chosen: Mapping[str, Any], notes: tuple[str, ...]) -> Survey:
    if seen.checks and chosen:
        seen = replace(seen, environment=seen.environment.model_copy(update=dict(chosen)))
    instead = _given(seen.instead, chosen, notes) if seen.instead else None
    return replace(seen, notes=(*seen.notes, *notes), instead=instead)
