"""What a task is in a maintainer's words: its title, and why it is worth a pull request."""

import re
from pathlib import PurePosixPath
from typing import NamedTuple

from contracts.task import Finding
from policies.counted import counted

LONGEST_TITLE = 72
"""Characters; what git and forges show of a subject in one line."""
_LONGEST_PLACE = 40


class Words(NamedTuple):
    """Of one kind of finding."""

    verb: str
    one: str
    many: str
    """Without its number: ``typos``."""
    why: str
    """One sentence."""
    detail: str = ""
    """What a title may quote of a finding's message: a pattern with one or two groups, each one plain word."""

    @property
    def does(self) -> str:
        """``Fixes``, ``Removes``."""
        return f"{self.verb}es" if self.verb.endswith("x") else f"{self.verb}s"

    def amount(self, count: int) -> str:
        """``a typo`` or ``3 typos``."""
        return self.one if count == 1 else counted(count, self.many, self.many)


_WORDS = {
    "codespell": Words(
        "Fix", "a typo", "typos",
        "A misspelt word trips up readers, and a search for the right one misses it.",
        r"([\w'-]{1,24}) ==> ([\w'-]{1,24})",
    ),
    "pins": Words(
        "Align", "a version pin", "version pins",
        "The same package was pinned to different versions in different files, so which one is installed depended on "
        "the file.",
        r"([A-Za-z0-9][\w.-]{0,30}) is pinned to ",
    ),
    "ruff F401": Words(
        "Remove", "an unused import", "unused imports",
        "Nothing in the file uses it, and readers wonder why it is there.",
        r"F401 `([A-Za-z_][\w.]{0,40})` imported but unused",
    ),
    "ruff F541": Words(
        "Remove", "a needless f-string prefix", "needless f-string prefixes",
        "The string has no placeholder, so the prefix suggests something that does not happen.",
    ),
    "ruff F": Words(
        "Fix", "a Pyflakes finding", "Pyflakes findings",
        "Pyflakes reports code that does nothing or not what it says.",
    ),
    "ruff I": Words(
        "Sort", "an import block", "import blocks", "Sorted imports are found faster and conflict less in merges.",
    ),
    "ruff UP": Words(
        "Modernize", "an outdated construct", "outdated constructs",
        "The Python versions that the project supports have a shorter way to write it.",
    ),
    "ruff B": Words(
        "Fix", "a likely bug", "likely bugs", "flake8-bugbear reports code that often turns out to be a mistake.",
    ),
    "ruff C4": Words(
        "Simplify", "a comprehension", "comprehensions", "The shorter form does the same with less to read.",
    ),
    "ruff SIM": Words(
        "Simplify", "a construct", "constructs", "The shorter form does the same with less to read.",
    ),
    "ruff PIE": Words(
        "Remove", "a needless construct", "needless constructs", "It has no effect, and less is left to read.",
    ),
    "ruff E": Words(
        "Fix", "a style error", "style errors", "The project's own configuration asks for this style (PEP 8).",
    ),
    "ruff W": Words(
        "Fix", "a whitespace warning", "whitespace warnings",
        "Stray white space makes noise in later diffs; the project's own configuration asks for its removal.",
    ),
}  # fmt: skip


def words_of(tool: str, rule: str, messages: tuple[str, ...] = ()) -> Words | None:
    """The finest that is known: by code where all ``messages`` begin with the same one, by rule, by tool."""
    codes = {message.split(" ", 1)[0] for message in messages}
    letters = re.match(r"C4|[A-Z]+", rule)
    keys = (f"{tool} {min(codes)}" if len(codes) == 1 else "", f"{tool} {letters[0]}" if letters else "", tool)
    return next((_WORDS[key] for key in keys if key in _WORDS), None)


def task_title(tool: str, rule: str, findings: list[Finding], paths: tuple[str, ...]) -> str:
    """For example "Fix a typo in `_compat.py`: comparision → comparison", "Fix 3 typos in docs".

    At most ``LONGEST_TITLE`` characters: what does not fit is left out whole, first the detail, then the place.
    """
    messages = tuple(finding.message for finding in findings)
    words = words_of(tool, rule, messages)
    count = len(findings)
    if words is None:
        kind = f"{tool} {rule}" if rule and rule != tool else tool
        plain = f"Fix a finding of {kind}" if count == 1 else f"Fix {counted(count, 'finding')} of {kind}"
    else:
        plain = f"{words.verb} {words.amount(count)}"
    detail = _detail(words.detail, messages) if words else ""
    exact, rough = _place(paths), f" in {counted(len(paths), 'file')}" if len(paths) > 1 else ""
    tries = (f"{plain}{exact}{detail}", f"{plain}{exact}", f"{plain}{rough}{detail}", f"{plain}{rough}", plain)
    return next((title for title in tries if len(title) <= LONGEST_TITLE), f"Fix {counted(count, 'finding')}")


def file_name(path: str) -> str:
    """The last part of a path where it may stand in a title; else empty."""
    name = PurePosixPath(path).name
    # Latin letters only: others may hide, or turn the words around them.
    fits = re.fullmatch(r"[A-Za-z0-9_À-ɏ][A-Za-z0-9_À-ɏ.+-]*", name) and len(name) <= _LONGEST_PLACE
    return name if fits and not name.endswith(".") else ""


def _place(paths: tuple[str, ...]) -> str:
    if len(paths) == 1:
        name = file_name(paths[0])
        return f" in `{name}`" if "." in name else f" in {name}" if name else ""
    parents = [PurePosixPath(path).parent.parts for path in paths]
    common = []
    for level in zip(*parents, strict=False):
        if len(set(level)) > 1:
            break
        common.append(level[0])
    folder = "/".join(common)
    fits = re.fullmatch(r"[A-Za-z0-9_.+/-]+", folder) and len(folder) <= _LONGEST_PLACE
    return f" in {folder}" if fits else f" in {counted(len(paths), 'file')}" if paths else ""


def _detail(pattern: str, messages: tuple[str, ...]) -> str:
    """What all of them are about, where that is the same."""
    matches = [re.match(pattern, message, re.ASCII) for message in messages] if pattern else []
    found = {match.groups() if match else () for match in matches}
    return f": {' → '.join(min(found))}" if len(found) == 1 and () not in found else ""
