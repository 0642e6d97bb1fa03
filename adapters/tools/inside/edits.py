"""A linter's edits, applied to the bytes of a file by ourselves: what is proven is what is written."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import pairwise
from typing import NamedTuple

LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")


class Edit(NamedTuple):
    """Replace from one place up to another; rows and columns are counted from 1, columns in characters."""

    row: int
    column: int
    end_row: int
    end_column: int
    content: str


def edited(source: bytes, edits: tuple[Edit, ...]) -> bytes:
    """The source with all edits made.

    Raises:
        ValueError: it is not UTF-8, or a place is not in it, or two edits overlap.
    """
    text = source.decode("utf-8")
    starts = [0]
    for line in LINE.findall(text):
        starts.append(starts[-1] + len(line))
    spans = sorted(
        {
            (_offset(starts, each.row, each.column), _offset(starts, each.end_row, each.end_column), each.content)
            for each in edits
        }
    )
    if any(after[0] < before[1] for before, after in pairwise(spans)):
        raise ValueError("two edits overlap")
    for start, end, content in reversed(spans):
        text = text[:start] + content + text[end:]
    return text.encode("utf-8")


def apart(groups: Iterable[tuple[Edit, ...]]) -> tuple[tuple[Edit, ...], ...]:
    """The groups, in order, that touch none of those before them; equal ones count once."""
    kept: list[tuple[Edit, ...]] = []
    for group in dict.fromkeys(groups):
        if not any(_touch(one, other) for one in group for earlier in kept for other in earlier):
            kept.append(group)
    return tuple(kept)


def _touch(one: Edit, other: Edit) -> bool:
    return (one.row, one.column) <= (other.end_row, other.end_column) and (other.row, other.column) <= (
        one.end_row,
        one.end_column,
    )


def _offset(starts: list[int], row: int, column: int) -> int:
    if not 0 < row <= len(starts):
        raise ValueError("an edit is outside the file")
    offset = starts[row - 1] + column - 1
    if offset > starts[-1]:
        raise ValueError("an edit is outside the file")
    return offset
