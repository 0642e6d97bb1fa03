"""Tests that tell nobody anything, and new lines that no test runs: for a person to see."""

import json
from collections import Counter
from collections.abc import Iterator

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from adapters.tools.covered_lines import read_report
from adapters.tools.python_support import no_python_3, stated_lowest
from adapters.tools.source_tree import VENDORED, SourceTree
from adapters.tools.tool import Seen, Sighting, findings_of, unread_of
from adapters.tools.tool_runner import ToolRunner, ToolUnavailable
from contracts.governance import CoverageLook, FlakyChecks
from contracts.task import Concern, FindingFacts, TaskContract, TaskType, Words
from policies.counted import counted
from policies.settings.schema import EffectivePolicy
from policies.source.sightings import WHOLE

LOOKUP = "lookups/flaky_checks"
MOST = 20
"""Of each rule; the rest is counted."""
WORDS = {
    "flaky": Words(
        verb="Look into",
        one="a flaky test",
        many="flaky tests",
        why="It gave different answers about the same commit, so a red tells nobody anything, and a green neither.",
    ),
    "no-assertion": Words(
        verb="Look into",
        one="a test that asserts nothing",
        many="tests that assert nothing",
        why="It stays green whatever the code gives back: it can only fail where something raises.",
    ),
    "uncovered": Words(
        verb="Look into",
        one="a file with new lines that no test runs",
        many="files with new lines that no test runs",
        why="They came with the last commits, and a check of this repository's own says that it ran none of them.",
    ),
    "skip-always": Words(
        verb="Look into",
        one="a test that no supported Python runs",
        many="tests that no supported Python runs",
        why="It is skipped under every version that the project says it supports, so it never runs.",
    ),
    "skip-never": Words(
        verb="Look into",
        one="a skip that applies to no supported Python",
        many="skips that apply to no supported Python",
        why="The version that it is there for is not supported any more, so it only has to be read.",
    ),
}
_VALUES = {"flaky": 0.5, "uncovered": 0.1, "no-assertion": 0.1, "skip-always": 0.2, "skip-never": 0.02}
_SURE = {"no-assertion": 0.6}


class IdleTest(BaseModel):
    """What ``inside/idle_tests.py`` says of one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rule: str
    path: str
    line: int
    name: str
    why: str


class Looked(BaseModel):
    """All that it says."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    found: tuple[IdleTest, ...]
    looked: tuple[str, ...]
    unread: dict[str, str]


_ANSWER = TypeAdapter(Looked)


class IdleTestsTool:
    """Nothing of it is mended by a tool: each is listed for a person, with why it is worth a look."""

    name = "tests"

    def facts(self, rule: str, _policy: EffectivePolicy) -> FindingFacts:
        """How much one of them is worth; nothing may be changed."""
        return FindingFacts(
            confidence=_SURE.get(rule, 0.8),
            # An agent may name a rule that there is not.
            value=_VALUES.get(rule, 0),
            type=TaskType.TEST_HARDENING,
            is_fault=False,
            for_person=True,
            concern=Concern.BROKEN if rule == "flaky" else Concern.CODE,
            words=WORDS.get(rule),
        )

    def detect(self, tree: SourceTree, policy: EffectivePolicy, bench: ToolRunner) -> Seen | None:
        """Without tests in Python and without a flaky check it has no part here; nor where the owner says so."""
        if not policy.target.improve.tests:
            return None
        sightings = [*_flaky(tree, bench), *_uncovered(tree, bench)]
        looked, unread = 0, {}
        if any(path.endswith(".py") and "test" in path for path in tree.files):
            answer = self._look(tree, bench)
            ours = tree.files if not tree.focus else tree.files & set(tree.focus)
            sightings += [
                Sighting(each.rule, each.path, each.line, f"{each.name}: {each.why}", fixable=False, code=each.name)
                for each in answer.found
                if each.path in ours and tree.is_source(each.path)
            ]
            looked = sum(path in ours for path in answer.looked)
            sources = {path: why for path, why in answer.unread.items() if path in ours and tree.is_source(path)}
            unread = {path: why for path, why in sources.items() if not _foreign(tree, path)}
        elif not sightings:
            return None
        bounded = tuple(_bounded(sightings))
        return Seen(findings_of(self, tree, policy, bounded), looked + len(unread), unread_of(self.name, unread))

    def fix(self, tree: SourceTree, contract: TaskContract, policy: EffectivePolicy, bench: ToolRunner) -> None:
        """There is nothing that it could do."""
        del tree, contract, policy, bench
        raise ToolUnavailable("what is listed of tests is a person's to mend")

    def _look(self, tree: SourceTree, bench: ToolRunner) -> Looked:
        lowest = stated_lowest(tree)
        version = f"{lowest[0]}.{lowest[1]}" if lowest else "-"
        answer = bench.python("idle_tests.py", version, ",".join(sorted(VENDORED)), tree=tree.root).stdout
        try:
            return _ANSWER.validate_python(json.loads(answer))
        except (ValueError, ValidationError, RecursionError) as error:
            raise ToolUnavailable(f"what was said of the tests could not be read ({len(answer)} bytes)") from error


