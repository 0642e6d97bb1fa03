"""What the owner's other linters leave out: flake8, pycodestyle and pylint, by whose names ruff's rules go, too."""

import fnmatch
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass

from adapters.tools.owners_files import hooks, ini, strings, table_in
from adapters.tools.source_tree import SourceTree

PYLINT = {
    "F401": {"unused-import", "W0611"},
    "F541": {"f-string-without-interpolation", "W1309"},
    "F811": {"reimported", "W0404", "function-redefined", "E0102"},
    "F841": {"unused-variable", "W0612"},
    "UP004": {"useless-object-inheritance", "R0205"},
    "UP008": {"super-with-arguments", "R1725"},
    "UP032": {"consider-using-f-string", "C0209"},
    "I": {"wrong-import-order", "C0411", "ungrouped-imports", "C0412"},
    "W29": {"trailing-whitespace", "C0303", "missing-final-newline", "C0304"},
    "PIE790": {"unnecessary-pass", "W0107", "unnecessary-ellipsis", "W2301"},
}
"""Ruff's rules, and what pylint calls the same."""
PYLINT_FILES = ("pylintrc", ".pylintrc", ".pylintrc.toml", "pylintrc.toml", "setup.cfg", "tox.ini", "pyproject.toml")
FOR_THE_FILE = re.compile(r"^#[ \t]*pylint:[ \t]*(?:disable[ \t]*=[ \t]*(?P<names>[\w, \t-]+)|skip-file)", re.MULTILINE)
"""On a line of its own, at the margin: from here to the end of the module."""


@dataclass(frozen=True)
class Flake8:
    """What flake8's, pycodestyle's and pylint's configuration leaves out, in flake8's and ruff's names."""

    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    per_file: tuple[tuple[str, str], ...] = ()
    exclude: tuple[str, ...] = ()

    def wants(self, path: str, code: str) -> bool:
        """Whether the owner's flake8, if there is one, would have said it."""
        left_out = [*self.ignore, *(codes for pattern, codes in self.per_file if _like(path, pattern))]
        return (
            (not self.select or code.startswith(self.select))
            and not code.startswith(tuple(left_out))
            and not any(_like(path, pattern) for pattern in self.exclude)
        )


def _like(path: str, pattern: str) -> bool:
    bare = pattern.removeprefix("./").rstrip("/")
    parts = ["/".join(path.split("/")[: count + 1]) for count in range(path.count("/") + 1)]
    return any(fnmatch.fnmatch(each, bare) or fnmatch.fnmatch(each, f"*/{bare}") for each in parts)


def flake8_settings(tree: SourceTree) -> Flake8:
    """Read from ``setup.cfg``, ``tox.ini``, ``.flake8``, ``pyproject.toml``, pre-commit's hook and pylint's files.

    Raises:
        ToolUnavailable: one of them cannot be read.
    """
    values: dict[str, list[str]] = {"select": [], "ignore": [], "per-file-ignores": [], "exclude": []}
    plugin = table_in(table_in(_toml(tree, "pyproject.toml"), "tool"), "flake8")
    values["ignore"] += _pylint(tree)
    for path in ("setup.cfg", "tox.ini", ".flake8"):
        parser = ini(tree, path, "flake8", "pycodestyle", "pep8")
        for key in values:
            for name in (key, f"extend-{key}", key.replace("-", "_"), f"extend_{key}"):
                for section in ("flake8", "pycodestyle", "pep8") if key in {"ignore", "exclude"} else ("flake8",):
                    if parser.has_option(section, name):
                        values[key] += _split(parser.get(section, name))
                values[key] += _listed(plugin.get(name))
    for hook in hooks(tree):
        if hook.get("id") == "flake8":
            for argument in strings(hook, "args"):
                name, _, value = argument.removeprefix("--").removeprefix("extend-").partition("=")
                values.get(name, []).extend(value.split(","))
    per_file, pattern = list[tuple[str, str]](), ""
    for word in values["per-file-ignores"]:
        before, colon, after = word.partition(":")
        pattern, codes = (before, after) if colon else (pattern, word)
        per_file += [(pattern, codes)] * bool(codes)
    settings = {key: tuple(filter(None, found)) for key, found in values.items()}
    return Flake8(settings["select"], settings["ignore"], tuple(per_file), settings["exclude"])


def silenced(text: str, code: str) -> bool:
    """Whether a Python file tells pylint, for the whole file, that a rule does not matter in it."""
    return any(
        found["names"] is None or code.startswith(tuple(_codes(_split(found["names"]))))
        for found in FOR_THE_FILE.finditer(text)
    )


def _pylint(tree: SourceTree) -> list[str]:
    """Ruff's names of what pylint's files disable."""
    disabled, enabled = list[str](), list[str]()
    for path in PYLINT_FILES:
        if path.endswith(".toml"):
            table = table_in(table_in(_toml(tree, path), "tool"), "pylint")
            for section in (table, *(each for each in table.values() if isinstance(each, dict))):
                disabled += _listed(section.get("disable"))
                enabled += _listed(section.get("enable"))
        elif path in tree.files:
            parser = ini(tree, path, "pylint")
            for name in parser.sections():
                if "pylint" in name.lower() or path.endswith("pylintrc"):
                    disabled += _split(parser.get(name, "disable", fallback=""))
                    enabled += _split(parser.get(name, "enable", fallback=""))
    off = PYLINT if "all" in disabled else _codes(disabled)
    return [code for code in off if not ("all" in disabled and PYLINT[code] & set(enabled))]


def _codes(names: list[str]) -> Iterator[str]:
    return (code for code, theirs in PYLINT.items() if theirs & set(names) or "all" in names)


def _split(text: str) -> list[str]:
    return re.split(r"[\s,]+", re.sub(r"#[^\n]*", "", text).strip())


def _listed(value: object) -> list[str]:
    """A list of texts, or one text of several."""
    if isinstance(value, str):
        return _split(value)
    return [word for each in value for word in _split(each) if isinstance(each, str)] if isinstance(value, list) else []


def _toml(tree: SourceTree, path: str) -> dict[str, object]:
    """Empty where it cannot be read: whether that matters, ruff says."""
    try:
        return tomllib.loads(tree.text(path))
    except (tomllib.TOMLDecodeError, RecursionError):
        return {}
