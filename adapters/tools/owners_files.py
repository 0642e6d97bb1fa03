"""Files in which an owner sets up other tools: pre-commit's hooks, and settings in the manner of ``setup.cfg``."""

from __future__ import annotations

import configparser
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import yaml

from adapters.killable_child import answer_of
from adapters.tools.source_tree import SourceTree
from adapters.tools.tool_runner import ToolUnavailable

LARGEST = 100_000
"""Characters."""
_UNFOLDED, _LONGEST = 20_000, 1_000_000
"""Nodes, and characters of all texts: by aliases a few lines hold any number."""
_CHILD = Path(__file__).with_name("path_patterns.py")
_SECONDS = 10.0
FILES = (".pre-commit-config.yaml", ".pre-commit-config.yml")


class _Loader(yaml.SafeLoader):
    """Without merge keys: nested, they grow without end, and this is read outside the sandbox."""

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        del node


class _Unmerged(_Loader):
    """What is merged is read where it was written, and stands under its key."""


_Unmerged.add_constructor("tag:yaml.org,2002:merge", lambda _loader, _node: "<<")


def unfolded(text: str, *, merges: bool = False) -> object:
    """A YAML document whose aliases all together stay small; ``merges``: with merge keys, which are not followed.

    Raises:
        YAMLError, RecursionError, ValueError: it is none.
    """
    document = yaml.load(text, _Unmerged if merges else _Loader)  # noqa: S506 — safe loaders
    todo, nodes, size = [document], 0, 0
    while todo:
        each = todo.pop()
        nodes += 1
        if isinstance(each, dict):
            todo += [*each, *each.values()]
        elif isinstance(each, list | tuple | set):
            todo += each
        else:
            size += len(each) if isinstance(each, str | bytes) else 1
        if nodes > _UNFOLDED or size > _LONGEST:
            raise ValueError("its aliases unfold to more than any configuration holds")
    return document


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
        document = unfolded(text)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise ToolUnavailable(f"{path} is not valid YAML: {error}") from error
    document = document if isinstance(document, dict) else {}
    for repository in _dicts(document.get("repos")):
        for hook in _dicts(repository.get("hooks")):
            whole = {"also-exclude": document.get("exclude"), "also-files": document.get("files")}
            yield {**whole, "repo": repository.get("repo"), "rev": repository.get("rev"), **hook}


class Patterns(NamedTuple):
    """Which files something is handed: those that all of the one match, and none of the other."""

    needed: tuple[str, ...]
    refused: tuple[str, ...]


def patterns_of(hook: Mapping[str, object]) -> Patterns:
    """Of one hook.

    Raises:
        ToolUnavailable: one is no text.
    """

    def patterns(*keys: str) -> tuple[str, ...]:
        found = [value for key in keys if (value := hook.get(key))]
        if not all(isinstance(each, str) for each in found):
            raise ToolUnavailable("a hook's pattern cannot be read: it is no text")
        return tuple(map(str, found))

    return Patterns(patterns("files", "also-files"), patterns("exclude", "also-exclude"))


def handed(patterns: Sequence[Patterns], paths: Collection[str]) -> list[frozenset[str]]:
    """For each of them the paths that it is handed.

    Raises:
        ToolUnavailable: a pattern cannot be read, or takes for ever.
    """
    known = sorted(paths)
    if not any(each.needed or each.refused for each in patterns):
        return [frozenset(known)] * len(patterns)
    told = answer_of(_CHILD, json.dumps({"paths": known, "asked": patterns}).encode(), _SECONDS, lambda: None)
    if told is None:
        raise ToolUnavailable(f"the patterns of hooks take longer than {_SECONDS:g} s to match")
    try:
        reply = json.loads(told[0])
    except ValueError as problem:
        raise ToolUnavailable("the patterns of hooks could not be matched") from problem
    if reply["problem"]:
        raise ToolUnavailable(f"a hook's pattern {reply['problem']}")
    return [frozenset(known[number] for number in each) for each in reply["answers"]]


def strings(parent: Mapping[str, object], key: str) -> tuple[str, ...]:
    """The strings of a list in a table; empty: there is no list."""
    found = parent.get(key)
    return tuple(name for name in found if isinstance(name, str)) if isinstance(found, list) else ()


def table_in(parent: Mapping[str, object], key: str) -> dict[str, object]:
    """A table in a table; empty: there is none."""
    found = parent.get(key)
    return found if isinstance(found, dict) else {}


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
