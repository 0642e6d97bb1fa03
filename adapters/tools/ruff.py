"""ruff's findings, one task per rule family; of its fixes those that are proven to change nothing."""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from adapters.tools.comparison import Question, python_facts, unequal
from adapters.tools.inside.edits import Edit, apart, edited
from adapters.tools.other_linters import silenced
from adapters.tools.python_support import no_python_3
from adapters.tools.ruff_settings import Look, RuffSettings, ruff_settings
from adapters.tools.source_tree import SourceTree
from adapters.tools.tool import Seen, Sighting, findings_of, unread_of
from adapters.tools.tool_runner import RUFF, ToolRunner, ToolUnavailable
from contracts.task import Concern, Finding, FindingFacts, TaskContract, TaskType, Words
from policies.paths.rules import in_scope
from policies.settings.schema import EffectivePolicy

GUEST_TREE = "/work/"
SYNTAX = "syntax"
"""Rule of files that do not parse: reported, never fixed."""
INVALID = "invalid-syntax"
UNREADABLE = "E902"
DONE = (0, 1)
"""ruff's statuses for nothing and for something found; any other means that it did not look."""
FAILED = re.compile(r"(?:warning|error): Failed to lint (?P<rest>.*)")
WENT_WRONG = re.compile(r"error: |ruff failed|warning: (Failed|Could not|Unable|Ignoring file|Encountered error)")
FAMILY = re.compile(r"C4|[A-Z]+")
MOST_ROUNDS = 10
"""Fixes that touch one another are made one after the other."""
MOST_QUESTIONS = 3_000
"""Proven in one look; the findings beyond wait, unfixable, for a day when there are fewer."""
STYLES: tuple[tuple[str, ...], ...] = (
    (),
    ("--config", "lint.isort.force-single-line = true", "--config", "lint.isort.order-by-type = false"),
    ("--config", "lint.isort.force-sort-within-sections = true"),
)
"""Import styles people use, tried on a repository that has not written down its own."""
UNUSED = ("--isolated", "--no-cache", "--no-fix", "--select", "F401")


class Family(NamedTuple):
    """What is known of one of ruff's rule families: how sure its fixes are, and what mending one is called."""

    confidence: float
    words: Words | None
    type: TaskType = TaskType.CODE_IMPROVEMENT
    is_fault: bool = False


def _words(verb: str, one: str, many: str, why: str) -> Words:
    return Words(verb=verb, one=one, many=many, why=why)


# Best first. White space cannot change meaning, a word can.
FAMILIES = {
    "F": Family(0.95, _words(
        "Fix", "a Pyflakes finding", "Pyflakes findings",
        "Pyflakes reports code that does nothing or not what it says.",
    ), is_fault=True),
    "I": Family(0.95, _words(
        "Sort", "an import block", "import blocks", "Sorted imports are found faster and conflict less in merges.",
    )),
    "UP": Family(0.9, _words(
        "Modernize", "an outdated construct", "outdated constructs",
        "The Python versions that the project supports have a shorter way to write it.",
    )),
    "B": Family(0.8, _words(
        "Fix", "a likely bug", "likely bugs", "flake8-bugbear reports code that often turns out to be a mistake.",
    ), TaskType.RELIABILITY_FIX, is_fault=True),
    "C4": Family(0.85, _words(
        "Simplify", "a comprehension", "comprehensions", "The shorter form does the same with less to read.",
    )),
    "SIM": Family(0.8, _words(
        "Simplify", "a construct", "constructs", "The shorter form does the same with less to read.",
    )),
    "PIE": Family(0.85, _words(
        "Remove", "a needless construct", "needless constructs", "It has no effect, and less is left to read.",
    )),
    "RUF": Family(0.75, None),
    "E": Family(0.95, _words(
        "Fix", "a style error", "style errors", "The project's own configuration asks for this style (PEP 8).",
    ), is_fault=True),
    "W": Family(0.97, _words(
        "Fix", "a whitespace warning", "whitespace warnings",
        "Stray white space makes noise in later diffs; the project's own configuration asks for its removal.",
    )),
}  # fmt: skip
UNKNOWN = Family(0.5, None, is_fault=True)
"""Below any minimum confidence that is set by default."""
FINER = {
    "F401": _words(
        "Remove", "an unused import", "unused imports",
        "Nothing in the file uses it, and readers wonder why it is there.",
    ),
    "F541": _words(
        "Remove", "a needless f-string prefix", "needless f-string prefixes",
        "The string has no placeholder, so the prefix suggests something that does not happen.",
    ),
}  # fmt: skip
UNUSED_IMPORT = re.compile(r"`([^`]+)` imported but unused")


