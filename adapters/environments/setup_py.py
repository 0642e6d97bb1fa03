"""Reading what ``setup(…)`` is given in a repository's setup.py: parsed, never run (P8)."""

import ast
import threading
from collections.abc import Iterator
from dataclasses import dataclass

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
