"""What an owner wants looked after: measured by what a change cannot touch, and quiet after two noes (P6, P12, P17)."""

from __future__ import annotations

import re
import tomllib
from datetime import date
from typing import Any

import pytest
from pydantic import ValidationError

from contracts.change import Change
from contracts.task import AskedBy, CandidateTasks, MeasureKind
from contracts.verdict import Decision
from policies.digests import digest
from policies.paths.rules import judge_paths
from policies.run.known_bad import entry
from policies.settings.schema import EffectivePolicy, Target
from policies.settings.tasks import StandingTask, Tasks
from policies.settings.tightening import faults
from policies.task.acceptance import Answer
from policies.task.asked import candidate_of, of_standing, with_asked
from policies.task.idea_memory import Memory, Place
from policies.task.measure_words import shown
from policies.task.planning import judge_contract, make_contract
from settings import ROOT
from tests.policies.sample_policy import policy

NOTHING = CandidateTasks(run_id="r1", base_sha="b" * 40, candidates=())
TODAY = Memory(today=date(2026, 11, 27))
USUAL = {"name": "gaps", "title": "Test more", "prompt": "Write tests, please."}
BENCH = {"argv": ["python", "bench/run.py"], "files": ["bench/**"]}


def the_guides() -> tuple[dict[str, Any], dict[str, Any]]:
    """``tasks.toml`` and the part of a target's file, as they stand in the guide."""
    text = (ROOT / "docs/agents.md").read_text(encoding="utf-8")
    tables = [tomllib.loads(block) for block in re.findall(r"```toml\n(.*?)```", text, re.DOTALL)]
    [tasks] = [each for each in tables if "tasks" in each]
    [target] = [each for each in tables if "checks" in each]
    return tasks, target


def problems(standing: Tasks, target: dict[str, Any]) -> list[str]:
    """Why a policy with these tasks is refused."""
    ours = policy(target=target)
    return [each.problem for each in faults(ours.autopilot, ours.protected_paths, ours.charter, ours.target, standing)]


def with_tasks(*said: dict[str, Any], **target: Any) -> EffectivePolicy:
    """A policy that has them."""
    return policy(target=target).model_copy(update={"standing": Tasks.model_validate({"tasks": said})})


def test_a_check_that_only_some_targets_have_is_told_with_the_way_out() -> None:
    """One file of tasks serves every target: a task says whose it is, and then no other is kept from its work."""
    usual = {"name": "gaps", "title": "Test more", "prompt": "Write tests, please.", "check": "nowhere"}
    told = problems(Tasks.model_validate({"tasks": [usual]}), {})
    assert [
        "'nowhere' is no check of example; if it is not for every target, name those it is for: targets = [\"…\"]"
    ] == told
    named = Tasks.model_validate({"tasks": [usual | {"targets": ("example",)}]})
    assert ["'nowhere' is no check of example"] == problems(named, {})
    assert [] == problems(Tasks.model_validate({"tasks": [usual | {"targets": ("other",)}]}), {})


def test_the_guides_examples_are_tasks_of_six_kinds() -> None:
    """Each as it stands, with the checks that it names there; each becomes a contract that policy approves."""
    tasks, target = the_guides()
    standing = Tasks.model_validate(tasks)
    assert [] == problems(standing, target)
    ours = policy(target=target).model_copy(update={"standing": standing})
    measures = {}
    for task in standing.tasks:
        found = with_asked(NOTHING, [of_standing(task, ours)], ours, TODAY)
        contract = make_contract(found.candidates[0], ours, "r1")
        assert Decision.ALLOW is judge_contract(contract, ours, found).decision
        measures[task.name] = contract.measure.value
    assert measures == {
        "test-gaps": "coverage", "true-examples": "counted", "dead-code": "counted", "types": "counted",
        "slow-tests": "benchmark", "messages": "acceptance",
    }  # fmt: skip


@pytest.mark.parametrize(
    "said",
    [
        {"measure": "benchmark"},
        {"benchmark": BENCH},
        {"measure": "benchmark", "benchmark": BENCH, "check": "unit"},
        {"measure": "benchmark", "benchmark": BENCH | {"runs": 5}},
        {"measure": "benchmark", "benchmark": BENCH | {"runs": 1000}},
        {"measure": "benchmark", "benchmark": BENCH | {"least": 0}},
        {"measure": "benchmark", "benchmark": BENCH | {"least": 1}},
        {"measure": "benchmark", "benchmark": BENCH | {"least": float("nan")}},
        {"measure": "benchmark", "benchmark": BENCH | {"files": []}},
        {"measure": "benchmark", "benchmark": BENCH | {"files": ["!bench/**"]}},
        {"measure": "benchmark", "benchmark": BENCH | {"argv": []}},
        {"measure": "benchmark", "benchmark": BENCH | {"reads": "milliseconds"}},
        {"measure": "benchmark", "benchmark": BENCH | {"most_seconds": 3}},
        {"measure": "counted", "check": "unit", "lines": ["src/**"]},
        {"measure": "coverage", "lines": ["src/a.py:0-3"]},
        {"measure": "coverage", "lines": ["src/a.py:3"]},
        {"measure": "coverage", "lines": [":1-2"]},
        {"measure": "coverage", "lines": [""]},
    ],
)
def test_what_cannot_measure_is_refused_when_it_is_read(said: dict[str, object]) -> None:
    """With the reason; a threshold in time does not exist."""
    with pytest.raises(ValidationError):
        StandingTask.model_validate(USUAL | said)