def _foreign(tree: SourceTree, path: str) -> bool:
    return no_python_3(path, tree.text(path))


def _flaky(tree: SourceTree, bench: ToolRunner) -> Iterator[Sighting]:
    """Out of the flake ledger: the tests that the check's red output names, else the check."""
    if LOOKUP not in bench.recorded:
        return
    for each in FlakyChecks.model_validate_json(bench.recorded[LOOKUP]).checks:
        told = f"{each.flake.check} gave two answers about one tree {counted(each.flake.flaked, 'time')} in "
        told += f"{counted(each.flake.seen, 'look')}"
        owner = f"; {each.flake.owner} looks after it" if each.flake.owner else ""
        named = [(path, name) for path, name in each.tests if path in tree.files]
        for path, name in named or [(WHOLE, "")]:
            line = _line_of(tree, path, name)
            message = f"{name}: {told}{owner}" if name else f"{told}; its output names no test{owner}"
            yield Sighting("flaky", path, line, message, fixable=False, code=f"{each.flake.check} {name}")


def _uncovered(tree: SourceTree, bench: ToolRunner) -> Iterator[Sighting]:
    """New lines of recent commits that a check's own report knows, and says were not run; most of them first."""
    if "coverage/report" not in bench.recorded:
        return
    look = CoverageLook.model_validate_json(bench.recorded["lookups/coverage"])
    paths = sorted(path for path in look.added if tree.is_source(path) and path in tree.files)
    reading = read_report(bench.recorded["coverage/report"], paths, tree.root, bench)
    if reading.unread:
        # A finding, not a blindness of ours: what a check wrote must not keep a run from its work.
        why = f"could not look: the report that {look.check} wrote cannot be read: {reading.unread}"
        yield Sighting("uncovered", WHOLE, 1, why, fixable=False)
    both = {
        path: sorted(set(look.added[path]) & set(lines)) for path, lines in reading.missed.items() if path in look.added
    }
    for path, lines in sorted(both.items(), key=lambda item: (-len(item[1]), item[0])):
        if lines:
            shown = ", ".join(map(str, lines[:10])) + " …" * (len(lines) > 10)  # noqa: PLR2004 — as many as fit
            new = f"{counted(len(lines), 'line')} of the last {counted(look.commits, 'commit')}"
            told = f"{new} not run by {look.check}: {shown}"
            yield Sighting("uncovered", path, lines[0], told, fixable=False)


def _line_of(tree: SourceTree, path: str, name: str) -> int:
    function = f"def {name.split('[', maxsplit=1)[0].rsplit('::', 1)[-1]}("
    lines = tree.text(path).splitlines() if name else []
    return next((number for number, line in enumerate(lines, 1) if function in line), 1)


def _bounded(sightings: list[Sighting]) -> Iterator[Sighting]:
    """At most so many of each rule."""
    kinds: Counter[str] = Counter()
    for each in sightings:
        kinds[each.rule] += 1
        if kinds[each.rule] <= MOST:
            yield each
    for rule, number in kinds.items():
        if number > MOST:
            rest = f"{number - MOST} more; {MOST} are listed"
            yield Sighting(rule, WHOLE, 1, rest, fixable=False, code=f"{rule} rest")
