"""Between commits and folders. The folder may be hostile; every call has an index file of its own."""

import os
from pathlib import Path

from adapters.git.environment import ClosedGit, commit_id
from adapters.git.merging import commit, committed_at
from ports.repository import RepositoryError

NEUTRAL_ATTRIBUTES = (
    "* -text !eol -crlf -ident -filter !working-tree-encoding !diff !merge !conflict-marker-size"
    " !export-ignore !export-subst !whitespace\n"
)
"""``info/attributes`` of the mirror wins over every attribute in a tree. ``!`` where unset would itself change
something (``-merge`` always conflicts, ``-diff`` means binary, ``-working-tree-encoding`` is an error)."""

_LEFT_OUT = ("__pycache__", ".ruff_cache", ".pytest_cache", ".mypy_cache")
_GITLINK = b"160000 "
_GITLINK_IN_INDEX = b"\x00\x00\xe0\x00"
"""The mode of a submodule as every index version stores it: where it is absent, listing the tree can be spared."""
_ABSENT = "0" * 40


def checkout(git: ClosedGit, commit_sha: str, into: Path, index: Path) -> None:
    """Write the commit's tree, byte for byte, into an empty folder, made if missing."""
    into.mkdir(parents=True, exist_ok=True)
    if any(into.iterdir()):
        raise RepositoryError(f"{into} is not empty: a checkout would mix with what is there")
    places = {"GIT_INDEX_FILE": str(index), "GIT_WORK_TREE": str(into.resolve())}
    git.run("read-tree", "--reset", "-u", commit_id(commit_sha), environment=places)


def commit_tree(git: ClosedGit, base: str, work_tree: Path, message: str, index: Path) -> str:
    """Commit what a hostile folder holds as a child of ``base``."""
    places = {"GIT_INDEX_FILE": str(index), "GIT_WORK_TREE": str(work_tree.resolve())}
    git.run("read-tree", commit_id(base), environment=places)
    gitlinks = gitlinks_of(git, base) if _GITLINK_IN_INDEX in index.read_bytes() else {}
    if gitlinks:
        # For a submodule it knows, `git add` starts `git status` inside, under the configuration the hostile
        # folder brings (seen to run its filters). For one it does not know, it only reads HEAD.
        gone = b"".join(b"0 %s\t%s\0" % (_ABSENT.encode(), path) for path in gitlinks)
        git.run("update-index", "-z", "--index-info", stdin=gone, environment=places)
    left_out = [f":(exclude,glob)**/{name}/**" for name in _LEFT_OUT]
    git.run("-c", "advice.addEmbeddedRepo=false", "add", "--all", "--", ":/", *left_out, environment=places)
    if gitlinks:
        _restore(git, gitlinks, work_tree, places)
    tree = git.run("write-tree", environment=places).text
    return commit(git, tree, (base,), message, committed_at(git, base) + 1)


def gitlinks_of(git: ClosedGit, commit_sha: str) -> dict[bytes, bytes]:
    """Where a commit's submodules stand, by path."""
    listing = git.run("ls-tree", "-r", "-d", "-z", commit_id(commit_sha)).out  # -d: folders and submodules only
    entries = (entry.partition(b"\t") for entry in listing.split(b"\0") if entry.startswith(_GITLINK))
    return {path: facts.split(b" ")[2] for facts, _, path in entries}


def _restore(git: ClosedGit, gitlinks: dict[bytes, bytes], work_tree: Path, places: dict[str, str]) -> None:
    """Put back the submodules nobody touched: an empty folder is how a checkout shows one."""
    untouched = [(path, sha) for path, sha in gitlinks.items() if _is_empty_folder(work_tree, path)]
    back = b"".join(b"160000 %s\t%s\0" % (sha, path) for path, sha in untouched)
    git.run("update-index", "-z", "--index-info", stdin=back, environment=places)


def _is_empty_folder(work_tree: Path, path: bytes) -> bool:
    folder = os.fsencode(work_tree.resolve())
    for part in path.split(b"/"):
        folder = os.path.join(folder, part)  # noqa: PTH118 - bytes, as git names them
        if os.path.islink(folder) or not os.path.isdir(folder):  # noqa: PTH114, PTH112
            return False
    return not os.listdir(folder)  # noqa: PTH208
