"""Inside the sandbox: whether a changed file can be shown to do what it did.

Both syntax trees are brought to one form by rewrites that are proven to change nothing, then compared; what still
differs is not shown to be equal. The rewrites are an allow-list of our own: no tool's word counts.

Arguments: the base's folder, the changed tree's, a JSON file ``[{path, edits}]``; without edits the changed tree's file
counts. Prints a JSON list with one reason each; empty: equal.
"""

from __future__ import annotations

import ast
import io
import json
import re
import sys
import tokenize
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.append("/opt/autonomy/lib")

from adapters.tools.inside import code_text
from adapters.tools.inside.documents import SUFFIXES, unequal_comments, unequal_document, with_old_docstrings
from adapters.tools.inside.edits import Edit, edited
from adapters.tools.inside.imported_names import Import, Repository, loading, own_use
from adapters.tools.inside.normal_form import Facts, bound_names, normal_form

ALWAYS_ON = frozenset({
    "nested_scopes", "generators", "division", "absolute_import", "with_statement", "print_function",
    "unicode_literals",
})  # fmt: skip
"""``from __future__`` features that every Python 3 has anyway."""
Body = ast.Module | ast.FunctionDef | ast.AsyncFunctionDef
SPEAKS = re.compile(r"^first |type:|noqa|pragma|pylint|pyright|mypy|fmt|isort|ruff|yapf|nosec|coding|cython|=|>>>")
"""Comments that some program reads."""
BOM = b"\xef\xbb\xbf"


def unequal(path: str, before: bytes, after: bytes, repository: Repository) -> str:
    """Why the change of one file is not shown to be equal; empty: it is."""
    if before == after:
        return ""
    if before.startswith(BOM) or after.startswith(BOM):
        return "the file begins with a byte order mark"
    try:
        if reason := repository.reads(path):
            return reason
        changed = _text(after)
        restored = with_old_docstrings(_text(before), changed, repository)
        return _unequal(path, before, after if restored == changed else restored.encode(), repository)
    except (SyntaxError, ValueError, LookupError, RecursionError, MemoryError) as error:
        return f"cannot be parsed: {type(error).__name__}: {error}"[:200]


def _unequal(path: str, before: bytes, after: bytes, repository: Repository) -> str:
    old, new = ast.parse(before), ast.parse(after)
    if ast.dump(old) == ast.dump(new) and _only_words_of_comments(_comments(before), _comments(after)):
        return ""
    if Counter(_comments(before)) != Counter(_comments(after)):
        return "a comment is changed or lost"
    if ast.dump(old) == ast.dump(new):
        return ""
    bound = bound_names(old) | bound_names(new) | repository.replaced
    facts = Facts(bound, repository.shadowed, repository.frames)
    for tree in (old, new):
        normal_form(tree, facts)
    dropped = _imports(old) - _imports(new)
    _drop(old, Counter(dropped))
    # Without what was dropped the other rewrites meet what they could not before (a body that is empty now, a run).
    for tree in (old, new):
        normal_form(tree, facts)
    if reason := _first_difference(old, new):
        return reason
    for imported in dropped:
        if reason := _needed(path, imported, new, after, repository):
            return f"import of {_bound(imported)}: {reason}"
    return ""


def _needed(path: str, imported: Import, new: ast.Module, after: bytes, repository: Repository) -> str:
    module, level, name, _ = imported
    bound = _bound(imported)
    if module == "__future__" and not level and name in ALWAYS_ON:
        return own_use(_text(after), new, bound) or repository.needs(path, bound)
    return own_use(_text(after), new, bound) or loading(imported, repository) or repository.needs(path, bound)


def _bound(imported: Import) -> str:
    module, _, name, alias = imported
    return alias or name or module.split(".")[0]


def _bodies(tree: ast.Module) -> Iterator[Body]:
    """Where an import may be dropped: the module's and functions' own statements, not what a condition guards."""
    return (node for node in ast.walk(tree) if isinstance(node, Body))


def _imports(tree: ast.Module) -> Counter[Import]:
    found = (single(statement) for node in _bodies(tree) for statement in node.body)
    return Counter(imported for imported in found if imported is not None)


def single(statement: ast.stmt) -> Import | None:
    """The one name a statement imports; the normal form has no others."""
    if isinstance(statement, ast.Import):
        return (statement.names[0].name, 0, "", statement.names[0].asname)
    if isinstance(statement, ast.ImportFrom):
        return (statement.module or "", statement.level, statement.names[0].name, statement.names[0].asname)
    return None


def _drop(tree: ast.Module, imports: Counter[Import]) -> None:
    for node in _bodies(tree):
        kept: list[ast.stmt] = []
        for statement in node.body:
            imported = single(statement)
            if imported is not None and imports[imported] > 0:
                imports[imported] -= 1
            else:
                kept.append(statement)
        node.body = kept if kept or isinstance(node, ast.Module) else [ast.Pass()]


def _first_difference(old: ast.Module, new: ast.Module) -> str:
    if ast.dump(old) == ast.dump(new):
        return ""
    for one, other in zip(old.body, new.body, strict=False):
        if ast.dump(one) != ast.dump(other):
            return f"line {getattr(one, 'lineno', 1)} is not shown to do the same"
    return "statements are added or removed"


def _only_words_of_comments(before: list[str], after: list[str]) -> bool:
    pairs = zip(before, after, strict=True) if len(before) == len(after) else None
    return pairs is not None and all(
        one == other or not (SPEAKS.search(one) or SPEAKS.search(other)) for one, other in pairs
    )


def _comments(source: bytes) -> list[str]:
    """Comments without trailing space; a UTF-8 cookie says what is so without it."""
    found: list[str] = []
    for token in tokenize.tokenize(io.BytesIO(source).readline):
        if token.type == tokenize.COMMENT:
            cookie = token.start[0] <= 2 and "coding" in token.string and "utf-8" in token.string.lower()  # noqa: PLR2004 — PEP 263
            shebang = token.start == (1, 0) and token.string.startswith("#!")
            found += [f"{'first ' * shebang}{token.string.rstrip()}"] * (not cookie)
    return found


def _text(source: bytes) -> str:
    encoding, _ = tokenize.detect_encoding(io.BytesIO(source).readline)
    return source.decode(encoding)


def main(base: Path, tree: Path, request: list[dict[str, Any]]) -> list[str]:
    """One reason for each entry."""
    repository, reasons = Repository(base), []
    for entry in request:
        path = str(entry["path"])
        before = (base / path).read_bytes()
        if path.endswith(SUFFIXES):
            reasons.append(unequal_document(path, before, (tree / path).read_bytes(), repository))
            continue
        if path.endswith(code_text.SUFFIXES):
            reasons.append(unequal_comments(path, before, (tree / path).read_bytes(), repository))
            continue
        edits = entry["edits"]
        if edits is None:
            reasons.append(unequal(path, before, (tree / path).read_bytes(), repository))
            continue
        try:
            after = edited(before, tuple(Edit(*each) for each in edits))
        except ValueError as error:
            reasons.append(str(error))
            continue
        reasons.append(unequal(path, before, after, repository))
    return reasons


if __name__ == "__main__":
    json.dump(main(Path(sys.argv[1]), Path(sys.argv[2]), json.loads(Path(sys.argv[3]).read_bytes())), sys.stdout)
