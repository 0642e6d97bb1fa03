"""Lines that a check runs now and did not before; what only looks like that is none (P6)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from adapters.tools.measures import ToolMeasures
from contracts.artifact import ArtifactRef
from contracts.evidence import CheckAttempt, CheckResult, CheckStatus
from contracts.governance import CoverageLook
from contracts.task import TaskContract
from policies.settings.schema import EffectivePolicy
from policies.settings.tasks import StandingTask, Tasks
from policies.task.asked import candidate_of, of_standing
from policies.task.planning import make_contract
from ports.measures import UNMEASURED, Counted, Look, MeasureError
from tests.adapters.tools.conftest import Repo

CODE = "def price(kind):\n    if kind:\n        return 1\n    return 2\n\n\ndef other():\n    return 3\n"
FILES = {"src/a.py": CODE, "src/b.py": "one = 1\n", "README.md": "# p\n"}
RECENT = {"src/a.py": (1, 2, 3, 4), "README.md": (1,)}


def lcov(**hits: dict[int, int]) -> bytes:
    """A report, by the names of the files without suffix."""
    files = (
        f"SF:/work/src/{name}.py\n" + "".join(f"DA:{line},{count}\n" for line, count in of.items())
        for name, of in hits.items()
    )
    return "".join(files).encode() or b"SF:none\n"


BEFORE = lcov(a={1: 1, 2: 0, 3: 0, 4: 0, 7: 1, 8: 0}, b={1: 1})


@dataclass
class Played:
    """A check that leaves these reports, of the base and of the change."""

    reports: dict[Path, bytes | None]
    status: CheckStatus = CheckStatus.GREEN
    command = None

    def check(self, name: str, tree: Path) -> CheckResult:
        """As scripted."""
        ref = ArtifactRef(name=str(tree), sha256="0" * 64, size=1, media_type="text/plain", location="x")
        coverage = ref if self.reports[tree] is not None else None
        attempt = CheckAttempt(status=self.status, exit_code=0, seconds=1, output=None, coverage=coverage)
        return CheckResult(name=name, kind="tests", argv=("x",), required=True, status=self.status, attempts=(attempt,))

    def kept(self, ref: ArtifactRef) -> bytes:
        """What it left."""
        body = self.reports[Path(ref.name)]
        assert body is not None
        return body


def task(made: Repo, *lines: str) -> tuple[TaskContract, EffectivePolicy]:
    """A contract to test what is not tested, and its policy."""
    said = {"name": "gaps", "title": "Test more", "prompt": "Write tests, please.", "measure": "coverage"}
    standing = StandingTask.model_validate(said | {"lines": lines})
    with_it = made.policy.model_copy(update={"standing": Tasks(tasks=(standing,))})
    return make_contract(candidate_of(of_standing(standing, with_it), with_it), with_it, "r1"), with_it


Measure = Callable[..., tuple[Counted, Counted]]


@pytest.fixture
def measured(repo: Callable[..., Repo]) -> Measure:
    """Before and after a change."""

    def measure(
        after: bytes | None, change: dict[str, str], *lines: str, status: CheckStatus = CheckStatus.GREEN
    ) -> tuple[Counted, Counted]:
        made = repo(FILES)
        contract, with_it = task(made, *lines)
        look = CoverageLook(check="tests", run_id="r", commits=2, added=RECENT)
        recorded = {"lookups/coverage": look.model_dump_json().encode()}

        def count(tree: Path, base: Path | None, before: Counted | None, runs: Played) -> Counted:
            known = {"recorded": recorded, "base": base, "before": before, "runs": runs}
            return made.measures.count(contract, Look(tree, with_it, lambda: None, **known))  # type: ignore[arg-type]

        before = count(made.base, None, None, Played({made.base: BEFORE}))
        for path, text in change.items():
            made.write(path, text)
        return before, count(made.tree, made.base, before, Played({made.tree: after}, status))

    return measure


TESTED = lcov(a={1: 1, 2: 1, 3: 1, 4: 0, 7: 1, 8: 0}, b={1: 1})


def test_lines_of_recent_commits_that_are_run_now(measured: Measure) -> None:
    """Lines of others do not count, and who is to test them is told which they are."""
    before, after = measured(TESTED, {"tests/test_a.py": "..."})
    assert (3, 1) == (before.left, after.left)
    assert ("not run:\nsrc/a.py: 2-4", "not run:\nsrc/a.py: 4") == (before.said, after.said)


@pytest.mark.parametrize(
    ("lines", "before", "after"),
    [
        (("src/*.py",), 4, 2),
        (("src/a.py:4-8",), 2, 2),
        (("src/a.py:3-3", "src/a.py:8-8"), 2, 1),
        (("src/a.py:3-3", "src/a.py"), 4, 2),
        (("src/b.py",), 0, 0),
    ],
)
def test_lines_that_a_task_names(measured: Measure, lines: tuple[str, ...], before: int, after: int) -> None:
    """By files, or by numbers as on the base."""
    found = measured(TESTED, {"tests/test_a.py": "..."}, *lines)
    assert [before, after] == [each.left for each in found]


PRAGMA = CODE.replace("if kind:", "if kind:  # pragma: no cover")
GONE = "def price(kind):\n    return 2\n\n\ndef other():\n    return 3\n"
OTHER = "def price(kind):\n    if bool(kind):\n        return 0 + 1\n    return 1 + 1\n\n\ndef other():\n    return 3\n"


@pytest.mark.parametrize(
    ("after", "change"),
    [
        (lcov(a={1: 1, 4: 0, 7: 1, 8: 0}), {"src/a.py": PRAGMA}),
        (lcov(a={1: 1, 7: 1, 8: 0}), {"setup.cfg": "[coverage:report]\nexclude_lines = kind\n"}),
        (lcov(b={1: 1}), {".coveragerc": "[run]\nomit = src/a.py\n"}),
        (lcov(), {".coveragerc": "[run]\nomit = *\n"}),
        (lcov(a={1: 1, 2: 0, 5: 1, 6: 1}), {"src/a.py": GONE}),
        (lcov(b={1: 1}), {"src/a.py": ""}),
        (lcov(a={1: 1, 2: 1, 3: 1, 4: 1}), {"src/a.py": OTHER}),
        (BEFORE, {"tests/test_a.py": "..."}),
    ],
    ids=["pragma", "excluded", "omitted", "nothing measured", "taken out", "emptied", "changed", "not run"],
)
def test_what_only_looks_like_it_is_none(measured: Measure, after: bytes, change: dict[str, str]) -> None:
    """A line counts if it is as it was, and run."""
    found = measured(after, change)
    assert [3, 3] == [each.left for each in found]


def test_a_line_is_found_where_it_went(measured: Measure) -> None:
    """What is put in before it moves it, and changes it not."""
    moved = lcov(a={1: 1, 3: 1, 4: 1, 5: 1, 6: 0, 9: 1, 10: 0})
    before, after = measured(moved, {"src/a.py": f"import os\n\n{CODE}"})
    assert (3, 1) == (before.left, after.left)


@pytest.mark.parametrize("report", [None, b"", b"<coverage", b"all of it", b"<!DOCTYPE a [<!ENTITY b 'c'>]><a/>"])
def test_no_report_of_the_change_is_no_effect(measured: Measure, report: bytes | None) -> None:
    """Nor one that nobody can read."""
    before, after = measured(report, {"tests/test_a.py": "..."})
    assert (3, UNMEASURED) == (before.left, after.left)


@pytest.mark.parametrize("status", [each for each in CheckStatus if each is not CheckStatus.GREEN])
def test_a_check_that_is_not_green_shows_nothing(measured: Measure, status: CheckStatus) -> None:
    """Whatever its report says."""
    assert UNMEASURED == measured(TESTED, {"tests/test_a.py": "..."}, status=status)[1].left


@pytest.mark.parametrize(
    ("report", "lines", "recorded"),
    [(None, (), True), (b"all of it", (), True), (BEFORE, (), False), (lcov(c={1: 0}), ("src/a.py",), True)],
)
def test_without_a_report_of_the_base_nobody_is_asked(
    repo: Callable[..., Repo], report: bytes | None, lines: tuple[str, ...], recorded: bool
) -> None:
    """Could not look is neither tested nor untested."""
    made = repo(FILES)
    contract, with_it = task(made, *lines)
    look = CoverageLook(check="tests", run_id="r", commits=2, added=RECENT)
    known = {"lookups/coverage": look.model_dump_json().encode()} if recorded else {}
    measures: ToolMeasures = made.measures
    runs = Played({made.base: report})
    with pytest.raises(MeasureError):
        measures.count(contract, Look(made.base, with_it, lambda: None, recorded=known, runs=runs))  # type: ignore[arg-type]
