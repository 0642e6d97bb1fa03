"""Inside the sandbox: comments of other languages than Python that no program reads, by tree-sitter's grammars.

A row for each language says what in its files is prose. A grammar is C that reads what nobody vouches for, so each file
is parsed in a process of its own: one that crashes or does not end costs that file, not the look.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import resource
import textwrap
from collections.abc import Iterator
from functools import lru_cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

from adapters.tools.inside.markup import running

if TYPE_CHECKING:
    from tree_sitter import Node

LARGEST = 1_000_000
SECONDS = 20
"""Of the processor, for one file."""
SOME_FUNCTION = re.compile(r"function|method|arrow")


class Row(NamedTuple):
    """What in the files of one language is prose."""

    suffixes: tuple[str, ...]
    grammar: str
    language: str = "language"
    """The function of the grammar's package."""
    marker: str = r"//+!?"
    """Of a comment that ends with its line."""
    marks: tuple[str, ...] = ()
    """Nodes by which a program may be handed the doc comment of what stands behind them, or inside of that."""
    inner: tuple[str, ...] = ()
    """The same, where they are inside of what they mark."""
    plain: str = ""
    """Those that hand over nothing."""
    lexical: bool = False
    """Its comments can be told without its syntax, which macros may replace."""
    refused: str = ""
    """In a file that has this, comments are no prose, or are read by itself."""


RUST_PLAIN = (
    r"(cfg|inline|must_use|allow|warn|deny|expect|deprecated|non_exhaustive|repr|doc|track_caller|cold|test|no_mangle"
    r"|macro_export|macro_use|target_feature|rustfmt::\w+|clippy::\w+|serde|default|global_allocator)\b"
    r"|derive\((\s*((std::\w+::|serde::)?(Debug|Clone|Copy|(Partial)?Eq|(Partial)?Ord|Hash|Default|Serialize|Deserialize)"
    r"|,)\s*)*\)|cfg_attr\((docsrs|feature = \"serde\")"
)
JAVA_PLAIN = (
    r"(Override|Deprecated|SuppressWarnings|FunctionalInterface|SafeVarargs|Test|\w*(Nullable|NonNull|Nonnull|NotNull)"
    r"|VisibleForTesting|Beta|CheckReturnValue|CanIgnoreReturnValue|GwtCompatible|Immutable|ThreadSafe|GuardedBy)\b"
)
READS_ITSELF = r"(?m)(\b(sed|grep|egrep|awk|head|tail|cat|perl|cut)\b|<)[^\n]*(\$\{?0\b|BASH_SOURCE)"
ROWS = (
    Row((".go",), "tree_sitter_go", refused=r'(?m)^\s*(import\s+)?"C"\s*$'),
    Row((".rs",), "tree_sitter_rust", marks=("attribute_item",), plain=RUST_PLAIN),
    Row((".js", ".mjs", ".cjs", ".jsx"), "tree_sitter_javascript", marks=("decorator",), inner=("decorator",)),
    Row(
        (".ts", ".mts", ".cts"),
        "tree_sitter_typescript",
        "language_typescript",
        marks=("decorator",),
        inner=("decorator",),
    ),
    Row((".tsx",), "tree_sitter_typescript", "language_tsx", marks=("decorator",), inner=("decorator",)),
    Row((".java",), "tree_sitter_java", inner=("annotation", "marker_annotation"), plain=JAVA_PLAIN),
    Row((".c", ".h"), "tree_sitter_c", lexical=True),
    Row((".cc", ".cpp", ".cxx", ".hh", ".hpp", ".hxx", ".h"), "tree_sitter_cpp", lexical=True),
    Row((".sh", ".bash"), "tree_sitter_bash", marker="#+", refused=READS_ITSELF),
    Row((".toml",), "tree_sitter_toml", marker="#+"),
    Row((".yml", ".yaml"), "tree_sitter_yaml", marker="#+"),
)
"""A row for each language. What holds others (HTML, Vue) is none of them."""
SUFFIXES = tuple(dict.fromkeys(suffix for row in ROWS for suffix in row.suffixes))
COMMENTS = frozenset({"comment", "line_comment", "block_comment"})
MACROS = frozenset({"token_tree", "macro_definition"})
LEXEMES = re.compile(
    rb'(?P<comment>//(?:\\\r?\n|[^\r\n])*|/\*.*?\*/)|R"(?P<end>[^()\\\s]*)\(.*?\)(?P=end)"|"(?:\\.|[^"\\\n])*"'
    rb"|(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])*'",
    re.DOTALL,
)
"""Of C and C++: comments, and what can hold their signs."""
DOC = re.compile(r"///|//!|/\*[*!]")
FIRST = re.compile(
    r"\W*(eslint|[jt]s(hint|lint|x)|biome|prettier|istanbul|[cv]8\b|webpack|vite\b|rollup|nolint|clang-|checkstyle|nosonar"
    r"|noinspection|formatter|shellcheck|yamllint|yaml-language|renovate|codespell|cspell|spell-?check|ts-\w|source(map|url)"
    r"|coverage|pragma|(end)?region|lint\b|globals?\b|exported\b|export \w+\s*$|vim?:|emacs|gofmt)",
    re.IGNORECASE,
)
"""So begins a comment that some tool reads."""
READ = re.compile(
    r"^[ \t]*(\+\w|\+build|#\w|[a-z][\w-]*:[^\s/]|(unordered )?output:[ \t]*$"
    r"|@(swagger|openapi|api\w*|licen[cs]e|preserve|cc_on|flow|generated|providesmodule|summary|router|graphql\w*|schema)\b)",
    re.IGNORECASE | re.MULTILINE,
)
"""A line of it that some generator reads."""
LEGAL = re.compile(
    r"copyright|licen[cs]|SPDX|warrant(y|ies)|rights reserved|public domain|permission is", re.IGNORECASE
)
TAG = re.compile(r"[ \t]*[@\\]\w")
FENCE = re.compile(r"[ \t]*(```|~~~|</?pre\b|\{@code)")
WORD = re.compile(r"\w+")
LINE_END = re.compile(r"\r\n|\r|\n")
LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+$")


