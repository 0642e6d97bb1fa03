"""Inside the sandbox: what a reviewer must know of Python files, from their syntax trees; of others, all but comments.

Arguments: paths. Prints JSON: ``{path: facts}``; a file that does not parse has only ``error``.
"""

from __future__ import annotations

import ast
import hashlib
import json
import sys
from collections import Counter
from pathlib import Path

sys.path.append("/opt/autonomy/lib")

from adapters.tools.inside import code_text

RUNS_CODE = frozenset(
    [
        "eval",
        "exec",
        "compile",
        "__import__",
        "os.system",
        "os.popen",
        "os.fork",
        "os.spawnl",
        "os.spawnv",
        "pty.spawn",
        "pickle.loads",
        "pickle.load",
        "marshal.loads",
        "importlib.import_module",
        "runpy.run_path",
        "runpy.run_module",
    ]
)
RUNS_CODE_MODULES = ("subprocess.", "os.exec", "os.posix_spawn", "socket.", "ctypes.")


def facts(path: str, source: bytes) -> dict[str, object]:
    """Counts and digests of one file."""
    try:
        if path.endswith(code_text.SUFFIXES):
            return {"error": "", "prose": code_text.layout(path, source)}
        module = ast.parse(source)
        return {
            "error": "",
            "prose": _digest(_Blanked().visit(ast.parse(source))),
            "modules": sorted(_imports(module)),
            "definitions": sorted(_definitions(module, "")),
            "tests": sorted(name for name in _definitions(module, "") if name.rsplit(".", 1)[-1].startswith("test")),
            "asserts": _asserts(module),
            "runs_code": _runs_code(module),
        }
    except code_text.Unreadable as reason:
        return {"error": str(reason)[:200]}
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return {"error": f"{type(error).__name__}: {error}"[:200]}


class _Blanked(ast.NodeTransformer):
    """Without the text of bare strings (docstrings)."""

    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        if isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            node.value.value = ""
        return self.generic_visit(node)


def _digest(module: ast.AST) -> str:
    return hashlib.sha256(ast.dump(module).encode("utf-8", "surrogatepass")).hexdigest()


def _imports(module: ast.Module) -> set[str]:
    names = set[str]()
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            names.add("." * node.level + (node.module or ""))
    return names


def _definitions(node: ast.AST, prefix: str) -> set[str]:
    found = set()
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            name = f"{prefix}{child.name}"
            found.add(name)
            if isinstance(child, ast.ClassDef):
                found |= _definitions(child, f"{name}.")
        elif not isinstance(child, ast.expr):
            found |= _definitions(child, prefix)
    return found


def _asserts(module: ast.Module) -> int:
    count = 0
    for node in ast.walk(module):
        if isinstance(node, ast.Assert):
            count += 1
        elif isinstance(node, ast.Call):
            name = _dotted(node.func).rsplit(".", 1)[-1]
            count += name.startswith("assert") or name in {"raises", "warns"}
    return count


def _runs_code(module: ast.Module) -> dict[str, int]:
    """Mentions, not calls: ``run = os.system`` is as telling."""
    names = (_dotted(node) for node in ast.walk(module) if isinstance(node, (ast.Name, ast.Attribute)))
    return Counter(name for name in names if name in RUNS_CODE or name.startswith(RUNS_CODE_MODULES))


def _dotted(node: ast.AST) -> str:
    parts = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join(reversed([*parts, node.id])) if isinstance(node, ast.Name) else ".".join(reversed(parts))


if __name__ == "__main__":
    json.dump({path: facts(path, Path(path).read_bytes()) for path in sys.argv[1:]}, sys.stdout)
