"""Inside the sandbox: codespell's single-suggestion words, where they are running text and nothing else.

A word is a misspelling if codespell says so, called as the repository's owner calls it, and if it stands nowhere in the
repository but in running text.

Prints JSON: ``{found: [{path, line, column, word, fix, place}], looked: [path], unread: {path: reason}}``, columns
counted in characters of the decoded line; or ``{could_not_look}``, the reason in one line.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import re
import stat
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

sys.path.append("/opt/autonomy/lib")

from codespell_lib import _codespell

from adapters.tools.inside import code_text, markup, other_spell_checkers, python_text
from adapters.tools.inside.owners_codespell import Unclear, calls, skipped
from adapters.tools.inside.running_text import CLOSING, OPENING, Word, words

REPORT = re.compile(r"^(?P<line>\d+): (?P<word>\S+) ==> (?P<fix>[^,|]+?)\s*$")
QUIET = str(1 | 2 | 4 | 32)  # no encoding, binary, ambiguous-word or configuration notes
DONE = (0, 65)
"""codespell's statuses for nothing and for something found; any other means that it did not look."""
ONE_FILE = re.compile(r"WARNING: Permission denied: ")
"""Said of a file; that it could not be read, is seen."""
SAID = re.compile(r"^(ERROR|WARNING)\b|\berror: ")
TEXT_SUFFIXES = (".md", ".rst", ".txt")
PYTHON = (".py", ".pyi")
LARGEST = 1_000_000
"""Bytes; a larger file is searched for the words, and never corrected."""
CHUNK = 8_000_000
SHORTEST = 4
LONG = 7
"""Letters of a misspelling that nobody takes for a name where it begins a docstring."""
SHIPS_DOCUMENTS = re.compile(
    r"(^|/)(setup\.py|conf\.py|noxfile\.py|[^/]*\.(toml|cfg|ini|ya?ml|in|spec)|package(-lock)?\.json|\.[^/]*)$|^\.github/"
)
"""Files that name a document in order to package or show it, not to read it."""
COMPARED = re.compile(
    r"(^|/)(tests?|testing|testdata|test_data|fixtures?|_*snapshots?_*|golden|expected)/.*\.\w+$", re.IGNORECASE
)
"""A text that a test holds against what the program says."""
READS_FOLDERS = re.compile(
    r"go:embed|include_dir|rust_?embed|glob|readdir|listdir|scandir|iterdir|\bwalk", re.IGNORECASE
)


@dataclass(frozen=True)
class Hit:
    """What codespell says."""

    path: str
    line: int
    word: str
    fix: str


@dataclass
class Usage:
    """Where and how the words in question stand in the repository."""

    not_text: set[str] = field(default_factory=set)
    """Words, in lower case, that stand somewhere else than in running text."""
    lower: set[str] = field(default_factory=set)
    """Words that stand in running text without a capital."""
    begins_docstring: set[str] = field(default_factory=set)
    read: set[str] = field(default_factory=set)
    """Documents whose names some code holds: it may read them."""

    def certain(self, hit: Hit) -> bool:
        """Whether it is no name, and no program's business."""
        word = hit.word.lower()
        # Claus begins a sentence like any other word.
        known = hit.word.islower() or word in self.lower or (word in self.begins_docstring and len(word) >= LONG)
        return known and word not in self.not_text and hit.path not in self.read


@dataclass(frozen=True)
class Looked:
    """What was seen, and where."""

    found: list[dict[str, object]]
    looked: list[str]
    """Files that were looked at."""
    unread: dict[str, str]
    """Files that should have been, and why they could not."""


def misspellings(vendored: frozenset[str], focus: frozenset[str]) -> list[dict[str, object]]:
    """Those of the current folder alone; see ``look``."""
    return look(vendored, focus).found