@dataclass(frozen=True)
class Violation:
    """One line of ruff's answer."""

    code: str
    path: str
    line: int
    message: str
    edits: tuple[Edit, ...]
    """Its safe fix; empty: none."""

    @property
    def rule(self) -> str:
        """The family."""
        found = FAMILY.match(self.code)
        return found[0] if found else SYNTAX


@dataclass(frozen=True)
class RuffOutput:
    """What ruff said of the files it was called for."""

    violations: tuple[Violation, ...]
    unread: dict[str, str]
    """Files it failed at, and why."""


class RuffTool:
    """Detects with ``ruff check`` as the owner calls it; makes the fixes whose equality is proven, and no other."""

    name = "ruff"

    def facts(self, rule: str, policy: EffectivePolicy) -> FindingFacts:
        """Of a family: worth more the earlier the charter names it; what an owner selected besides comes after."""
        family, order = FAMILIES.get(rule, UNKNOWN), tuple(dict.fromkeys((*policy.charter.families, *FAMILIES)))
        return FindingFacts(
            confidence=family.confidence,
            value=1.0 - order.index(rule) / (2 * len(order)) if rule in order else 0.5,
            type=family.type,
            may_change=("*.py", "*.pyi"),
            is_fault=family.is_fault,
            words=family.words,
        )

    def detect(self, tree: SourceTree, policy: EffectivePolicy, bench: ToolRunner) -> Seen:
        """What the owner selected; fixable is what is proven to change nothing."""
        settings = ruff_settings(tree, policy)
        answer = self._look(tree, settings, bench)
        reasons = _unproven(tree, answer.violations, bench)
        findings = findings_of(self, tree, policy, (_sighting(each, reasons.get(each)) for each in answer.violations))
        findings = tuple(_as_hook(each, settings, policy.target.improve.ruff) for each in findings)
        wanted = {path for look in settings.looks for path in look.paths if tree.is_source(path)}
        unread = {path: reason for path, reason in answer.unread.items() if path in wanted}
        unread |= _unparsable(tree, answer.violations, bench)
        unread |= tree.unreadable(".py", ".pyi") if settings.looks else {}
        return Seen(findings, len(wanted | unread.keys()), unread_of(self.name, unread))

    def fix(self, tree: SourceTree, contract: TaskContract, policy: EffectivePolicy, bench: ToolRunner) -> None:
        """Make one family's proven fixes, take the imports along that they leave unused, keep what was formatted so."""
        settings = ruff_settings(tree, policy)
        before = {path: tree.read(path) for path in tree.focus or tree.files if in_scope(path, contract.scope)}
        unused = {_import(each) for each in self._unused(tree, before, bench)}
        formatted = [path for path in sorted(before) if self._formatted(tree, path, settings, bench)]
        for _ in range(MOST_ROUNDS):
            wanted = [each for each in self._look(tree, settings, bench).violations if each.rule == contract.rule]
            if not _made(tree, (each for each in wanted if each.path in before), bench):
                break
        if contract.rule != "F":
            for _ in range(MOST_ROUNDS):
                left = [each for each in self._unused(tree, before, bench) if _import(each) not in unused]
                if not _made(tree, left, bench):
                    break
            # An import that is left over and cannot be taken along is a new fault: then the file waits.
            for path in {each.path for each in self._unused(tree, before, bench) if _import(each) not in unused}:
                tree.write(path, before[path])
        changed = [path for path in formatted if tree.read(path) != before[path]]
        if changed and settings.formatter is not None:
            bench.run((RUFF, "format", *settings.formatter, "--quiet", "--", *changed), tree.root, writable=True)

    def _unused(self, tree: SourceTree, paths: Iterable[str], bench: ToolRunner) -> tuple[Violation, ...]:
        python = sorted(path for path in paths if path.endswith(".py"))
        return _check(tree, Look(UNUSED, frozenset(python)), bench, targets=python).violations if python else ()

    def _look(self, tree: SourceTree, settings: RuffSettings, bench: ToolRunner) -> RuffOutput:
        answers = [(_in_style if look.sorts else _check)(tree, look, bench) for look in settings.looks]
        found = dict.fromkeys(each for answer in answers for each in answer.violations)
        texts = {path: tree.text(path) for path in {each.path for each in found}}
        wanted = (each for each in found if settings.flake8.wants(each.path, each.code))
        return RuffOutput(
            tuple(each for each in wanted if not silenced(texts[each.path], each.code)),
            {path: reason for answer in answers for path, reason in answer.unread.items()},
        )

    def _formatted(self, tree: SourceTree, path: str, settings: RuffSettings, bench: ToolRunner) -> bool:
        """Whether the repository formats its code, and this file complies: only then is formatting no noise."""
        if settings.formatter is None or not path.endswith((".py", ".pyi")):
            return False
        argv = (RUFF, "format", *settings.formatter, "--check", "--quiet", "--", path)
        return bench.run(argv, tree.root, expected=(0, 1)).exit_code == 0