class Unreadable(Exception):
    """Why a file has no comments for us."""


class Comment(NamedTuple):
    """One, or those that stand together line by line."""

    spans: tuple[tuple[int, int], ...]
    """Bytes of each line, without its end."""
    lines: tuple[str, ...]
    """Without markers."""
    read: bool
    """Whether some program may read it."""


def problem(path: str, text: str) -> str:
    """Why a file cannot be read; empty: it can."""
    try:
        comments(path, text.encode("utf-8", "surrogateescape"))
    except Unreadable as reason:
        return str(reason)
    return ""


def paragraphs(path: str, text: str) -> Iterator[str]:
    """Those of its comments, without what is labelled, fenced, or read by a program."""
    try:
        found = comments(path, text.encode("utf-8", "surrogateescape"))
    except Unreadable:
        return
    for comment in found:
        if not comment.read:
            prose = _prose(comment.lines)
            yield from running(
                "\n".join(line if is_prose else "" for line, is_prose in zip(comment.lines, prose, strict=True))
            )


def layout(path: str, source: bytes) -> str:
    """A digest of every byte but the words of those comments; the tokens are the same where it is.

    Raises:
        Unreadable: nobody could look.
    """
    kept, end = [], 0
    for start, stop in sorted(span for comment in comments(path, source) for span in _changeable(comment)):
        kept += [source[end:start], WORD.sub("w", source[start:stop].decode()).encode()]
        end = stop
    return hashlib.sha256(repr([*kept, source[end:]]).encode()).hexdigest()


def _changeable(comment: Comment) -> Iterator[tuple[int, int]]:
    """Its lines of prose."""
    if not comment.read:
        yield from (span for span, is_prose in zip(comment.spans, _prose(comment.lines), strict=True) if is_prose)


def _prose(lines: tuple[str, ...]) -> list[bool]:
    """Which lines no fence encloses, before the first tag: examples are run, tags are read."""
    marks, fenced, tagged = [], False, False
    for line in lines:
        fence = FENCE.match(line) is not None
        tagged = tagged or TAG.match(line) is not None
        marks.append(not (fence or fenced or tagged))
        fenced ^= fence
    return marks


@lru_cache(maxsize=512)
def comments(path: str, source: bytes) -> tuple[Comment, ...]:
    """Read a file with the grammars of its suffix; the first that understands all of it counts.

    Raises:
        Unreadable: none does, it has no row, or is no text in UTF-8.
    """
    if len(source) > LARGEST:
        raise Unreadable("it is larger than a file that people write")
    try:
        text = source.decode()
    except UnicodeDecodeError as error:
        raise Unreadable(f"it is no text in UTF-8: {error.reason}") from error
    reasons = ["its language is not known here"]
    for row in ROWS:
        if not path.endswith(row.suffixes):
            continue
        if row.refused and re.search(row.refused, text):
            return ()
        found = _apart(row, source)
        if not found.get("error"):
            return tuple(_together(row, source, found["comments"]))
        reasons.append(found["error"])
    raise Unreadable(reasons[-1])


def _apart(row: Row, source: bytes) -> dict[str, Any]:
    """What the grammar says, from a process that may die of it; or why there is nothing."""
    tree_sitter, grammar = import_module("tree_sitter"), import_module(row.grammar)
    language = tree_sitter.Language(getattr(grammar, row.language)())
    kinds = [kind for kind in COMMENTS if language.id_for_node_kind(kind, True)]
    query = tree_sitter.Query(language, " ".join(f"({kind}) @comment" for kind in kinds))
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.close(reader)
            resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            with os.fdopen(writer, "w") as file:
                root = tree_sitter.Parser(language).parse(source).root_node
                comments = tree_sitter.QueryCursor(query).captures(root).get("comment", [])
                json.dump(_parsed(row, root, comments, source), file)
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as file:
        content = file.read()
    os.waitpid(child, 0)
    try:
        found: dict[str, Any] = json.loads(content)
    except ValueError:
        return {"error": "its grammar crashed on it, or did not end"}
    return found


