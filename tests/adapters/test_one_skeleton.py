"""What forges do alike stands once: no run of six lines is in two of their files (design, "One skeleton")."""

from __future__ import annotations

import ast
from collections import defaultdict

from settings import ROOT

RUN = 6


def rows(text: str) -> list[str]:
    """The lines of code; imports and docstrings repeat themselves by right, and brackets alone say nothing."""
    left_out: set[int] = set()
    for node in ast.walk(ast.parse(text)):
        is_text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if isinstance(node, ast.Import | ast.ImportFrom) or is_text:
            left_out.update(range(node.lineno, (node.end_lineno or 0) + 1))
    lines = (line.strip() for number, line in enumerate(text.splitlines(), 1) if number not in left_out)
    return [line.replace("_", "") for line in lines if line.strip("()[]{}, ") and not line.startswith("#")]


def repeated(texts: dict[str, str]) -> list[tuple[str, ...]]:
    """Which files share a run."""
    seen: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for name, text in texts.items():
        found = rows(text)
        for begin in range(len(found) - RUN + 1):
            seen[tuple(found[begin : begin + RUN])].add(name)
    return [(*sorted(names), run[0]) for run, names in seen.items() if len(names) > 1]


def test_forges_share_by_a_skeleton_and_not_by_copies() -> None:
    """All files of the forges and of the effects against each other."""
    files = [file for part in ("forges", "effects") for file in (ROOT / "adapters" / part).rglob("*.py")]
    texts = {str(file.relative_to(ROOT)): file.read_text() for file in files}
    assert [] == repeated(texts)
    # It would be seen.
    writer = texts["adapters/forges/http/writer.py"]
    assert repeated({"a": writer, "b": writer.replace("self.", "acting.").replace("_known", "_opened")})
