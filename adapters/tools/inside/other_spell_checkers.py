"""Inside the sandbox: what a repository's owner keeps from other spell checkers than codespell (typos, cspell, vale).

Whoever told one of them not to look, told us. The words that they are taught stand in their files, so they are no
running text anyway.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path

from adapters.tools.inside.owners_codespell import Unclear

OFF = re.compile(
    r"\b(c?spell-?(check\w*)?|codespell|typos|misspell)\s*:\s*(off|disable|ignore-(begin|start)|locale)\b"
    r"|<!--\s*vale\s+(off|[\w.]+\s*=\s*NO)\b",
    re.IGNORECASE,
)
"""In a file: from here on another checker is off; where it is on again, they spell in their own ways."""
TYPOS = ("typos.toml", "_typos.toml", ".typos.toml", "pyproject.toml", "Cargo.toml")
CSPELL = re.compile(r"^(\.config/|\.vscode/)?(\.?cspell(\.config)?\.(json|ya?ml)|package\.json|cspell\.json)$")


def left_out(paths: Sequence[str]) -> list[str]:
    """Patterns of files that one of them is not to look at, in the manner of codespell's ``skip``.

    Raises:
        Unclear: a file of theirs cannot be read.
    """
    found: list[object] = []
    for path in paths:
        if path in TYPOS or CSPELL.match(path):
            text = Path(path).read_text(encoding="utf-8", errors="replace")
            found += _typos(path, text) if path in TYPOS else _cspell(path, text)
    patterns = [str(each) for each in found if not str(each).startswith("!")]
    return [each.removeprefix("**/").lstrip("/") for each in patterns]


def _typos(path: str, text: str) -> Iterator[object]:
    if "typos" not in f"{path} {text}":
        return
    try:
        table: object = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise Unclear(f"{path} is not valid TOML: {error}") from error
    places = (
        [()]
        if "typos" in path
        else [("tool", "typos"), *((kind, "metadata", "typos") for kind in ("workspace", "package"))]
    )
    for place in places:
        yield from _list(_at(table, *place, "files", "extend-exclude"))


def _cspell(path: str, text: str) -> Iterator[object]:
    if "ignorePaths" not in text:
        return
    import yaml  # noqa: PLC0415 — each look at a tree starts this anew, and few trees have such a file

    try:
        # JSON is YAML, once its comments are gone.
        table: object = yaml.safe_load(re.sub(r"(?<![:\w\"*])//.*$", "", text, flags=re.MULTILINE).replace("\t", " "))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise Unclear(f"{path} cannot be read: what does cspell not look at?") from error
    yield from _list(_at(table, "ignorePaths"))
    yield from _list(_at(table, "cspell", "ignorePaths"))


def _at(table: object, *keys: str) -> object:
    for key in keys:
        table = table.get(key) if isinstance(table, dict) else None
    return table


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []
