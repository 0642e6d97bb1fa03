"""Inside the sandbox: whether words of a document or comment can change without any program being the wiser."""

from __future__ import annotations

import re
from itertools import zip_longest

from adapters.tools.inside import code_text
from adapters.tools.inside.imported_names import Repository
from adapters.tools.inside.python_text import docstrings, reads_docstrings

SUFFIXES = (".md", ".rst", ".txt")
READ_BY_PROGRAMS = re.compile(
    r"(^|/)(requirements|constraints|cmakelists|sources|entry_points|top_level)[^/]*$", re.IGNORECASE
)
SHIPS = re.compile(r"(^|/)(setup|conf|noxfile)\.py$")
"""Files that name a document in order to package or show it."""
WORD = re.compile(r"\w+")
FENCE = re.compile(r"^\s*(```|~~~)")
READS = re.compile(
    r"include_|embed|read|\braw\b|\bopen|load_|literalinclude|fixture|snapshot|sha\d|md5|digest|checksum|toString",
    re.IGNORECASE,
)
"""Beside a file's name: some program may take its text."""
LITERAL = re.compile(r"^(\s{4,}|\t|\s*>>>|\s*\.\. )")


def unequal_document(path: str, before: bytes, after: bytes, repository: Repository) -> str:
    """Why some program may read what is changed; empty: none does."""
    if READ_BY_PROGRAMS.search(path):
        return "programs read such a file"
    if _literal(before) != _literal(after):
        return "more than words of running text is changed"
    folder, _, name = path.rpartition("/")
    globs = re.compile(rf"\*{re.escape(name[name.rfind('.') :])}\b")
    for other, uses in repository.python.items():
        if folder and other == f"{folder}/__init__.py":
            return "it lies in a package, which may read it"
        if uses is None or SHIPS.search(other):
            continue
        if any(name in each or globs.search(each) or each == name[name.rfind(".") :] for each in uses.strings):
            return f"{other} names it, or files of its kind"
    return repository.problem


def unequal_comments(path: str, before: bytes, after: bytes, repository: Repository) -> str:
    """Why more may be changed than words of comments that nobody reads; empty: nothing is."""
    try:
        if code_text.layout(path, before) != code_text.layout(path, after):
            return "more than words of comments is changed"
    except code_text.Unreadable as reason:
        return str(reason)
    name = re.compile(rf"(?<![\w.-]){re.escape(path.rsplit('/', 1)[-1])}(?![\w-])")
    for other, text in repository.everything().items():
        if other != path and any(name.search(line) and READS.search(line) for line in text.splitlines()):
            return f"{other} may read it"
    return repository.problem


def with_old_docstrings(before: str, after: str, repository: Repository) -> str:
    """The changed source with the words put back that stand in docstrings which nobody can be seen to read."""
    read = any(reads_docstrings(text) for path, text in repository.texts.items() if path.endswith(".py"))
    old, new = list(docstrings(before)), list(docstrings(after))
    if read or len(old) != len(new):
        return after
    restored = after
    for was, now in zip(old, new, strict=True):
        lines = list(zip_longest(was.splitlines(), now.splitlines(), fillvalue=""))
        for one, other in lines:
            words_alone = WORD.sub("w", one) == WORD.sub("w", other)
            if one != other and words_alone and restored.count(other) == 1:
                restored = restored.replace(other, one)
    return restored


def _literal(content: bytes) -> list[str]:
    """What is not running text, and how many lines there are."""
    kept, fenced = [], False
    for line in content.decode("utf-8", "surrogateescape").split("\n"):
        fence = FENCE.match(line) is not None
        kept.append(line if fence or fenced or LITERAL.match(line) else "")
        fenced ^= fence
    return kept
