"""Inside the sandbox: which words of a paragraph are certainly words of an English sentence.

An allow-list (P17): what is not recognised as running text, a name, an option, a column, a quotation, another language,
gives no word. Whoever edits may only edit words that are given here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

APART = "\ufffc"
"""Stands where a paragraph holds something that is no text: a code span, a link, a role."""
SENTENCE_END = re.compile(r"""(?<=[.!?])(?<!\b[eEiI]\.[gGeE]\.)(?<!\bcf\.)(?<!\bvs\.)[)"']*\s+""")
EXAMPLE = re.compile(
    r"\b(such as|e\.g\b|i\.e\b|for (example|instance)|namely|including|cf\.|vs\."
    r"|(messages?|errors?|outputs?|prints?|logs?|says?|said|reads|shows|displays)\b[^:]*:)",
    re.IGNORECASE,
)
"""What follows in the sentence is shown, not said."""
ABOUT_SPELLING = re.compile(r"\b(typos?|(mis)?spel(l\w*|t)|mistyp\w*|codespell)\b", re.IGNORECASE)
"""A paragraph that speaks of words quotes them."""
QUOTED = re.compile(r"""“[^”]*”|«[^»]*»|\u2018[^\u2019]*\u2019|(?<![^\s(])([`"']).*?\1(?![^\s.,;:!?)])""", re.DOTALL)
CODE = re.compile(r"[={}<>|\\$~^\[\]\"`“”«»]|::|--|->|\w\(|\)[?*+]| : |\t")
COLUMNS = re.compile(r"(?<![.!?:\s]) {2,}(?=\S)")
MARKED = re.compile(r"^[ \t]*(:|!!!|\?\?\?|::|%|\{%)", re.MULTILINE)
"""Lines of markup that not every parser knows: definitions, admonitions, directives of other dialects."""
WORD = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+)*")
OPENING, CLOSING = "(*\"'", ".,;:!?)*\"'"


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


ENGLISH = _set("""
    a an the this that these those it its we our you your they their them he she his her i my be is are was were been
    being has have had do does did will would can could should may might must not and or but if of to in on at by for
    with from as than then when where which who what how why there here so such no only also into about because each
    every any some all both either neither more most other
""")
KEYWORDS = _set("and as for from if in is not or with")
"""English words that are words of Python, too: alone they are no sign of a sentence."""
FOREIGN = (
    _set("""
    der die das und ist nicht ein eine einen wird werden mit von auf für zu den dem des im sich auch bei nach
    le la les un une des est pas et que qui dans pour avec sur du au aux ce cette sont el los las una es en y por con
    para como del al se il lo gli di che non per sono nella o os um uma não com na no da de het een van niet voor op
    te dat deze og er det som til med på av är att och inte
    """)
    - ENGLISH
)
CREDIT = re.compile(
    r"\b(thank\w*|credits?|authors?|courtesy|inspired|maintain\w*|sponsor\w*|acknowledg\w*|copyright|contribut\w*"
    r"|(written|reported|suggested|created|developed|designed|built|made|found|fixed|ported) by|based on|fork|port) ",
    re.IGNORECASE,
)
NAMED = _set("""
    called named as using uses use used via like by run runs running call calls calling invoke type enter install
    installs import imports see function method command option flag keyword parameter argument variable attribute class
    field module package library tool program script file directory folder project extension plugin verb word spelling
    user host server branch tag key value string words names terms git npm npx pip cargo docker kubectl sudo yarn brew
""")
NAMES = _set("""
    function functions method command commands option flag keyword parameter argument attribute variable callback
    hook event action endpoint subcommand plugin package library api project class bit bits register registers
    instruction instructions opcode mnemonic field fields column columns table macro struct trait interface enum pragma
""")
"""After one of NAMED, or before one of NAMES, a word may be a name."""
AT_THE_END = _set("of with from for to and or in on than")
"""``of expresso.``: without an article a name and a noun look the same."""
PREPOSITIONS = _set("of with from than by on")
LISTING = _set("and or")
GOES_ON = LISTING | _set("is are was were has have does can will may should but which who when while than")
"""``faster than expresso and``, ``django, expresso and flask``: the same inside of a sentence."""
SHORT = 4
"""``Recieve names.``: too short for a word that tells its language."""
FEW = 9
"""A sentence has at least one of ENGLISH among so many words."""


@dataclass(frozen=True)
class Word:
    """A word of a sentence."""

    text: str
    initial: bool
    """It has its capital, if any, because it begins the sentence."""


def words(paragraph: str, *, sentences_only: bool) -> Iterator[Word]:
    """The words that are certainly words.

    Args:
        paragraph: lines as they stand, without indentation and markup; ``APART`` for what is no text.
        sentences_only: nothing but the words themselves says that this is text at all (a comment, a docstring): it must
            begin and end as a sentence does.
    """
    if not _a_paragraph(paragraph, sentences_only=sentences_only):
        return
    for whole in SENTENCE_END.split(QUOTED.sub(APART, paragraph)):
        example = EXAMPLE.search(whole)
        sentence = whole[: example.start()] if example else whole
        if CODE.search(sentence) or CREDIT.search(sentence):
            continue
        chunks = [(chunk, chunk.lstrip(OPENING).rstrip(CLOSING)) for chunk in sentence.split()]
        if _english([bare for _, bare in chunks if WORD.fullmatch(bare)], short_ones=sentences_only):
            yield from _plain_words(chunks)


def _a_paragraph(text: str, *, sentences_only: bool) -> bool:
    text = text.strip()
    if not text or COLUMNS.search(text) or ABOUT_SPELLING.search(text) or MARKED.search(text):
        return False
    if sentences_only:
        return text[0].isupper() and text.rstrip(")").endswith((".", "!", "?"))
    return text[0].isalpha() or text[0] in f"{APART}{OPENING}“"


def _english(found: list[str], *, short_ones: bool) -> bool:
    lower = [word.lower() for word in found]
    english = sum(word in ENGLISH for word in lower)
    foreign = sum(word in FOREIGN or not word.isascii() for word in lower)
    if short_ones and not foreign and 0 < len(found) <= SHORT:
        return True
    telling = any(word in ENGLISH - KEYWORDS for word in lower)
    return len(found) > 1 and telling and english > foreign and FEW * english >= len(found)


def _plain_words(chunks: list[tuple[str, str]]) -> Iterator[Word]:
    """Those that are no names: not capital, not named, not where a name could stand."""
    bare = [word.lower() for _, word in chunks]
    for index, (chunk, word) in enumerate(chunks):
        if not WORD.fullmatch(word) or not word[1:].islower():
            continue
        initial = index == 0
        if word[0].isupper() and not initial:
            continue
        before = bare[index - 1] if index else ""
        after = bare[index + 1] if index + 1 < len(bare) else ""
        # What ends a clause has a mark behind it, or nothing.
        ends = index + 1 == len(chunks) or chunk[-1] in ",;:.!?)"
        announced = index > 0 and chunks[index - 1][0].endswith(":")
        if announced or before in NAMED or after in NAMES or (ends and before in AT_THE_END):
            continue
        listed = index > 0 and chunks[index - 1][0].endswith(",") and (chunk.endswith(",") or after in LISTING)
        term = initial and chunk.endswith(":")
        if term or listed or _whole_phrase(before, after):
            continue
        yield Word(word, initial)


def _whole_phrase(before: str, after: str) -> bool:
    """Whether it has no word beside it that would show what it is; after ``to`` it is a verb."""
    return (before in PREPOSITIONS and after in GOES_ON) or (before in LISTING and after in GOES_ON - LISTING)
