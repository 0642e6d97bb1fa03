"""What a target's own checks show of an agent's change: an unclear answer about it is never an effect (P6, P18)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from adapters.tools.check_measures import counted_by, red, unshown
from contracts.evidence import CheckAttempt, CheckResult, CheckStatus
from contracts.task import AskedBy, AskedTask, MeasureKind
from policies.task.asked import candidate_of
from policies.task.planning import make_contract
from ports.measures import UNMEASURED, Look, MeasureError
from tests.policies.sample_policy import policy

POLICY = policy()
RED, GREEN, FLAKY = CheckStatus.RED, CheckStatus.GREEN, CheckStatus.FLAKY
TIMEOUT, BROKEN = CheckStatus.TIMEOUT, CheckStatus.INFRASTRUCTURE


@dataclass
class Played:
    """Of the target a check alone, which says this."""

    check: Callable[[str, Path], CheckResult]
    command = kept = None


def contract(measure: MeasureKind):
    asked = AskedTask(key="check-unit", by=AskedBy.CHECK, title="Mend it", measure=measure, check="unit")
    return make_contract(candidate_of(asked, POLICY), POLICY, "r1")


def looked(
    tmp_path: Path, status: CheckStatus, count: int | None = None, *, of_change: bool = True, ran_nothing: bool = False
) -> Look:
    """A tree of which the check says this, whatever is in it."""

    def check(name: str, _tree: Path) -> CheckResult:
        attempt = CheckAttempt(status=status, exit_code=1, seconds=1, output=None, count=count, ran_nothing=ran_nothing)
        return CheckResult(
            name=name, kind="tests", argv=("x",), required=True, status=status, attempts=(attempt,), base_count=None
        )

    return Look(tmp_path, POLICY, lambda: None, base=tmp_path if of_change else None, runs=Played(check))


@pytest.mark.parametrize(("status", "left"), [(GREEN, 0), (RED, 1), (FLAKY, 1), (TIMEOUT, 1), (BROKEN, 1)])
def test_only_green_is_an_effect(tmp_path: Path, status: CheckStatus, left: int) -> None:
    """A change with which the check hangs or cannot start is refused; its maker is not paid to try the same again."""
    assert left == red(contract(MeasureKind.CHECK), looked(tmp_path, status)).left


def test_green_with_nothing_run_is_no_effect(tmp_path: Path) -> None:
    """Whatever ended the tests before they ran, or skipped all of them."""
    look = looked(tmp_path, GREEN, ran_nothing=True)
    assert 1 == red(contract(MeasureKind.CHECK), look).left


@pytest.mark.parametrize("status", [TIMEOUT, BROKEN])
def test_of_the_base_an_unclear_answer_is_none(tmp_path: Path, status: CheckStatus) -> None:
    """Before anybody is asked: could not find out is not red."""
    with pytest.raises(MeasureError, match="unit"):
        red(contract(MeasureKind.CHECK), looked(tmp_path, status, of_change=False))


def test_what_is_counted_is_less_or_no_effect(tmp_path: Path) -> None:
    """A change of which nothing can be counted has not less."""
    of = contract(MeasureKind.COUNTED)
    assert 3 == counted_by(of, looked(tmp_path, GREEN, 3)).left
    assert UNMEASURED == counted_by(of, looked(tmp_path, BROKEN, None)).left
    with pytest.raises(MeasureError):
        counted_by(of, looked(tmp_path, BROKEN, None, of_change=False))


TEST = "tests/test_new.py"


@pytest.mark.parametrize(
    ("with_change", "without", "left"),
    [
        (GREEN, RED, 0),
        (GREEN, GREEN, 1),
        (RED, RED, 1),
        (GREEN, TIMEOUT, 1),
        (GREEN, BROKEN, 1),
        (TIMEOUT, RED, 1),
        (GREEN, FLAKY, 1),
    ],
)
def test_a_new_test_is_red_without_the_change(
    tmp_path: Path, with_change: CheckStatus, without: CheckStatus, left: int
) -> None:
    """Run on the base with just the tests in it: a copy, which has the test and not the rest of the change."""
    base, tree = tmp_path / "base", tmp_path / "head"
    for place in (base, tree):
        (place / "tests").mkdir(parents=True)
        (place / "code.py").write_text("old\n")
    (tree / TEST).write_text("new\n")
    (tree / "code.py").write_text("new\n")

    def check(name: str, looked_at: Path) -> CheckResult:
        changed = (looked_at / "code.py").read_text() == "new\n"
        assert (looked_at / TEST).exists()
        status = with_change if changed else without
        attempt = CheckAttempt(status=status, exit_code=1, seconds=1, output=None)
        return CheckResult(
            name=name, kind="tests", argv=("x",), required=True, status=status, attempts=(attempt,), base_count=None
        )

    look = Look(tree, POLICY, lambda: None, base=base, runs=Played(check))
    assert left == unshown(contract(MeasureKind.NEW_TEST), look).left
    assert not (base / TEST).exists()


def test_a_change_without_a_test_shows_nothing(tmp_path: Path) -> None:
    """Also where everything is green."""
    base, tree = tmp_path / "base", tmp_path / "head"
    base.mkdir()
    tree.mkdir()
    (tree / "code.py").write_text("new\n")
    look = Look(tree, POLICY, lambda: None, base=base, runs=looked(tmp_path, GREEN).runs)
    assert 1 == unshown(contract(MeasureKind.NEW_TEST), look).left


@pytest.mark.parametrize("linked", [TEST, "tests"])
def test_no_link_of_the_base_leads_out_where_a_test_is_put(tmp_path: Path, linked: str) -> None:
    """A repository with a link to somewhere on this machine, and a change that has a file in its place."""
    base, tree, ours = tmp_path / "base", tmp_path / "head", tmp_path / "ours"
    for place in (base / "tests", tree / "tests", ours):
        place.mkdir(parents=True)
    (ours / "test_new.py").write_text("ours\n")
    (tree / TEST).write_text("theirs\n")
    if linked == "tests":
        (base / "tests").rmdir()
        (base / "tests").symlink_to(ours)
    else:
        (base / TEST).symlink_to(ours / "test_new.py")
    seen: list[str] = []

    def check(name: str, looked_at: Path) -> CheckResult:
        seen.append((looked_at / TEST).read_text())
        attempt = CheckAttempt(status=GREEN, exit_code=0, seconds=1, output=None)
        return CheckResult(
            name=name, kind="tests", argv=("x",), required=True, status=GREEN, attempts=(attempt,), base_count=None
        )

    unshown(contract(MeasureKind.NEW_TEST), Look(tree, POLICY, lambda: None, base=base, runs=Played(check)))
    assert seen == ["theirs\n"] * 2
    assert (ours / "test_new.py").read_text() == "ours\n"
