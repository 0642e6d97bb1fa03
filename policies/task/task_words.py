"""What a task is in a maintainer's words: its title, and why it is worth a pull request."""

import re
from collections.abc import Collection
from pathlib import PurePosixPath

from contracts.task import Finding, Words
from policies.counted import counted

LONGEST_TITLE = 72
"""Characters; what git and forges show of a subject in one line."""
_LONGEST_PLACE = 40


_ABOUT = re.compile(r"[A-Za-z0-9_][\w.'-]{0,40}(?: → [\w'-]{1,24})?", re.ASCII | re.IGNORECASE)
"""Plain words that can act on nothing."""


def does(words: Words) -> str:
    """``Fixes``, ``Removes``, ``Refreshes``."""
    return f"{words.verb}es" if words.verb.endswith(("x", "s", "sh", "ch")) else f"{words.verb}s"


def amount(words: Words, count: int) -> str:
    """``a typo`` or ``3 typos``."""
    return words.one if count == 1 else counted(count, words.many, words.many)


def common_words(findings: Collection[Finding]) -> Words | None:
    """The finest words that hold for all of them; None: their tools have none, or different ones."""
    finer, usual = {one.words for one in findings}, {one.facts.words for one in findings}
    return next((words for words, *others in map(list, filter(None, (finer, usual))) if words and not others), None)


def plain_words(finding: Finding, why: str) -> Words:
    """Of a finding whose tool has no word for it: it is called by tool and rule."""
    kind = _kind(finding.tool, finding.rule)
    return Words(verb="Fix", one=f"a finding of {kind}", many=f"findings of {kind}", why=why)


def _kind(tool: str, rule: str) -> str:
    return f"{tool} {rule}" if rule and rule != tool else tool


def task_title(tool: str, rule: str, findings: list[Finding], paths: tuple[str, ...]) -> str:
    """For example "Fix a typo in `_compat.py`: comparision → comparison", "Fix 3 typos in docs".

    At most ``LONGEST_TITLE`` characters: what does not fit is left out whole, first the detail, then the place.
    """
    words, count = common_words(findings), len(findings)
    if words is None:
        kind = _kind(tool, rule)
        plain = f"Fix a finding of {kind}" if count == 1 else f"Fix {counted(count, 'finding')} of {kind}"
    else:
        plain = f"{words.verb} {amount(words, count)}"
    about = {finding.about for finding in findings}
    # What all of them are about, where that is the same.
    detail = f": {min(about)}" if words and len(about) == 1 and _ABOUT.fullmatch(min(about)) else ""
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
