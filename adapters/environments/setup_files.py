"""setup.cfg, setup.py and PKG-INFO, read without running them: parsed, what is computed is said to be (P8)."""

import ast
import configparser
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from packaging.metadata import parse_email
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from ports.environments import EnvironmentUnavailable

_KEYWORDS = ("install_requires", "setup_requires", "tests_require")


@dataclass(frozen=True)
class Stated:
    """Requirements as a file states them, and what could not be read."""

    requirements: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def from_setup_cfg(body: bytes, extras: Iterable[str]) -> Stated:
    """``[options]`` and the chosen ``[options.extras_require]``."""
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        parser.read_string(body.decode("utf-8", errors="replace"))
    except configparser.Error as problem:
        raise EnvironmentUnavailable(f"setup.cfg: cannot be read: {problem}") from problem
    texts = [parser.get("options", keyword, fallback="") for keyword in _KEYWORDS]
    if parser.has_section("options.extras_require"):
        texts += _chosen(dict(parser["options.extras_require"]), extras)
    lines = [line.strip() for text in texts for line in text.replace(";\n", "\n").split("\n")]
    unread = tuple(f"setup.cfg: `{line}` was not read" for line in lines if line.startswith("file:"))
    return Stated(tuple(line for line in lines if line and not line.startswith(("file:", "#"))), unread)


def from_setup_py(body: bytes, extras: Iterable[str]) -> Stated:
    """What ``setup(…)`` is given as plain literals; running the file to find out more is out of the question."""
    try:
        arguments = setup_arguments(body.decode("utf-8", errors="replace"))
    except UnreadableSetup as problem:
        return Stated(notes=(f"setup.py: cannot be parsed: {problem}",))
    requirements: list[str] = []
    notes: list[str] = []
    for argument in arguments:
        if argument.name not in (*_KEYWORDS, "extras_require"):
            continue
        if argument.computed:
            notes.append(f"setup.py:{argument.line}: `{argument.name}` is computed and was not read")
        elif isinstance(argument.value, dict):
            for chosen in _chosen(argument.value, extras):
                requirements += _listed(chosen)
        else:
            requirements += _listed(argument.value)
    return Stated(tuple(requirements), tuple(notes))


def from_pkg_info(body: bytes, extras: Iterable[str]) -> Stated:
    """``Requires-Dist`` of a source distribution's own metadata."""
    metadata, _ = parse_email(body)
    requirements = []
    for text in metadata.get("requires_dist", []):
        try:
            requirement = Requirement(text)
        except InvalidRequirement:
            requirements.append(text)  # Refused with its origin by whoever asked.
            continue
        if requirement.marker is None or any(requirement.marker.evaluate({"extra": extra}) for extra in ("", *extras)):
            requirement.marker = None
            requirements.append(str(requirement))
    return Stated(tuple(requirements))


def _listed(value: object) -> list[str]:
    if isinstance(value, str):
        value = value.split("\n")
    return [str(item).strip() for item in value if str(item).strip()] if isinstance(value, list | tuple | set) else []


def _chosen(table: dict[str, Any], extras: Iterable[str]) -> list[Any]:
    wanted = {canonicalize_name(extra) for extra in extras}
    return [value for name, value in table.items() if canonicalize_name(str(name).split(":")[0]) in wanted]


LARGEST = 512 * 1024
"""Characters; a larger file is not parsed."""
UNREADABLE = (SyntaxError, ValueError, TypeError, RecursionError, MemoryError)

# CPython before 3.11.8 counts the parser's depth per interpreter, not per thread: two parsers at once make it
# raise SystemError (gh-106905), and steps are threads.
_ONE_PARSER = threading.Lock()


class UnreadableSetup(Exception):
    """The file cannot be parsed."""


@dataclass(frozen=True)
class SetupArgument:
    """One keyword argument of a call."""

    name: str
    value: object
    """The literal, also by way of a module-level name; None when computed."""
    computed: bool
    line: int


def setup_arguments(text: str) -> tuple[SetupArgument, ...]:
    """Keyword arguments of every call named ``setup``, in order.

    Raises:
        UnreadableSetup: no Python this interpreter understands, or too large.
    """
    if len(text) > LARGEST:
        raise UnreadableSetup(f"larger than {LARGEST} characters")
    with _ONE_PARSER:
        try:
            module = ast.parse(text)
        except UNREADABLE as problem:
            raise UnreadableSetup(str(problem)) from problem
        return tuple(_arguments(module))


def _arguments(module: ast.Module) -> Iterator[SetupArgument]:
    constants = {
        target.id: node.value
        for node in module.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for call in ast.walk(module):
        if not (isinstance(call, ast.Call) and _is_setup(call.func)):
            continue
        for keyword in call.keywords:
            if keyword.arg is None:
                continue
            node = keyword.value
            node = constants.get(node.id, node) if isinstance(node, ast.Name) else node
            try:
                yield SetupArgument(keyword.arg, ast.literal_eval(node), computed=False, line=node.lineno)
            except UNREADABLE:
                yield SetupArgument(keyword.arg, None, computed=True, line=node.lineno)


def _is_setup(function: ast.expr) -> bool:
    return (isinstance(function, ast.Name) and function.id == "setup") or (
        isinstance(function, ast.Attribute) and function.attr == "setup"
    )