def look(vendored: frozenset[str], focus: frozenset[str]) -> Looked:
    """At the current folder, at ``focus`` alone if there is one; what is a name, the whole tree tells.

    Raises:
        Unclear: codespell did not look, or not as the owner would have it.
    """
    everything = sorted(_files())
    wanted = {path for path in everything if _correctable(path, vendored) and (not focus or path in focus)}
    hits, looked = _codespell_hits(everything, wanted)
    hits = [hit for hit in hits if _plain(hit.word, hit.fix)]
    doubted = {hit.path for hit in hits}
    unread = {path: reason for path in looked if (reason := _unreadable(path, parsed=path in doubted))}
    usage = _usage([path for path in everything if os.access(path, os.R_OK)], hits)
    found: list[dict[str, object]] = []
    for hit in hits:
        text = _text(hit.path)
        if text is None or other_spell_checkers.OFF.search(text):
            continue
        if hit.path in unread or not usage.certain(hit) or _in_a_package(hit.path):
            continue
        place = "docs" if hit.path.endswith(TEXT_SUFFIXES) else "comments"
        lines = text.split("\n")
        # Where both spellings stand together, the document may well be about them.
        if place == "docs" and hit.fix.lower() in re.findall(
            r"\w+", " ".join(lines[max(0, hit.line - 2) : hit.line + 1]).lower()
        ):
            continue
        for column in _standing_alone(lines[hit.line - 1], hit.word):
            entry = vars(hit) | {"column": column, "place": place}
            if entry not in found[-20:]:
                found.append(entry)
    return Looked(found, sorted(set(looked) - unread.keys()), unread)


def _codespell_hits(everything: list[str], wanted: set[str]) -> tuple[list[Hit], list[str]]:
    """Codespell's own walk over the tree, with everything left out that any of the owner's calls leaves out.

    And the files that it was let look at.
    """
    owners, theirs = calls(everything), other_spell_checkers.left_out(everything)
    parse_options, parse_file = _codespell.parse_options, _codespell.parse_file
    skips: list[str] = []
    looked: list[str] = []
    hits: list[Hit] = []

    def joined(args: Sequence[str]) -> tuple[argparse.Namespace, argparse.ArgumentParser, list[str]]:
        options, parser, files = parse_options(args)
        if not (owners.every or files or "tool.codespell" in _settings()):
            # Words that exist, but are rare, are a matter of taste: only its owner may choose to have them changed.
            options.builtin = "clear"
        options = owners.join(options)
        skips.extend(options.skip)
        return options, parser, files

    def parse_wanted(filename: str, *others: Any) -> int:
        path = filename.removeprefix("./")
        if path not in wanted or not owners.look_at(path) or skipped(path, [*skips, *theirs]):
            return 0
        looked.append(path)
        # Each file's answer apart: what stands before the first colon is no certain name.
        with contextlib.redirect_stdout(io.StringIO()) as answer:
            count = int(parse_file(filename, *others))
        lines = (line.removeprefix(f"{filename}:") for line in answer.getvalue().splitlines())
        reports = (REPORT.match(line) for line in lines)
        hits.extend(Hit(path, int(one["line"]), one["word"], one["fix"]) for one in reports if one)
        return count

    _codespell.parse_options, _codespell.parse_file = joined, cast("Any", parse_wanted)
    output = io.StringIO()
    status: object
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(output):
            status = _codespell.main("--quiet-level", QUIET, "--disable-colors", ".")
    except SystemExit as error:
        status = error.code
    except ValueError as error:
        raise Unclear(f"the repository's settings for codespell cannot be read: {error}") from error
    finally:
        _codespell.parse_options, _codespell.parse_file = parse_options, parse_file
    messages = [line for line in output.getvalue().splitlines() if SAID.search(line) and not ONE_FILE.match(line)]
    if status not in DONE or messages:
        raise Unclear("; ".join(messages) or f"codespell ended with status {status}")
    return hits, looked


def _settings() -> str:
    path = Path("pyproject.toml")
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def _plain(word: str, fix: str) -> bool:
    """An everyday word: no acronym, no CamelCase, nothing very short, and a fix that is a word."""
    return (
        len(word) >= SHORTEST and word.isalpha() and word[1:].islower() and re.fullmatch(r"[^\W\d_]+", fix) is not None
    )


def _usage(everything: list[str], hits: list[Hit]) -> Usage:
    usage = Usage()
    wanted = {hit.word.lower() for hit in hits}
    names = {Path(hit.path).name.lower(): hit.path for hit in hits if hit.path.endswith(TEXT_SUFFIXES)}
    usage.not_text |= {word for word in wanted if any(word in path.lower() for path in everything)}
    texts: dict[str, str] = {}
    read_docstrings = False
    for path in everything if wanted else ():
        for text in _chunks(path):
            lower = text.lower()
            if any(word in lower for word in wanted):
                texts[path] = text if path not in texts else ""
            if path.endswith(PYTHON):
                read_docstrings = read_docstrings or python_text.reads_docstrings(text)
            if not path.endswith(TEXT_SUFFIXES) and not SHIPS_DOCUMENTS.search(path):
                usage.read |= {document for name, document in names.items() if name in lower}
                usage.read |= set(_read_by_folder(lower, names.values()))
    for path, text in texts.items():
        lower = text.lower()
        # Parsing costs; of a word that is no running text already, nothing more is to be found out.
        open_yet = [word for word in wanted - usage.not_text if word in lower]
        if not open_yet:
            continue
        running = list(_running(path, text, usage, docstrings=not read_docstrings))
        for word in open_yet:
            if lower.count(word) != sum(one.text.lower().count(word) for one in running) or not text:
                usage.not_text.add(word)
        usage.lower |= {one.text for one in running if one.text.islower()}
    return usage


