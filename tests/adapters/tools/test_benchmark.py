"""A benchmark's ratio: noise is never an effect, and what cannot be compared is none (P6, P18)."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from adapters.sandbox.bubblewrap import BubblewrapSandbox
from adapters.tools.benchmark import WHOLE, middle, ratio
from contracts.task import TaskContract
from policies.settings.schema import EffectivePolicy, SandboxLimits
from policies.settings.tasks import StandingTask, Tasks
from policies.task.asked import candidate_of, of_standing
from policies.task.planning import make_contract
from ports.measures import UNMEASURED, Look, MeasureError
from ports.sandbox import Command, CommandResult, Limits
from tests.policies.sample_policy import policy

BASE, CHANGE = Path("base"), Path("change")


def task(**more: object) -> tuple[TaskContract, EffectivePolicy]:
    """A contract to make the benchmark better, and the policy that says by which."""
    said = {"argv": ["python", "bench/run.py"], "files": ["bench/**"], "runs": 9} | more
    standing = StandingTask.model_validate(
        {
            "name": "fast", "title": "Make it fast", "prompt": "Make it fast, please.", "measure": "benchmark",
            "benchmark": said,
        }
    )  # fmt: skip
    with_it = policy().model_copy(update={"standing": Tasks(tasks=(standing,))})
    return make_contract(candidate_of(of_standing(standing, with_it), with_it), with_it, "r1"), with_it


@dataclass
class Played:
    """Runs of a benchmark that says this of each tree."""

    says: Callable[[Path], object]
    status: int = 0
    killed: str = ""
    seconds: float = 1.0
    ran: list[str] = field(default_factory=list)
    check = kept = None

    def command(self, argv: tuple[str, ...], tree: Path, seconds: float) -> CommandResult:
        """One run."""
        assert (("python", "bench/run.py"), 60) == (argv, seconds)
        self.ran.append(tree.name)
        said = str(self.says(tree)).encode()
        return CommandResult(
            exit_code=None if self.killed else self.status, killed_for=self.killed, seconds=self.seconds, output=said,
            output_total=len(said), stdout=said,
        )  # fmt: skip


def left(runs: Played, *, base: bool = False, **more: object) -> int:
    """What is left of the base's thousand."""
    contract, with_it = task(**more)
    tree, beside = (BASE, None) if base else (CHANGE, BASE)
    return ratio(contract, Look(tree, with_it, lambda: None, base=beside, runs=runs)).left


def in_turn(of_base: list[float], of_change: list[float]) -> Played:
    """These numbers, one after the other."""
    each = {BASE: iter(of_base), CHANGE: iter(of_change)}
    return Played(lambda tree: next(each[tree]))


@pytest.mark.parametrize(
    "says",
    ["", "fast", "12 ms", "NaN", "Infinity", "-Infinity", "-1", "0", "0.0", "true", "null", "[1]", '"1"', "{}",
     '{"value": "1"}', '{"value": null}', "1e999", "9" * 400, "9" * 5000, "[" * 100_000, "1\n2", "\x00"],
)  # fmt: skip
def test_what_is_no_number_above_zero_is_no_measurement(says: str) -> None:
    """Of the base nobody is asked to better it; of a change it is refused, whatever the base says."""
    with pytest.raises(MeasureError):
        left(Played(lambda _tree: says), base=True)
    assert UNMEASURED == left(Played(lambda tree: says if tree == CHANGE else 1))
    assert UNMEASURED == left(Played(lambda tree: says if tree == BASE else 1))


@pytest.mark.parametrize("more", [{"status": 1}, {"status": 139}, {"killed": "timeout"}, {"killed": "memory"}])
def test_a_benchmark_that_fails_measures_nothing(more: dict[str, object]) -> None:
    """Also where it printed a good number before."""
    with pytest.raises(MeasureError):
        left(Played(lambda _tree: 1, **more), base=True)  # type: ignore[arg-type]
    assert UNMEASURED == left(Played(lambda tree: 1 if tree == BASE else 0.1, **more))  # type: ignore[arg-type]


def test_base_and_change_run_in_turn_and_each_first_as_often() -> None:
    """What the machine does meanwhile meets both; of the base alone it is only seen whether it can be measured."""
    runs = Played(lambda tree: 10 if tree == BASE else 6)
    assert 600 == left(runs)
    assert ["change", "base", "base", "change"] * 4 + ["change", "base"] == runs.ran
    alone = Played(lambda _tree: '{"value": 3, "of": "x"}')
    assert (WHOLE, ["base"] * 9) == (left(alone, base=True), alone.ran)


@pytest.mark.parametrize(
    ("better", "change", "expected"),
    [("lower", 5, 500), ("lower", 10, WHOLE), ("lower", 20, WHOLE), ("higher", 20, 500), ("higher", 5, WHOLE)],
)
def test_better_is_what_the_owner_says(better: str, change: int, expected: int) -> None:
    """A ratio, whatever the unit."""
    assert expected == left(Played(lambda tree: 10 if tree == BASE else change), better=better)