def _in_style(tree: SourceTree, look: Look, bench: ToolRunner) -> RuffOutput:
    """What breaks the import style that the repository already follows best.

    Where no style fits at least half of the files there is none to keep, and sorting would only be noise.
    """
    first, *others = STYLES
    found = _check(tree, look, bench, first)
    for style in others:
        # No other style is broken less; each that is asked about is one more start of the sandbox.
        if not found.violations:
            break
        found = min(found, _check(tree, look, bench, style), key=lambda answer: len(answer.violations))
    broken = {each.path for each in found.violations if each.code.startswith("I")}
    return RuffOutput((), found.unread) if 2 * len(broken) > len(tree.under(".py")) else found


def _check(
    tree: SourceTree, look: Look, bench: ToolRunner, style: tuple[str, ...] = (), targets: Iterable[str] = (".",)
) -> RuffOutput:
    options = (*look.options, *style, "--output-format", "json")
    result = bench.run((RUFF, "check", *options, "--", *targets), tree.root, expected=DONE)
    try:
        entries = json.loads(result.stdout)
    except (ValueError, RecursionError) as error:
        raise ToolUnavailable(f"ruff's answer could not be read ({len(result.stdout)} bytes)") from error
    found = tuple(each for each in map(_violation, entries) if each.path in look.paths)
    sources = {path for path in {each.path for each in found} if tree.is_source(path)}
    unread = {each.path: each.message for each in found if each.code == UNREADABLE}
    return RuffOutput(
        tuple(each for each in found if each.path in sources and each.code != UNREADABLE),
        unread | dict(_failures(result.stderr.decode("utf-8", "surrogateescape"), look.paths)),
    )


def _failures(output: str, paths: frozenset[str]) -> Iterator[tuple[str, str]]:
    """Of what ruff says beside its answer the files that it failed at.

    Raises:
        ToolUnavailable: it says that something failed that is no file of the tree's.
    """
    for line in output.splitlines():
        if failed := FAILED.match(line):
            places = [path for path in paths if failed["rest"].startswith(f"{path}: ")]
            if places:
                path = max(places, key=len)
                yield path, failed["rest"].removeprefix(f"{path}: ")
        elif WENT_WRONG.match(line):
            raise ToolUnavailable(f"ruff said: {line}")


