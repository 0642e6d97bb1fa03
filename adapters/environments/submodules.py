"""The submodules of a base, fetched once by the worker, kept by digest, and copied into each tree that is run in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from adapters.environments.kept import Lock, evict, held
from adapters.git.submodules import Fetching, Submodule, submodules
from policies.counted import joined, shortened
from policies.digests import digest
from policies.paths.canonical import readable
from policies.settings.environment import EnvironmentPolicy
from policies.settings.schema import EffectivePolicy, Target
from ports.environments import CheckEnvironment, EnvironmentUnavailable
from ports.removal import held_folder
from ports.repository import PointerFile, RemoteUnavailable, Repository, RepositoryError
from ports.sandbox import Instead

_LAYOUT = 3
_RECORD = "submodules.txt"
_POINTER = " stays a pointer of git LFS: with `environment.lfs = true` its content is there"
_NAMED = 3
Credential = Callable[[Target], Mapping[str, str]]
Contents = Callable[[str, Mapping[str, PointerFile], Path, EffectivePolicy, Callable[[], None]], tuple[str, ...]]
"""Writes over pointers of a repository at an address, in a folder, what git LFS has for them; a line of each."""


@dataclass(frozen=True)
class Beside:
    """What a commit's tree has from elsewhere: by a key, in copies that are each run's own, or instead of its files."""

    key: str = ""
    copies: tuple[tuple[Path, str], ...] = ()
    records: tuple[tuple[str, bytes], ...] = ()
    instead: Instead | None = None
    held: tuple[Lock, ...] = ()
    notes: tuple[str, ...] = ()

    def and_also(self, other: Beside) -> Beside:
        """Both."""
        if not (self.key and other.key):
            return self if self.key else other
        return Beside(
            digest([self.key, other.key])[:32],
            (*self.copies, *other.copies),
            (*self.records, *other.records),
            self.instead or other.instead,
            (*self.held, *other.held),
            (*self.notes, *other.notes),
        )

    def added_to(self, made: CheckEnvironment) -> CheckEnvironment:
        """The same environment, with it."""
        if not self.key:
            return made
        return replace(
            made,
            digest=digest([made.digest, self.key])[:32],
            copies=(*self.copies, *made.copies),
            records=(*made.records, *self.records),
            instead=self.instead,
            held=(made.held, self.held),
            notes=(*made.notes, *self.notes),
        )


class SubmoduleTrees:
    """Below one folder of ours: mirrors by address, trees by what decides them; several workers may share it."""

    def __init__(self, root: Path, credential: Credential, contents: Contents) -> None:
        self._trees = root / "submodules"
        self._mirrors = root / "submodule-mirrors"
        self._scratch = root / "preparing"
        self._credential = credential
        self._contents = contents

    def of(self, repository: Repository, base: str, policy: EffectivePolicy, alive: Callable[[], None]) -> Beside:
        """What the policy wants of them; nothing, and no command, where it wants none.

        Raises:
            EnvironmentUnavailable: one may not be fetched, or cannot be; says which, and why.
        """
        target, chosen = policy.target, policy.target.environment
        if not chosen.submodules:
            return Beside()
        wanted = _wanted(repository.gitlinks(base), chosen)
        hosts = tuple(each.partition("=")[0] for each in chosen.git_hosts)
        listed = repository.read(base, ".gitmodules") or b""
        try:
            found = submodules(wanted, listed, target.remote, hosts)
        except RepositoryError as problem:
            raise EnvironmentUnavailable(str(problem)) from problem
        facts = [[each.path, each.commit, each.address] for each in found]
        place = self._trees / digest([_LAYOUT, facts, sorted(hosts), chosen.lfs is True])[:32]
        kept = held(place, lambda: self._make(place, found, hosts, policy, alive), alive)
        copies = tuple((place / str(number), each.path) for number, each in enumerate(found))
        record = (place / _RECORD).read_bytes()
        pointers = [line for line in record.decode().splitlines() if line.endswith(_POINTER)]
        notes = (shortened(joined(pointers[:_NAMED]), 300),) if pointers else ()
        return Beside(place.name, copies, ((_RECORD, record),), held=(kept,), notes=notes)

    def _make(
        self,
        place: Path,
        found: tuple[Submodule, ...],
        hosts: tuple[str, ...],
        policy: EffectivePolicy,
        alive: Callable[[], None],
    ) -> None:
        """Beside its place, then moved there: never half there."""
        target, in_use, in_lfs = policy.target, list[Lock](), list[str]()

        def mirror(address: str) -> Path:
            kept = self._mirrors / digest(address)[:32]
            in_use.append(held(kept, kept.mkdir, lambda: None))
            # It grows: to be counted again.
            kept.with_suffix(".size").unlink(missing_ok=True)
            return kept / "mirror.git"

        def contents(path: str, address: str, pointers: Mapping[str, PointerFile], into: Path) -> None:
            # Patterns are the base's. Nothing of a submodule's tree is ever read back or committed.
            if target.environment.lfs is True:
                lines = self._contents(address, pointers, into, policy, alive)
            else:
                lines = tuple(f"{readable(each)}{_POINTER}" for each in sorted(pointers))
            in_lfs.extend(f"{readable(path)}/{line}" for line in lines)

        fetching = Fetching(mirror, hosts, target.limits, lambda: self._credential(target), contents)
        with held_folder(self._scratch) as scratch:
            made = scratch / "made"
            made.mkdir()
            try:
                fetching.fill((each, made / str(number)) for number, each in enumerate(found))
            except RepositoryError as problem:
                unreachable = isinstance(problem, RemoteUnavailable)
                raise EnvironmentUnavailable(str(problem), unreachable=unreachable) from problem
            (made / _RECORD).write_text("".join(f"{line}\n" for line in (*fetching.fetched, *in_lfs)))
            made.rename(place)
        evict((self._trees, self._mirrors), target.environment.kept_gb)


def _wanted(gitlinks: dict[str, str], chosen: EnvironmentPolicy) -> dict[str, str]:
    if chosen.submodules is True:
        return gitlinks
    named = set(chosen.submodules or ())
    if missing := sorted(named - gitlinks.keys()):
        raise EnvironmentUnavailable(
            f"the base has no submodule at {missing[0]}, which `environment.submodules` names: correct it"
        )
    return {path: commit for path, commit in gitlinks.items() if path in named}