def _parsed(row: Row, root: Node, comments: list[Node], source: bytes) -> dict[str, Any]:
    comments.sort(key=lambda node: node.start_byte)
    if root.has_error and not row.lexical:
        return {"error": f"does not parse: line {_first_error(root)}"}
    if root.has_error:
        # Macros make up their own syntax. What both readings call a comment is one; what only one does, is in doubt.
        sure = {found.span("comment") for found in LEXEMES.finditer(source) if found["comment"]}
        if any((node.start_byte, node.end_byte) not in sure for node in comments):
            return {"error": f"does not parse: line {_first_error(root)}"}
    return {
        "comments": [[node.start_byte, node.end_byte, *node.start_point, _handed_over(row, node)] for node in comments]
    }


def _first_error(root: Node) -> int:
    node = root
    while inner := next((child for child in node.children if child.has_error or child.is_missing), None):
        node = inner
    return int(node.start_point[0]) + 1


def _handed_over(row: Row, comment: Node) -> bool:
    """Whether some program of the repository may be handed the comment: by a macro, an annotation, ``toString``."""
    parent = comment.parent
    if parent is not None and parent.type == "statement_block" and parent.named_child_count == 1:
        return parent.parent is not None and SOME_FUNCTION.search(parent.parent.type) is not None
    if not (row.marks or row.inner) or not DOC.match((comment.text or b"").decode()):
        return False
    marks, node = list(_beside(row, comment)), parent
    while node is not None:
        if node.type in MACROS:
            return True
        marks += [*_beside(row, node), *_within(row, node)]
        node = node.parent
    return not all(row.plain and re.match(row.plain, mark.lstrip("#![@( ")) for mark in marks)


def _beside(row: Row, node: Node) -> Iterator[str]:
    """Marks next to a node; and of what stands behind them, where the node is a comment."""
    before, after = node.prev_sibling, node.next_sibling
    while before is not None and before.type in {*row.marks, *COMMENTS}:
        if before.type in row.marks:
            yield (before.text or b"").decode()
        before = before.prev_sibling
    if node.type not in COMMENTS:
        return
    while after is not None and after.type in {*row.marks, *COMMENTS}:
        if after.type in row.marks:
            yield (after.text or b"").decode()
        after = after.next_sibling
    if after is not None:
        yield from _within(row, after)


def _within(row: Row, node: Node) -> Iterator[str]:
    for child in node.children:
        if child.type in row.inner:
            yield (child.text or b"").decode()
        elif child.type in {"modifiers", "export_statement", "class_declaration"}:
            yield from _within(row, child)


def _together(row: Row, source: bytes, found: list[list[int]]) -> Iterator[Comment]:
    """Line comments that stand alone below each other, at one column and with one marker, are one."""
    group: list[tuple[int, str, str]] = []
    handed, last = False, (0, 0, "")
    for start, end, row_number, column, comment_text in found:
        text = source[start:end].decode().rstrip("\r\n")
        marker = re.match(row.marker, text)
        alone = not source[source.rfind(b"\n", 0, start) + 1 : start].strip() and not text.startswith("#!")
        place = (row_number, column, marker[0] if marker and alone else "")
        if group and (not place[2] or place != (last[0] + 1, *last[1:])):
            yield _comment(group, handed=handed)
            group, handed = [], False
        group.append((start, text, marker[0] if marker else ""))
        handed, last = handed or bool(comment_text), place
    if group:
        yield _comment(group, handed=handed)


def _comment(group: list[tuple[int, str, str]], *, handed: bool) -> Comment:
    spans: list[tuple[int, int]] = []
    lines: list[str] = []
    for start, text, marker in group:
        at = start
        for line in LINE.findall(text):
            spans.append((at, at + len(line.rstrip("\r\n").encode())))
            at += len(line.encode())
        lines += [text[len(marker) :].removeprefix(" ").rstrip()] if marker else _block(text)
    prose = "\n".join(lines)
    read = handed or group[0][1].startswith(("#!", "/*!")) or any(rule.search(prose) for rule in (READ, LEGAL))
    return Comment(tuple(spans), tuple(lines), read or any(FIRST.match(line) for line in lines))


def _block(text: str) -> list[str]:
    first, *rest = LINE_END.split(text)
    last = len(rest)
    whole = [first.removeprefix("/*").lstrip("*").removeprefix(" "), *rest]
    whole[last] = whole[last].removesuffix("*/").rstrip("*")
    first, *rest = whole
    if all(line.lstrip().startswith("*") or not line.strip() for line in rest):
        rest = [re.sub(r"^[ \t]*\*? ?", "", line) for line in rest]
    else:
        rest = textwrap.dedent("\n".join(rest)).split("\n")
    return [line.rstrip() for line in (first, *rest)][: last + 1]
