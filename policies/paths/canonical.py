"""What a path means to every file system and every eye, and which names are refused whole (P5).

Two spellings that any common file system or reader takes for the same path have one canonical form. What has no
honest spelling is refused by ``hostile_name``; a name is protected or refused, never neither.
"""

import re
import unicodedata
from functools import lru_cache

# Letters that look Latin in common fonts (the part of Unicode's confusables that matters for file names). A mix of
# scripts is refused anyway; this catches words written wholly in the other script.
_LOOKALIKES = str.maketrans(
    "АВЕЅІЈКМНОРСТУХԌԚԜаеѕіјорсухһӏԁԛԝѵкмтн"
    "ΑΒΕΖΗΙΚΜΝΟΡΤΥΧαικνορτυχγ"
    "օսոհց"  # noqa: RUF001 -- Armenian on purpose
    "\u0131\u0237",
    "ABESIJKMHOPCTYXGQWaesijopcyxhldqwvkmth" + "ABEZHIKMNOPTYXaikvoptuxy" + "ounhg" + "ij",
)
_IGNORED_BY_SOME = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u3164\uffa0") | frozenset(
    chr(point) for point in (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))
)
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_OVERLAYS = re.compile("[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]")
_PHONETIC = re.compile("[\u0131\u0237\u0250-\u02af\u1d00-\u1dbf\u2c60-\u2c7f\ua720-\ua7ff]")
_SLASHES = re.compile("[\\\\\u2044\u2215\u29f5\u29f8\u29f9\uff0f\uff3c]")
_NOT_ON_WINDOWS = re.compile(r'[<>:"|?*]')
_DEVICE = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?", re.IGNORECASE)
_SHORT_NAME = re.compile(r"[^.]{1,8}~[0-9]{1,6}(\.[^.]{0,3})?")
_WORD = re.compile(r"[\W\d_]+")
_EAST_ASIAN = frozenset({"CJK", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA", "HANGUL", "BOPOMOFO", "IDEOGRAPHIC"})
_LONGEST_NAME = 255


def canonical(path: str) -> str:
    """The one spelling all twins of a path share: folded, composed, without what eyes or file systems ignore."""
    parts: list[str] = []
    for part in _SLASHES.sub("/", unicodedata.normalize("NFKC", path)).split("/"):
        name = _canonical_name(part)
        if name == "..":
            del parts[-1:]
        elif name not in {"", "."}:
            parts.append(name)
    return "/".join(parts)


@lru_cache(maxsize=65536)
def _canonical_name(name: str) -> str:
    if name in {".", ".."}:
        return name
    folded = fold(name)
    # Windows: a stream of a file is the file; trailing dots and spaces do not count.
    return folded.split(":")[0].strip(" ").rstrip(". ")


def fold(text: str) -> str:
    """Case, width, composition, invisible characters and look-alike letters made equal."""
    if text.isascii() and text.isprintable():
        return text.lower()
    visible = "".join(
        char for char in text if char not in _IGNORED_BY_SOME and unicodedata.category(char) not in _INVISIBLE
    )
    composed = unicodedata.normalize("NFKC", visible).translate(_LOOKALIKES).casefold()
    return unicodedata.normalize("NFKC", _OVERLAYS.sub("", composed).translate(_LOOKALIKES)).casefold()


def hostile_name(path: str) -> str | None:
    """Why a path is refused whole, or None."""
    if not path or path.startswith("/"):
        return "it is empty or absolute"
    if path.startswith("-"):
        return "it starts with a dash, so commands take it for an option"
    if any("\ud800" <= char <= "\udfff" for char in path):
        return "it is not UTF-8"
    if _SLASHES.search(path):
        return "it holds a backslash or a look-alike of the slash"
    for name in path.split("/"):
        if reason := _hostile_component(name):
            return reason
    return None


def _hostile_component(name: str) -> str | None:
    if name in {"", ".", ".."}:
        return "it holds an empty, '.' or '..' component"
    if len(name.encode()) > _LONGEST_NAME:
        return f"a component is longer than {_LONGEST_NAME} bytes"
    if name != name.strip() or name.endswith("."):
        return "a component starts or ends with a space, or ends with a dot"
    if _NOT_ON_WINDOWS.search(name) or _DEVICE.fullmatch(name) or _SHORT_NAME.fullmatch(name):
        return "a component is reserved on Windows, or a short name there"
    return None if name.isascii() and name.isprintable() else _hostile_unicode(name)


def _hostile_unicode(name: str) -> str | None:
    if any(char in _IGNORED_BY_SOME or unicodedata.category(char) in _INVISIBLE for char in name):
        return "it holds invisible, control, direction or unassigned characters"
    if any(char.isspace() and char != " " for char in name):
        return "it holds a space that is not the ordinary one"
    normal = unicodedata.normalize("NFKC", name)
    if normal != unicodedata.normalize("NFC", name):
        return "it holds compatibility characters, which some file systems replace"
    if _OVERLAYS.search(unicodedata.normalize("NFC", name)) or _PHONETIC.search(name):
        return "it holds overlaid or phonetic letters that look like others"
    for word in _WORD.split(normal):
        scripts = {unicodedata.name(char, "UNKNOWN").split(" ")[0] for char in word if char.isalpha()}
        if len(scripts - _EAST_ASIAN) > 1 or (scripts & _EAST_ASIAN and scripts - _EAST_ASIAN - {"LATIN"}):
            return "a word mixes scripts: " + ", ".join(sorted(scripts)).title()
    return None


def readable(path: str) -> str:
    """A path for reports: invisible and undecodable characters shown as escapes."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in path)
