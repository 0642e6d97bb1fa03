"""Git, as the steps need it: one target's bare mirror, outside every sandbox (P8)."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from contracts.change import ChangedPath

if TYPE_CHECKING:
    from policies.settings.schema import Target


class RepositoryError(Exception):
    """Git could not answer (unreachable remote, missing base branch, damaged object). Never means yes."""


class RemoteUnavailable(RepositoryError):
    """The remote did not answer, or broke off: it may in a moment."""


class Unrelated(RepositoryError):
    """Two commits have no history in common: one of them was rewritten from its root, or is of another repository."""


class TreeRefused(RepositoryError):
    """The commit's tree is beyond the target's limits: nothing of it was written anywhere."""


class MirrorRenewed(RepositoryError):
    """Our copy was damaged and has been made anew: what failed is worth another try."""


class RemoteForbids(RemoteUnavailable):
    """The remote answers, and does not let us in, or is elsewhere by now: a person has to mend it."""


@dataclass(frozen=True)
class TreeFacts:
    """What a tree holds."""

    files: int
    bytes: int
    suffixes: dict[str, int]


@dataclass(frozen=True)
class PointerFile:
    """A file that stands for content in git LFS."""

    text: bytes
    executable: bool


@dataclass(frozen=True)
class Landing:
    """How a commit came onto a branch: the first commit of the branch's own line that holds it."""

    commit: str
    parent: str
    """Its first parent; empty for the first commit of a history."""
    who: str
    """Name of its committer."""
    at: datetime
    author: str = ""
    """Name of its author: of a merge that a forge made, who asked for it."""


@dataclass(frozen=True)
class Survival:
    """What of a change stands in a later tree."""

    added: int
    """Lines that the change added."""
    standing: int
    """Those of them that are there."""


@dataclass(frozen=True)
class MergeResult:
    """A three-way merge made without a work tree. A conflict is a value."""

    commit: str
    tree: str
    conflicts: tuple[str, ...] = ()

    @property
    def clean(self) -> bool:
        """Whether ``commit`` and ``tree`` mean anything."""
        return not self.conflicts


class Repository(Protocol):
    """One bare repository. All commits are full hex ids; nothing here runs a repository's command."""

    def fetch_base(self) -> str:
        """Fetch the base branch from the remote and return its commit id.

        Raises:
            RepositoryError: unreachable remote, empty or shallow repository, missing base branch.
        """

    def default_branch(self) -> str | None:
        """The branch the remote itself calls its own now; None when it names none.

        Raises:
            RepositoryError: unreachable remote.
        """

    def remote_heads(self) -> dict[str, str]:
        """Every branch of the remote and where it points now.

        Raises:
            RepositoryError: unreachable remote.
        """

    def facts(self, commit: str) -> TreeFacts:
        """Count files and bytes of a commit's tree.

        Raises:
            TreeRefused: it is beyond the target's limits.
        """

    def tree_of(self, commit: str) -> str:
        """Tree id of a commit."""

    def message(self, commit: str) -> str:
        """A commit's message, whole."""

    def paths(self, commit: str) -> tuple[str, ...]:
        """All file paths of a commit, surrogateescape-decoded, sorted."""

    def gitlinks(self, commit: str) -> dict[str, str]:
        """The commits at which the submodules of a commit's tree stand, by path."""

    def pointers(self, commit: str) -> dict[str, PointerFile]:
        """The files of a commit that are pointers of git LFS, by path."""

    def read(self, commit: str, path: str) -> bytes | None:
        """A file's bytes as committed, or None."""

    def checkout(self, commit: str, into: Path) -> None:
        """Write exactly the commit's tree into the empty folder ``into`` (no .git, no filters, no eol conversion).

        Raises:
            TreeRefused: it is beyond the target's limits.
        """

    def commit_tree(self, base: str, work_tree: Path, message: str) -> str:
        """Commit what a folder holds as a child of ``base``; equal input gives an equal id (fixed identity and date).

        The folder may be hostile: nothing in it (attributes, config, hooks, a planted ``.git``) takes effect.
        """

    def changed_paths(self, base: str, head: str) -> tuple[ChangedPath, ...]:
        """Every changed entry between two commits, both sides of renames, lines counted from blobs."""

    def diff(self, base: str, head: str) -> bytes:
        """Readable patch, attributes ignored."""

    def bundle(self, base: str, head: str) -> bytes:
        """A git bundle of ``base..head``."""

    def unbundle(self, bundle: bytes, base: str, head: str) -> None:
        """Import a bundle and check that it holds ``head`` and descends from ``base``; repeating it is harmless."""

    def merge(self, base: str, head: str, message: str = "") -> MergeResult:
        """The merge commit of ``head`` into ``base``, made in the object store; equal input gives an equal id.

        With a ``message`` it is meant to land, and carries the identity of our account on the forge.
        """

    def contains(self, commit: str, earlier: str) -> bool:
        """Whether the history of ``commit`` holds ``earlier``; False for one this mirror never saw."""

    def line(self, commit: str, most: int) -> tuple[str, ...]:
        """The commit and its first parents, newest first, at most so many; empty for one this mirror never saw."""

    def together(self, commit: str, paths: Collection[str], most: int) -> dict[str, int]:
        """Other paths that were changed by commits which changed one of ``paths``, and by how many.

        Of the ``most`` newest commits on the line of first parents that ends in ``commit``.
        """

    def landing(self, commit: str, head: str) -> Landing | None:
        """How ``commit`` came onto the line of first parents that ends in ``head``; None when it did not."""

    def landed_copy(self, copy: str, change: str, head: str) -> Landing | None:
        """How ``copy``, a squashed or rebased ``change``, stands on the line of first parents that ends in ``head``.

        None when it does not, or when taking the whole change out of it does not give what was there before.
        """

    def taken_out(self, change: str, fork: str, head: str) -> frozenset[str]:
        """Paths that ``fork..change`` changed and of which ``head`` holds nothing any more: somebody undid them."""

    def commit_at(self, head: str, moment: datetime) -> str:
        """The newest commit on the line of first parents that ends in ``head`` that was committed by then.

        By committers' clocks, which are all that a history has; empty where there is none.
        """

    def survival(self, before: str, merged: str, at: str) -> Survival:
        """How many of the lines that ``before..merged`` added stand in ``at``, also in files that were renamed since.

        The history between the two is not asked: it may have been replaced.
        """

    def revert(self, merged: str, onto: str, message: str = "") -> MergeResult:
        """Undo the first-parent change of ``merged`` on top of ``onto`` by a three-way merge (P11).

        ``message`` as for ``merge``.
        """

    def move(self, branch: str, new: str, old: str) -> bool:
        """Compare-and-swap a branch of this bare repository; False when it was not at ``old``.

        ``old`` empty: the branch must not exist yet.
        """

    def scratch(self) -> AbstractContextManager[Repository]:
        """A throw-away bare clone sharing nothing writable with this one."""

    def anchor(self, name: str, value: str) -> None:
        """Keep a short text under a private ref of the mirror, never pushed (P10)."""

    def anchored(self, name: str) -> str | None:
        """What ``anchor`` kept, or None."""

    def anchors(self) -> dict[str, str]:
        """Everything that ``anchor`` keeps, by name."""


OpenRepository = Callable[["Target"], Repository]
