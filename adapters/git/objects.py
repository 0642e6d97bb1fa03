"""What commits, trees and files hold, read from objects alone: contents, a tree's counts, what differs (P5)."""

import re
from collections import Counter
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import Literal, cast

from adapters.git.environment import ClosedGit, commit_id
from contracts.change import ChangedPath
from policies.paths.base_limits import BaseLimits, Measured
from policies.paths.pointers import LONGEST, is_pointer
from ports.repository import PointerFile, RepositoryError, TreeFacts, TreeRefused

_NONE = "0" * 40
_GITLINK = "160000"
_EXECUTABLE, _FILES = b"100755", (b"100644", b"100755")
_BYTES_PER_LINE = 80
_READ_UP_TO = 1 << 20
"""A larger binary blob counts as so many lines by its bytes that its newlines no longer matter."""
_Lines = tuple[int, int] | None
"""Added and removed; None where git takes a side for binary."""
_COMMIT = re.compile(rb"tree ([0-9a-f]{40})\n((?:parent [0-9a-f]{40}\n)*)")
_COMMITTED = re.compile(rb"^committer .*> (\d+) [+-]\d+$", re.MULTILINE)
_SECONDS = 120
_REMEMBERED = 10_000


@dataclass(frozen=True)
class CommitFacts:
    """What a commit's own object says."""

    tree: str
    parents: tuple[str, ...]
    seconds: int
    """Committer date, since the epoch."""


_within: set[tuple[str, BaseLimits]] = set()
"""What this process knows to be within limits: a commit's id names its contents for ever."""
_counted: dict[tuple[Path, str, BaseLimits], TreeFacts] = {}
_commits: dict[tuple[Path, str], CommitFacts] = {}
"""Likewise, for each repository that held them."""


def commit_facts(git: ClosedGit, *commits: str) -> tuple[CommitFacts, ...]:
    """Of each commit; one command for those that this process has not read yet.

    Raises:
        RepositoryError: one is not here, or is no commit.
    """
    if unknown := [each for each in dict.fromkeys(commits) if (git.git_dir, commit_id(each)) not in _commits]:
        for name, body in _objects(git, unknown, b"commit").items():
            learn_commit(git, name, _read_commit(body))
        if absent := [each for each in unknown if (git.git_dir, each) not in _commits]:
            raise RepositoryError(f"bad object {absent[0]}: the commit is not in the mirror")
    return tuple(_commits[git.git_dir, each] for each in commits)


def learn_commit(git: ClosedGit, name: str, facts: CommitFacts) -> None:
    """It is here: read, or made by us just now."""
    if len(_commits) >= _REMEMBERED:
        _commits.clear()
    _commits[git.git_dir, name] = facts


def _read_commit(body: bytes) -> CommitFacts:
    head = body.partition(b"\n\n")[0] + b"\n"
    if (begins := _COMMIT.match(head)) is None:
        raise RepositoryError(f"a commit of the mirror is none: {head[:80]!r}")
    dated = _COMMITTED.search(head)
    parents = tuple(begins[2].decode().replace("parent ", "").split())
    return CommitFacts(begins[1].decode(), parents, int(dated[1]) if dated else 0)


def contents(git: ClosedGit, names: Iterable[str]) -> dict[str, bytes]:
    """The bytes behind each of ``names`` that is there: a full object id or a full ref name.

    Raises:
        RepositoryError: one is no file content, or git failed.
    """
    unique = list(dict.fromkeys(names))
    return _objects(git, unique, b"blob") if unique else {}


def _objects(git: ClosedGit, names: list[str], kind: bytes) -> dict[str, bytes]:
    out = git.run("cat-file", "--batch", stdin="".join(f"{name}\n" for name in names).encode()).out
    found: dict[str, bytes] = {}
    begin = 0
    for name in names:
        end = out.index(b"\n", begin)
        header = out[begin:end].split(b" ")
        begin = end + 1
        if header[-1] == b"missing":
            continue
        if header[1] != kind:
            wanted = "a file's content" if kind == b"blob" else "a commit"
            raise RepositoryError(f"object {name} is {header[1].decode()} in the mirror, and should be {wanted}")
        size = int(header[2])
        found[name] = out[begin : begin + size]
        begin += size + 1
    return found


def write_blob(git: ClosedGit, content: bytes) -> str:
    """Keep some bytes as an object, without a process; their id."""
    from gitdb import IStream, LooseObjectDB  # noqa: PLC0415  # as GitPython: imported by who uses it

    stream = IStream("blob", len(content), BytesIO(content))
    return str(LooseObjectDB(str(git.git_dir / "objects")).store(stream).hexsha.decode())


def tree_facts(git: ClosedGit, commit: str, limits: BaseLimits, *, sizes: bool = True) -> TreeFacts:
    """Files, bytes and suffixes; without ``sizes`` no content needs to be here, and bytes are 0.

    Raises:
        TreeRefused: it is beyond the limits; what comes after the first entry that is was not looked at.
        RepositoryError: the tree could not be listed.
    """
    if known := _counted.get((git.git_dir, commit, limits)):
        return known
    measured, suffixes = Measured(limits), Counter[str]()
    long = ("-l",) if sizes else ()
    # With the folders (-t): a tree of nothing but folders would list nothing, for ever.
    with closing(git.entries("ls-tree", "-r", "-t", *long, "-z", commit_id(commit), seconds=_SECONDS)) as entries:
        for entry in entries:
            facts, _, path = entry.partition(b"\t")
            _mode, kind, *_, last = facts.split()
            size = int(last) if sizes and last != b"-" else 0
            if reason := measured.add(path, size, is_folder=kind == b"tree"):
                raise TreeRefused(f"the tree of {commit[:12]} is refused: {reason}")
            if kind != b"tree":
                suffixes[PurePosixPath(path.decode(errors="surrogateescape")).suffix.lower()] += 1
    counted = TreeFacts(measured.files, measured.size, dict(suffixes))
    if sizes:
        remember(commit, limits)
        _counted[git.git_dir, commit, limits] = counted
    return counted


