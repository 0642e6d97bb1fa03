"""What a base may hold, entry by entry."""

from __future__ import annotations

import pytest

from policies.paths.base_limits import BaseLimits, Measured

LIMITS = BaseLimits(files=3, megabytes=1, depth=2, path_bytes=300)
FINE = [(b"a", 0, True), (b"a/b", 0, True), (b"a/b/" + b"x" * 255, 1 << 20, False), (b"y", 0, False), (b"z", 0, False)]
"""Exactly at every limit."""


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ((b"w", 0, False), "more than 3 files (limits.files)"),
        ((b"a", 1, True), "more than 1 MiB (limits.megabytes)"),
        ((b"a/b/c", 0, True), "a/b/c… lies 3 folders deep, the most is 2 (limits.depth)"),
        ((b"a/b/c/d", 0, False), "a/b/c/d… lies 3 folders deep"),
        ((b"a/" + b"x" * 255 + b"/" + b"y" * 50, 0, False), "is 308 bytes long, the most is 300 (limits.path_bytes)"),
        ((b"x" * 256, 0, True), "is 256 bytes long: no file system"),
    ],
)
def test_the_first_entry_beyond_a_limit_names_it(entry: tuple[bytes, int, bool], reason: str) -> None:
    """Up to the limit nothing is said."""
    measured = Measured(LIMITS)
    for path, size, is_folder in FINE:
        assert "" == measured.add(path, size, is_folder=is_folder)
    path, size, is_folder = entry
    assert reason in measured.add(path, size, is_folder=is_folder)