def test_seconds_are_ours_to_measure() -> None:
    """What it prints is nothing then."""
    assert WHOLE == left(Played(lambda _tree: "passed", seconds=2.5), reads="seconds")


class Timed(Played):
    """Real programs, in the sandbox, each by our clock."""

    def command(self, argv: tuple[str, ...], tree: Path, seconds: float) -> CommandResult:
        """One run."""
        limits = Limits.of(SandboxLimits(), seconds)
        return BubblewrapSandbox().run(Command(("/usr/bin/python3", *argv[1:]), tree, limits), lambda: None)


def test_seconds_of_real_programs_in_turn(tmp_path: Path) -> None:
    """The change waits for a quarter of what the base does; a start in the sandbox is in both, and six runs each do."""
    trees = {}
    for name, waits in (("base", 0.8), ("change", 0.2)):
        trees[name] = tmp_path / name
        (trees[name] / "bench").mkdir(parents=True)
        (trees[name] / "shop.py").write_text(f"WAITS = {waits}\n")
        (trees[name] / "bench/run.py").write_text(
            "import sys, time; sys.path.append('.'); from shop import WAITS; time.sleep(WAITS)"
        )
    contract, with_it = task(reads="seconds", runs=6, least=0.2)
    look = Look(trees["change"], with_it, lambda: None, base=trees["base"], runs=Timed(lambda _tree: ""))
    found = ratio(contract, look)
    assert 200 < found.left < 800, found.said
    assert "6 runs each in turn" in found.said


@pytest.mark.parametrize(("by", "least", "expected"), [(0.97, 0.05, WHOLE), (0.97, 0.02, 970), (0.949, 0.05, 949)])
def test_less_than_is_asked_for_is_no_effect(by: float, least: float, expected: int) -> None:
    """However sure it is."""
    assert expected == left(Played(lambda tree: 1 if tree == BASE else by), least=least)


NOISE = [1.0, 1.1, 0.9, 1.05, 0.95, 1.08, 0.92, 1.02, 0.98]


def test_what_the_noise_could_be_is_no_effect() -> None:
    """A median that is lower by enough, in an interval that reaches 1; a clear one counts through the same noise."""
    slower = [0.9, 0.9, 0.9, 0.9, 0.9, 1.2, 1.2, 1.2, 1.2]
    assert WHOLE == left(in_turn([1.0] * 9, slower))
    assert 700 == left(in_turn(NOISE, [0.7 * each for each in NOISE]))


def test_one_odd_run_moves_nothing() -> None:
    """The machine had something else to do."""
    assert 800 == left(in_turn([1.0] * 9, [0.8] * 8 + [30.0]))


def test_numbers_that_differ_wildly_compare_nothing() -> None:
    """Of either tree, whatever their medians are."""
    wild = [1.0, 9.0, 1.0, 9.0, 1.0, 9.0, 1.0, 9.0, 1.0]
    assert UNMEASURED == left(in_turn([10.0] * 9, wild))
    assert UNMEASURED == left(in_turn([each * 10 for each in wild], [0.1] * 9))
    with pytest.raises(MeasureError, match="differs too much"):
        left(in_turn(wild, []), base=True)


def test_what_is_little_may_differ_from_itself() -> None:
    """On a busy machine: clearly less than the base, in every run."""
    assert 200 == left(in_turn([10.0] * 9, [2.0, 1.0, 3.0, 2.0, 1.2, 2.8, 2.0, 1.1, 2.5]))
    assert 200 == left(in_turn([2.0, 1.0, 3.0, 2.0, 1.2, 2.8, 2.0, 1.1, 2.5], [10.0] * 9), better="higher")


def test_the_same_code_is_hardly_ever_better_than_itself() -> None:
    """Four hundred comparisons of one tree with itself, with a noise of ten percent and odd runs."""
    chance = random.Random(7)  # noqa: S311 — no secret

    def run(_tree: Path) -> float:
        return chance.gauss(1, 0.1) * (3 if chance.random() < 0.05 else 1)

    better = sum(left(Played(run), least=0.01) < WHOLE for _ in range(400))
    assert better <= 0.05 * 400


@pytest.mark.parametrize(("number", "cut"), [(6, 0), (8, 0), (9, 1), (12, 2), (50, 17)])
def test_the_interval_is_told_by_order(number: int, cut: int) -> None:
    """As tables of the sign test have it."""
    found = middle(list(range(number)))
    assert (cut, number - 1 - cut) == (found.low, found.high)


def test_what_has_no_benchmark_is_not_measured_by_one() -> None:
    """A contract of a task that the policy does not have (any more)."""
    contract, _ = task()
    with pytest.raises(MeasureError, match="no benchmark"):
        ratio(contract, Look(BASE, policy(), lambda: None, runs=Played(lambda _tree: 1)))
