"""The last word before text goes to a forge: outside code spans nothing pings, links, closes or is HTML.

Our own bodies hold nothing of the kind (policies/texts/pull_request.py), so they come through unchanged, but for the
numbers of our own pull requests, which are named apart; whatever else somebody put into a ticket does not act.
"""

from __future__ import annotations

import re
import unicodedata

from policies.counted import shortened

# Only what every Markdown reads as code: one backtick each side, no escape, on one line, in one table cell.
_CODE = re.compile(r"(?<![`\\])`(?!`)[^`\n|]+`(?!`)")
_ACTIVE = (
    # From the start of a word only: from anywhere, a long word would take its length squared.
    (re.compile(r"(?<![\w+.-])[\w+.-]*://"), ""),
    (re.compile(r"\bwww\.", re.IGNORECASE), "www "),
    (re.compile(r"\bmailto:", re.IGNORECASE), "mailto "),
    (re.compile(r"\bGH-(?=\d)", re.IGNORECASE), "GH "),
    (re.compile(r"[@#!](?=\w)"), " "),
    (re.compile(r"[<>\[\]`]"), " "),
    (re.compile(r"&(?=#?\w+;)"), "& "),
)
_LONGEST_CODE, _LONGEST_READ = 300, 5000
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_LONGEST_LINE = 250
_CUT = "*The rest is left out here: a forge takes only so much.*"


def inert_markdown(text: str, links: tuple[int, ...] = ()) -> str:
    """The text with everything broken that a forge would act on; code spans stay as they are.

    ``links``: numbers of pull requests of ours. ``pull request #7`` is no word that closes anything, and foreign text
    stands in code spans: those stay links.
    """
    visible = "".join(char if char == "\n" or unicodedata.category(char) not in _HIDDEN else " " for char in text)
    parts, end = [], 0
    kept = rf"(?<=pull request )#(?:{'|'.join(map(str, links))})(?!\w)|" if links else ""
    for span in re.finditer(f"{kept}{_CODE.pattern}", visible):
        parts += [_prose(visible[end : span.start()]), span.group()]
        end = span.end()
    return "".join([*parts, _prose(visible[end:])])


def inert_line(text: str) -> str:
    """One line for a title, where forges know no code."""
    return shortened(_prose(" ".join(inert_markdown(text).replace("`", "'").split())), _LONGEST_LINE)


def code_span(text: str) -> str:
    """Foreign text on one line, in a table cell or anywhere: inside a code span forges resolve nothing."""
    said = one_line(text[:_LONGEST_READ]).replace("`", "'").replace("|", "/")
    return f"`{shortened(said, _LONGEST_CODE) or '-'}`"


def one_line(text: str) -> str:
    """Nothing hidden, nothing that reorders, no line break, single blanks."""
    visible = "".join(" " if unicodedata.category(char) in _HIDDEN else char for char in text)
    return " ".join(visible.split())


def capped(markdown: str, most: int, ending: str = "") -> str:
    """At most ``most`` bytes, cut between lines and said so: a forge would cut anywhere, or refuse the whole.

    ``ending`` is the last line, cut or not.
    """
    last = f"\n{ending}\n" if ending else ""
    room = most - len(f"\n{_CUT}\n{last}".encode())
    lines, size = markdown.rstrip("\n").split("\n"), 0
    for number, line in enumerate(lines):
        size += len(line.encode()) + 1
        if size > room:
            return "\n".join([*lines[:number], "", _CUT, last])
    return "\n".join([*lines, last])


def _prose(text: str) -> str:
    while (calmer := _once(text)) != text:
        text = calmer
    return text


def _once(text: str) -> str:
    for pattern, replacement in _ACTIVE:
        text = pattern.sub(replacement, text)
    return text
