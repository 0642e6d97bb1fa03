"""ruff's safe fixes, one task per rule family."""

from __future__ import annotations

import json
import re
import sys
from collections import defaultdict
from dataclasses import dataclass

from adapters.agents.tools.registry import Sighting, findings_of
from adapters.agents.tools.ruff_settings import RuffSettings, ruff_settings
from adapters.agents.tools.scope import in_scope
from adapters.agents.tools.source_tree import SourceTree
from adapters.agents.tools.workbench import RUFF, ToolUnavailable, Workbench
from contracts.task import Finding, TaskContract
from ports.agents import Brief

GUEST_TREE = "/work/"
SYNTAX = "syntax"
"""Rule of files that do not parse: reported, never fixed."""
QUOTED = re.compile(r"`([^`]*)`")
IMPORTED_FOR_ITS_EFFECT = frozenset({"readline", "rlcompleter", "antigravity", "this"})
STYLES: tuple[tuple[str, ...], ...] = (
    (),
    ("--config", "lint.isort.force-single-line = true", "--config", "lint.isort.order-by-type = false"),
    ("--config", "lint.isort.force-sort-within-sections = true"),
)
"""Import styles people use, tried on a repository that has not written down its own."""


@dataclass(frozen=True)
class Violation:
    """One line of ruff's answer."""

    code: str
    path: str
    line: int
    message: str
    safe: bool


class RuffTool:
    """Detects with ``ruff check``, fixes with ``ruff check --fix``, safe fixes only.

    Nested ruff configurations below the root are not read.
    """

    name = "ruff"

    def detect(self, tree: SourceTree, brief: Brief, bench: Workbench) -> tuple[Finding, ...]:
        """Violations of the charter's families; fixable are those ruff itself calls safe, and we too."""
        settings = ruff_settings(tree, brief.policy.charter.families)
        if not settings.families:
            return ()
        violations = self._look(tree, settings, bench)
        avoid = _avoided(violations)
        return findings_of(self.name, tree, (_sighting(each, settings, avoid) for each in violations))

    def fix(self, tree: SourceTree, contract: TaskContract, brief: Brief, bench: Workbench) -> None:
        """Apply one family's safe fixes, then keep formatted what was formatted before."""
        settings = ruff_settings(tree, brief.policy.charter.families)
        if contract.rule not in settings.families:
            raise ToolUnavailable(f"ruff family {contract.rule!r} may not be used on this repository")
        violations = self._look(tree, settings, bench)
        avoid = _avoided(violations)
        sightings = (_sighting(each, settings, avoid) for each in violations)
        paths = sorted(
            {
                each.path
                for each in sightings
                if each.rule == contract.rule and each.fixable and in_scope(contract, each.path)
            }
        )
        formatted = [path for path in paths if self._formatted(tree, path, settings, bench)]
        groups: defaultdict[tuple[str, ...], list[str]] = defaultdict(list)
        for path in paths:
            groups[tuple(sorted(avoid[path]))].append(path)
        style = self._style(tree, settings, bench)[0] if contract.rule == "I" else ()
        for codes, together in groups.items():
            options = (*settings.check((contract.rule,), codes), *style)
            bench.run(
                (RUFF, "check", *options, "--fix", "--exit-zero", "--quiet", "--", *together), tree.root, writable=True
            )
        if formatted and settings.formatter is not None:
            bench.run((RUFF, "format", *settings.formatter, "--quiet", "--", *formatted), tree.root, writable=True)

    def _look(self, tree: SourceTree, settings: RuffSettings, bench: Workbench) -> tuple[Violation, ...]:
        others = tuple(family for family in settings.families if family != "I")
        found = _check(tree, settings, others, bench) if others else ()
        if "I" in settings.families:
            found = (*found, *self._style(tree, settings, bench)[1])
        return tuple(dict.fromkeys(found))

    def _style(
        self, tree: SourceTree, settings: RuffSettings, bench: Workbench
    ) -> tuple[tuple[str, ...], tuple[Violation, ...]]:
        """The import style the repository already follows best, and what breaks it.

        Where no style fits at least half of the files there is none to keep, and sorting would only be noise.
        """
        if settings.sorts_imports:
            return (), _check(tree, settings, ("I",), bench)
        answers = [(style, _check(tree, settings, ("I",), bench, style)) for style in STYLES]
        style, found = min(answers, key=lambda answer: len(answer[1]))
        if 2 * len({each.path for each in found if each.code.startswith("I")}) > len(tree.under(".py")):
            return (), ()
        return style, found

    def _formatted(self, tree: SourceTree, path: str, settings: RuffSettings, bench: Workbench) -> bool:
        """Whether the repository formats its code, and this file complies: only then is formatting no noise."""
        if settings.formatter is None:
            return False
        argv = (RUFF, "format", *settings.formatter, "--check", "--quiet", "--", path)
        return bench.run(argv, tree.root, expected=(0, 1)).exit_code == 0


