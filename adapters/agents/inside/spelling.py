"""Inside the sandbox: codespell's single-suggestion words, where they are prose and nothing else.

Prints JSON: ``[{path, line, column, word, fix, place}]``; columns count characters of the decoded line.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import io
import json
import os
import re
import stat
import sys
import tokenize
from collections.abc import Iterator, Sequence
from pathlib import Path

sys.path.append("/opt/autonomy/lib")

from codespell_lib import _codespell

REPORT = re.compile(r"^(?P<path>.+?):(?P<line>\d+): (?P<word>\S+) ==> (?P<fix>[^,|]+?)\s*$")
QUIET = str(1 | 2 | 4 | 32)  # no encoding, binary, ambiguous-word or configuration notes
CHUNK = 500
CODE_LIKE = re.compile(r"[=(){}\[\]<>]|^#+\s*(type|noqa|pylint|pragma|fmt|isort|mypy|ruff|nosec|coding)\b|^#!")
WORD = re.compile(r"[^\W\d_a-z]?[^\W\d_A-Z]+|[^\W\d_]+")
"""Parts of snake_case and CamelCase names."""
TEXT_SUFFIXES = (".md", ".rst", ".txt")
SUFFIXES = (".py", ".pyi", *TEXT_SUFFIXES)
LARGEST = 1_000_000
SHORTEST = 4
Span = tuple[int, int, int]
"""Line, first and last column of a piece of prose."""


def main(everything: list[str], paths: list[str]) -> None:
    """Check some of all files; what is a name in the code, all of them tell."""
    hits = list(_codespell_hits(paths))
    identifiers = _identifiers(everything, {word for _, _, word, _ in hits})
    spans: dict[str, tuple[list[str], list[Span]]] = {}
    found: list[dict[str, object]] = []
    for path, number, word, fix in hits:
        if word.lower() in identifiers or not _plain(word, fix):
            continue
        if path not in spans:
            spans.clear()
            spans[path] = _prose(path)
        lines, prose = spans[path]
        place = "docs" if path.endswith(TEXT_SUFFIXES) else "comments"
        for line, start, end in prose:
            if line == number:
                for column in _standing_alone(lines[number - 1], word, start, end):
                    entry = {"path": path, "line": number, "column": column, "word": word, "fix": fix, "place": place}
                    if entry not in found[-20:]:
                        found.append(entry)
    json.dump(found, sys.stdout)


def _codespell_hits(paths: list[str]) -> Iterator[tuple[str, int, str, str]]:
    parse = _codespell.parse_options

    def looking_only(args: Sequence[str]) -> tuple[argparse.Namespace, argparse.ArgumentParser, list[str]]:
        # The repository's own codespell settings count, except where they would write or ask.
        options, parser, files = parse(args)
        options.write_changes, options.interactive = False, 0
        return options, parser, files

    _codespell.parse_options = looking_only
    known = set(paths)
    for start in range(0, len(paths), CHUNK):
        answer = io.StringIO()
        with contextlib.redirect_stdout(answer):
            status = _codespell.main("--quiet-level", QUIET, "--disable-colors", *paths[start : start + CHUNK])
        if status not in (0, 65) and not answer.getvalue():
            sys.exit(f"codespell ended with status {status}")
        for report in answer.getvalue().splitlines():
            hit = REPORT.match(report)
            if hit and (path := hit["path"].removeprefix("./")) in known:
                yield path, int(hit["line"]), hit["word"], hit["fix"]


def _plain(word: str, fix: str) -> bool:
    """An everyday word: no acronym, no CamelCase, nothing very short, and a fix that is a word."""
    return (
        len(word) >= SHORTEST and word.isalpha() and word[1:].islower() and re.fullmatch(r"[^\W\d_]+", fix) is not None
    )


def _identifiers(paths: list[str], words: set[str]) -> set[str]:
    """Those of the words, in lower case, that some code uses as a name or in one: a comment may be speaking of it."""
    used: set[str] = set()
    # ``largs`` in the code makes "larg" in a comment no misspelling.
    spellings = {form: word.lower() for word in words for form in (word.lower(), f"{word.lower()}s")}
    for path in paths:
        text = _text(path) if path.endswith((".py", ".pyi")) else None
        if text is None or spellings.keys().isdisjoint(part.lower() for part in WORD.findall(text)):
            continue
        for token in _tokens(text):
            if token.type == tokenize.NAME:
                parts = (part.lower() for part in WORD.findall(token.string))
                used.update(spellings[part] for part in parts if part in spellings)
    return used


def _prose(path: str) -> tuple[list[str], list[Span]]:
    text = _text(path)
    if text is None:
        return [], []
    lines = text.split("\n")
    return lines, list(_text_spans(lines) if path.endswith(TEXT_SUFFIXES) else _python_spans(text, lines))


def _text(path: str) -> str | None:
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None


def _text_spans(lines: list[str]) -> Iterator[Span]:
    """Lines of running text: no fenced, no indented block (code, literal output)."""
    fenced = False
    for number, line in enumerate(lines, start=1):
        if line.lstrip().startswith(("```", "~~~")):
            fenced = not fenced
        elif not fenced and not line.startswith(("    ", "\t")):
            yield number, 0, len(line)


def _python_spans(text: str, lines: list[str]) -> Iterator[Span]:
    try:
        ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    before = tokenize.NEWLINE
    tokens = [token for token in _tokens(text) if token.type not in (tokenize.NL, tokenize.ENCODING)]
    for token, after in zip(tokens, [*tokens[1:], None], strict=True):
        if token.type == tokenize.COMMENT:
            if not CODE_LIKE.search(token.string):
                yield token.start[0], token.start[1], token.end[1]
            continue
        bare = before in (tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT)
        if token.type == tokenize.STRING and bare and after is not None and after.type == tokenize.NEWLINE:
            yield from _docstring_spans(token, lines)
        before = token.type


def _docstring_spans(token: tokenize.TokenInfo, lines: list[str]) -> Iterator[Span]:
    """A docstring's lines without its examples: those are code and output that doctest compares."""
    if not token.string.startswith(('"', "'", "r", "R", "u", "U")):
        return
    example = False
    for number in range(token.start[0], token.end[0] + 1):
        line = lines[number - 1]
        example = (example and bool(line.strip())) or line.lstrip().startswith(">>>")
        if not example and not re.search(r"[=(){}\[\]<>]", line):
            start = token.start[1] if number == token.start[0] else 0
            yield number, start, token.end[1] if number == token.end[0] else len(line)


