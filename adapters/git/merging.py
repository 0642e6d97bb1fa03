"""Commits made in the object store: no work tree, no index, no hook."""

import re
from collections import Counter
from datetime import UTC, datetime
from typing import NamedTuple

from adapters.git.environment import ClosedGit, commit_id
from adapters.git.objects import CommitFacts, commit_facts, learn_commit
from ports.repository import Landing, MergeResult, RepositoryError, Unrelated


class Author(NamedTuple):
    """Who a commit is by."""

    name: str
    email: str


class CommitWords(NamedTuple):
    """What a commit that is meant to land says, and who says it."""

    message: str
    author: Author


NOBODY = Author("Autonomy", "autonomy@localhost.invalid")
_RELATING = 40
"""Files; a commit that changed more of them says nothing of any two."""
_OLDEST_GIT = (2, 38)
"""Its `merge-tree` writes trees."""


def commit(
    git: ClosedGit, tree: str, parents: tuple[str, ...], message: str, seconds: int, author: Author = NOBODY
) -> str:
    """Make a commit with a fixed identity, dated ``seconds`` after the epoch: equal input gives an equal id."""
    date = f"@{seconds} +0000"
    identity = {
        f"GIT_{who}_{what}": value
        for who in ("AUTHOR", "COMMITTER")
        for what, value in (("NAME", author.name), ("EMAIL", author.email), ("DATE", date))
    }
    named = [part for parent in parents for part in ("-p", parent)]
    made = git.run("commit-tree", tree, *named, stdin=message.encode(), environment=identity).text
    learn_commit(git, made, CommitFacts(tree, parents, seconds))
    return made


def committed_at(git: ClosedGit, *commits: str) -> int:
    """The latest committer date of some commits, in seconds: our own dates come from these, never from a clock."""
    return max(each.seconds for each in commit_facts(git, *commits))


def tree_of(git: ClosedGit, place: str) -> str:
    """The tree of a commit."""
    return commit_facts(git, place)[0].tree


def is_ancestor(git: ClosedGit, old: str, new: str) -> bool:
    """Whether ``new`` holds ``old`` in its history."""
    return git.run("merge-base", "--is-ancestor", commit_id(old), commit_id(new), accept=(0, 1)).code == 0


def between(git: ClosedGit, base: str, head: str) -> list[str]:
    """The commits that ``head`` holds and ``base`` does not, newest first."""
    return git.run("rev-list", commit_id(head), f"^{commit_id(base)}").text.split()


def landing(git: ClosedGit, commit: str, head: str) -> Landing:
    """How ``commit``, which ``head`` holds, came onto the line of first parents that ends in ``head``."""
    line = git.run("rev-list", "--first-parent", f"^{commit}", head).text.split()
    # Some of these were there before: the oldest one that holds it brought it. None: it was itself moved onto the line.
    holders = [each for each in line if is_ancestor(git, commit, each)]
    return _shown(git, holders[-1] if holders and first_parent(git, holders[-1]) != commit else commit)


def _shown(git: ClosedGit, brought: str) -> Landing:
    shown = git.run("show", "--no-patch", "--format=%P%x00%cn%x00%ct%x00%an", brought).out.decode(errors="replace")
    parents, who, seconds, author = shown.strip().split("\0")
    return Landing(brought, parents.split(" ")[0], who, datetime.fromtimestamp(int(seconds), UTC), author)


def landed_copy(git: ClosedGit, copy: str, change: str, head: str) -> Landing | None:
    """How ``copy`` stands on the line of first parents that ends in ``head``, if it brought exactly ``change``."""
    before, fork = before_copy(git, copy, change)
    if not fork or copy not in git.run("rev-list", "--first-parent", head).text.split():
        return None
    # The last of several rebased commits brought less than the change: taking that out gives less than was there
    # before the commit.
    tree, conflicts = _without(git, copy, change, fork)
    return _shown(git, copy) if not conflicts and tree == tree_of(git, before) else None


def taken_out(git: ClosedGit, change: str, fork: str, head: str) -> frozenset[str]:
    """Paths that ``fork..change`` changed and of which ``head`` holds nothing any more: somebody undid them."""
    tree, conflicts = _without(git, head, change, fork)
    held = changed_names(git, tree_of(git, head), tree) | frozenset(conflicts)
    there, before = names_of(git, head), names_of(git, fork)
    # What was renamed or removed since is no undoing: whether it is there must be as it was before the change.
    return frozenset(path for path in changed_names(git, fork, change) - held if (path in there) == (path in before))


def _without(git: ClosedGit, place: str, change: str, fork: str) -> tuple[str, tuple[str, ...]]:
    """The tree of ``place`` with ``fork..change`` taken out, and what conflicts."""
    # As in `revert`: children of the change make it the only merge base.
    date = committed_at(git, place, change)
    landed, undone = (commit(git, tree_of(git, tree), (change,), "copy\n", date) for tree in (place, fork))
    return merge_tree(git, landed, undone)


