"""The deterministic reviewer: compares two trees, and believes neither the coder nor its tools."""

import re
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from adapters.agents.tree_difference import Difference, tree_difference
from adapters.secret_shapes import SECRETS
from adapters.tools.comparison import BASE, COULD_NOT, PythonFacts, python_facts
from adapters.tools.inside.code_text import SUFFIXES
from adapters.tools.source_tree import SourceTree
from adapters.tools.tool import Seen, Tool
from adapters.tools.tool_runner import ToolRefused, ToolRunner, ToolUnavailable
from contracts.evidence import ReviewProposal, ReviewRemark, Severity
from contracts.task import Finding, FindingFacts, MeasureKind, Proof, TaskContract, TaskType
from policies.agents.special_cases import is_asked_for, measuring_test, named_tests, runner_asked
from policies.counted import counted, shortened, sized
from policies.paths.rules import in_scope, matches
from policies.settings.schema import EffectivePolicy
from policies.task.asked import is_started, is_test, stands_in
from ports.agents import Brief

MARKERS = re.compile(
    r"#\s*(?:ruff:\s*|flake8:\s*)?noqa|#\s*type:\s*ignore|#\s*(?:pylint|mypy|pyright|isort|fmt|bandit)\s*:|#\s*nosec"
    r"|pragma:\s*no\s*cover|codespell:ignore|\bskip(?:if|Test|Unless|If)?\b\s*\(|mark\.skip|mark\.xfail|\bxfail\b"
    r"|\bexpectedFailure\b|\bSkipTest\b|\b__test__\s*=|\bcollect_ignore|\bpytest\.exit\b"
    # Whatever was to be checked or measured ends there, with status 0.
    r"|\bos\._exit\b|\bimport\b[^#\n]*\b_exit\b"
    # JavaScript, Go, Rust
    r"|(?:eslint|oxlint)-disable|biome-ignore|prettier-ignore|@ts-(?:ignore|nocheck|expect-error)"
    r"|\b(?:istanbul|c8|v8)\s+ignore|\b(?:it|test|describe|suite|context)\.(?:skip|only|todo|fails|failing)\b"
    r"|^\s*(?:x(?:it|test|describe)|f(?:it|describe))\s*\(|//\s*nolint|\b[tb]\.Skip(?:Now|f)?\(|#!?\[(?:allow|ignore|expect)\b",
    re.MULTILINE,
)
HIDDEN = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufeff\uffa0"
    "\ufff9-\ufffb\U000e0000-\U000e0fff]"
)
"""Characters that make code read otherwise than it runs."""
TESTS_INSIDE = re.compile(r"\bassert(?:_\w+)?!|#\[(?:\w+::)*test\b")
"""Rust has tests in the file that they test."""
MODULES_FIXES_ADD = frozenset(
    [
        "__future__",
        "builtins",
        "collections",
        "collections.abc",
        "contextlib",
        "dataclasses",
        "datetime",
        "enum",
        "functools",
        "importlib.metadata",
        "inspect",
        "io",
        "itertools",
        "operator",
        "re",
        "shlex",
        "typing",
        "unittest.mock",
    ]
)
PYTHON = (".py", ".pyi")
UNCHECKED = 0.8
"""Confidence is multiplied by this for each file whose syntax could not be compared."""
DISAPPROVING = frozenset({Severity.MAJOR, Severity.BLOCKING})