def _read_by_folder(code: str, documents: Iterable[str]) -> Iterator[str]:
    """Documents of a kind or a folder that stands on a line which reads whatever there is."""
    lines = [line for line in code.splitlines() if READS_FOLDERS.search(line)]
    for document in documents if lines else ():
        folder, suffix = document.lower().rpartition("/")[0], Path(document).suffix
        top = re.compile(rf"[\s\"'`(]{re.escape(folder.partition('/')[0])}[/\s\"'`)]") if folder else None
        if any(f"*{suffix}" in line or (top and top.search(f"{line} ")) for line in lines):
            yield document


def _running(path: str, text: str, usage: Usage, *, docstrings: bool) -> Iterator[Word]:
    if COMPARED.search(path) and path.endswith(TEXT_SUFFIXES):
        return
    if path.endswith(PYTHON):
        for comment in python_text.comments(text):
            yield from words(comment, sentences_only=False)
        for paragraph in python_text.docstrings(text) if docstrings else ():
            in_sentences = list(words(paragraph, sentences_only=True))
            usage.begins_docstring |= {one.text.lower() for one in in_sentences if one.initial}
            yield from in_sentences
    elif path.endswith(TEXT_SUFFIXES):
        for paragraph in markup.paragraphs(path, text):
            yield from words(paragraph, sentences_only=path.endswith(".txt"))
    elif path.endswith(code_text.SUFFIXES):
        for paragraph in code_text.paragraphs(path, text):
            yield from words(paragraph, sentences_only=True)


def _in_a_package(path: str) -> bool:
    """A document beside a package's code is its data."""
    return path.endswith(TEXT_SUFFIXES) and any(Path(folder, "__init__.py").exists() for folder in Path(path).parents)


def _text(path: str) -> str | None:
    try:
        return Path(path).read_text(encoding="utf-8")
    except (UnicodeDecodeError, OSError):
        return None


def _unreadable(path: str, *, parsed: bool) -> str:
    """Why nobody can look for words in a file or, to be ``parsed``, tell where its words stand; empty: one can."""
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        return f"it may not be read: {error.strerror}"
    if b"\0" in content:
        return "it is no text in UTF-8: it has NUL bytes"
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        return f"it is no text in UTF-8: {error.reason} at byte {error.start}"
    if not parsed:
        return ""
    if path.endswith(code_text.SUFFIXES):
        return code_text.problem(path, text)
    return python_text.problem(text) if path.endswith(PYTHON) else markup.problem(path, text)


def _chunks(path: str) -> Iterator[str]:
    """A file's text, at once or, where it is large, in pieces that overlap."""
    with Path(path).open("rb") as file:
        rest = b""
        while chunk := file.read(CHUNK):
            utf_16 = chunk.startswith((b"\xff\xfe", b"\xfe\xff"))
            yield (rest + chunk).decode("utf-16" if utf_16 else "utf-8", "replace")
            rest = chunk[-100:]


def _standing_alone(line: str, word: str) -> Iterator[int]:
    """Columns where the word stands between spaces and sentence marks."""
    for chunk in re.finditer(r"\S+", line):
        bare = chunk.group().lstrip(f"{OPENING}#").rstrip(CLOSING)
        if bare == word:
            yield chunk.start() + chunk.group().find(bare)


def _correctable(path: str, vendored: frozenset[str]) -> bool:
    return (
        path.endswith((*PYTHON, *TEXT_SUFFIXES, *code_text.SUFFIXES))
        and vendored.isdisjoint(path.split("/"))
        and Path(path).stat().st_size <= LARGEST
    )


def _files() -> Iterator[str]:
    for folder, folders, names in os.walk("."):
        folders[:] = [name for name in folders if name != ".git"]
        for name in names:
            path = Path(folder, name)
            if stat.S_ISREG(path.lstat().st_mode):
                yield str(path)


if __name__ == "__main__":
    try:
        answer: object = vars(look(frozenset(sys.argv[1].split(",")), frozenset(sys.argv[2:])))
    except (Unclear, OSError) as error:
        answer = {"could_not_look": str(error)}
    json.dump(answer, sys.stdout)
