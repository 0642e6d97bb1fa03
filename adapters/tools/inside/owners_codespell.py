"""Inside the sandbox: how the owner of a repository calls codespell, and what those calls leave out.

codespell reads ``setup.cfg``, ``.codespellrc`` and ``pyproject.toml`` itself. Here are the others: pre-commit's hook,
its GitHub action, ``tox.ini``, and the command lines of make, tox, nox, CI and scripts. What any of them leaves out is
left out; a file that none of them looks at is not looked at.
"""

from __future__ import annotations

import argparse
import contextlib
import fnmatch
import io
import os
import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import yaml
from codespell_lib import _codespell

from adapters.tools.inside.command_lines import SCRIPTS, command_lines

HOOKS = (".pre-commit-config.yaml", ".pre-commit-config.yml")
WORKFLOWS = re.compile(r"^\.(github|gitea|forgejo)/(workflows|actions)/.+\.ya?ml$")
ACTION = "codespell-project/actions-codespell"
ACTION_OPTIONS = {
    "skip": "--skip",
    "exclude_file": "--exclude-file",
    "builtin": "--builtin",
    "ignore_words_file": "--ignore-words",
    "ignore_words_list": "--ignore-words-list",
    "uri_ignore_words_list": "--uri-ignore-words-list",
}
"""The action's inputs."""
FLAGS = (
    *("-w", "-s", "-f", "-H", "-e", "-c", "-d", "--write-changes", "--check-hidden", "--check-filenames", "--summary"),
    *("--count", "--ignore-sic", "--enable-colors", "--disable-colors", "--hard-encoding-detection", "--"),
)
"""Options without a value."""
TAGS = {
    ".md": "markdown", ".rst": "rst", ".txt": "plain-text", ".py": "python", ".pyi": "pyi", ".go": "go", ".rs": "rust",
    ".js": "javascript", ".mjs": "javascript", ".cjs": "javascript", ".jsx": "jsx", ".ts": "ts", ".mts": "ts",
    ".cts": "ts", ".tsx": "tsx", ".java": "java", ".c": "c", ".h": "c c++ header", ".cc": "c++", ".cpp": "c++",
    ".cxx": "c++", ".hh": "c++ header", ".hpp": "c++ header", ".hxx": "c++ header", ".sh": "shell",
    ".bash": "shell bash", ".toml": "toml", ".yml": "yaml", ".yaml": "yaml",
}  # fmt: skip
"""pre-commit's names of the files that we look at."""
JOINED = ("skip", "ignore_words", "ignore_words_list", "exclude_file", "uri_ignore_words_list")
PATTERNS = ("ignore_regex", "ignore_multiline_regex")
ANYTHING = re.compile("")


class Unclear(Exception):
    """What the owner leaves out cannot be told; nothing may be proposed."""


@dataclass(frozen=True)
class Call:
    """One call, with the owner's configuration files taken in."""

    options: argparse.Namespace
    paths: tuple[str, ...] = ()
    """Files and folders; empty: the whole repository."""
    files: re.Pattern[str] = ANYTHING
    exclude: re.Pattern[str] | None = None
    types: tuple[frozenset[str], frozenset[str], frozenset[str]] = (frozenset(), frozenset(), frozenset())
    """All of, one of, none of these tags."""

    def looks_at(self, path: str) -> bool:
        """Whether the call is handed this file."""
        every, some, none = self.types
        tags = {"file", "text", *TAGS[Path(path).suffix].split()}
        return (
            (not self.paths or any(path == top or path.startswith(f"{top.rstrip('/')}/") for top in self.paths))
            and self.files.search(path) is not None
            and not (self.exclude and self.exclude.search(path))
            and every <= tags
            and (not some or bool(some & tags))
            and not none & tags
        )


@dataclass(frozen=True)
class Calls:
    """All of them."""

    every: tuple[Call, ...]

    def look_at(self, path: str) -> bool:
        """Whether one of them looks at the file and none of them skips it. Without any, every file is looked at."""
        wanted = not self.every or any(call.looks_at(path) for call in self.every)
        return wanted and not any(skipped(path, call.options.skip or ()) for call in self.every)

    def join(self, options: argparse.Namespace) -> argparse.Namespace:
        """Everything that any call leaves out, in one call's options that can neither write nor ask."""
        each = [options, *(call.options for call in self.every)]
        for name in JOINED:
            setattr(options, name, [value for one in each for value in getattr(one, name) or ()])
        for name in PATTERNS:
            patterns = dict.fromkeys(pattern for one in each if (pattern := getattr(one, name)))
            setattr(options, name, "|".join(f"(?:{pattern})" for pattern in patterns) or None)
        options.dictionary = next((one.dictionary for one in each if one.dictionary), None)
        options.regex = next((one.regex for one in each if one.regex), None)
        if self.every:
            chosen = [set(one.builtin.split(",")) for one in each[1:]]
            options.builtin = ",".join(sorted(set.intersection(*chosen) or chosen[0]))
            options.check_hidden = any(one.check_hidden for one in each)
        options.ignore_sic = any(one.ignore_sic for one in each)
        options.write_changes = options.summary = options.count = options.check_filenames = False
        options.hard_encoding_detection = options.colors = False
        options.interactive, options.stdin_single_line = 0, False
        options.context = options.before_context = options.after_context = None
        return options


