"""What a base may hold at most (``[limits]`` of a target), counted entry by entry: a refusal costs what is allowed.

A repository of a few kilobytes can unfold into billions of files, each folder of it being the same one.
"""

from dataclasses import dataclass

from pydantic import Field

from policies.settings.section import Positive, Section

LONGEST_NAME = 255
"""Bytes of one file's or folder's name: no file system here takes more."""


class BaseLimits(Section):
    """``[limits]`` of a target; what is larger is refused before anything of it is written anywhere."""

    files: Positive = 200_000
    """Also the most folders."""
    megabytes: Positive = 8192
    """All files together, unpacked."""
    depth: Positive = 64
    """Folders within folders."""
    path_bytes: int = Field(default=1024, ge=1, le=2048)
    """Of one path."""


@dataclass
class Measured:
    """The entries of a tree, counted one after the other."""

    limits: BaseLimits
    files: int = 0
    folders: int = 0
    size: int = 0

    def add(self, path: bytes, size: int, *, is_folder: bool) -> str:
        """Count one entry; why the tree is refused, empty while it is not.

        ``path`` as git lists it, ``size`` in bytes, 0 for what has no contents of its own.
        """
        limits, shown = self.limits, path[:80].decode(errors="backslashreplace")
        self.files += not is_folder
        self.folders += is_folder
        self.size += size
        folders = path.count(b"/") + is_folder
        if folders > limits.depth:
            return f"{shown}… lies {folders} folders deep, the most is {limits.depth} (limits.depth)"
        if len(path) > limits.path_bytes:
            return f"the path {shown}… is {len(path)} bytes long, the most is {limits.path_bytes} (limits.path_bytes)"
        if (longest := max(map(len, path.split(b"/")))) > LONGEST_NAME:
            return f"a name in {shown}… is {longest} bytes long: no file system takes more than {LONGEST_NAME}"
        if max(self.files, self.folders) > limits.files:
            what = "files" if self.files > limits.files else "folders"
            return f"it holds more than {limits.files} {what} (limits.files)"
        if self.size > limits.megabytes << 20:
            return f"its files hold more than {limits.megabytes} MiB (limits.megabytes)"
        return ""
