"""codespell on documents, comments and docstrings; never on code, data or names."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from dataclasses import dataclass

from pydantic import TypeAdapter, ValidationError

from adapters.agents.tools.registry import Sighting, findings_of
from adapters.agents.tools.scope import in_scope
from adapters.agents.tools.source_tree import VENDORED, SourceTree
from adapters.agents.tools.workbench import ToolUnavailable, Workbench
from contracts.task import Finding, TaskContract
from ports.agents import Brief

LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
NOT_PROSE = re.compile(
    r"(^|/)((licen[cs]e|copying|notice|authors|contributors|maintainers|thanks|credits)[^/]*"
    r"|(tests?|testing|testdata|test_data|fixtures?)/.*\.(md|rst|txt)"
    r"|(requirements|constraints)[^/]*\.txt|CMakeLists\.txt|locales?/.*|i18n/.*|SOURCES\.txt|entry_points\.txt)$",
    re.IGNORECASE,
)
"""Legal texts and people's names are quoted, not written; the others are data, in tests above all."""


@dataclass(frozen=True)
class Misspelling:
    """One word at one place."""

    path: str
    line: int
    column: int
    word: str
    fix: str
    place: str


_MISSPELLINGS = TypeAdapter(tuple[Misspelling, ...])


class SpellingTool:
    """Detects with codespell in the sandbox; fixes by replacing exactly the characters that were found."""

    name = "codespell"

    def detect(self, tree: SourceTree, brief: Brief, bench: Workbench) -> tuple[Finding, ...]:
        """Words with one possible correction, in prose. Rules: ``docs`` and ``comments``."""
        del brief
        sightings = (
            Sighting(each.place, each.path, each.line, f"{each.word} ==> {each.fix}", fixable=True, code=each.word)
            for each in self._look(tree, bench)
        )
        return findings_of(self.name, tree, sightings)

    def fix(self, tree: SourceTree, contract: TaskContract, brief: Brief, bench: Workbench) -> None:
        """Replace the words in the scope's files."""
        del brief
        by_path: defaultdict[str, list[Misspelling]] = defaultdict(list)
        for each in self._look(tree, bench):
            if each.place == contract.rule and in_scope(contract, each.path):
                by_path[each.path].append(each)
        for path, misspellings in by_path.items():
            tree.write(path, _corrected(tree.text(path), misspellings).encode("utf-8", "surrogateescape"))

    def _look(self, tree: SourceTree, bench: Workbench) -> tuple[Misspelling, ...]:
        answer = bench.python("spelling.py", ",".join(sorted(VENDORED)), *tree.focus, tree=tree.root).stdout
        try:
            found = _MISSPELLINGS.validate_python(json.loads(answer))
        except (ValueError, ValidationError, RecursionError) as error:
            raise ToolUnavailable(f"codespell's answer could not be read ({len(answer)} bytes)") from error
        ours = {path for path in {each.path for each in found} & tree.files if _prose(tree, path)}
        return tuple(each for each in found if each.path in ours)


def _prose(tree: SourceTree, path: str) -> bool:
    return not NOT_PROSE.search(path) and not tree.generated(path)


def _corrected(text: str, misspellings: list[Misspelling]) -> str:
    lines = LINE.findall(text)
    # From the right, so that the columns of the others on the line stay true.
    for each in sorted(misspellings, key=lambda each: (each.line, each.column), reverse=True):
        line, end = lines[each.line - 1], each.column + len(each.word)
        if line[each.column : end] == each.word:
            lines[each.line - 1] = line[: each.column] + each.fix + line[end:]
    return "".join(lines)
