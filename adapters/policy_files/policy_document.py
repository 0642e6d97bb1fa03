"""One policy file: its bytes read once, parsed, and every key's line."""

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ports.policy_source import PolicyError

Key = tuple[str | int, ...]

_TABLE = re.compile(r"^\s*(\[\[?)\s*([^\[\]]+?)\s*\]\]?\s*(#.*)?$")
_ASSIGNMENT = re.compile(
    r"""^\s*((?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*'))*)\s*="""
)
_PART = re.compile(r"""[A-Za-z0-9_-]+|"[^"]*"|'[^']*'""")
_LONG_QUOTES = ('"""', "'''")


@dataclass(frozen=True)
class PolicyDocument:
    """A parsed file that knows where each key stands."""

    path: Path
    shown: str
    """Relative to the policy folder, for messages."""
    content: dict[str, Any]
    lines: dict[Key, int]

    def at(self, key: Key) -> str:
        """``file:line`` of a key, or of the nearest table around it."""
        for length in range(len(key), -1, -1):
            if key[:length] in self.lines:
                return f"{self.shown}:{self.lines[key[:length]]}"
        return f"{self.shown}:1"


def read_document(folder: Path, shown: str) -> PolicyDocument:
    """Read a file's bytes once and parse those: a file that is replaced meanwhile is seen before or after, never mixed.

    Raises:
        PolicyError: missing, unreadable, not UTF-8, not TOML.
    """
    return parsed(folder, shown, read(folder, shown))


def read(folder: Path, shown: str) -> bytes:
    """A file's bytes.

    Raises:
        PolicyError: missing, unreadable, or no file: a pipe, a device, whose end would be waited for.
    """
    path = folder / shown
    try:
        if path.exists() and not (path.is_file() or path.is_dir()):
            raise PolicyError(f"{path} cannot be read: it is no file")
        return path.read_bytes()
    except FileNotFoundError:
        raise PolicyError(f"{path} is missing; copy it from the policies/ folder of this project") from None
    except OSError as error:
        raise PolicyError(f"{path} cannot be read: {error.strerror}") from error


def parsed(folder: Path, shown: str, body: bytes) -> PolicyDocument:
    """The document that these bytes are.

    Raises:
        PolicyError: not UTF-8, not TOML.
    """
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = body.count(b"\n", 0, error.start) + 1
        raise PolicyError(f"{shown}:{line}: not UTF-8; save the file as UTF-8") from error
    try:
        content = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise PolicyError(f"{shown}:{_line_of(error, text)}: not TOML: {error}") from error
    return PolicyDocument(folder / shown, shown, content, key_lines(text))


def key_lines(text: str) -> dict[Key, int]:
    """The line of every table and key of valid TOML, entries of ``[[table]]`` numbered from 0."""
    lines: dict[Key, int] = {}
    counts: dict[Key, int] = {}
    table: Key = ()
    inside = ""
    for number, line in enumerate(text.splitlines(), start=1):
        if inside:
            inside = "" if line.count(inside) % 2 else inside
            continue
        if header := _TABLE.match(line):
            table = _resolve(_parts(header[2]), counts)
            if header[1] == "[[":
                counts[table] = counts.get(table, -1) + 1
                lines.setdefault(table, number)
                table = (*table, counts[table])
            lines.setdefault(table, number)
        elif found := _ASSIGNMENT.match(line):
            lines.setdefault((*table, *_parts(found[1])), number)
        inside = next((quotes for quotes in _LONG_QUOTES if line.count(quotes) % 2), "")
    return lines


def _parts(dotted: str) -> Key:
    return tuple(part.strip("\"'") for part in _PART.findall(dotted))


def _resolve(parts: Key, counts: dict[Key, int]) -> Key:
    """``[a.b]`` below ``[[a]]`` means the last entry of ``a``."""
    key: Key = ()
    for position, part in enumerate(parts):
        key = (*key, part)
        if key in counts and position < len(parts) - 1:
            key = (*key, counts[key])
    return key


def _line_of(error: Exception, text: str) -> int:
    found = re.search(r"at line (\d+)", str(error))
    return int(found[1]) if found else max(1, len(text.splitlines()))
