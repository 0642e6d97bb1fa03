"""Pointers of git LFS: the text that a repository holds where a large file's content is kept elsewhere (P5)."""

import re
from dataclasses import dataclass

LONGEST = 1023
"""Bytes; git-lfs reads no larger file as a pointer."""
_FIRST = b"version https://git-lfs.github.com/spec/v1\n"
# As git-lfs writes it, to the letter: readers differ in what else they take for one.
_POINTER = re.compile(re.escape(_FIRST) + rb"oid sha256:([0-9a-f]{64})\nsize (0|[1-9][0-9]{0,15})\n")


@dataclass(frozen=True)
class Pointer:
    """Which content, and how large it is."""

    oid: str
    """SHA-256, in hex."""
    size: int


def is_pointer(content: bytes) -> bool:
    """Whether git-lfs would take a file for a pointer, an odd one included."""
    return len(content) <= LONGEST and content.startswith(_FIRST)


def pointer_in(content: bytes) -> Pointer | None:
    """What a pointer says; None: it is not as git-lfs writes one without extensions."""
    found = _POINTER.fullmatch(content)
    return Pointer(found[1].decode(), int(found[2])) if found else None
