"""A mirror that was damaged or deleted: recognised by whoever meets it, set aside, fetched anew.

Everything in a mirror comes from the remote or from artifacts but the audit log's anchors: those that can still be read
are taken along, and the damaged folder stays beside the new one for whoever wants to know what happened.
"""

import functools
import inspect
import logging
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol, TypeVar

from adapters.git.environment import ClosedGit
from adapters.git.partial_clone import may_lack_contents
from policies.counted import shortened
from ports.removal import remove_tree
from ports.repository import RepositoryError

ANCHORS = "refs/autonomy/anchors"
_DAMAGED = re.compile(
    r"corrupt|inflate|unable to unpack|is empty|too small|mismatch|bad signature|garbage|packfile|loose object"
    r"|broken|bad config|not a git repository|unable to read|unable to parse|bad ref|missing (blob|tree|commit)"
    r"|did not send all|No such file or directory|Not a directory|Directory not empty",
    re.IGNORECASE,
)
"""What git says of damage, among other things: whether it is, a look at the mirror decides."""
_ABSENT = re.compile(
    r"is not in the mirror|bad object|bad revision|not a valid|not a tree object|could not parse"
    r"|unknown revision|could not get|bad tree|failed to traverse|failed to unpack tree|not something we can merge",
    re.IGNORECASE,
)
"""Of a commit that is not here: the mirror is younger than the question, or it is damaged."""
_PATIENCE = 300.0
_TRIES = 3
_LOG = logging.getLogger(__name__)


def damage(git_dir: Path, base_ref: str, seconds: float = _PATIENCE) -> str:
    """What is wrong with a mirror; empty: nothing, or there is none yet.

    Everything is read and compared with its digest, so this takes time in proportion to the repository; of one that is
    fetched without contents only what it should hold is looked for.
    """
    if not git_dir.exists():
        return ""
    lost = [name for name in ("HEAD", "objects", "refs", "config") if not (git_dir / name).exists()]
    if lost:
        return f"{', '.join(lost)} is missing"
    git = ClosedGit(git_dir)
    try:
        listed = git.run("for-each-ref", "--format=%(refname)")
        if listed.error:
            return shortened(listed.error, 500)
        if base_ref not in listed.text.split():
            return ""
        if may_lack_contents(git):
            git.run("rev-list", "--objects", "--quiet", "--missing=allow-any", base_ref, seconds=seconds)
        else:
            git.run("fsck", "--full", "--no-dangling", "--no-progress", "--no-reflogs", seconds=seconds)
    except RepositoryError as problem:
        return shortened(" ".join(str(problem).split()), 500)
    return ""


def aside_of(git_dir: Path) -> Path:
    """Where a damaged mirror is kept; a later one takes the place of an earlier."""
    return git_dir.with_name(f"{git_dir.name}.damaged")


def set_aside(git_dir: Path, found: str) -> Path:
    """Move a damaged mirror out of the way, in place of the one that was moved before it; where it is now."""
    aside = aside_of(git_dir)
    remove_tree(aside)
    git_dir.rename(aside)
    _LOG.warning("the mirror %s was damaged (%s): it is kept as %s, and fetched anew", git_dir, found, aside)
    return aside


def readable_anchors(git_dir: Path) -> Iterator[tuple[str, str]]:
    """Heads of audit logs that a damaged mirror still tells."""
    git = ClosedGit(git_dir)
    try:
        listed = git.run("for-each-ref", "--format=%(refname) %(objectname)", ANCHORS).text.splitlines()
    except RepositoryError:
        return
    for line in listed:
        ref, blob = line.split(" ")
        try:
            yield ref.removeprefix(f"{ANCHORS}/"), git.run("cat-file", "blob", blob).out.decode()
        except RepositoryError:
            _LOG.warning("the anchor %s is lost with its mirror", ref)


class Healing(Protocol):
    """What can be made whole."""

    def renew_if_damaged(self) -> bool:
        """Look; whether it was damaged, and is new by now."""

    def catch_up(self) -> None:
        """Fetch the base, as somebody asks for what is not here."""


def heal(mirror: Healing, problem: Exception, tried: int) -> bool:
    """Make a mirror whole if this failure was its own: whether it is worth another try.

    Raises:
        RemoteUnavailable: it is damaged, or young, and cannot be fetched now.
    """
    message = str(problem)
    if _DAMAGED.search(message) or (tried and _ABSENT.search(message)):
        return mirror.renew_if_damaged()
    if _ABSENT.search(message):
        try:
            mirror.catch_up()
        except RepositoryError as worse:
            return heal(mirror, worse, tried + 1)
        return True
    return False


Class = TypeVar("Class", bound=type)


def healing(*but: str) -> Callable[[Class], Class]:
    """Give every public method of a class another try where it failed because the mirror is damaged or gone."""

    def decorated(cls: Class) -> Class:
        for name, method in inspect.getmembers(cls, inspect.isfunction):
            if not name.startswith("_") and name not in but:
                setattr(cls, name, _again(method))
        return cls

    return decorated


def _again(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def tried(self: Any, *arguments: Any, **named: Any) -> Any:
        for done in range(_TRIES):
            try:
                return method(self, *arguments, **named)
            except (RepositoryError, OSError) as problem:
                if not self.heals or done == _TRIES - 1 or not heal(self, problem, done):
                    raise
        raise AssertionError("unreachable")

    return tried