@pytest.mark.parametrize(
    ("argv", "files", "refused"),
    [
        (["python", "bench/run.py"], ["bench/**"], False),
        (["python", "bench/run.py"], ["bench/"], False),
        (["python", "bench/run.py"], ["other/**"], True),
        (["python", "run.py"], ["bench/**"], True),
        (["bench/run"], ["bench/run"], False),
        (["python", "-m", "pytest", "tests/slow"], ["tests/**"], False),
        (["python", "-m", "pytest", "tests/slow"], ["tests/slow/a.py"], True),
        (["/usr/bin/env", "python", "-m", "bench.run"], ["bench/**"], False),
        (["python", "bench/run.py"], ["bench/**", "["], True),
    ],
)
def test_what_a_benchmark_is_made_of_is_named(argv: list[str], files: list[str], refused: bool) -> None:
    """What the command line names is not left open to the change."""
    said = USUAL | {"measure": "benchmark", "benchmark": {"argv": argv, "files": files}}
    assert refused is bool(problems(Tasks.model_validate({"tasks": [said]}), {}))


@pytest.mark.parametrize(("path", "touched"), [("bench/run.py", True), ("Bench/new.py", True), ("src/a.py", False)])
def test_who_is_measured_by_a_benchmark_leaves_it_alone(path: str, touched: bool) -> None:
    """The contract blocks it, new files and other spellings included."""
    said = USUAL | {"measure": "benchmark", "benchmark": BENCH}
    ours = with_tasks(said, allowed_paths=["**"])
    contract = make_contract(candidate_of(of_standing(ours.standing.tasks[0], ours), ours), ours, "r1")
    added = entry(path, status="A")
    change = Change.model_construct(paths=(added,))
    verdict = judge_paths(change, ours, contract, ())
    assert (Decision.DENY if touched else Decision.ALLOW) is verdict.decision, verdict
    assert ("blocked by the contract" in str(verdict)) is touched


def test_tasks_of_before_have_the_digest_of_before() -> None:
    """P15: what is newer counts where it is used."""
    old = StandingTask.model_validate(USUAL)
    assert {"name", "targets", "title", "prompt", "paths", "every_days", "measure", "check"} == old.model_dump().keys()
    lines = StandingTask.model_validate(USUAL | {"measure": "coverage", "lines": ["src/**"]})
    assert digest(lines) != digest(lines.model_copy(update={"lines": ()}))
    assert lines == StandingTask.model_validate_json(lines.model_dump_json())


def test_without_a_check_of_tests_nothing_shows_what_is_covered() -> None:
    """It is told, and no agent is paid for it."""
    bare = with_tasks(USUAL | {"measure": "coverage"}, checks=[{"name": "lint", "kind": "lint", "argv": ["ruff"]}])
    found = with_asked(NOTHING, [of_standing(bare.standing.tasks[0], bare)], bare, TODAY)
    assert not found.candidates
    assert "no check of kind tests" in found.suppressed[0].reason


def test_what_was_refused_twice_goes_quiet_and_once_not() -> None:
    """Also where it names single files: one change that a person closed says nothing of the next."""
    ours = with_tasks(USUAL | {"paths": ["src/a.py"]}, allowed_paths=["**"])
    task = of_standing(ours.standing.tasks[0], ours)
    refused = {Place("asked", "standing-gaps", "src/a.py"): "a person closed it"}

    def kept(times: int) -> int:
        no = tuple(
            Answer(tool="asked", rule="standing-gaps", areas=frozenset(["src"]), how="closed", number=number)
            for number in range(times)
        )
        memory = TODAY.model_copy(update={"answers": no, "refused": refused, "by_people": frozenset(refused)})
        return len(with_asked(NOTHING, [task], ours, memory).candidates)

    assert [1, 1, 0] == [kept(times) for times in range(3)]
    gates = TODAY.model_copy(update={"refused": refused})
    assert not with_asked(NOTHING, [task], ours, gates).candidates
    issue = task.model_copy(update={"by": AskedBy.ISSUE})
    once = TODAY.model_copy(update={"refused": refused, "by_people": frozenset(refused)})
    assert not with_asked(NOTHING, [issue], ours, once).candidates


@pytest.mark.parametrize("kind", list(MeasureKind))
def test_what_shows_an_effect_is_said(kind: MeasureKind) -> None:
    """Whole sentences, with nothing left to fill in."""
    said = shown(kind, "`unit`", 4, 1)
    assert said.endswith(".")
    assert "{" not in said


def test_a_target_is_one_that_can_be_read() -> None:
    """What the guide says of its checks is a part of such a file."""
    _, target = the_guides()
    own = tomllib.loads((ROOT / "examples/targets/example.toml").read_text(encoding="utf-8"))
    assert ["unit", "examples", "unused", "types"] == [each.name for each in Target.model_validate(own | target).checks]
