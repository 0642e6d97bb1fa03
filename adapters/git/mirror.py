"""One target's bare mirror: ports.repository on our own trusted git folder."""

from __future__ import annotations

import functools
import hashlib
import os
import re
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from adapters.forges.http.address import our_author
from adapters.git import merging, objects, survival, transfer, worktree
from adapters.git.environment import ClosedGit, branch_name, commit_id
from adapters.git.healing import ANCHORS, aside_of, damage, heal, healing, readable_anchors, set_aside
from adapters.git.partial_clone import PromisedContents, merged_from
from adapters.git.private import PRIVATE, identity, locked, private_folder
from adapters.git.remotes import checked_remote, default_branch, remote_heads
from contracts.change import ChangedPath
from policies.paths.base_limits import BaseLimits
from ports.removal import remove_tree
from ports.repository import Landing, MergeResult, MirrorRenewed, RepositoryError, Survival, TreeFacts

if TYPE_CHECKING:  # a child that writes starts at every effect: what it does not read, it does not import
    from datetime import datetime

    from policies.settings.schema import Target
    from ports.repository import PointerFile

_ABSENT = "0" * 40
_LARGEST_READ = 64 << 20
"""Bytes of a file that is read into memory: settings and requirements, never data."""
Credential = Callable[[], Mapping[str, str]]


