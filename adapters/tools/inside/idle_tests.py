"""Inside the sandbox: tests in Python that check nothing, and skips that never or always apply.

A test checks something if anything in it, or in what it calls by a name of this repository, asserts, raises, or is
called as what asserts; whatever cannot be told (a plugin's fixture, an unknown decorator) counts as checking.

Arguments: the lowest Python version that is stated (``3.9``, or ``-``), then folders to leave out, by commas. Prints
JSON: ``{found: [{rule, path, line, name, why}], looked: [path], unread: {path: reason}}``.
"""

from __future__ import annotations

import ast
import json
import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

LARGEST = 1_000_000
TEST_FILE = re.compile(r"(^|/)(test_[^/]*|[^/]*_tests?)\.py$")
ASSERTS = re.compile(
    r"assert|expect|raise|warns|check|verif|fail|should|ensure|valid|compare|match|must|approve|snapshot|regress|golden"
    r"|equal|same|test|demand|require|confirm|exit|benchmark|doctest",
    re.IGNORECASE,
)
"""In the name of what is called, with a context manager or a fixture: it may well assert."""
INTENDED = re.compile(
    r"smoke|import|no_?(op|error|exception|raise|crash|fail|warn|hang|deadlock)|(not|nt|never|without)_|doesn|runs?\b|works?\b"
    r"|survive|ignore|accept|allow|support|crash|hang|leak|thread|pickl|repr|str$|valid|ok$|compil|build|exist|defin",
    re.IGNORECASE,
)
"""In a test's name: that nothing is raised is what it is there for."""
SAID = re.compile(
    r"raise|error|crash|fail|warn|hang|exception|smoke|just|simply|only|nothing|import|no[- ]?op", re.IGNORECASE
)
FIXTURES = frozenset(
    [
        "self",
        "cls",
        "request",
        "tmp_path",
        "tmpdir",
        "tmp_path_factory",
        "monkeypatch",
        "capsys",
        "capfd",
        "caplog",
        "recwarn",
    ]
)
PLAIN_MARKS = frozenset(["parametrize", "usefixtures", "skip", "skipif", "slow", "asyncio", "anyio", "trio", "timeout"])
VERSIONS = tuple((3, minor) for minor in range(40))
Function = ast.FunctionDef | ast.AsyncFunctionDef
NEVER, ALWAYS = "skip-never", "skip-always"


def look(lowest: tuple[int, int] | None, vendored: frozenset[str]) -> dict[str, object]:
    """At the current folder."""
    modules: dict[str, ast.Module] = {}
    unread: dict[str, str] = {}
    for path in _files(vendored):
        try:
            modules[path] = ast.parse(Path(path).read_bytes())
        except (SyntaxError, ValueError, RecursionError, MemoryError, OSError) as error:
            if TEST_FILE.search(path):
                unread[path] = f"does not parse: {error}"[:200]
    asserting = _asserting(modules)
    found: list[dict[str, object]] = []
    for path, module in modules.items():
        if not TEST_FILE.search(path):
            continue
        for test, owner in _tests(module):
            if why := _checks_nothing(test, owner, module, asserting):
                found.append({"rule": "no-assertion", "path": path, "line": test.lineno, "name": test.name, "why": why})
        if lowest is not None:
            found += [entry | {"path": path} for entry in _skips(module, lowest)]
    return {"found": found, "looked": [path for path in modules if TEST_FILE.search(path)], "unread": unread}


def _files(vendored: frozenset[str]) -> Iterator[str]:
    for folder, folders, names in os.walk("."):
        folders[:] = sorted(name for name in folders if name not in vendored)
        for name in sorted(names):
            path = Path(folder, name)
            if name.endswith(".py") and path.is_file() and not path.is_symlink() and path.stat().st_size <= LARGEST:
                yield str(path)


def _tests(module: ast.Module) -> Iterator[tuple[Function, ast.ClassDef | None]]:
    """Those that pytest and unittest collect by their names."""
    for node in module.body:
        if isinstance(node, Function) and node.name.startswith("test"):
            yield node, None
        elif isinstance(node, ast.ClassDef) and (node.name.startswith("Test") or _is_case(node)):
            for inner in node.body:
                if isinstance(inner, Function) and inner.name.startswith("test"):
                    yield inner, node


def _is_case(node: ast.ClassDef) -> bool:
    return any(_last(base).endswith("TestCase") for base in node.bases)


def _asserting(modules: dict[str, ast.Module]) -> frozenset[str]:
    """Names of functions of this repository that assert, or call one that does."""
    calls: dict[str, set[str]] = {}
    asserting: set[str] = set()
    for module in modules.values():
        for node in ast.walk(module):
            if isinstance(node, Function):
                calls.setdefault(node.name, set()).update(_called(node))
                if _asserts_itself(node):
                    asserting.add(node.name)
    while more := {name for name, called in calls.items() if name not in asserting and called & asserting}:
        asserting |= more
    return frozenset(asserting)


