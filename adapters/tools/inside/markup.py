"""Inside the sandbox: the paragraphs of a document, by the parsers of its format; of a plain text by its blank lines.

Headings (their anchors are linked to), tables, quotations, lists of terms, literal and fenced blocks, directives, front
matter and links have no place here. A document that cannot be parsed has no paragraphs.
"""

from __future__ import annotations

# ruff: noqa: PLC0415
# A parser is imported by what needs it: each look at a tree starts this anew, and they were a fifth of that.
import io
import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from adapters.tools.inside.running_text import APART

if TYPE_CHECKING:
    from docutils import nodes
    from markdown_it.token import Token

MARKDOWN_PLACES = {"bullet_list_open", "ordered_list_open", "list_item_open", "paragraph_open"}
"""A paragraph that stands in these alone is the author's own text."""
MARKDOWN_TEXT = {"text": "", "softbreak": "\n", "hardbreak": "\n"}
APART_TOO = ("link_", "em_", "strong_", "s_")
"""What is linked or set apart from its sentence is often a name or a term."""
RST_PLACES = (
    *("document", "section", "bullet_list", "enumerated_list", "list_item"),
    *("note", "warning", "tip", "hint", "important", "caution", "danger", "attention"),
)
QUOTING = re.compile(
    r"^\W*(\d[\d.]*\W*)?(authors?|contributors?|contributions by|maintainers?|credits?|thanks|thank you|special thanks"
    r"|sponsors?|backers|supporters|acknowledg\w*|people|team|who uses|used by|users|testimonials|related( projects)?"
    r"|alternatives|see also|change ?logs?|changes|history|release( notes|s| history)?|what.?s new|news|licen[cs]e"
    r"|copyright|citations?|citing|references|bibliography|glossary|terminology|translations?|v?\d+\.\d+\S*( .*)?)\W*$",
    re.IGNORECASE,
)
"""Headings above what is quoted, named or told of others, and not written about the project."""
FRONT_MATTER = re.compile(r"\A(---|\+\+\+|;;;)[ \t]*\n.*?^(\1|\.\.\.)[ \t]*$", re.DOTALL | re.MULTILINE)
LABEL = re.compile(r"^(:\w|\.\. |@|[-*+•] |>>>|\.\.\. |\d+[.)] )|^[=\-~^\"'`#*+_]{3,}\s*$", re.MULTILINE)
"""Fields, directives, lists, examples, underlines."""
RST_SETTINGS = {
    "report_level": 5,
    "halt_level": 5,
    "file_insertion_enabled": False,
    "raw_enabled": False,
    "_disable_config": True,
    "syntax_highlight": "none",
    "line_length_limit": 100_000,
}


def paragraphs(path: str, text: str) -> Iterable[str]:
    """Each paragraph's lines, with ``APART`` for what is no text."""
    if path.endswith(".md"):
        return _markdown(text)
    return _rst(text) if path.endswith(".rst") else running(text, labelled=True)


def blocks(text: str) -> Iterator[list[str]]:
    """Lines between blank lines."""
    for block in re.split(r"\n[ \t]*\n", text):
        if block.strip():
            yield block.strip("\n").split("\n")


def running(text: str, *, labelled: bool = False) -> Iterator[str]:
    """Paragraphs at the text's own margin that no colon makes an example, a usage, a list of terms, nor a label.

    With ``labelled``, labels mean nothing: a text without markup has no other way than a colon to say what is shown.
    """
    announced = False
    for lines in blocks(text):
        paragraph = "\n".join(lines)
        apart = any(line.startswith((" ", "\t")) for line in lines) or (not labelled and LABEL.search(paragraph))
        if not (announced or apart):
            yield paragraph
        # What follows an indented block at the margin is text again.
        announced = paragraph.rstrip().endswith(":")


def _markdown(text: str) -> Iterator[str]:
    from markdown_it import MarkdownIt

    if front := FRONT_MATTER.match(text):
        text = text[front.end() :]
    places: list[str] = []
    level = quoting = 0
    for token in MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(text):
        if token.type == "heading_open":
            level = int(token.tag[1:])
        elif token.type == "inline" and places == ["heading_open"] and (not quoting or level <= quoting):
            quoting = level if QUOTING.match(token.content) else 0
        if token.nesting > 0:
            places.append(token.type)
        elif token.nesting < 0:
            places.pop()
        elif token.type == "inline" and MARKDOWN_PLACES.issuperset(places) and not quoting:
            yield "".join(_inline(token.children or []))


def _inline(tokens: list[Token]) -> Iterator[str]:
    depth = 0
    for token in tokens:
        depth += token.nesting if token.type.startswith(APART_TOO) else 0
        yield (token.content or MARKDOWN_TEXT[token.type]) if token.type in MARKDOWN_TEXT and not depth else APART


def problem(path: str, text: str) -> str:
    """Why a document cannot be parsed; empty: it can."""
    document = _doctree(text) if path.endswith(".rst") else ""
    return document if isinstance(document, str) else ""


def _doctree(text: str) -> nodes.document | str:
    """The document, or why there is none."""
    from docutils.core import publish_doctree

    try:
        return publish_doctree(text, settings_overrides={**RST_SETTINGS, "warning_stream": io.StringIO()})
    except Exception as error:  # whatever a stranger's document makes the parser raise
        return f"does not parse: {type(error).__name__}: {error}"


def _rst(text: str) -> Iterator[str]:
    from docutils import nodes

    document = _doctree(text)
    if isinstance(document, str):
        return
    places = tuple(getattr(nodes, name) for name in RST_PLACES)
    for node in document.findall(nodes.paragraph):
        if all(isinstance(place, places) and not _quotes(place) for place in _around(node)):
            yield "".join(child.astext() if isinstance(child, nodes.Text) else APART for child in node.children)


def _quotes(place: nodes.Element) -> bool:
    from docutils import nodes

    title = place.children[0] if place.children else None
    return isinstance(title, nodes.title) and QUOTING.match(title.astext()) is not None


def _around(node: nodes.Element) -> Iterator[nodes.Element]:
    place = node.parent
    while place is not None:
        yield place
        place = place.parent
