"""What people read is cut between words and says so: nothing of ours slices a sentence."""

from __future__ import annotations

import ast

from settings import ROOT

FOLDERS = ("activities", "adapters", "commands", "policies", "reporting", "workflows")
SENTENCES = {
    "cause",
    "detail",
    "error",
    "impact",
    "message",
    "note",
    "problem",
    "reason",
    "said",
    "summary",
    "title",
    "why",
}
# These run beside a repository's code, with the standard library alone.
ALONE = ("adapters/tools/inside/", "adapters/probes/__main__.py", "adapters/one_request.py")


def _named(node: ast.expr) -> str:
    if isinstance(node, ast.Call) and _named(node.func) == "str" and node.args:
        return _named(node.args[0])
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _is_sentence(node: ast.expr) -> bool:
    """An f-string with words in it; a key or a fingerprint has none."""
    words = node.values if isinstance(node, ast.JoinedStr) else ()
    return any(isinstance(part, ast.Constant) and " " in str(part.value) for part in words)


def test_no_sentence_is_sliced() -> None:
    """``reason[:500]`` ends in the middle of a word; ``policies.counted.shortened`` does not."""
    sliced = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for folder in FOLDERS
        for path in sorted((ROOT / folder).rglob("*.py"))
        if not str(path.relative_to(ROOT)).startswith(ALONE)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Subscript)
        and isinstance(node.slice, ast.Slice)
        and node.slice.lower is None
        and (_named(node.value) in SENTENCES or _is_sentence(node.value))
    ]
    assert [] == sliced
