"""Inside the sandbox: comments and docstrings of a Python file that no program reads.

A docstring is a value: command-line programs show it, parsers and documents are made of it. Only those stay that nobody
can be seen to read, of plain functions and classes.
"""

from __future__ import annotations

import ast
import io
import re
import textwrap
import tokenize
from collections.abc import Iterator

from adapters.tools.inside.code_text import LEGAL
from adapters.tools.inside.markup import blocks, running

PRAGMA = re.compile(
    r"^#+([!%]|:?\s*(%%|///|---|\+|-\*-|(type|noqa|pylint|pragma|fmt|isort|mypy|ruff|nosec|coding|cython|pyright|region"
    r"|endregion|flake8|black|yapf|codespell|spell-?check\w*|cspell|vim?)\b))",
    re.IGNORECASE,
)
COMMENT = re.compile(r"^#:? ?(?P<text>.*)$")
READS_DOCSTRINGS = re.compile(
    r"\.__doc__\b|(?<![.\w])help\(|\brender_doc\b|[\"']__doc__[\"']|\bget_?doc(string)?\b|click\.(command|group)\([^()]*\)\(|\bgetsource\w*\b|\bgetcomments\b"
    r"|^\s*(?:import|from)\s+(?:fire|plac|clize|defopt|tyro|typer|docopt|docopt_ng|cyclopts|simple_parsing|tap|ply|sly|cmd"
    r"|invoke|pydoc|spark|spark_parser|robot|jsonargparse|mcp|fastmcp|langchain\w*|smolagents|griffe|pdoc|interrogate"
    r"|absl|gflags|argh|mando|arguably|cappa|doit|xmlrpc|behave|flasgger|apispec|fastapi|sanic_ext|connexion"
    r"|flask_restx|ollama|litellm|agents|autogen\w*|crewai|llama_index|pydantic_ai|google\.(adk|genai|generativeai)|haystack"
    r"|semantic_kernel|agno|marvin|instructor|dspy|magentic|mirascope|openai)\b",
    re.MULTILINE,
)
"""Somewhere in a repository: a program of its own reads docstrings, of whatever function."""
COPIES = re.compile(r"\.__doc__ = \S+\.__doc__$", re.MULTILINE)
"""A wrapper that looks like what it wraps reads nothing."""
OWN_DOCSTRING = re.compile(r"(?<![.\w])__doc__\b")
BY_NAME = re.compile(r"^(p|t|do|help|test|cmd|command|handle|on|get|post|put|patch|delete)(_|$)")
"""Functions that frameworks find by their names, docstring and all (PLY, cmd, test runners, request handlers)."""
PLAIN_DECORATORS = frozenset(
    [
        "property",
        "setter",
        "getter",
        "deleter",
        "staticmethod",
        "classmethod",
        "abstractmethod",
        "overload",
        "override",
        "final",
        "cached_property",
        "lru_cache",
        "cache",
        "wraps",
        "contextmanager",
        "asynccontextmanager",
        "total_ordering",
        "dataclass",
    ]
)
PLAIN_BASES = frozenset(["object", "ABC", "Protocol", "Generic"])
Documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def reads_docstrings(source: str) -> bool:
    """Whether a file can make use of the docstrings of others."""
    return READS_DOCSTRINGS.search(COPIES.sub("", source)) is not None


def problem(source: str) -> str:
    """Why a file has neither comments nor docstrings for us; empty: it has them."""
    try:
        ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return f"does not parse: {error}"
    return ""


def comments(source: str) -> Iterator[str]:
    """Comments that stand together, without markers, pictures and code. None of a file that is no Python 3."""
    if _module(source) is None:
        return
    together: list[str] = []
    last = (0, 0)
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type != tokenize.COMMENT:
            continue
        alone = not token.line[: token.start[1]].strip()
        if together and not (alone and token.start == (last[0] + 1, last[1])):
            yield from _text(together)
            together = []
        found = COMMENT.match(token.string)
        together.append(found["text"].rstrip() if found and not PRAGMA.search(token.string) else "")
        last = token.start if alone else (0, 0)
    yield from _text(together)


def _text(lines: list[str]) -> Iterator[str]:
    """The paragraphs at the comment's own margin, if it is not code that was put aside."""
    whole = "\n".join(lines)
    if LEGAL.search(whole):
        return
    for each in (whole, whole.rstrip(".:") + ":\n    pass"):
        try:
            ast.parse(textwrap.dedent(each))
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
        return
    for block in blocks(whole):
        if not any(line.startswith((" ", "\t")) for line in block):
            yield "\n".join(block)


def docstrings(source: str) -> Iterator[str]:
    """Paragraphs of the docstrings that the file itself does not read. None of a file that is no Python 3."""
    module = _module(source)
    if module is not None:
        for text in _docstrings(module, own_is_read=OWN_DOCSTRING.search(source) is not None):
            yield from running(text)


def _module(source: str) -> ast.Module | None:
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _docstrings(node: Documented, *, own_is_read: bool = False) -> Iterator[str]:
    text = None if own_is_read else ast.get_docstring(node)
    if text is not None and not LEGAL.search(text):
        yield text
    for child in node.body:
        if isinstance(child, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)) and _plain(child):
            yield from _docstrings(child)


def _plain(node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    if not all(_name(decorator) in PLAIN_DECORATORS for decorator in node.decorator_list):
        return False
    if isinstance(node, ast.ClassDef):
        bases = [_name(base) for base in node.bases]
        known = all(base in PLAIN_BASES or base.endswith(("Error", "Exception", "Warning")) for base in bases)
        return known and not node.keywords
    return not BY_NAME.match(node.name)


def _name(node: ast.expr) -> str:
    """The last part of a dotted name, called or subscribed or not."""
    while isinstance(node, (ast.Call, ast.Subscript)):
        node = node.func if isinstance(node, ast.Call) else node.value
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""
