"""Files in which an owner sets up other tools: pre-commit's hooks, and settings in the manner of ``setup.cfg``."""

from __future__ import annotations

import configparser
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import yaml

from adapters.tools.source_tree import SourceTree
from adapters.tools.tool_runner import ToolUnavailable

LARGEST = 100_000
"""Characters."""
FILES = (".pre-commit-config.yaml", ".pre-commit-config.yml")


class _Loader(yaml.SafeLoader):
    """Without merge keys: nested, they grow without end, and this is read outside the sandbox."""

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        del node


def hooks(tree: SourceTree) -> Iterator[dict[str, object]]:
    """Every hook's own table, with the whole configuration's ``files`` and ``exclude`` beside it.

    Raises:
        ToolUnavailable: the file cannot be read.
    """
    for path in FILES:
        if path in tree.files:
            yield from hooks_in(path, tree.text(path))


def hooks_in(path: str, text: str) -> Iterator[dict[str, object]]:
    """The same of one file's text; beside each hook its ``repo`` and ``rev``.

    Raises:
        ToolUnavailable: it cannot be read.
    """
    try:
        if len(text) > LARGEST:
            raise ToolUnavailable(f"{path} has {len(text)} characters: no configuration is that large")
        document = yaml.load(text, _Loader)  # noqa: S506 — a safe loader
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise ToolUnavailable(f"{path} is not valid YAML: {error}") from error
    document = document if isinstance(document, dict) else {}
    for repository in _dicts(document.get("repos")):
        for hook in _dicts(repository.get("hooks")):
            whole = {"also-exclude": document.get("exclude"), "also-files": document.get("files")}
            yield {**whole, "repo": repository.get("repo"), "rev": repository.get("rev"), **hook}


def matcher(hook: Mapping[str, object]) -> Matcher:
    """Which files a hook is handed.

    Raises:
        ToolUnavailable: a pattern cannot be read.
    """
    patterns = {key: str(hook.get(key) or "") for key in ("files", "also-files", "exclude", "also-exclude")}
    try:
        compiled = {key: re.compile(pattern) for key, pattern in patterns.items()}
    except re.error as error:
        raise ToolUnavailable(f"a hook's pattern cannot be read: {error}") from error
    return Matcher(
        (compiled["files"], compiled["also-files"]),
        tuple(compiled[key] for key in ("exclude", "also-exclude") if patterns[key]),
    )


@dataclass(frozen=True)
class Matcher:
    """Which files a hook is handed."""

    files: tuple[re.Pattern[str], ...]
    exclude: tuple[re.Pattern[str], ...]

    def __call__(self, path: str) -> bool:
        """Whether this one."""
        return all(each.search(path) for each in self.files) and not any(each.search(path) for each in self.exclude)


def strings(parent: Mapping[str, object], key: str) -> tuple[str, ...]:
    """The strings of a list in a table; empty: there is no list."""
    found = parent.get(key)
    return tuple(name for name in found if isinstance(name, str)) if isinstance(found, list) else ()


def _dicts(value: object) -> tuple[dict[str, object], ...]:
    return tuple(each for each in value if isinstance(each, dict)) if isinstance(value, list) else ()


def ini(tree: SourceTree, path: str, *sections: str) -> configparser.RawConfigParser:
    """A file's settings in the manner of ``setup.cfg``; none where there is no such file.

    Raises:
        ToolUnavailable: it cannot be read, and it names one of the sections that the caller looks for.
    """
    parser, text = configparser.RawConfigParser(strict=False), tree.text(path)
    try:
        parser.read_string(text)
    except configparser.Error as error:
        if any(f"[{section}" in text.lower() for section in sections):
            raise ToolUnavailable(f"{path} cannot be read: {' '.join(str(error).split())}") from error
        return configparser.RawConfigParser()
    return parser
