"""The git LFS files of a base: fetched once by the worker, kept by digest, shown where a tree holds their pointers.

A tree itself keeps its pointers: nothing that is read back from it, or committed of it, ever holds a content.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from adapters.environments.kept import evict, held
from adapters.environments.lfs_server import LfsServer, server_of
from adapters.environments.submodules import Beside, Credential
from adapters.forges.http.address import forge_address
from adapters.forges.http.tokens import TOKEN_VARIABLE
from adapters.git.remotes import local_path
from policies.digests import digest
from policies.paths.canonical import readable
from policies.paths.pointers import Pointer, pointer_in
from policies.paths.rules import matches
from policies.settings.schema import EffectivePolicy, Target
from ports.environments import EnvironmentUnavailable
from ports.forge import ForgeError
from ports.removal import held_folder
from ports.repository import PointerFile, Repository, RepositoryError
from ports.sandbox import Instead

_LAYOUT = 1
_RECORD = "lfs.txt"
_MOST = 300
"""Each is a mount of every command: by a thousand, one takes seconds to start."""


@dataclass(frozen=True)
class _File:
    """One that is wanted."""

    path: str
    pointer: Pointer
    text: bytes
    executable: bool


class LfsFiles:
    """Below one folder of ours: objects by server, and by what decides them the files of a base."""

    def __init__(self, root: Path, credential: Credential) -> None:
        self._files = root / "lfs"
        self._objects = root / "lfs-objects"
        self._scratch = root / "preparing"
        self._credential = credential

    def of(self, repository: Repository, base: str, policy: EffectivePolicy, alive: Callable[[], None]) -> Beside:
        """What the policy wants of them; nothing, and no command, where it wants none.

        Raises:
            EnvironmentUnavailable: one cannot be had; says which, and why.
        """
        chosen = policy.target.environment
        if not chosen.lfs:
            return Beside()
        try:
            wanted = _wanted(repository.pointers(base), () if chosen.lfs is True else chosen.lfs or ())
        except RepositoryError as problem:
            raise EnvironmentUnavailable(str(problem)) from problem
        if not wanted:
            return Beside()
        if len(wanted) > _MOST:
            raise EnvironmentUnavailable(
                f"{len(wanted)} files are in git LFS, and a check can be shown {_MOST}: name those that checks need in "
                "`environment.lfs`"
            )
        _demand_room(wanted, policy.target)
        facts = [[each.path, each.pointer.oid, each.executable] for each in wanted]
        place = self._files / digest([_LAYOUT, facts])[:32]
        kept = held(place, lambda: self._make(place, wanted, policy, alive), alive)
        instead = Instead(place, tuple((each.path, str(number), each.text) for number, each in enumerate(wanted)))
        return Beside(place.name, records=((_RECORD, (place / _RECORD).read_bytes()),), instead=instead, held=(kept,))

    def fill(
        self,
        address: str,
        found: Mapping[str, PointerFile],
        tree: Path,
        policy: EffectivePolicy,
        alive: Callable[[], None],
    ) -> tuple[str, ...]:
        """Write all of them over their pointers, in the tree of a submodule, which nobody reads back; a line of each.

        Raises:
            EnvironmentUnavailable: one cannot be had; says which, and why.
        """
        wanted = _wanted(found, ())
        _demand_room(wanted, policy.target)
        with held_folder(self._scratch) as coming:
            once = {each.pointer.oid: each.pointer for each in wanted}
            self._fetch(list(once.values()), _server(address), policy.target, coming, alive)
            for each in wanted:
                shutil.copyfile(coming / each.pointer.oid, tree / each.path)
        return tuple(map(_line, wanted))

    def _make(self, place: Path, wanted: tuple[_File, ...], policy: EffectivePolicy, alive: Callable[[], None]) -> None:
        """Beside its place, then moved there: never half there."""
        target = policy.target
        where = target.environment.lfs_url.rstrip("/") or _server(target.remote)
        objects = self._objects / digest(where)[:32]
        with held(objects, objects.mkdir, alive), held_folder(self._scratch) as scratch:
            objects.with_suffix(".size").unlink(missing_ok=True)  # it grows: to be counted again
            made, coming = scratch / "made", scratch / "coming"
            made.mkdir()
            coming.mkdir()
            missing = {each.pointer.oid: each.pointer for each in wanted if not (objects / each.pointer.oid).exists()}
            self._fetch(list(missing.values()), where, target, coming, alive)
            for oid in missing:
                # Whoever else has just fetched it has the same bytes.
                (coming / oid).replace(objects / oid)
            for number, each in enumerate(wanted):
                if each.executable:
                    shutil.copyfile(objects / each.pointer.oid, made / str(number))
                    (made / str(number)).chmod(0o755)
                else:
                    os.link(objects / each.pointer.oid, made / str(number))
            (made / _RECORD).write_text("".join(f"{line}\n" for line in (where, *map(_line, wanted))))
            made.rename(place)
        evict((self._files, self._objects), target.environment.kept_gb)

    def _fetch(self, wanted: list[Pointer], where: str, target: Target, into: Path, alive: Callable[[], None]) -> None:
        if not wanted:
            return
        if (folder := local_path(where)) is not None:
            for pointer in wanted:
                _copied(folder, pointer, into, alive)
            return
        chosen = target.environment
        token, origin = _token(target, self._credential)
        until = time.monotonic() + chosen.minutes * 60
        LfsServer(where, token, origin, chosen.git_hosts, target.base_branch, until, alive).fetch(wanted, into)


def _line(file: _File) -> str:
    return f"{readable(file.path)} {file.pointer.oid} {file.pointer.size}"


def _demand_room(wanted: tuple[_File, ...], target: Target) -> None:
    if sum(each.pointer.size for each in wanted) > target.limits.megabytes << 20:
        raise EnvironmentUnavailable(
            f"the files in git LFS hold more than {target.limits.megabytes} MiB (limits.megabytes): "
            "name those that checks need in `environment.lfs`"
        )


def _wanted(found: Mapping[str, PointerFile], patterns: tuple[str, ...]) -> tuple[_File, ...]:
    """Those that match; all, without patterns."""
    if idle := [each for each in patterns if not any(matches(path, (each,)) for path in found)]:
        raise EnvironmentUnavailable(f"the base has no file in git LFS at {idle[0]}, which `environment.lfs` names")
    wanted = []
    for path, file in sorted(found.items()):
        if patterns and not matches(path, patterns):
            continue
        if (pointer := pointer_in(file.text)) is None:
            raise EnvironmentUnavailable(
                f"the LFS file {readable(path)} is not fetched: its pointer is not as git-lfs writes one"
            )
        wanted.append(_File(path, pointer, file.text, file.executable))
    return tuple(wanted)


def _server(remote: str) -> str:
    """The address of its LFS server, or the folder of a remote on this machine."""
    if (folder := local_path(remote)) is not None:
        return str(folder / ".git/lfs" if (folder / ".git").is_dir() else folder / "lfs")
    try:
        return server_of(remote)
    except RepositoryError as problem:
        raise EnvironmentUnavailable(f"the files in git LFS are not fetched: {problem}") from problem


def _token(target: Target, credential: Credential) -> tuple[str, str]:
    try:
        token = credential(target).get(TOKEN_VARIABLE, "")
        return token, forge_address(target).git_origin if token else ""
    except ForgeError as problem:
        raise EnvironmentUnavailable(f"the files in git LFS are not fetched: {problem}") from problem


def _copied(folder: Path, pointer: Pointer, into: Path, alive: Callable[[], None]) -> None:
    """Of a remote on this machine, where git-lfs keeps it."""
    source = folder / "objects" / pointer.oid[:2] / pointer.oid[2:4] / pointer.oid
    try:
        if source.is_symlink() or source.stat().st_size != pointer.size:
            raise EnvironmentUnavailable(f"{source} is not the LFS object of {pointer.size} bytes that the base names")
        alive()
        shutil.copyfile(source, into / pointer.oid)
        with (into / pointer.oid).open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as problem:
        raise EnvironmentUnavailable(f"the LFS object {pointer.oid[:12]}… cannot be read: {problem}") from problem
    if found != pointer.oid:
        raise EnvironmentUnavailable(f"{source} holds other bytes than its name says: refused")
    (into / pointer.oid).chmod(0o644)