@healing("scratch", "renew_if_damaged", "catch_up", "damage")
class Mirror:
    """A bare repository that appears on first use; any number of threads and processes may share it.

    No remote is configured in it: the address is an argument of each command, so no credential stays on disk.
    """

    def __init__(
        self,
        path: Path,
        remote: str,
        base_branch: str,
        credential: Credential = dict,
        *,
        partial: bool = False,
        promised: PromisedContents | None = None,
        limits: BaseLimits | None = None,
        heals: bool = False,
        author: merging.Author = merging.NOBODY,
    ) -> None:
        """Remember where; refuse a remote git could read as an option or a program.

        ``credential`` gives the variables that let git read the remote; asked for with each command that does.
        ``partial``: fetch the base without file contents; each method then fetches those it needs, through
        ``promised`` if our objects are another mirror's. ``heals``: once damaged or deleted, it is fetched anew.
        ``author``: of commits that are meant to land.
        """
        self.heals = heals
        self._author = author
        self._path = path.absolute()
        self._remote = checked_remote(remote)
        self._base_branch = branch_name(base_branch)
        self._closed = ClosedGit(self._path)
        self._credential = credential
        self._partial = partial
        self._limits = limits or BaseLimits()
        self._promised = promised or PromisedContents(self._closed, lambda: self._reaching_out, self._remote)

    @property
    def path(self) -> Path:
        """The git folder, created if need be."""
        return self._git.git_dir

    @property
    def _git(self) -> ClosedGit:
        if not (self._path / "HEAD").exists():
            with locked(self._path.with_name(f"{self._path.name}.lock")):
                self._create()
        return self._closed

    @property
    def _reaching_out(self) -> ClosedGit:
        return replace(self._git, secret=self._credential())

    def _create(self) -> None:
        if (self._path / "HEAD").exists():
            return
        files = _blank(os.environ.get("PATH", ""))
        # One name for each mirror: what a killed creator left is taken away by the next one, under the same lock.
        fresh = self._path.with_name(f".new-{self._path.name}")
        if fresh.exists():
            remove_tree(fresh)
        fresh.mkdir(mode=0o700)
        try:
            for name, body in files.items():
                (fresh / name).parent.mkdir(parents=True, exist_ok=True)
                (fresh / name).write_bytes(body)
            for name in ("objects/info", "objects/pack", "refs/heads", "refs/tags"):
                (fresh / name).mkdir(parents=True)
            # The rename publishes a whole mirror: a killed creator leaves none that is half made.
            fresh.rename(self._path)
        finally:
            remove_tree(fresh)

    def fetch_base(self) -> str:
        """Fetch the base branch and return its commit."""
        return self._fetch_base()

    def _fetch_base(self) -> str:
        git = self._reaching_out
        with locked(self._path / "fetch.lock"):
            return transfer.fetch_branch(git, self._remote, self._base_branch, partial=self._partial)

    def remote_heads(self) -> dict[str, str]:
        """Every branch of the remote and where it points now."""
        return remote_heads(self._reaching_out, self._remote)

    def default_branch(self) -> str | None:
        """The branch the remote's HEAD names now."""
        return default_branch(self._reaching_out, self._remote)

    def merged(self, heads: frozenset[str], base: str) -> frozenset[str]:
        """Those of ``heads`` that the history of ``base`` holds; a commit this mirror never saw is not among them."""
        if not heads:
            return frozenset()
        wanted = "".join(f"{commit_id(head)}\n" for head in sorted(heads))
        listing = self._git.run("cat-file", "--batch-check", stdin=wanted.encode()).text.splitlines()
        known = {line.split(" ")[0] for line in listing if line.split(" ")[1] == "commit"}
        outside = self._git.run("rev-list", *sorted(known), f"^{commit_id(base)}").text.split() if known else []
        return frozenset(known.difference(outside))

    def since(self, old: str, new: str) -> frozenset[str] | None:
        """Commits that came into the history of ``new`` after ``old``; None where it does not hold that."""
        span = f"{commit_id(old)}...{commit_id(new)}"
        answer = self._git.run("rev-list", "--left-right", span, accept=(0, 128))
        found = answer.text.split()
        lost = answer.code or any(commit.startswith("<") for commit in found)
        return None if lost else frozenset(commit.removeprefix(">") for commit in found)

    def holds(self, commit: str) -> bool:
        """Whether the commit is here already."""
        return transfer.holds(self._git, commit)

    @property
    def may_lack_contents(self) -> bool:
        """Whether this mirror was ever fetched without file contents."""
        return self._promised.may_be_missing()

    def complete(self, *commits: str) -> None:
        """Fetch what these commits' trees lack, if this mirror is partial; a RepositoryError if that is not given."""
        if self.may_lack_contents:
            self._promised.complete(self._git, commits)

    def facts(self, commit: str) -> TreeFacts:
        """Count files and bytes of a commit's tree."""
        if self.may_lack_contents:
            # Sizes are known with the contents only: what is refused by its names alone is never fetched.
            objects.tree_facts(self._git, commit, self._limits, sizes=False)
            self.complete(commit)
        return objects.tree_facts(self._git, commit, self._limits)

    def _demand_within_limits(self, commit: str) -> None:
        if not objects.is_within(commit, self._limits):
            self.facts(commit)

    def tree_of(self, commit: str) -> str:
        """Tree id of a commit."""
        return merging.tree_of(self._git, commit)

    def message(self, commit: str) -> str:
        """A commit's message."""
        return self._git.run("show", "--no-patch", "--format=%B", commit_id(commit)).out.decode(errors="replace")

    def paths(self, commit: str) -> tuple[str, ...]:
        """All file paths of a commit."""
        self._demand_within_limits(commit)
        listing = self._git.run("ls-tree", "-r", "-z", "--name-only", commit_id(commit)).out
        return tuple(sorted(listing.decode(errors="surrogateescape").split("\0")[:-1]))

    def gitlinks(self, commit: str) -> dict[str, str]:
        """Where a commit's submodules stand, by path."""
        found = worktree.gitlinks_of(self._git, commit)
        return {os.fsdecode(path): sha.decode() for path, sha in found.items()}

    def pointers(self, commit: str) -> dict[str, PointerFile]:
        """The files of a commit that are pointers of git LFS, by path."""
        self.complete(commit)
        return objects.pointers(self._git, commit)

    def read(self, commit: str, path: str) -> bytes | None:
        """A file's bytes as committed, or None."""
        query = f"{commit_id(commit)}\0{commit}:{path}\0".encode(errors="surrogateescape")
        if "\0" in path or not path or path.startswith(("./", "../")):
            return None
        if self.may_lack_contents and self.holds(commit):
            self.complete(commit)
        answer = self._git.run("cat-file", "--batch", "-z", stdin=query, most=_LARGEST_READ).out
        found, _, rest = answer.partition(b"\n")
        if found.split(b" ")[1] != b"commit":
            raise RepositoryError(f"commit {commit} is not in the mirror: fetch the base again")
        header, _, body = rest[int(found.split(b" ")[2]) + 1 :].partition(b"\n")
        kind = re.fullmatch(rb"[0-9a-f]{40} blob (\d+)", header)
        return body[: int(kind[1])] if kind else None

    def checkout(self, commit: str, into: Path) -> None:
        """Write exactly the commit's tree into the empty folder ``into``."""
        self._demand_within_limits(commit)
        self.complete(commit)
        with self._index() as index:
            worktree.checkout(self._git, commit, into, index)

    def commit_tree(self, base: str, work_tree: Path, message: str) -> str:
        """Commit what a hostile folder holds as a child of ``base``."""
        self.complete(base)
        with self._index() as index:
            made = worktree.commit_tree(self._git, base, work_tree, message, index)
        objects.remember(made, self._limits)  # of a folder on our own disk: it can be written there again
        return made

    @contextmanager
    def _index(self) -> Iterator[Path]:
        with private_folder(self.path / PRIVATE) as folder:
            yield folder / "index"

    def changed_paths(self, base: str, head: str) -> tuple[ChangedPath, ...]:
        """Every changed entry between two commits, lines counted from blobs."""
        self.complete(base, head)
        return objects.changed_paths(self._git, base, head)

    def diff(self, base: str, head: str) -> bytes:
        """Readable patch, attributes ignored."""
        self.complete(base, head)
        fixed = ("diff-tree", "-r", "-p", "--full-index", "--no-renames", "--no-ext-diff", "--no-textconv")
        return self._git.run(*fixed, commit_id(base), commit_id(head)).out

    def bundle(self, base: str, head: str) -> bytes:
        """A git bundle of ``base..head``."""
        if self.may_lack_contents:
            self.complete(*merging.between(self._git, base, head), base)
        return transfer.bundle(self._git, base, head)

    def unbundle(self, bundle: bytes, base: str, head: str) -> None:
        """Import a bundle and check that it holds ``head`` and descends from ``base``."""
        self.complete(base)
        transfer.unbundle(self._git, bundle, base, head)

    def merge(self, base: str, head: str, message: str = "") -> MergeResult:
        """The merge commit of ``head`` into ``base``; see ports.repository."""
        if self.may_lack_contents:
            self.complete(*merged_from(self._git, base, head))
        made = merging.merge(self._git, base, head, self._said(message))
        if objects.is_within(base, self._limits) and objects.is_within(head, self._limits):
            objects.remember(made.commit, self._limits)
        return made

    def contains(self, commit: str, earlier: str) -> bool:
        """Whether the history of ``commit`` holds ``earlier``."""
        return self.holds(earlier) and merging.is_ancestor(self._git, earlier, commit)

    def line(self, commit: str, most: int) -> tuple[str, ...]:
        """The commit and its first parents, newest first; see ports.repository."""
        if not self.holds(commit):
            return ()
        found = self._git.run("rev-list", "--first-parent", f"--max-count={most}", commit_id(commit)).text
        return tuple(found.split())

    def together(self, commit: str, paths: Collection[str], most: int) -> dict[str, int]:
        """What was changed together with some paths; see ports.repository."""
        return merging.together(self._git, commit_id(commit), frozenset(paths), most)

    def landing(self, commit: str, head: str) -> Landing | None:
        """The first commit of the branch's own line that holds ``commit``."""
        return merging.landing(self._git, commit_id(commit), commit_id(head)) if self.contains(head, commit) else None

    def landed_copy(self, copy: str, change: str, head: str) -> Landing | None:
        """How a squashed or rebased ``change`` stands on the branch's own line."""
        if not (self.holds(change) and self.contains(head, copy)):
            return None
        if self.may_lack_contents:
            self.complete(change, copy, *filter(None, merging.before_copy(self._git, copy, change)))
        return merging.landed_copy(self._git, commit_id(copy), commit_id(change), commit_id(head))

    def taken_out(self, change: str, fork: str, head: str) -> frozenset[str]:
        """Paths of ``fork..change`` of which ``head`` holds nothing any more."""
        if self.may_lack_contents:
            self.complete(change, fork, head)
        return merging.taken_out(self._git, commit_id(change), commit_id(fork), commit_id(head))

    def commit_at(self, head: str, moment: datetime) -> str:
        """The branch's own line as it was at a moment."""
        return survival.commit_at(self._git, head, moment)

    def survival(self, before: str, merged: str, at: str) -> Survival:
        """How much of what ``before..merged`` added stands in ``at``."""
        self.complete(before, merged, at)
        return survival.survival(self._git, before, merged, at)

    def revert(self, merged: str, onto: str, message: str = "") -> MergeResult:
        """Undo the first-parent change of ``merged`` on top of ``onto``."""
        if self.may_lack_contents:
            self.complete(onto, merged, merging.first_parent(self._git, merged) or merged)
        return merging.revert(self._git, merged, onto, self._said(message))

    def _said(self, message: str) -> merging.CommitWords | None:
        return merging.CommitWords(message, self._author) if message else None

    def move(self, branch: str, new: str, old: str) -> bool:
        """Compare-and-swap a branch of this repository; ``old`` empty: it must not exist yet."""
        return self._swap(f"refs/heads/{branch_name(branch)}", commit_id(new), commit_id(old or _ABSENT))

    def _swap(self, ref: str, new: str, old: str) -> bool:
        answer = self._git.run("update-ref", ref, new, old, accept=(0, 1, 128))
        if answer.code == 0:
            return True
        if (self._ref(ref) or _ABSENT) == old:
            raise RepositoryError(f"{ref} could not be moved: {answer.error}")
        return False

    def _ref(self, ref: str) -> str | None:
        return self._git.run("rev-parse", "--verify", "--quiet", ref, accept=(0, 1)).text or None

    @contextmanager
    def scratch(self) -> Iterator[Mirror]:
        """A throw-away repository that only reads this one's objects; its base branch stands where ours does.

        Raises:
            MirrorRenewed: what failed in it failed because this mirror was damaged; it is new, so try again.
        """
        try:
            with self._scratch() as clone:
                yield clone
        except (RepositoryError, OSError) as problem:
            if self.heals and heal(self, problem, 1):
                raise MirrorRenewed(f"the mirror was damaged, and is new by now: {problem}") from problem
            raise

    @contextmanager
    def _scratch(self) -> Iterator[Mirror]:
        with private_folder(self.path / PRIVATE) as folder:
            place, promised, limits = folder / "scratch.git", self._promised, self._limits
            clone = Mirror(place, str(self.path), self._base_branch, promised=promised, limits=limits)
            alternates = clone.path / "objects" / "info" / "alternates"
            alternates.write_text(f"{self.path / 'objects'}\n")
            if base := self._ref(transfer.base_ref(self._base_branch)):
                # Nobody else knows this repository yet: a file is a ref.
                ref = clone.path / "refs" / "heads" / branch_name(self._base_branch)
                ref.parent.mkdir(parents=True, exist_ok=True)
                ref.write_text(f"{base}\n")
            yield clone

    def damage(self, seconds: float) -> str:
        """What is wrong with it, looked for that long; empty: nothing, or there is none yet."""
        return damage(self._path, transfer.base_ref(self._base_branch), seconds)

    @property
    def aside(self) -> Path:
        """Where a damaged one is kept, once one was found."""
        return aside_of(self._path)

    def renew_if_damaged(self) -> bool:
        """Look; whether it was damaged, was set aside, and is new by now."""
        before = identity(self._path)
        with locked(self._path.with_name(f"{self._path.name}.healing")):
            if before and before != identity(self._path):
                # Somebody else met the damage, too.
                return True
            found = damage(self._path, transfer.base_ref(self._base_branch))
            if not found:
                return False
            for name, value in readable_anchors(set_aside(self._path, found)):
                self._anchor(name, value)
            self._fetch_base()
        return True

    def catch_up(self) -> None:
        """Fetch the base, as somebody asks for what is not here."""
        self._fetch_base()

    def anchor(self, name: str, value: str) -> None:
        """Keep a short text under a private ref, never pushed."""
        self._anchor(name, value)

    def _anchor(self, name: str, value: str) -> None:
        ref = f"{ANCHORS}/{branch_name(name)}"
        blob = objects.write_blob(self._git, value.encode())
        self._git.run("update-ref", ref, blob)

    def anchored(self, name: str) -> str | None:
        """What ``anchor`` kept, or None."""
        ref = f"{ANCHORS}/{branch_name(name)}"
        if kept := objects.contents(self._git, (ref,)):
            return kept[ref].decode()
        # Not there, or not whole any more, which is an error.
        return self._git.run("cat-file", "blob", blob).out.decode() if (blob := self._ref(ref)) else None

    def anchors(self) -> dict[str, str]:
        """Everything that ``anchor`` keeps, by name."""
        listed = self._git.run("for-each-ref", "--format=%(refname) %(objectname)", ANCHORS).text.splitlines()
        blobs = dict(line.removeprefix(f"{ANCHORS}/").split(" ") for line in listed)
        kept = objects.contents(self._git, blobs.values())
        if lost := set(blobs.values()) - kept.keys():
            raise RepositoryError(f"missing blob {min(lost)}: an anchor of the mirror is not whole")
        return {name: kept[blob].decode() for name, blob in blobs.items()}


