"""Inside the sandbox: whether a text that is no Python we can parse may take a name from one of our modules.

Nobody can say how another language, a notebook, a template or a configuration spells that, so the words count: where
the module and the name both stand in what is code, the name may be needed.
"""

from __future__ import annotations

import re

WORDS = re.compile(r"\w+")
PROSE = (".md", ".rst", ".txt")
SETTINGS = (".toml", ".cfg", ".ini", ".yaml", ".yml", ".json")
FENCE = re.compile(r"^\s*(```|~~~)")
CODE = re.compile(r"^(\s*(>>>|\.\.\.)|\s{4,}\S|\t|\s*\.\. |:::|\s*:\w)")
"""Examples, indented blocks, directives and their options, mkdocstrings."""
SPAN = re.compile(r"`[^`]+`")
PICKLED = re.compile(rb"\x80[\x02-\x05]")


def mentions(path: str, text: str, module: str, name: str, *, parsed: bool = False) -> bool:
    """Whether a text may take the name from the module, whose path is given with dots.

    In prose what is code counts, of Python that is ``parsed`` what its strings show; in settings the module must stand
    with its package, since its bare name is any word.
    """
    package, _, stem = module.rpartition(".")
    if stem not in text or name not in text:
        return False
    if path.endswith(SETTINGS) and package:
        whole = re.escape(f"{package.rpartition('.')[2]}.{stem}").replace(r"\.", r"[./]")
        return re.search(rf"\b{whole}\b", text) is not None and name in WORDS.findall(text)
    words = set(WORDS.findall("\n".join(_code(text)) if parsed or path.endswith(PROSE) else text))
    return stem in words and name in words


def _code(text: str) -> list[str]:
    kept, fenced = list[str](), False
    for line in text.split("\n"):
        fence = FENCE.match(line) is not None
        kept += [line] if fence or fenced or CODE.search(line) else SPAN.findall(line)
        fenced ^= fence
    return kept