def _as_hook(found: Finding, settings: RuffSettings, opted: tuple[str, ...]) -> Finding:
    """What the repository itself selects is a hook of its owner's; what policy or ``[improve]`` adds is not."""
    added = any(each.startswith(found.rule) or found.rule.startswith(each) for each in opted)
    if added or found.path not in settings.governed:
        return found
    return found.model_copy(update={"facts": found.facts.model_copy(update={"concern": Concern.HOOK})})


def _unparsable(tree: SourceTree, violations: Iterable[Violation], bench: ToolRunner) -> dict[str, str]:
    """Files that neither ruff nor Python can parse: of those ruff has seen next to nothing.

    What is no Python 3 by intention, a template or Python 2, is no source of ours.
    """
    # The first of a file's errors, which the others mostly follow from.
    invalid = {each.path: each for each in reversed(list(violations)) if each.code == INVALID}
    unexplained = {path: each for path, each in invalid.items() if not no_python_3(path, tree.text(path))}
    broken = [path for path, facts in python_facts(tree.root, sorted(unexplained), bench).items() if facts.error]
    return {path: f"does not parse: line {unexplained[path].line}: {unexplained[path].message}" for path in broken}


def _violation(entry: dict[str, object]) -> Violation:
    fix, location = entry["fix"], entry["location"]
    edits: tuple[Edit, ...] = ()
    if isinstance(fix, dict) and fix.get("applicability") == "safe":
        edits = tuple(map(_edit, fix["edits"]))
    return Violation(
        code=str(entry["code"] or INVALID),
        path=str(entry["filename"]).removeprefix(GUEST_TREE),
        line=int(location["row"]) if isinstance(location, dict) else 1,
        message=str(entry["message"]),
        edits=edits,
    )


def _edit(entry: dict[str, Any]) -> Edit:
    start, end = entry["location"], entry["end_location"]
    return Edit(start["row"], start["column"], end["row"], end["column"], entry["content"])


def _unproven(tree: SourceTree, violations: Iterable[Violation], bench: ToolRunner) -> dict[Violation, str]:
    """Of the violations with a fix why each is not proven to change nothing; empty: it is."""
    with_edits = [each for each in violations if each.edits and (not tree.focus or each.path in tree.focus)][
        :MOST_QUESTIONS
    ]
    questions = list(dict.fromkeys(Question(each.path, each.edits) for each in with_edits))
    answers = dict(zip(questions, unequal(tree.root, tree.root, questions, bench), strict=True))
    return {each: answers[Question(each.path, each.edits)] for each in with_edits}


def _made(tree: SourceTree, violations: Iterable[Violation], bench: ToolRunner) -> bool:
    """Make as many of the proven fixes as do not touch one another."""
    by_path: defaultdict[str, list[tuple[Edit, ...]]] = defaultdict(list)
    for violation, reason in _unproven(tree, violations, bench).items():
        if not reason:
            by_path[violation.path].append(violation.edits)
    for path, groups in by_path.items():
        tree.write(path, edited(tree.read(path), tuple(edit for group in apart(groups) for edit in group)))
    return bool(by_path)


def _import(violation: Violation) -> tuple[str, str]:
    return violation.path, violation.message


def _sighting(violation: Violation, reason: str | None) -> Sighting:
    why = f" (left alone: {reason})" if reason else ""
    return Sighting(
        rule=violation.rule if violation.code != INVALID else SYNTAX,
        path=violation.path,
        line=violation.line,
        message=f"{violation.code} {violation.message}{why}",
        fixable=reason == "",
        code=violation.code,
        words=FINER.get(violation.code),
        about=unused[1] if (unused := UNUSED_IMPORT.match(violation.message)) else "",
    )
