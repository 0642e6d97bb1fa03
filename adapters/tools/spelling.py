"""codespell on documents, docstrings and comments of every language; never on code, data or names."""

import json
import re
from collections import defaultdict
from dataclasses import dataclass

from pydantic import TypeAdapter, ValidationError

from adapters.tools.inside.code_text import SUFFIXES
from adapters.tools.python_support import no_python_3
from adapters.tools.source_tree import VENDORED, SourceTree
from adapters.tools.tool import Seen, Sighting, findings_of, unread_of
from adapters.tools.tool_runner import ToolRunner, ToolUnavailable
from contracts.task import Concern, FindingFacts, Proof, TaskContract, TaskType, Words
from policies.paths.rules import in_scope
from policies.settings.schema import EffectivePolicy

PROSE = (".md", ".rst", ".txt", ".py", ".pyi", *SUFFIXES)
FACTS = FindingFacts(
    confidence=0.7,
    type=TaskType.DOCUMENTATION_UPDATE,
    may_change=tuple(f"*{suffix}" for suffix in PROSE),
    proof=Proof.WORDS,
    concern=Concern.PROSE,
    words=Words(
        verb="Fix",
        one="a typo",
        many="typos",
        why="A misspelt word trips up readers, and a search for the right one misses it.",
    ),
)
LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
LANGUAGE = r"(de|fr|es|it|pt|nl|sv|da|nb|no|fi|pl|cs|ru|uk|zh|ja|ko|tr|hu|ro|ca|id|vi|ar|fa|he|hi|el|bg|cn|jp|br)"
NOT_PROSE = re.compile(
    r"(^|/)(([\d._-]*(([\w-]*[_-])?(un)?licen[cs]es?|copying|([\w-]*[_-])?notices?|legal|patents|trademarks?|eula|cla|dco"
    r"|privacy([_-]policy)?|terms([_-]of[_-]\w+)?|authors|contributors|maintainers|thanks|credits"
    r"|acknowledg\w*|code_of_conduct|citation|change(s|log)|history|news|release[-_]?notes|releases?|whats[-_]?new"
    r"|v?\d+\.\d[\w.]*)\b[^/]*)"
    r"|(tests?|testing|testdata|test_data|fixtures?|snapshots?|golden|expected|samples?|corpus|corpora|data|e2e|inputs?"
    r"|outputs?|assets|public|static|resources?|templates?|prompts?|_?posts|blog|quotes?|__\w+__|licen[cs]es?|releases?"
    r"|minutes|meetings?|archived?|versioned_docs)/.*"
    r"|[^/]*prompts?\.(md|txt)"
    r"|(test_[^/]*|[^/]*[._-](tests?|spec)|[^/]*Tests?|conftest)\.(?!md|rst|txt)\w+"
    r"|(changelog|changes|news|newsfragments|release[-_]?notes|whats[-_]?new)(\.d)?/.*"
    r"|(requirements|constraints)[^/]*\.txt|CMakeLists\.txt|(words?|word[-_]?list|dictionary|robots|humans|llms)[^/]*\.txt"
    r"|(locales?|translations?|i18n|l10n|lang(s|uages?)?|po|LC_MESSAGES)/.*|SOURCES\.txt|entry_points\.txt"
    rf"|[^/]*[._-]{LANGUAGE}([_-][a-z]{{2,4}})?\.(md|rst|txt)|{LANGUAGE}([_-][a-z]{{2,4}})?/.*)$",
    re.IGNORECASE,
)
"""Legal texts, people's names and what happened are quoted, not written; others are data, or of another language."""
LEGAL = re.compile(
    r"permission is hereby granted|general public license\s+version|terms and conditions for use|mozilla public license"
    r"|redistribution and use in source and binary|everyone is permitted to copy and distribute",
    re.IGNORECASE,
)
"""Said by the text of a licence alone."""


@dataclass(frozen=True)
class Misspelling:
    """One word at one place."""

    path: str
    line: int
    column: int
    word: str
    fix: str
    place: str


@dataclass(frozen=True)
class Looked:
    """What was seen, and where."""

    found: tuple[Misspelling, ...]
    looked: tuple[str, ...]
    unread: dict[str, str]


@dataclass(frozen=True)
class CouldNotLook:
    """Why there is no answer."""

    could_not_look: str


_ANSWER = TypeAdapter[Looked | CouldNotLook](Looked | CouldNotLook)


class SpellingTool:
    """Detects with codespell in the sandbox; fixes by replacing exactly the characters that were found."""

    name = "codespell"

    def facts(self, _rule: str, _policy: EffectivePolicy) -> FindingFacts:
        """The same for both rules."""
        return FACTS

    def detect(self, tree: SourceTree, policy: EffectivePolicy, bench: ToolRunner) -> Seen:
        """Words with one possible correction, in prose. Rules: ``docs`` and ``comments``."""
        answer = self._look(tree, bench)
        sightings = (
            Sighting(
                each.place,
                each.path,
                each.line,
                f"{each.word} ==> {each.fix}",
                fixable=True,
                code=each.word,
                about=f"{each.word} → {each.fix}",
            )
            for each in answer.found
        )
        unread = answer.unread | tree.unreadable(*PROSE)
        return Seen(
            findings_of(self, tree, policy, sightings), len(answer.looked) + len(unread), unread_of(self.name, unread)
        )

    def fix(self, tree: SourceTree, contract: TaskContract, policy: EffectivePolicy, bench: ToolRunner) -> None:
        """Replace the words in the scope's files."""
        del policy
        by_path: defaultdict[str, list[Misspelling]] = defaultdict(list)
        for each in self._look(tree, bench).found:
            if each.place == contract.rule and in_scope(each.path, contract.scope):
                by_path[each.path].append(each)
        for path, misspellings in by_path.items():
            tree.write(path, _corrected(tree.text(path), misspellings).encode("utf-8", "surrogateescape"))

    def _look(self, tree: SourceTree, bench: ToolRunner) -> Looked:
        answer = bench.python("spelling.py", ",".join(sorted(VENDORED)), *tree.focus, tree=tree.root).stdout
        try:
            found = _ANSWER.validate_python(json.loads(answer))
        except (ValueError, ValidationError, RecursionError) as error:
            raise ToolUnavailable(f"codespell's answer could not be read ({len(answer)} bytes)") from error
        if isinstance(found, CouldNotLook):
            raise ToolUnavailable(" ".join(found.could_not_look.split()))
        ours = {path for path in {*found.looked, *found.unread} & tree.files if may_be_corrected(tree, path)}
        return Looked(
            tuple(each for each in found.found if each.path in ours),
            tuple(path for path in found.looked if path in ours),
            {path: reason for path, reason in found.unread.items() if path in ours and not _foreign(tree, path)},
        )


def _foreign(tree: SourceTree, path: str) -> bool:
    return path.endswith((".py", ".pyi")) and no_python_3(path, tree.text(path))


def may_be_corrected(tree: SourceTree, path: str) -> bool:
    """Whether a file is one that people write, in English, for people."""
    if NOT_PROSE.search(path) or tree.generated(path):
        return False
    return not (path.endswith((".md", ".rst", ".txt")) and LEGAL.search(tree.text(path)))


def _corrected(text: str, misspellings: list[Misspelling]) -> str:
    lines = LINE.findall(text)
    # From the right, so that the columns of the others on the line stay true.
    for each in sorted(misspellings, key=lambda each: (each.line, each.column), reverse=True):
        line, end = lines[each.line - 1], each.column + len(each.word)
        if line[each.column : end] == each.word:
            lines[each.line - 1] = line[: each.column] + each.fix + line[end:]
    return "".join(lines)
