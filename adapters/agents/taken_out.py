"""What of a tree would give orders to an agent's program, or holds secrets: out before one starts, back afterwards.

Nothing is kept of what an agent leaves where it could give orders, or where a file was taken out (P6, P8).
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from policies.agents.hidden import BEGINNING, CODE, is_private_key
from policies.paths.base_limits import BaseLimits
from policies.paths.rules import gives_orders, holds_secret
from policies.settings.schema import ProtectedPaths
from ports.removal import remove_tree

_CHUNK = 1 << 20
BEYOND = "…"
"""Stands for all that lies beyond a base's limits: no commit of ours holds it, and it is not looked at."""


@dataclass(frozen=True)
class TakenOut:
    """The files are kept beside the tree, where no program sees them."""

    tree: Path
    beside: Path
    protected: ProtectedPaths
    limits: BaseLimits
    paths: tuple[str, ...]
    """Of the base."""
    hidden: frozenset[str] = frozenset()
    """Those of them that hold secrets."""

    def where(self, path: str) -> Path | None:
        """Where a file of the base is now; None: behind a link, or no agent is shown it."""
        if path in self.hidden:
            return None
        if path in self.paths:
            return self.beside / str(self.paths.index(path))
        return place_in(self.tree, path)

    def put_back(self) -> tuple[str, ...]:
        """Put each where it was, byte for byte; whatever stands at such a path now is dropped, and named.

        The tree is hostile: no link of it is followed.
        """
        found = list(_orders(self.tree, self.protected, self.limits))
        for path in found:
            remove_tree(self.tree / path)
        dropped = set(found)
        for number, path in enumerate(self.paths):
            if os.path.lexists(self.tree / path):
                dropped.add(path)
            dropped.update(make_way(self.tree, path))
            shutil.move(self.beside / str(number), self.tree / path)
        return tuple(sorted(dropped))


def take_out(tree: Path, beside: Path, protected: ProtectedPaths, limits: BaseLimits) -> TakenOut:
    """Move every such file or link of a checkout into the empty folder ``beside``."""
    hidden = frozenset(_secrets(tree, protected, limits))
    paths = tuple(sorted(hidden.union(_orders(tree, protected, limits))))
    for number, path in enumerate(paths):
        shutil.move(tree / path, beside / str(number))
        folder = (tree / path).parent
        while folder != tree and not any(folder.iterdir()):
            folder.rmdir()
            folder = folder.parent
    return TakenOut(tree, beside, protected, limits, paths, hidden)


def fingerprints(tree: Path, limits: BaseLimits) -> dict[str, str]:
    """Each file and link by what it holds; nothing is followed, and what is no file is known by its kind alone."""
    return {path: _fingerprint(tree / path) for path in _entries(tree, limits)}


def place_in(tree: Path, path: str) -> Path | None:
    """Where a relative path leads without a link among its folders; None: a link stands in the way."""
    place = tree
    for part in PurePosixPath(path).parts[:-1]:
        place /= part
        if place.is_symlink():
            return None
    return tree / path


def _orders(tree: Path, protected: ProtectedPaths, limits: BaseLimits) -> Iterator[str]:
    return (path for path in _entries(tree, limits) if path != BEYOND and gives_orders(path, protected))


def _secrets(tree: Path, protected: ProtectedPaths, limits: BaseLimits) -> Iterator[str]:
    """Of a checkout of ours; a link is none: what it leads to is looked at where it is."""
    for path in _entries(tree, limits):
        place = tree / path
        if path == BEYOND or place.is_symlink() or not place.is_file():
            continue
        if holds_secret(path, protected):
            yield path
        elif not path.endswith(CODE):
            with place.open("rb") as file:
                if is_private_key(file.read(BEGINNING)):
                    yield path


def _entries(tree: Path, limits: BaseLimits) -> Iterator[str]:
    waiting = [(str(tree), 0)]
    skipped = len(waiting[0][0]) + 1
    while waiting:
        folder, below = waiting.pop()
        with os.scandir(folder) as entries:
            for entry in entries:
                path = entry.path[skipped:]
                if not entry.is_dir(follow_symlinks=False):
                    yield path
                elif below < limits.depth and len(os.fsencode(path)) <= limits.path_bytes:
                    waiting.append((entry.path, below + 1))
                else:
                    yield BEYOND


def _fingerprint(place: Path) -> str:
    try:
        known = place.lstat()
    except FileNotFoundError:
        return BEYOND
    if stat.S_ISLNK(known.st_mode):
        return f"link {os.fsencode(place.readlink())!r}"
    if not stat.S_ISREG(known.st_mode):
        return f"kind {stat.S_IFMT(known.st_mode):o}"
    content = hashlib.sha256()
    try:
        with place.open("rb") as file:
            while chunk := file.read(_CHUNK):
                content.update(chunk)
    except PermissionError:
        return "unreadable"
    return f"{known.st_mode & stat.S_IXUSR:o} {content.hexdigest()}"


def make_way(tree: Path, path: str) -> tuple[str, ...]:
    """Folders down to where a file is to be, and nothing at its place; names what stood in a folder's place."""
    place, stood = tree, list[str]()
    for part in PurePosixPath(path).parts[:-1]:
        place /= part
        if place.is_symlink() or (place.exists() and not place.is_dir()):
            remove_tree(place)
            stood.append(place.relative_to(tree).as_posix())
        place.mkdir(exist_ok=True)
    remove_tree(tree / path)
    return tuple(stood)