def skipped(path: str, patterns: Sequence[str]) -> bool:
    """Whether a ``skip`` list means this file, however its owner wrote the path.

    codespell takes some spellings only when it walks, others only for the names it is given; both are meant.
    """
    parts = path.split("/")
    names = [*parts, *("/".join(parts[:end]) for end in range(1, len(parts) + 1))]
    for pattern in _codespell.flatten_clean_comma_separated_arguments(patterns):
        bare = re.sub(r"(/\*{1,2})?/?$", "", pattern.removeprefix("./")) or pattern
        if any(fnmatch.fnmatch(name, one) for name in names for one in (pattern, bare)):
            return True
        if fnmatch.fnmatch(f"./{path}", pattern):
            return True
    return False


def calls(paths: Sequence[str]) -> Calls:
    """Find them in these files of the current folder.

    Raises:
        Unclear: a file cannot be read, or an option's value is put together when it runs.
    """
    found: list[Call] = []
    bare: list[Call] = []
    for path in paths:
        if path in HOOKS:
            found += _hooks(path)
        if WORKFLOWS.match(path):
            found += _actions(path)
        if SCRIPTS.match(path):
            for words in command_lines("codespell", path, _read(path)):
                # Alone, the name may be one of a list of packages to install.
                (found if words else bare).extend(_call(path, words, surely=False))
    if "tox.ini" in paths and re.search(r"^\[codespell\]", _read("tox.ini"), re.MULTILINE):
        found += _call("tox.ini", ["--config", "tox.ini"], surely=True)
    return Calls(tuple(found or bare))


def _hooks(path: str) -> Iterator[Call]:
    document = _mapping(_yaml(path))
    for repository in _list(document.get("repos")):
        for hook in map(_mapping, _list(_mapping(repository).get("hooks"))):
            entry = shlex.split(str(hook.get("entry", "")))
            if hook.get("id") != "codespell" and entry[:1] != ["codespell"]:
                continue
            words = [*entry[1:], *(str(word) for word in _list(_mapping(hook).get("args")))]
            excluded = [str(one["exclude"]) for one in (document, hook) if one.get("exclude")]
            files = [str(one["files"]) for one in (document, hook) if one.get("files")]
            for call in _call(path, words, surely=True):
                yield Call(
                    call.options,
                    files=_pattern(path, "".join(f"(?=.*?(?:{one}))" if len(files) > 1 else one for one in files)),
                    exclude=_pattern(path, "|".join(f"(?:{one})" for one in excluded)) if excluded else None,
                    types=(_tags(hook, "types"), _tags(hook, "types_or"), _tags(hook, "exclude_types")),
                )


def _tags(hook: dict[str, object], name: str) -> frozenset[str]:
    return frozenset(str(tag) for tag in _list(hook.get(name)))


def _actions(path: str) -> Iterator[Call]:
    """Steps that use codespell's own GitHub action."""
    waiting: list[object] = [_yaml(path)]
    seen = set[int]()
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            # An alias: it may hold itself.
            continue
        seen.add(id(node))
        waiting += node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
        if not isinstance(node, dict) or not str(node.get("uses", "")).startswith(ACTION):
            continue
        options = {str(name): value for name, value in _mapping(node.get("with")).items() if value not in ("", None)}
        words = [f"{option}={options[name]}" for name, option in ACTION_OPTIONS.items() if name in options]
        yield from _call(path, [*words, *str(options.get("path", "")).split()], surely=True)


def _call(path: str, words: list[str], *, surely: bool) -> Iterator[Call]:
    """As codespell itself reads the words; what was no call after all, is none."""
    known = [word for word in words if word.startswith("-") or not re.search(r"[${}]", word)]
    if any(re.search(r"[$]|\{\w", word) for word in known) or _value_is_unknown(words):
        raise Unclear(f"{path}: an option of codespell is put together when it runs; write it into .codespellrc")
    try:
        with contextlib.redirect_stderr(io.StringIO()) as output, contextlib.redirect_stdout(io.StringIO()):
            options = _codespell.parse_options(known)[0]
    except SystemExit as error:
        if surely:
            last = output.getvalue().strip().rsplit("\n", 1)[-1]
            raise Unclear(f"{path}: codespell refuses these options: {last}") from error
        return
    tops = [os.path.normpath(name) for name in options.files if name not in (".", "./")]
    there = all(Path(name).exists() for name in tops) and len(known) == len(words)
    yield Call(options, tuple(tops) if there and not {".", "./"} & set(options.files) else ())


def _value_is_unknown(words: list[str]) -> bool:
    """``--skip $(NAME)``: the value of an option that takes one, in a word of its own."""
    return any(
        re.search(r"[${}]", value) and option.startswith("-") and "=" not in option and not option.endswith(FLAGS)
        for option, value in pairwise(words)
    )


def _read(path: str) -> str:
    return Path(path).read_text(encoding="utf-8", errors="replace")


def _yaml(path: str) -> object:
    text = _read(path)
    if "codespell" not in text:
        return {}
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise Unclear(f"{path} is not valid YAML") from error


def _pattern(path: str, pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern)
    except re.error as error:
        raise Unclear(f"{path}: {pattern!r} is no regular expression") from error


def _mapping(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []
