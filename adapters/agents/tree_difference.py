"""How two checkouts differ, seen by reading them: nobody's list of changes is believed."""

import os
import stat
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

LARGEST_READ = 5_000_000


@dataclass(frozen=True)
class Difference:
    """One path that is not the same in both."""

    path: str
    before: bytes | None
    """None: it was not there."""
    after: bytes | None
    """None: it is gone."""
    odd: str = ""
    """Why it is no ordinary edit: a link, a mode change, a size no source file has."""

    @property
    def added(self) -> tuple[str, ...]:
        """Lines that are new, in the order of the file."""
        return _beyond(self.after, self.before)

    @property
    def removed(self) -> tuple[str, ...]:
        """Lines that are gone."""
        return _beyond(self.before, self.after)


def tree_difference(base: Path, tree: Path) -> tuple[Difference, ...]:
    """Compare entry by entry, without following a link."""
    old, new = _entries(base), _entries(tree)
    found = (_difference(base, tree, path, old.get(path), new.get(path)) for path in sorted(old.keys() | new.keys()))
    return tuple(each for each in found if each is not None)


def _difference(
    base: Path, tree: Path, path: str, old: os.stat_result | None, new: os.stat_result | None
) -> Difference | None:
    before = _content(base / path, old) if old else None
    after = _content(tree / path, new) if new else None
    odd = _odd(old, new)
    return None if before == after and not odd else Difference(path, before, after, odd)


def _odd(old: os.stat_result | None, new: os.stat_result | None) -> str:
    if any(each is not None and not stat.S_ISREG(each.st_mode) for each in (old, new)):
        same = old is not None and new is not None and stat.S_IFMT(old.st_mode) == stat.S_IFMT(new.st_mode)
        return "" if same else "is or becomes something other than an ordinary file"
    before, after = (bool(each and each.st_mode & stat.S_IXUSR) for each in (old, new))
    if new is not None and before != after:
        return "changes whether it can be executed"
    if new is not None and new.st_size > LARGEST_READ and (old is None or old.st_size != new.st_size):
        return "is larger than any source file"
    return ""


def _content(path: Path, status: os.stat_result) -> bytes:
    if stat.S_ISLNK(status.st_mode):
        return os.fsencode(path.readlink())
    return path.read_bytes() if stat.S_ISREG(status.st_mode) else b""


def _entries(root: Path) -> dict[str, os.stat_result]:
    entries: dict[str, os.stat_result] = {}
    waiting = [root]
    while waiting:
        with os.scandir(waiting.pop()) as found:
            for entry in found:
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(Path(entry.path))
                else:
                    entries[Path(entry.path).relative_to(root).as_posix()] = entry.stat(follow_symlinks=False)
    return entries


def _beyond(these: bytes | None, those: bytes | None) -> tuple[str, ...]:
    spare = Counter((those or b"").decode("utf-8", "replace").splitlines())
    lines = []
    for line in (these or b"").decode("utf-8", "replace").splitlines():
        if spare[line] > 0:
            spare[line] -= 1
        else:
            lines.append(line)
    return tuple(lines)