def pointers(git: ClosedGit, commit: str) -> dict[str, PointerFile]:
    """The files of a commit that are pointers of git LFS, by path."""
    small: list[tuple[str, str, bool]] = []
    with closing(git.entries("ls-tree", "-r", "-l", "-z", commit_id(commit), seconds=_SECONDS)) as entries:
        for entry in entries:
            facts, _, path = entry.partition(b"\t")
            mode, _kind, sha, size = facts.split()
            if mode in _FILES and int(size) <= LONGEST:
                small.append((path.decode(errors="surrogateescape"), sha.decode(), mode == _EXECUTABLE))
    texts = contents(git, (sha for _, sha, _ in small))
    return {path: PointerFile(texts[sha], program) for path, sha, program in small if is_pointer(texts[sha])}


def is_within(commit: str, limits: BaseLimits) -> bool:
    """Whether the tree was counted already and is within the limits."""
    return (commit, limits) in _within


def remember(commit: str, limits: BaseLimits) -> None:
    """This tree is within the limits: counted, or made by us of what was."""
    if len(_within) >= _REMEMBERED:
        _within.clear()
        _counted.clear()
    _within.add((commit, limits))


@dataclass(frozen=True)
class _Entry:
    path: str
    old_mode: str
    new_mode: str
    old_sha: str
    new_sha: str
    status: str


def changed_paths(git: ClosedGit, base: str, head: str) -> tuple[ChangedPath, ...]:
    """Every changed entry, sorted as git sorts; a rename shows as a delete and an add."""
    entries, lines = _parse(_diff_tree(git, base, head))
    if not entries:
        return ()
    sizes = _sizes(git, entries)
    binary = {sha for entry in entries if lines[entry.path] is None for sha in (entry.old_sha, entry.new_sha)}
    counts = _binary_lines(git, {sha: sizes[sha] for sha in binary})
    small = contents(git, (sha for sha, size in sizes.items() if 0 < size <= LONGEST))
    stand_for = {sha for sha, text in small.items() if is_pointer(text)}
    return tuple(_changed(entry, lines[entry.path], sizes, counts, stand_for) for entry in entries)


def _diff_tree(git: ClosedGit, base: str, head: str) -> bytes:
    fixed = ("diff-tree", "-r", "-z", "--raw", "--numstat", "--no-renames", "--no-ext-diff", "--no-textconv")
    return git.run(*fixed, commit_id(base), commit_id(head)).out


def _parse(out: bytes) -> tuple[list[_Entry], dict[str, _Lines]]:
    entries: list[_Entry] = []
    lines: dict[str, _Lines] = {}
    tokens = iter(out.split(b"\0"))
    for token in tokens:
        if token.startswith(b":"):
            old_mode, new_mode, old_sha, new_sha, status = token[1:].decode().split(" ")
            path = next(tokens).decode(errors="surrogateescape")
            entries.append(_Entry(path, old_mode, new_mode, old_sha, new_sha, status))
        elif token:
            added, removed, name = token.split(b"\t", 2)
            path = name.decode(errors="surrogateescape")
            lines[path] = None if added == b"-" else (int(added), int(removed))
    return entries, lines


def _sizes(git: ClosedGit, entries: list[_Entry]) -> dict[str, int]:
    sides = [side for entry in entries for side in ((entry.old_mode, entry.old_sha), (entry.new_mode, entry.new_sha))]
    wanted = sorted({sha for mode, sha in sides if sha != _NONE and mode != _GITLINK})
    sizes = {_NONE: 0}
    listing = git.run("cat-file", "--batch-check", stdin="".join(f"{sha}\n" for sha in wanted).encode()).out
    for line in listing.decode().splitlines():
        sha, kind, *size = line.split(" ")
        if kind != "blob":
            raise RepositoryError(f"object {sha} is {kind} in the mirror; delete the mirror's folder to fetch it anew")
        sizes[sha] = int(size[0])
    return sizes


def _binary_lines(git: ClosedGit, sizes: dict[str, int]) -> dict[str, int]:
    """One line per 80 bytes; but a NUL byte in a text must not make it look smaller than the lines it has."""
    counts = {sha: -(-size // _BYTES_PER_LINE) for sha, size in sizes.items()}
    for sha in (sha for sha, size in sizes.items() if 0 < size <= _READ_UP_TO):
        counts[sha] = max(counts[sha], git.run("cat-file", "blob", sha).out.count(b"\n"))
    return counts


def _changed(
    entry: _Entry, lines: _Lines, sizes: dict[str, int], binary: dict[str, int], pointers: set[str]
) -> ChangedPath:
    added, removed = lines or (binary[entry.new_sha], binary[entry.old_sha])
    return ChangedPath(
        path=entry.path,
        status=cast('Literal["A", "M", "D", "T"]', entry.status),
        old_mode=entry.old_mode,
        new_mode=entry.new_mode,
        old_sha=entry.old_sha,
        new_sha=entry.new_sha,
        added=added,
        removed=removed,
        new_bytes=sizes.get(entry.new_sha, 0),
        pointer=not pointers.isdisjoint((entry.old_sha, entry.new_sha)),
    )