def _called(node: ast.AST) -> Iterator[str]:
    for inner in ast.walk(node):
        if isinstance(inner, ast.Call):
            yield _last(inner.func)
        elif isinstance(inner, (ast.Name, ast.Attribute)) and isinstance(inner.ctx, ast.Load):
            # Handed on, it may be called.
            yield _last(inner)


def _asserts_itself(node: ast.AST) -> bool:
    return any(isinstance(inner, (ast.Assert, ast.Raise, ast.Yield, ast.YieldFrom)) for inner in ast.walk(node))


def _last(node: ast.expr) -> str:
    while isinstance(node, (ast.Call, ast.Subscript)):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _checks_nothing(test: Function, owner: ast.ClassDef | None, module: ast.Module, asserting: frozenset[str]) -> str:
    """Why; empty: it checks something, it cannot be told, or that it runs is what it is there for."""
    if not all(_is_plain(mark) for mark in (*test.decorator_list, *(owner.decorator_list if owner else ()))):
        return ""
    parameters = {each.arg for each in (*test.args.args, *test.args.kwonlyargs)}
    own = {node.name for node in module.body if isinstance(node, Function)}
    if any(
        name not in FIXTURES | own | _parameters(test) or ASSERTS.search(name) or name in asserting
        for name in parameters
    ):
        return ""
    body = test.body[1:] if ast.get_docstring(test) is not None else test.body
    if all(
        isinstance(each, ast.Pass) or (isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant))
        for each in body
    ):
        return "its body is empty"
    if _asserts_itself(test) or any(
        name in asserting or ASSERTS.search(name) for name in _called(ast.Module(test.body, []))
    ):
        return ""
    docstring = ast.get_docstring(test) or ""
    if (
        INTENDED.search(test.name.removeprefix("test"))
        or SAID.search(docstring)
        or (owner and INTENDED.search(owner.name))
    ):
        return ""
    return "it calls, and looks at nothing that comes of it"


def _is_plain(mark: ast.expr) -> bool:
    return _last(mark) in PLAIN_MARKS and "mark" in ast.dump(mark)


def _parameters(test: Function) -> set[str]:
    words = (node.value for mark in test.decorator_list for node in ast.walk(mark) if isinstance(node, ast.Constant))
    return {name.strip() for word in words if isinstance(word, str) for name in word.split(",")}


def _skips(module: ast.Module, lowest: tuple[int, int]) -> Iterator[dict[str, object]]:
    """Conditions on the Python version alone that are one and the same under every version that is supported."""
    for node in ast.walk(module):
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            continue
        for mark in node.decorator_list:
            kind = _last(mark)
            if not isinstance(mark, ast.Call) or not mark.args or kind not in {"skipif", "skipIf", "skipUnless"}:
                continue
            answers = {_holds(mark.args[0], version) for version in VERSIONS if version >= lowest}
            if kind == "skipUnless":
                answers = {None if answer is None else not answer for answer in answers}
            if answers in ({True}, {False}):
                rule, when = (ALWAYS, "always") if answers == {True} else (NEVER, "never")
                why = f"`{ast.unparse(mark.args[0])}` {when} skips under Python {lowest[0]}.{lowest[1]} and newer"
                yield {"rule": rule, "line": mark.lineno, "name": node.name, "why": why[:200]}


COMPARES: dict[type[ast.cmpop], Callable[[object, object], bool]] = {
    ast.Lt: lambda one, other: one < other,  # type: ignore[operator]  # both are tuples of numbers, or numbers
    ast.LtE: lambda one, other: one <= other,  # type: ignore[operator]
    ast.Gt: lambda one, other: one > other,  # type: ignore[operator]
    ast.GtE: lambda one, other: one >= other,  # type: ignore[operator]
}


def _holds(node: ast.expr, version: tuple[int, int]) -> bool | None:
    """Of a condition under one version; None: it asks for something else, or a patch release decides."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        inner = _holds(node.operand, version)
        return None if inner is None else not inner
    if not isinstance(node, ast.Compare) or len(node.ops) != 1 or type(node.ops[0]) not in COMPARES:
        return None
    left, right = ast.unparse(node.left), node.comparators[0]
    try:
        limit = ast.literal_eval(right)
    except ValueError:
        return None
    compare = COMPARES[type(node.ops[0])]
    if left in {"sys.version_info[0]", "sys.version_info.major"} and isinstance(limit, int):
        return compare(version[0], limit)
    of_all = left in {"sys.version_info", "sys.version_info[:2]"}
    if not (
        of_all and isinstance(limit, tuple) and all(isinstance(each, int) for each in limit) and len(limit) in {1, 2}
    ):
        return None
    if left == "sys.version_info":
        # (3, 9, 0) is more than (3, 9).
        return compare((*version, 0), limit)
    return compare(version, limit)


if __name__ == "__main__":
    stated, left_out = sys.argv[1:3]
    major, _, minor = stated.partition(".")
    lowest = (int(major), int(minor)) if minor else None
    json.dump(look(lowest, frozenset(left_out.split(","))), sys.stdout)