def review(
    brief: Brief, contract: TaskContract, base: Path, tree: Path, tools: tuple[Tool, ...], bench: ToolRunner
) -> ReviewProposal:
    """Review the change of one contract.

    Raises:
        ToolUnavailable: a check could not be made; that is no opinion.
    """
    differences = tree_difference(base, tree)
    tool = next((each for each in tools if each.name == contract.tool), None)
    # Of a tool that is not ours nothing is known, so nothing of its change is let through.
    facts = tool.facts(contract.rule, brief.policy) if tool else _facts_of(contract)
    remarks = [*_bounds(differences, contract, brief.granted)]
    confidence = 1.0
    # What is out of bounds is refused already; the sandbox is not asked about it.
    inside = [
        each
        for each in differences
        if not each.odd and (each.path in brief.granted or in_scope(each.path, contract.scope))
    ][: contract.scope.max_files]
    tests = named_tests(contract, (line for each in inside if is_test(each.path) for line in each.added))
    for each in inside:
        # What a person released need not be of the contract's kind; a secret or a silenced check it still must not be.
        remarks.extend(_text(each))
        if each.path not in brief.granted:
            remarks.extend(_of_who_runs_it(each, contract, tests))
            remarks.extend(_of_its_kind(each, facts))
            remarks.extend(_of_what_measures(each, contract, brief.policy, base))
    kinds = (*PYTHON, *SUFFIXES) if _of_prose(facts) else PYTHON
    parsed = [each.path for each in inside if each.path.endswith(kinds) and None not in (each.before, each.after)]
    places = [place for path in parsed for place in (f"{BASE}/{path}", path)]
    syntax_of = python_facts(tree, places, bench, ((base, BASE),))
    for path in parsed:
        before = syntax_of[f"{BASE}/{path}"]
        remarks.extend(_python(path, before, syntax_of[path], None if path in brief.granted else facts))
        if before.error:
            confidence *= UNCHECKED
    if facts.proof is Proof.RECORDED:
        remarks.extend(_not_recorded(inside, tool, contract, brief, bench))
    if facts.proof is Proof.REPEATED:
        remarks.extend(_not_repeated(inside, base, tool, contract, brief, bench))
    if facts.proof is Proof.EQUAL:
        remarks.extend(_not_equal(brief.compared, [each.path for each in inside if each.path not in brief.granted]))
    remarks.extend(_growth(brief, {each.path for each in inside}, base, tree, tools, bench))
    approve = not any(remark.severity in DISAPPROVING for remark in remarks)
    files, lines = len(differences), sum(_lines(each) for each in differences)
    opinion = "nothing speaks against it" if approve else "it must not go on"
    kind = "Python file" if all(path.endswith(PYTHON) for path in parsed) else "file"
    syntax = f"; {counted(len(parsed), kind)} compared by syntax" if parsed else ""
    measured = f"{sized(files, lines)} changed{syntax}"
    return ReviewProposal(
        approve=approve,
        confidence=round(confidence, 2),
        summary=f"Compared both trees: {measured}; {opinion}.",
        remarks=tuple(remarks[:100]),
    )


def _bounds(
    differences: tuple[Difference, ...], contract: TaskContract, granted: frozenset[str]
) -> Iterator[ReviewRemark]:
    scope = contract.scope
    if not differences:
        yield _remark(Severity.BLOCKING, None, "nothing was changed")
    for each in differences:
        if each.path not in granted and not in_scope(each.path, contract.scope):
            yield _remark(Severity.BLOCKING, each.path, "is outside the contract's scope", crosses=True)
        if each.odd:
            yield _remark(Severity.BLOCKING, each.path, each.odd, crosses=True)
    for what, count, most in (
        ("files changed", len(differences), scope.max_files),
        ("lines changed", sum(_lines(each) for each in differences), scope.max_lines),
        ("new files", sum(each.before is None for each in differences), scope.max_new_files),
        ("files deleted", sum(each.after is None for each in differences), scope.max_deletions),
    ):
        if count > most:
            yield _remark(Severity.BLOCKING, None, f"{count} {what}, the contract allows {most}")


def _text(each: Difference) -> Iterator[ReviewRemark]:
    added = "\n".join(each.added)
    known = (each.before or b"").decode("utf-8", "replace")
    if any((found["literal"] or found[0]) not in known for found in SECRETS.finditer(added)):
        yield _remark(Severity.BLOCKING, each.path, "a new line looks like a secret", crosses=True)
    if HIDDEN.search(added):
        words = "a new line holds invisible or direction-changing characters"
        yield _remark(Severity.BLOCKING, each.path, words, crosses=True)
    counts = Counter(MARKERS.findall(added)) - Counter(MARKERS.findall("\n".join(each.removed)))
    if counts:
        yield _remark(Severity.MAJOR, each.path, f"adds a marker that silences a check: {min(counts)}", crosses=True)
    before, after = each.before or b"", each.after or b""
    if (
        before.count(b"\r\n")
        and after.count(b"\n") > after.count(b"\r\n")
        and before.count(b"\n") == before.count(b"\r\n")
    ):
        yield _remark(Severity.MAJOR, each.path, "changes the line ends of the file")


def _of_who_runs_it(each: Difference, contract: TaskContract, tests: frozenset[str]) -> Iterator[ReviewRemark]:
    """Whether code is made to behave otherwise where it is measured than where it is used."""
    before = (each.before or b"").decode("utf-8", "replace")
    if is_test(each.path):
        return
    if found := runner_asked(each.path, each.added, before):
        if is_asked_for(found, contract):
            yield _remark(Severity.MINOR, each.path, f"asks who runs it, as the task has it: {shortened(found, 80)}")
        else:
            yield _remark(Severity.BLOCKING, each.path, f"asks who runs it: {shortened(found, 80)}", crosses=True)
    if name := measuring_test(each.path, each.added, before, tests):
        yield _remark(Severity.BLOCKING, each.path, f"names the test that measures it: {name}", crosses=True)


def _of_its_kind(each: Difference, facts: FindingFacts) -> Iterator[ReviewRemark]:
    """Whether a file is one that the tool's fixes may change, and is changed as they may change it."""
    if not matches(each.path, facts.may_change):
        yield _remark(Severity.BLOCKING, each.path, "is no file that a fix of this kind may change")
    if facts.proof is Proof.WORDS and not each.path.endswith(PYTHON) and not _word_for_word(each):
        yield _remark(Severity.MAJOR, each.path, "changes more than single words")


def _facts_of(contract: TaskContract) -> FindingFacts:
    """Of what an agent was asked for: wherever the contract lets it, nothing shown but the effect."""
    if contract.asked is None:
        return FindingFacts()
    return FindingFacts(confidence=1, may_change=contract.scope.allowed_paths, proof=Proof.MEASURED)


def _of_what_measures(
    each: Difference, contract: TaskContract, policy: EffectivePolicy, base: Path
) -> Iterator[ReviewRemark]:
    """Who is measured by checks must not change what they are made of; what is red must not be edited to be green."""
    if contract.asked is None:
        return
    argvs = [check.argv for check in policy.target.checks]
    defining = matches(each.path, policy.protected_paths.check_defining) or is_started(each.path, argvs)
    if contract.measure is not MeasureKind.ACCEPTANCE and defining:
        words = "changes what the checks are made of, by which it is measured"
        yield _remark(Severity.BLOCKING, each.path, words, crosses=True)
    if each.before is None and (name := stands_in(each.path, argvs, lambda path: (base / path).exists())):
        words = f"would be imported in place of {name} where checks run"
        yield _remark(Severity.BLOCKING, each.path, words, crosses=True)
    # One line more can take a test away as well: a return before it fails.
    cheats = contract.measure in {MeasureKind.CHECK, MeasureKind.IN_CI}
    inside = cheats and each.path.endswith(".rs") and TESTS_INSIDE.search("\n".join(each.removed)) is not None
    if each.before is not None and ((is_test(each.path) and (each.removed or cheats)) or inside):
        severity = Severity.BLOCKING if cheats else Severity.MINOR
        words = "changes or removes lines of a test that was there before"
        yield _remark(severity, each.path, words, crosses=cheats)


def _of_prose(facts: FindingFacts) -> bool:
    """Whether nothing but prose may be changed, so of code its comments alone."""
    return facts.proof is Proof.WORDS and facts.type is TaskType.DOCUMENTATION_UPDATE


def _word_for_word(each: Difference) -> bool:
    before, after = ((text or b"").decode("utf-8", "replace").splitlines() for text in (each.before, each.after))
    return len(before) == len(after) and all(
        len(old.split()) == len(new.split()) for old, new in zip(before, after, strict=True)
    )


def _python(path: str, before: PythonFacts, after: PythonFacts, facts: FindingFacts | None) -> Iterator[ReviewRemark]:
    if facts is not None and not path.endswith(PYTHON) and (before.error or after.error):
        yield _remark(Severity.BLOCKING, path, f"nobody can tell its comments: {after.error or before.error}")
    elif after.error:
        broken = _remark(Severity.BLOCKING, path, f"no longer parses: {after.error}")
        yield (
            _remark(Severity.MINOR, path, "did not and does not parse here; compared as text")
            if before.error
            else broken
        )
    if before.error or after.error:
        return
    if facts is not None and facts.proof is Proof.WORDS and before.prose != after.prose:
        yield _remark(Severity.BLOCKING, path, "changes more than comments and docstrings")
    if gone := before.tests - after.tests:
        yield _remark(Severity.BLOCKING, path, f"removes a test: {min(gone)}", crosses=True)
    # A tool's fix moves no definitions; who was asked for more may, and a person looks.
    grave = Severity.MINOR if facts is not None and facts.proof is Proof.MEASURED else Severity.MAJOR
    if gone := before.definitions - before.tests - after.definitions:
        yield _remark(grave, path, f"removes a definition: {min(gone)}")
    if after.asserts < before.asserts:
        yield _remark(
            Severity.BLOCKING,
            path,
            f"has {counted(before.asserts - after.asserts, 'assertion less', 'assertions less')}",
            crosses=True,
        )
    if grown := Counter(after.runs_code) - Counter(before.runs_code):
        yield _remark(Severity.BLOCKING, path, f"can newly run code or programs: {min(grown)}", crosses=True)
    if new := after.modules - before.modules - MODULES_FIXES_ADD:
        yield _remark(grave, path, f"imports a further module: {min(new)}")


