"""A run's change, as measured from two commit ids in our own bare mirror."""

from typing import Literal

from contracts.artifact import ArtifactRef, Contract


class ChangedPath(Contract):
    """One entry of ``git diff-tree -r -z --raw --no-renames``: renames show as a delete and an add."""

    path: str
    """Decoded with surrogateescape; undecodable bytes are refused by policy, not dropped."""
    status: Literal["A", "M", "D", "T"]
    old_mode: str
    new_mode: str
    """Git file modes, for example ``100644``; ``000000`` where there is none."""
    old_sha: str
    new_sha: str
    added: int
    removed: int
    """Lines, counted from blobs, never from ``.gitattributes``-aware diffs. Binary: one line per 80 bytes."""
    new_bytes: int
    pointer: bool = False
    """Before or after, it is a pointer of git LFS."""


class Change(Contract):
    """``change.json``: what Coding produced. Written by an activity; agents' words are not in it (P6)."""

    schema_version: Literal[1] = 1
    base_sha: str
    head_sha: str
    tree_sha: str
    paths: tuple[ChangedPath, ...]
    bundle: ArtifactRef
    diff: ArtifactRef
    metric: str
    metric_before: int
    metric_after: int
    """Re-detected on the changed tree."""

    @property
    def lines(self) -> int:
        """Added plus removed lines."""
        return sum(path.added + path.removed for path in self.paths)
