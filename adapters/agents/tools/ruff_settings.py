"""The settings ruff runs with: ours, plus what the repository's own configuration may decide.

The repository's file is read as data and never handed to ruff. Handing it over would let it declare unsafe fixes safe
(``extend-safe-fixes``), and would lose its ``ignore``, which ``--select`` on the command line overrides.
"""

from __future__ import annotations

import configparser
import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass

from adapters.agents.tools.python_support import Version, lowest_supported
from adapters.agents.tools.source_tree import VENDORED, SourceTree
from adapters.agents.tools.workbench import ToolUnavailable

ALWAYS_IGNORED = ("E501", "I002", "RUF100", "RUF101", "RUF102")
"""No fix; adds imports; and ``noqa`` cannot be judged while other linters and rules of the project are off."""
TOP_KEYS = ("exclude", "extend-exclude", "line-length", "indent-width", "src", "namespace-packages")
LINT_TABLES = (
    "per-file-ignores",
    "extend-per-file-ignores",
    "isort",
    "pyupgrade",
    "dummy-variable-rgx",
    "typing-modules",
)
PYTHON_2_FAMILIES = frozenset({"F", "W", "E"})
OLDEST_RUFF: Version = (3, 7)
NEWEST_RUFF: Version = (3, 15)


@dataclass(frozen=True)
class RuffSettings:
    """How to call ruff on one tree."""

    families: tuple[str, ...]
    """Those that may be used on this package; empty: the repository switched ruff off."""
    ignore: tuple[str, ...]
    options: tuple[str, ...]
    formatter: tuple[str, ...] | None
    """Options for ``ruff format``, or None: the repository does not use ruff's or black's format."""
    sorts_imports: bool
    """Whether the repository configured ruff's import sorting, so that its style is known."""

    def check(self, families: tuple[str, ...], ignore: tuple[str, ...] = ()) -> tuple[str, ...]:
        """Options of ``ruff check`` for these families."""
        ignored = ",".join(sorted({*self.ignore, *ignore}))
        return (*self.options, "--no-preview", "--no-unsafe-fixes", "--select", ",".join(families), "--ignore", ignored)


def ruff_settings(tree: SourceTree, families: tuple[str, ...]) -> RuffSettings:
    """Read the tree's configuration.

    Raises:
        ToolUnavailable: it cannot be read.
    """
    own, pyproject = _own(tree)
    lint = {**own, **_table(own, "lint")}
    lowest = lowest_supported(tree)
    target = max(OLDEST_RUFF, min(lowest, _declared(own) or lowest, NEWEST_RUFF))
    ignore = tuple(dict.fromkeys((*_names(lint, "ignore"), *_names(lint, "extend-ignore"), *ALWAYS_IGNORED)))
    usable = () if "ALL" in ignore else families
    if lowest < (3, 0):
        usable = tuple(family for family in usable if family in PYTHON_2_FAMILIES)
    elif lowest < OLDEST_RUFF:
        # ruff knows nothing older than 3.7: its modernisations would use what 3.6 does not have.
        usable = tuple(family for family in usable if not family.startswith(("UP", "FURB", "FA")))
    sorts = "isort" in lint or any(
        name.startswith("I") for name in (*_names(lint, "select"), *_names(lint, "extend-select"))
    )
    if not sorts and _other_import_sorter(tree, pyproject):
        usable = tuple(family for family in usable if family != "I")
    common = ("--isolated", "--no-cache", "--target-version", f"py{target[0]}{target[1]}", "--force-exclude")
    configuration = {key: own[key] for key in TOP_KEYS if key in own}
    configuration["extend-exclude"] = [*_names(own, "extend-exclude"), *sorted(VENDORED), "*.ipynb"]
    black = _table(_table(pyproject, "tool"), "black")
    if "line-length" not in configuration and isinstance(black.get("line-length"), int):
        configuration["line-length"] = black["line-length"]
    rules = {f"lint.{key}": lint[key] for key in LINT_TABLES if key in lint}
    rules.setdefault("lint.pyupgrade", {"keep-runtime-typing": True})
    fixable = [
        argument
        for key in ("fixable", "unfixable")
        if (names := _names(lint, key))
        for argument in (f"--{key}", ",".join(names))
    ]
    return RuffSettings(
        families=usable,
        ignore=ignore,
        options=(*common, *_inline({**configuration, **rules}), *fixable),
        formatter=_formatter(own, black, pyproject, (*common, *_inline(configuration))),
        sorts_imports=sorts,
    )


def _own(tree: SourceTree) -> tuple[dict[str, object], dict[str, object]]:
    """The configuration ruff would find at the root of the tree, and ``pyproject.toml``."""
    pyproject = _toml(tree, "pyproject.toml")
    for path in (".ruff.toml", "ruff.toml"):
        if path in tree.files:
            return _toml(tree, path), pyproject
    return _table(_table(pyproject, "tool"), "ruff"), pyproject


def _toml(tree: SourceTree, path: str) -> dict[str, object]:
    try:
        return tomllib.loads(tree.text(path))
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ToolUnavailable(f"{path} is not valid TOML: {error}") from error


def _formatter(
    own: dict[str, object], black: dict[str, object], pyproject: dict[str, object], options: tuple[str, ...]
) -> tuple[str, ...] | None:
    style = _table(own, "format")
    if style:
        style = {key: value for key, value in style.items() if key != "preview"}
        return (*options, "--no-preview", *_inline({f"format.{key}": value for key, value in style.items()}))
    if black or "black" in _table(pyproject, "tool"):
        quotes = {"format.quote-style": "preserve"} if black.get("skip-string-normalization") else {}
        return (*options, "--no-preview", *_inline(quotes))
    return None


def _other_import_sorter(tree: SourceTree, pyproject: dict[str, object]) -> bool:
    """Whether another program owns the order of imports; sorting by another style would only be noise."""
    if ".isort.cfg" in tree.files or "isort" in _table(pyproject, "tool"):
        return True
    if "reorder-python-imports" in tree.text(".pre-commit-config.yaml"):
        return True
    for path in ("setup.cfg", "tox.ini"):
        parser = configparser.RawConfigParser(strict=False)
        try:
            parser.read_string(tree.text(path))
        except configparser.Error:
            continue
        if any(name.lower() in {"isort", "tool:isort"} for name in parser.sections()):
            return True
    return False


def _declared(own: dict[str, object]) -> Version | None:
    name = own.get("target-version")
    if isinstance(name, str) and name.startswith("py3") and name[3:].isdigit():
        return (3, int(name[3:]))
    return None


def _table(parent: dict[str, object], key: str) -> dict[str, object]:
    found = parent.get(key)
    return found if isinstance(found, dict) else {}


def _names(parent: dict[str, object], key: str) -> tuple[str, ...]:
    found = parent.get(key)
    return tuple(name for name in found if isinstance(name, str)) if isinstance(found, list) else ()


def _inline(settings: Mapping[str, object]) -> tuple[str, ...]:
    return tuple(part for key, value in settings.items() for part in ("--config", f"{key} = {_toml_value(value)}"))


def _toml_value(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_toml_value(str(key))} = {_toml_value(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_toml_value(each) for each in value) + "]"
    # A JSON string, number or boolean is also a TOML one.
    return json.dumps(value, ensure_ascii=False, default=str)