def _not_equal(compared: Mapping[str, str], paths: list[str]) -> Iterator[ReviewRemark]:
    """What must be equal is shown to be: what cannot be told from harm is not proposed (P17)."""
    for path in paths:
        reason = compared.get(path, "nobody compared it")
        if reason.startswith(COULD_NOT):
            raise ToolUnavailable(f"{path} {reason}")
        if not path.endswith(PYTHON):
            yield _remark(Severity.BLOCKING, path, "is no Python file, so nothing can be shown of it")
        elif reason:
            yield _remark(Severity.BLOCKING, path, f"is not shown to do what it did: {reason}")


def _not_recorded(
    changed: list[Difference], tool: Tool | None, contract: TaskContract, brief: Brief, bench: ToolRunner
) -> Iterator[ReviewRemark]:
    """What was recorded to be brought about is brought about again, and is the same."""
    for each in changed:
        with TemporaryDirectory(prefix="again-") as folder:
            place = Path(folder) / each.path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(each.before or b"")
            if tool is not None:
                tool.fix(SourceTree(Path(folder), {each.path}), contract, brief.policy, bench)
            if place.read_bytes() != each.after:
                yield _remark(Severity.BLOCKING, each.path, "is not what the run recorded")


def _not_repeated(
    changed: list[Difference], base: Path, tool: Tool | None, contract: TaskContract, brief: Brief, bench: ToolRunner
) -> Iterator[ReviewRemark]:
    """The owner's own fixer, asked again on the whole base, makes the same of every file."""
    with TemporaryDirectory(prefix="again-") as folder:
        again = Path(folder) / "base"
        shutil.copytree(base, again, symlinks=True)
        paths = {each.path for each in changed}
        if tool is not None:
            try:
                tool.fix(SourceTree(again, paths), contract, brief.policy, bench)
            except ToolRefused as reason:
                yield _remark(Severity.BLOCKING, "", f"could not be made again: {reason}")
                return
        for each in changed:
            if SourceTree(again).read(each.path) != each.after:
                yield _remark(Severity.BLOCKING, each.path, f"is not what {contract.rule} makes of it")


def _growth(
    brief: Brief, paths: set[str], base: Path, tree: Path, tools: tuple[Tool, ...], bench: ToolRunner
) -> Iterator[ReviewRemark]:
    """Which findings grew in the touched files: a fault must not be traded for another."""
    for tool in tools if paths else ():
        old = _known(brief, tool) or tool.detect(SourceTree(base, paths), brief.policy, bench)
        new = tool.detect(SourceTree(tree, paths), brief.policy, bench)
        if old is None or new is None:
            continue
        lost = {each.path for each in new.unread} - {each.path for each in old.unread}
        for path in sorted(lost & paths):
            yield _remark(Severity.BLOCKING, path, f"can no longer be looked at by {tool.name}")
        before, after = (Counter(_kinds(seen.findings, paths)) for seen in (old, new))
        for rule, path in sorted(after - before):
            severity = Severity.MAJOR if tool.facts(rule, brief.policy).is_fault else Severity.MINOR
            yield _remark(severity, path, f"has more {tool.name} {rule} findings than before")


def _known(brief: Brief, tool: Tool) -> Seen | None:
    """What Sensing saw of the base; None: it did not see all, or of another base."""
    snapshot = brief.snapshot
    if snapshot is None or snapshot.truncated or snapshot.base_sha != brief.base_sha:
        return None
    if any(reason.startswith(f"{tool.name}:") for reason in snapshot.missing):
        return None
    return Seen(
        tuple(each for each in snapshot.findings if each.tool == tool.name),
        snapshot.files,
        tuple(each for each in snapshot.unread if each.tool == tool.name),
    )


def _kinds(findings: Iterable[Finding], paths: set[str]) -> Iterator[tuple[str, str]]:
    return ((finding.rule, finding.path) for finding in findings if finding.path in paths)


def _lines(each: Difference) -> int:
    return len(each.added) + len(each.removed)


def _remark(severity: Severity, path: str | None, message: str, *, crosses: bool = False) -> ReviewRemark:
    shown = None if path is None else path.encode("utf-8", "backslashreplace").decode()
    return ReviewRemark(severity=severity, path=shown, message=message, crosses=crosses)
