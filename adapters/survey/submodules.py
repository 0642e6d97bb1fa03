"""Submodules that a target's checks can be given: proposed where all that is needed to fetch them is plain."""

import re
from dataclasses import replace

from adapters.git.submodules import addresses, host_of, resolved
from adapters.survey.surveyor import Survey
from policies.counted import joined
from policies.paths.canonical import readable
from ports.repository import Repository, RepositoryError

_NAMED = 5
_LFS = re.compile(r"^[^#\s]\S*\s.*\bfilter=lfs\b")


def with_submodules(seen: Survey, repository: Repository, commit: str, remote: str) -> Survey:
    """The same survey with those that may be fetched, and a note about them; the others are named with the reason."""
    seen = replace(seen, notes=(*seen.notes, *_in_lfs(repository, commit)))
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
        notes.append(f"Submodules ({shown}) are fetched from {joined(sorted(set(hosts.values())))} for the checks.")
    for path, why in list(refused.items())[:_NAMED]:
        notes.append(f"The submodule {readable(path)} is not checked out: {why}. A check that needs it fails.")
    return _given(seen, tuple(hosts) if refused else bool(hosts), tuple(sorted(set(hosts.values()))), tuple(notes))


def _in_lfs(repository: Repository, commit: str) -> list[str]:
    attributes = [path for path in repository.paths(commit) if path.rpartition("/")[2] == ".gitattributes"]
    texts = [(repository.read(commit, path) or b"").decode("utf-8", "replace") for path in attributes]
    patterns = [line.split()[0] for text in texts for line in text.splitlines() if _LFS.search(line)]
    shown = joined([readable(each) for each in patterns[:_NAMED]] + (["more"] if len(patterns) > _NAMED else []))
    return (
        [f"Files in git LFS ({shown}) are not fetched: they stay pointers. A check that needs one fails."]
        if shown
        else []
    )


def _given(seen: Survey, wanted: bool | tuple[str, ...], hosts: tuple[str, ...], notes: tuple[str, ...]) -> Survey:
    if seen.checks and wanted:
        environment = seen.environment.model_copy(update={"submodules": wanted, "git_hosts": hosts})
        seen = replace(seen, environment=environment)
    instead = _given(seen.instead, wanted, hosts, notes) if seen.instead else None
    return replace(seen, notes=(*seen.notes, *notes), instead=instead)
