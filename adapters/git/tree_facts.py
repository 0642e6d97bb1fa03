"""A commit's tree, counted entry by entry and left at the first that is beyond the limits."""

from collections import Counter
from contextlib import closing
from pathlib import PurePosixPath

from adapters.git.environment import ClosedGit, commit_id
from policies.paths.base_limits import BaseLimits, Measured
from ports.repository import TreeFacts, TreeRefused

_SECONDS = 120
_REMEMBERED = 10_000
_within: set[tuple[str, BaseLimits]] = set()
"""What this process knows to be within limits: a commit's id names its contents for ever."""


def tree_facts(git: ClosedGit, commit: str, limits: BaseLimits, *, sizes: bool = True) -> TreeFacts:
    """Files, bytes and suffixes; without ``sizes`` no content needs to be here, and bytes are 0.

    Raises:
        TreeRefused: it is beyond the limits; what comes after the first entry that is was not looked at.
        RepositoryError: the tree could not be listed.
    """
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
    if sizes:
        remember(commit, limits)
    return TreeFacts(measured.files, measured.size, dict(suffixes))


def is_within(commit: str, limits: BaseLimits) -> bool:
    """Whether the tree was counted already and is within the limits."""
    return (commit, limits) in _within


def remember(commit: str, limits: BaseLimits) -> None:
    """This tree is within the limits: counted, or made by us of what was."""
    if len(_within) >= _REMEMBERED:
        _within.clear()
    _within.add((commit, limits))
