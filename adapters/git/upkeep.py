"""Mirrors kept small: each run leaves a pack, loose objects and a ref, and every git command reads them all.

Nothing is ever dropped. Many packs and the loose objects become few packs as they are, whether a ref names them or
not: a change that only an artifact names, and what an open run just made, stay. So there is nothing to wait for, and
git's own order (the new pack first, then the old ones) makes a death in the middle harmless.
"""

import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path

from adapters.git.environment import ClosedGit
from adapters.git.private import PRIVATE, NotFree, locked
from ports.removal import remove_abandoned
from ports.repository import RepositoryError

EVERY_SECONDS = 600.0
_PACKS = 20
_REFS = 50
_LOOSE_IN_ONE_OF_256 = 4
_ABANDONED_SECONDS = 24 * 3600
_LOG = logging.getLogger(__name__)


def has_grown(git_dir: Path) -> bool:
    """Whether upkeep is worth its while; counted, never read."""
    objects = git_dir / "objects"
    loose_refs = islice((name for *_, names in os.walk(git_dir / "refs") for name in names), _REFS + 1)
    return (
        len(_ours(objects / "pack")) > _PACKS
        # Digests spread evenly: one folder tells of all, as for git's own `gc --auto`.
        or len(_listed(objects / "17")) > _LOOSE_IN_ONE_OF_256
        or sum(1 for _ in loose_refs) > _REFS
    )


def tend(git_dir: Path) -> bool:
    """Make one mirror small, if it has grown and nobody makes it anew or small right now; whether it was done.

    Raises:
        RepositoryError: git failed; nothing is lost.
    """
    if not has_grown(git_dir):
        return False
    with suppress(NotFree), locked(git_dir.with_name(f"{git_dir.name}.healing"), seconds=0):
        git = ClosedGit(git_dir)
        packs = git_dir / "objects" / "pack"
        _remove_unfinished(packs)
        git.run("pack-refs", "--all")
        # What a partial fetch brought stays apart: git tells by a pack that its objects' neighbours may be missing.
        kept = [f"--keep-pack={name}" for name in _packs(packs) - _ours(packs)]
        git.run("-c", "pack.threads=1", "repack", "--geometric=2", "-d", "-q", "-n", *kept)
        return True
    return False


def tend_all(root: Path) -> None:
    """Every mirror below ``root``, and what killed workers left in it; what fails is logged, and tried again."""
    for git_dir in sorted(root.glob("*.git")):
        try:
            remove_abandoned(git_dir / PRIVATE)
            if tend(git_dir):
                _LOG.info("the mirror %s was repacked", git_dir)
        except (RepositoryError, OSError) as problem:
            _LOG.warning("the mirror %s could not be repacked: %s", git_dir, problem)


@contextmanager
def looked_after(root: Path, every: float = EVERY_SECONDS) -> Iterator[None]:
    """Tend the mirrors below ``root`` now and every ``every`` seconds, in a thread that nobody waits for."""
    over = threading.Event()

    def look() -> None:
        while not over.is_set():
            tend_all(root)
            over.wait(every)

    threading.Thread(target=look, name="mirror upkeep", daemon=True).start()
    try:
        yield
    finally:
        over.set()


def _packs(folder: Path) -> set[str]:
    return {name for name in _listed(folder) if name.endswith(".pack")}


def _ours(folder: Path) -> set[str]:
    """Packs that upkeep may put together."""
    names = set(_listed(folder))
    return {name for name in _packs(folder) if not {f"{name[:-5]}.promisor", f"{name[:-5]}.keep"} & names}


def _listed(folder: Path) -> list[str]:
    try:
        return [place.name for place in folder.iterdir()]
    except FileNotFoundError:
        return []


def _remove_unfinished(folder: Path) -> None:
    """What a git that was killed while it wrote left behind."""
    before = time.time() - _ABANDONED_SECONDS
    for name in _listed(folder):
        if name.startswith(("tmp_", ".tmp-")):
            with suppress(FileNotFoundError):
                if (folder / name).stat().st_mtime < before:
                    (folder / name).unlink()
