"""Which named lines a check of the target runs, by the report that it leaves itself.

Nothing counts but a line that the check did not run, that is as it was, and that the check runs now: one that was
changed, taken out or excluded is not run. What runs in the process reports about itself, so a person merges it.
"""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from adapters.tools.check_measures import is_green, ran
from adapters.tools.source_tree import SourceTree
from adapters.tools.tool_runner import ToolRunner, ToolUnavailable
from contracts.governance import CoverageLook
from contracts.task import TaskContract
from policies.counted import shortened
from policies.paths.rules import matches
from policies.release.checks import how_it_ended
from policies.settings.tasks import StandingTask
from ports.measures import UNMEASURED, Counted, Look, MeasureError

REPORT = "/opt/autonomy/coverage"
_LONGEST = 5_000
"""Lines of a changed file that are compared."""
_MOST = 2_000
"""Files that are asked about."""
_TOLD = 8_000


class Covered(BaseModel):
    """What ``inside/coverage_report.py`` says."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    missed: dict[str, frozenset[int]] = {}
    ran: dict[str, frozenset[int]] = {}
    unread: str = ""


def read_report(report: bytes, paths: Sequence[str], tree: Path, bench: ToolRunner) -> Covered:
    """What a report says of these paths, read in the sandbox.

    Raises:
        ToolUnavailable: nobody could look.
    """
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder, "report")
        place.write_bytes(report)
        answer = bench.python("coverage_report.py", REPORT, *paths, tree=tree, beside=((place, REPORT),)).stdout
    try:
        return Covered.model_validate_json(answer)
    except ValidationError as error:
        raise ToolUnavailable("what was said of the coverage could not be read") from error


def not_run(contract: TaskContract, look: Look, bench: ToolRunner) -> Counted:
    """Of the lines that the contract's task names, how many its check does not run.

    Of a change: those of the base that it did not run, without those that are as they were and are run now.

    Raises:
        MeasureError: no check left a report of the base, or none that says anything of the lines.
    """
    task = look.policy.standing.named(contract.asked.key) if contract.asked else None
    if task is None:
        raise MeasureError(f"the effect of {contract.task_id} cannot be measured: it names no lines")
    if look.base is None:
        return _of_base(task, contract, look, bench)
    before = look.before.lines if look.before else {}
    try:
        counted = _report(contract, look, sorted(before), bench)
    except MeasureError as problem:
        return Counted(UNMEASURED, str(problem))
    old, new = SourceTree(look.base), SourceTree(look.tree)
    left = {}
    for path, lines in before.items():
        now = _places(old.read(path), new.read(path))
        left[path] = frozenset(line for line in lines if now.get(line) not in counted.ran.get(path, ()))
    return _counted(left)


def _of_base(task: StandingTask, contract: TaskContract, look: Look, bench: ToolRunner) -> Counted:
    named = _named(task, look)
    if not named:
        return Counted(0)
    counted = _report(contract, look, sorted(named), bench)
    if task.lines and not counted.missed:
        raise MeasureError("the report says nothing of the lines that the task names")
    missed = {path: counted.missed.get(path, frozenset()) for path in named}
    return _counted({path: missed[path] if lines is None else missed[path] & lines for path, lines in named.items()})


def _named(task: StandingTask, look: Look) -> Mapping[str, frozenset[int] | None]:
    """By path, counted from 1; None: every line."""
    tree = SourceTree(look.tree)
    if not task.lines:
        if "lookups/coverage" not in look.recorded:
            raise MeasureError("no check leaves a coverage report (coverage.xml, lcov.info, cover.out) of the base")
        added = CoverageLook.model_validate_json(look.recorded["lookups/coverage"]).added
        return {path: frozenset(lines) for path, lines in added.items() if path in tree.files and tree.is_source(path)}
    named: dict[str, frozenset[int] | None] = {}
    for entry in task.lines:
        pattern, _, lines = entry.partition(":")
        first, _, last = lines.partition("-")
        for path in sorted(tree.files):
            if matches(path, (pattern,)):
                some = frozenset(range(int(first), int(last) + 1)) if lines else None
                known = named.get(path, frozenset())
                named[path] = None if some is None or known is None else known | some
    return dict(sorted(named.items())[:_MOST])


def _report(contract: TaskContract, look: Look, paths: Sequence[str], bench: ToolRunner) -> Covered:
    result = ran(contract, look, look.tree)
    kept = result.attempts[-1].coverage if result.attempts else None
    if not is_green(result) or kept is None or look.runs is None:
        raise MeasureError(f"{how_it_ended(result)}, and left no coverage report that counts")
    try:
        counted = read_report(look.runs.kept(kept), paths, look.tree, bench)
    except ToolUnavailable as problem:
        raise MeasureError(f"the coverage report could not be read: {problem}") from problem
    if counted.unread:
        raise MeasureError(f"the coverage report cannot be read: {counted.unread}")
    return counted


def _places(before: bytes, after: bytes) -> Mapping[int, int]:
    """Where the lines of a file are, that are as they were."""
    old, new = before.splitlines(), after.splitlines()
    if old == new:
        return {line: line for line in range(1, len(old) + 1)}
    if max(len(old), len(new)) > _LONGEST:
        return {}
    blocks = SequenceMatcher(None, old, new, autojunk=False).get_matching_blocks()
    return {each.a + number: each.b + number for each in blocks for number in range(1, each.size + 1)}


def _counted(lines: Mapping[str, frozenset[int]]) -> Counted:
    some = {path: found for path, found in sorted(lines.items()) if found}
    text = "\n".join(f"{path}: {', '.join(_spans(found))}" for path, found in some.items())
    told = f"not run:\n{shortened(text, _TOLD)}" if some else ""
    return Counted(sum(map(len, some.values())), told, some)


def _spans(lines: frozenset[int]) -> Iterator[str]:
    for first in sorted(line for line in lines if line - 1 not in lines):
        last = first
        while last + 1 in lines:
            last += 1
        yield f"{first}" if first == last else f"{first}-{last}"