def changed_names(git: ClosedGit, one: str, other: str) -> frozenset[str]:
    """Paths in which two trees differ."""
    return _names(git.run("diff-tree", "-r", "-z", "--name-only", "--no-renames", one, other).out)


def names_of(git: ClosedGit, commit: str) -> frozenset[str]:
    """All file paths of a commit."""
    return _names(git.run("ls-tree", "-r", "-z", "--name-only", commit_id(commit)).out)


def together(git: ClosedGit, commit: str, paths: frozenset[str], most: int) -> dict[str, int]:
    """Other paths that a commit changed which changed one of these, and how many commits did.

    Of the ``most`` newest commits on the branch's own line; one that changed a great deal relates nothing.
    """
    fixed = ("log", "--first-parent", "-m", "--no-renames", "--name-only", "-z", "--format=%x01")
    listed = git.run(*fixed, f"--max-count={most}", commit, "--").out
    changes = [_names(each.strip(b"\n")) for each in listed.split(b"\x01\0")]
    met = (names for names in changes if len(names) <= _RELATING and names & paths)
    return dict(Counter(name for names in met for name in names - paths))


def _names(listed: bytes) -> frozenset[str]:
    return frozenset(name.decode(errors="surrogateescape") for name in listed.split(b"\0") if name)


def before_copy(git: ClosedGit, copy: str, change: str) -> tuple[str, str]:
    """The first parent of ``copy``, and where ``change`` left that one's history; empty where there is none."""
    before = first_parent(git, copy)
    return before, before and git.run("merge-base", before, commit_id(change), accept=(0, 1)).text


def first_parent(git: ClosedGit, child: str) -> str:
    """The first parent of a commit; empty for the first commit of a history."""
    return git.run("rev-parse", "--verify", "--quiet", f"{commit_id(child)}^1", accept=(0, 1)).text


def merge(git: ClosedGit, base: str, head: str, wording: CommitWords | None = None) -> MergeResult:
    """The merge commit of ``head`` into ``base``."""
    (change,) = commit_facts(git, head)
    # Right on top of the base there is nothing to merge: the result holds what the head does.
    tree, conflicts = (change.tree, ()) if change.parents == (base,) else merge_tree(git, commit_id(base), head)
    if conflicts:
        return MergeResult(commit="", tree="", conflicts=conflicts)
    message, author = wording or CommitWords(f"Merge {head}\n", NOBODY)
    made = commit(git, tree, (base, head), message, committed_at(git, base, head), author)
    return MergeResult(commit=made, tree=tree)


def revert(git: ClosedGit, merged: str, onto: str, wording: CommitWords | None = None) -> MergeResult:
    """Undo what ``merged`` changed against its first parent, on top of ``onto``."""
    parents = commit_facts(git, merged)[0].parents
    if merged != onto and not is_ancestor(git, merged, onto):
        raise RepositoryError(f"{merged} cannot be reverted on {onto}: it is not in its history")
    if not parents:
        raise RepositoryError(f"{merged} cannot be reverted: it is the first commit")
    before, date = tree_of(git, parents[0]), committed_at(git, onto)
    # merge-tree takes no --merge-base before git 2.45. A child of the bad commit that holds the tree before it
    # makes the bad commit the only merge base, and the merge exactly its undoing.
    undone = commit(git, before, (merged,), "undo\n", date)
    tree, conflicts = merge_tree(git, onto, undone)
    if conflicts:
        return MergeResult(commit="", tree="", conflicts=conflicts)
    plain = f"Revert {merged}\n\nThis restores what was there before commit {merged}.\n"
    message, author = wording or CommitWords(plain, NOBODY)
    return MergeResult(commit=commit(git, tree, (onto,), message, date, author), tree=tree)


_UNRELATED = "unrelated histories"


def merge_tree(git: ClosedGit, ours: str, theirs: str) -> tuple[str, tuple[str, ...]]:
    """The tree of a merge, and the paths that conflict."""
    answer = git.run(
        "merge-tree", "--write-tree", "-z", "--name-only", "--no-messages", ours, theirs, accept=(0, 1, 128)
    )
    tree, *names = answer.out.split(b"\0")
    if answer.code == 0:
        return tree.decode(), ()
    if not tree and _UNRELATED in answer.error:
        raise Unrelated(f"{ours} and {theirs} have no history in common")
    if not tree:
        # It could not begin (a commit is not here): that is no conflict (P13).
        raise RepositoryError(f"git merge-tree failed ({answer.code}): {answer.error or 'no message'}")
    conflicts = tuple(sorted({name.decode(errors="surrogateescape") for name in names if name}))
    return tree.decode(), conflicts or ("(conflict without a path)",)


def demand_new_enough(git: ClosedGit) -> None:
    """Refuse a git that cannot do it.

    Raises:
        RepositoryError: it is older.
    """
    output = git.run("version").text
    found = re.search(r"(\d+)\.(\d+)", output)
    if found is None or (int(found[1]), int(found[2])) < _OLDEST_GIT:
        raise RepositoryError(f"git {_OLDEST_GIT[0]}.{_OLDEST_GIT[1]} or newer is needed; this is {output!r}")
