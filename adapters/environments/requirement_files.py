"""Requirement files of the base commit: names and versions from the registry, nothing else."""

import posixpath
import re
import unicodedata
from collections.abc import Callable, Iterator

from packaging.requirements import InvalidRequirement, Requirement

from ports.environments import EnvironmentUnavailable

ReadFile = Callable[[str], bytes | None]
"""A file of the base commit, or None."""

_INCLUDE = re.compile(r"(?:-r|--requirement)(?:\s+|=|(?<=-r))(\S+)$")
_HASH = re.compile(r"\s--hash[= ](\S+)")
_NEWLINE = re.compile(r"\r\n|\r|\n")
"""What ends a line for the installer; Python's ``splitlines`` knows eight more."""
_STEERING = {"Cc", "Cf", "Cs", "Zl", "Zp"}
_HARMLESS = re.compile(r"--(?:require-hashes|prefer-binary|only-binary[= ]\S+)$")


def plain(text: str, origin: str) -> str:
    """The line without what surrounds it.

    Raises:
        EnvironmentUnavailable: something in it cannot be seen. A marker may quote any character, and what ends a line
            for the installer would begin an option of the repository's own.
    """
    line = text.strip()
    if hides(line):
        shown = line[:200].encode("unicode_escape").decode()
        raise EnvironmentUnavailable(f"{origin}: `{shown}` is refused: it holds control characters. Take them out")
    return line


def hides(line: str) -> bool:
    """Whether a requirement line holds characters that steer instead of being read; a tab is a space."""
    return any(unicodedata.category(character) in _STEERING for character in line.replace("\t", " "))


def checked(text: str, origin: str) -> str:
    """The requirement in its normal form.

    Raises:
        EnvironmentUnavailable: it is no name and version, or not plain. A path, an address or a version control link
            would bring in code that no registry serves (dependency confusion).
    """
    text = plain(text, origin)
    try:
        requirement = Requirement(text)
    except InvalidRequirement:
        requirement = None
    if requirement is None or requirement.url:
        raise EnvironmentUnavailable(
            f"{origin}: `{text}` is refused: only packages by name and version, from the registry, are installed. "
            "Take the line out of what `environment` in the target's policy lists, "
            "and name what is needed in `environment.packages`"
        )
    return str(requirement)


def read_requirement_file(read: ReadFile, path: str, seen: frozenset[str] = frozenset()) -> Iterator[str]:
    """Every requirement of a file and of those it includes, hashes kept.

    Raises:
        EnvironmentUnavailable: missing, or a line is refused; names file and line.
    """
    if path in seen:
        return
    body = read(path)
    if body is None:
        raise EnvironmentUnavailable(f"{path}: no such requirement file in the base commit; see `environment`")
    for number, line in _logical_lines(body.decode("utf-8", errors="replace")):
        origin = f"{path}:{number}"
        plain(line, origin)
        if include := _INCLUDE.match(line):
            included = posixpath.normpath(posixpath.join(posixpath.dirname(path), include[1]))
            if included.startswith(("/", "..")) or ":" in included:
                raise EnvironmentUnavailable(f"{origin}: `{line}` is refused: it lies outside the repository")
            yield from read_requirement_file(read, included, seen | {path})
        elif line.startswith("-"):
            if not _HARMLESS.match(line):
                raise EnvironmentUnavailable(
                    f"{origin}: `{line}` is refused: of options only `-r` and `--hash` are taken from a repository, "
                    "which does not choose where packages come from. Set the registry for the worker "
                    "(UV_DEFAULT_INDEX), or list other files in `environment.requirements`"
                )
        else:
            hashes = "".join(f" --hash={digest}" for digest in _HASH.findall(line))
            yield checked(_HASH.sub("", line).strip(), origin) + hashes


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines with continuations joined and comments gone, each with the number it begins at."""
    pending, begun = "", 0
    for number, line in enumerate(_NEWLINE.split(text), 1):
        begun = begun if pending else number
        if line.endswith("\\"):
            pending += line[:-1] + " "
            continue
        whole = re.sub(r"(?:^|\s)#.*$", "", pending + line).strip()
        pending = ""
        if whole:
            yield begun, whole
    if pending.strip():
        yield begun, pending.strip()