def _tokens(text: str) -> list[tokenize.TokenInfo]:
    tokens: list[tokenize.TokenInfo] = []
    with contextlib.suppress(tokenize.TokenError, SyntaxError):
        tokens.extend(tokenize.generate_tokens(io.StringIO(text).readline))
    return tokens


def _standing_alone(line: str, word: str, start: int, end: int) -> Iterator[int]:
    """Columns where the word stands between spaces and sentence marks: not in a path, address, option or quotation."""
    for chunk in re.finditer(r"\S+", line):
        bare = chunk.group().lstrip("(*\"'#").rstrip(".,;:!?)*\"'")
        column = chunk.start() + chunk.group().find(bare) if bare else -1
        if bare == word and start <= column and column + len(word) <= end and line[:column].count("`") % 2 == 0:
            yield column


def _files(skipped: frozenset[str]) -> Iterator[str]:
    for folder, folders, names in os.walk("."):
        folders[:] = [name for name in folders if name not in skipped]
        for name in names:
            path = Path(folder, name)
            status = path.lstat()
            if name.endswith(SUFFIXES) and stat.S_ISREG(status.st_mode) and status.st_size <= LARGEST:
                yield str(path)


if __name__ == "__main__":
    everything = sorted(_files(frozenset(sys.argv[1].split(","))))
    main(everything, [path for path in everything if path in sys.argv[2:]] if sys.argv[2:] else everything)
