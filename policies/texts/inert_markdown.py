"""The last word before text goes to a forge: outside code spans nothing pings, links, closes or is HTML.

Our own bodies come through unchanged: what they fold away, their blocks of code, and links whose numbers and addresses
are named apart as ours. Whatever else somebody put into a ticket does not act.
"""

import re
import unicodedata

from contracts.effect import Effect
from policies.counted import shortened

# Only what every Markdown reads as code: one backtick each side, no escape, on one line, in one table cell.
_CODE = re.compile(r"(?<![`\\])`(?!`)[^`\n|]+`(?!`)")
# A block is kept only where every Markdown reads one: at the line's begin, after an empty line, and closed.
_BLOCK = re.compile(r"(?:(?<=\n\n)|\A)(`{3,})(?:diff|text)\n(?:(?! {0,3}\1)[^\n]*\n)*\1(?=\n|\Z)")
FOLDS = ("Verdict and checks", "Task, risk and digests", "How to roll back", "Evidence and artifacts", "Budget")
"""The words under which a text of ours folds something away."""
# Each ends with an empty line: until there, Markdown reads HTML, and no code span is one.
_FOLD = re.compile(
    rf"^(?:<details>(?=\n<summary>(?:{'|'.join(FOLDS)})</summary>\n\n)"
    rf"|(?<=<details>\n)<summary>(?:{'|'.join(FOLDS)})</summary>(?=\n\n)|</details>(?=\n\n|\n?\Z))$",
    re.MULTILINE,
)
# A file's name in a title: no forge makes anything of it, and it is read better so.
_NAME = re.compile(r"(?<!\S)`(?=[^`]*\.\w)[A-Za-z0-9_À-ɏ.+-]{1,60}`(?!\w)")
_ACTIVE = (
    (re.compile(r"~{3,}"), " "),
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


def inert_markdown(text: str, links: tuple[int, ...] = (), addresses: tuple[str, ...] = ()) -> str:
    """The text with everything broken that a forge would act on; code spans and blocks stay as they are.

    ``links``: numbers of pull requests of ours. ``pull request #7`` is no word that closes anything, and foreign text
    stands in code spans: those stay links. ``addresses``: of ours; ``[report](<one of them>)`` stays a link.
    """
    visible = "".join(char if char == "\n" or unicodedata.category(char) not in _HIDDEN else " " for char in text)
    parts, end = [], 0
    for block in _BLOCK.finditer(visible):
        parts += [_outside_blocks(visible[end : block.start()], links, addresses), block.group()]
        end = block.end()
    return "".join([*parts, _outside_blocks(visible[end:], links, addresses)])


def inert_text(effect: Effect, text: str) -> str:
    """A text of a write: what the write itself names stays a link."""
    return inert_markdown(text, effect.links, effect.addresses)


def _outside_blocks(text: str, links: tuple[int, ...], addresses: tuple[str, ...]) -> str:
    numbers = rf"(?<=pull request )#(?:{'|'.join(map(str, links))})(?!\w)|" if links else ""
    ours = "|".join(re.escape(each) for each in sorted(addresses, key=len, reverse=True) if is_plain_address(each))
    linked = rf"(?<![!\]\\])\[[\w .#-]{{1,60}}\]\((?:{ours})\)|" if ours else ""
    parts, end = [], 0
    for span in re.finditer(f"{numbers}{linked}{_FOLD.pattern}|{_CODE.pattern}", text, re.MULTILINE):
        parts += [_prose(text[end : span.start()]), span.group()]
        end = span.end()
    return "".join([*parts, _prose(text[end:])])


def is_plain_address(address: str) -> bool:
    """Whether it can be a link in any Markdown: of the web, and nothing in it that ends one."""
    return re.fullmatch(r"https?://[\w.:\[\]-]+(?:/[\w.~:/%?#@=&+,-]*)?", address, re.ASCII) is not None


def link(label: str, address: str) -> str:
    """A link to a place of ours, where it is one of the web; else the words alone. The label is ours, too."""
    return f"[{label}]({address})" if is_plain_address(address) else label


def code_block(text: str, language: str) -> str:
    """Foreign lines as a block that nothing in them ends; what hides or reorders is shown by its code.

    ``language``: diff or text.
    """
    shown = "\n".join(_seen(line.expandtabs(4)) for line in text.split("\n"))
    longest = max((len(run) for run in re.findall("`+", shown)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{shown}\n{fence}"


def _seen(line: str) -> str:
    return "".join(f"\\u{{{ord(char):x}}}" if unicodedata.category(char) in _HIDDEN else char for char in line)


def inert_line(text: str) -> str:
    """One line for a title, where forges know no code but a file's name."""
    line, parts, end = " ".join(inert_markdown(text).split()), [], 0
    for name in _NAME.finditer(line):
        parts += [_prose(line[end : name.start()].replace("`", "'")), name.group()]
        end = name.end()
    return shortened("".join([*parts, _prose(line[end:].replace("`", "'"))]), _LONGEST_LINE)


def code_span(text: str) -> str:
    """Foreign text on one line, in a table cell or anywhere: inside a code span forges resolve nothing."""
    inert = one_line(text[:_LONGEST_READ]).replace("`", "'").replace("|", "/")
    return f"`{shortened(inert, _LONGEST_CODE) or '-'}`"


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
            kept = lines[:number]
            # What is folded away at the cut must end there: else it takes the last line with it.
            ends = ["", "</details>"] * (kept.count("<details>") - kept.count("</details>"))
            return "\n".join([*kept, "", _CUT, *ends, last])
    return "\n".join([*lines, last])


def _prose(text: str) -> str:
    while (calmer := _once(text)) != text:
        text = calmer
    return text


def _once(text: str) -> str:
    for pattern, replacement in _ACTIVE:
        text = pattern.sub(replacement, text)
    return text