@functools.cache
def _blank(_path: str) -> dict[str, bytes]:
    """The files of an empty repository of ours, as the git that ``_path`` leads to makes them; asked once."""
    with tempfile.TemporaryDirectory() as folder:
        git = ClosedGit(Path(folder))
        merging.demand_new_enough(git)
        git.run("init", "--quiet", "--bare", "--template=", "--object-format=sha1", "--initial-branch=none")
        made = {name: (git.git_dir / name).read_bytes() for name in ("HEAD", "config")}
    return made | {"info/attributes": worktree.NEUTRAL_ATTRIBUTES.encode()}


def open_mirror(
    root: Path, credential: Callable[[Target], Mapping[str, str]] = lambda _target: {}
) -> Callable[[Target], Mirror]:
    """Mirrors under ``root``, one per target and remote: a changed address never meets another's objects.

    ``credential`` gives the variables that let git read a target's remote.
    """

    def opened(target: Target) -> Mirror:
        place = hashlib.sha256(os.fsencode(target.remote)).hexdigest()[:12]
        path = root / f"{target.name}-{place}.git"
        read = functools.partial(credential, target)
        return Mirror(
            path,
            target.remote,
            target.base_branch,
            read,
            partial=target.partial_clone,
            limits=target.limits,
            heals=True,
            author=our_author(target),
        )

    return opened