def _check(
    tree: SourceTree, settings: RuffSettings, families: tuple[str, ...], bench: Workbench, style: tuple[str, ...] = ()
) -> tuple[Violation, ...]:
    options = (*settings.check(families), *style, "--output-format", "json", "--exit-zero", "--quiet")
    answer = bench.run((RUFF, "check", *options, "--", "."), tree.root).stdout
    try:
        entries = json.loads(answer)
    except (ValueError, RecursionError) as error:
        raise ToolUnavailable(f"ruff's answer could not be read ({len(answer)} bytes)") from error
    violations = (_violation(entry) for entry in entries)
    own = {path for path in tree.under(".py", ".pyi") if not tree.generated(path)} if entries else set[str]()
    return tuple(each for each in violations if each.path in own)


def _violation(entry: dict[str, object]) -> Violation:
    fix, location = entry["fix"], entry["location"]
    return Violation(
        code=str(entry["code"] or "invalid-syntax"),
        path=str(entry["filename"]).removeprefix(GUEST_TREE),
        line=int(location["row"]) if isinstance(location, dict) else 1,
        message=str(entry["message"]),
        safe=isinstance(fix, dict) and fix.get("applicability") == "safe",
    )


def _sighting(violation: Violation, settings: RuffSettings, avoid: dict[str, set[str]]) -> Sighting:
    parses = violation.code != "invalid-syntax"
    return Sighting(
        rule=_family(violation.code, settings.families) if parses else SYNTAX,
        path=violation.path,
        line=violation.line,
        message=f"{violation.code} {violation.message}",
        fixable=parses and violation.safe and violation.code not in avoid[violation.path],
        code=violation.code,
    )


def _family(code: str, families: tuple[str, ...]) -> str:
    return max((family for family in families if code.startswith(family)), key=len, default=code)


def _avoided(violations: tuple[Violation, ...]) -> defaultdict[str, set[str]]:
    """Codes not to fix in a file although ruff calls them safe.

    An unused import may be a name others import from here, a test fixture, or wanted for its effect; only those of the
    standard library are plainly left over. ruff fixes whole files, so one doubtful import spares them all.
    """
    avoid: defaultdict[str, set[str]] = defaultdict(set)
    for each in violations:
        if each.code == "F401" and (_public(each.path) or not _standard(each.message)):
            avoid[each.path].add("F401")
    return avoid


def _public(path: str) -> bool:
    name = path.rsplit("/", 1)[-1]
    return name in {"__init__.py", "conftest.py"} or "compat" in name or name.endswith(".pyi")


def _standard(message: str) -> bool:
    quoted = QUOTED.search(message)
    module = quoted[1].split(" ")[0].split(".")[0] if quoted else ""
    return module in sys.stdlib_module_names and module not in IMPORTED_FOR_ITS_EFFECT
