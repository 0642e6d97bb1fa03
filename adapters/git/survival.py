"""What of a change still stands in a later tree: line by line, under whatever name its files have by then."""

import re
from datetime import datetime

from adapters.git.environment import ClosedGit, commit_id
from adapters.git.objects import changed_paths, contents
from ports.repository import RepositoryError, Survival

_HUNK = re.compile(rb"^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@", re.MULTILINE)
_NONE = "0" * 40
_LINK = "160000"


def commit_at(git: ClosedGit, head: str, moment: datetime) -> str:
    """The newest commit of the line of first parents that was committed by then; empty: there is none."""
    when = f"--before=@{int(moment.timestamp())}"
    return git.run("rev-list", "--first-parent", "--max-count=1", when, commit_id(head)).text


def survival(git: ClosedGit, before: str, merged: str, at: str) -> Survival:
    """How many of the lines that ``before..merged`` added stand in ``at``.

    A file is followed under another name; a line that went into another file does not stand. A line that was taken
    out and put back does.
    """
    now = _renamed(git, merged, at)
    added = standing = 0
    for path in changed_paths(git, before, merged):
        if path.status == "D" or path.new_mode == _LINK:
            continue
        ours = _touched(git, path.old_sha, path.new_sha, side=1)
        lost = _touched(git, path.new_sha, now.get(path.path, path.new_sha), side=0)
        added += len(ours)
        standing += len(ours - lost)
    return Survival(added, standing)


def _renamed(git: ClosedGit, one: str, other: str) -> dict[str, str]:
    """Of each path of ``one`` that is not the same in ``other``: the blob that it became there."""
    fixed = ("diff-tree", "-r", "-z", "--raw", "-M", "--no-ext-diff", "--no-textconv")
    found: dict[str, str] = {}
    tokens = iter(git.run(*fixed, commit_id(one), commit_id(other)).out.split(b"\0"))
    for token in tokens:
        if not token.startswith(b":"):
            continue
        _, _, _, new_sha, status = token.decode().split(" ")
        path = next(tokens).decode(errors="surrogateescape")
        if status[0] in "RC":
            next(tokens)
        if status[0] not in "AC":
            found[path] = new_sha
    return found


def _touched(git: ClosedGit, old: str, new: str, *, side: int) -> set[int]:
    """Numbers of the lines that differ between two blobs, of the old one (0) or of the new one (1)."""
    if old == new:
        return set()
    if _NONE in {old, new}:
        there = (old, new)[side]
        body = b"" if there == _NONE else contents(git, [there])[there]
        return set(range(1, body.count(b"\n") + (not body.endswith(b"\n") and bool(body)) + 1))
    answer = git.run("diff", "--text", "--no-ext-diff", "--no-textconv", "-U0", old, new, accept=(0, 1))
    if answer.code and not answer.out:
        raise RepositoryError(f"two blobs cannot be compared: {answer.error}")
    lines: set[int] = set()
    for hunk in _HUNK.finditer(answer.out):
        start, count = int(hunk[1 + 2 * side]), int(hunk[2 + 2 * side] or 1)
        lines.update(range(start, start + count))
    return lines
