"""The last word before text goes to a forge: outside code spans nothing pings, links, closes or is HTML.

Our own bodies hold nothing of the kind (policies/pull_request_text.py), so they come through unchanged; whatever else
somebody put into a ticket does not act.
"""

from __future__ import annotations

import re
import unicodedata

# Only what every Markdown reads as code: one backtick each side, no escape, on one line, in one table cell.
_CODE = re.compile(r"(?<![`\\])`(?!`)[^`\n|]+`(?!`)")
_ACTIVE = (
    (re.compile(r"[\w+.-]*://"), ""),
    (re.compile(r"\bwww\.", re.IGNORECASE), "www "),
    (re.compile(r"\bmailto:", re.IGNORECASE), "mailto "),
    (re.compile(r"\bGH-(?=\d)", re.IGNORECASE), "GH "),
    (re.compile(r"[@#!](?=\w)"), " "),
    (re.compile(r"[<>\[\]`]"), " "),
    (re.compile(r"&(?=#?\w+;)"), "& "),
)
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_LONGEST_LINE = 250


def inert_markdown(text: str) -> str:
    """The text with everything broken that a forge would act on; code spans stay as they are."""
    visible = "".join(char if char == "\n" or unicodedata.category(char) not in _HIDDEN else " " for char in text)
    parts, end = [], 0
    for span in _CODE.finditer(visible):
        parts += [_prose(visible[end : span.start()]), span.group()]
        end = span.end()
    return "".join([*parts, _prose(visible[end:])])


def inert_line(text: str) -> str:
    """One line for a title, where forges know no code."""
    return _prose(" ".join(inert_markdown(text).replace("`", "'").split()))[:_LONGEST_LINE].rstrip()


def _prose(text: str) -> str:
    while (calmer := _once(text)) != text:
        text = calmer
    return text


def _once(text: str) -> str:
    for pattern, replacement in _ACTIVE:
        text = pattern.sub(replacement, text)
    return text
