"""Which release of a dependency is proposed, and what the owner has to have said before any is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from adapters.policy_files.policy_folder import PolicyFiles
from contracts.dependency import Said
from contracts.modes import RiskLevel
from contracts.task import Candidate, CandidateTasks, Finding, FindingFacts, Scope, TaskType
from contracts.verdict import Decision
from policies.paths.rules import judge_paths, protection, reachable
from policies.run import known_bad
from policies.settings.environment import DependencyPolicy
from policies.task.candidates import stated_by_us
from policies.task.dependencies import Release, choose, is_major, number, same_licence
from policies.task.risk import estimate_level
from ports.policy_source import PolicyError

NOW = datetime(2026, 11, 27, tzinfo=UTC)
TARGET = """name = "t"
remote = "/nowhere"
base_branch = "main"
[review]
on = 2026-11-01
by = "me"
[environment]
prepare = [["true"]]
keyed_by = [KEYED]
[dependencies]
lock_files = [FILES]
[[checks]]
name = "tests"
kind = "tests"
argv = ["pytest"]
"""
SHIPPED = Path(__file__).parents[2] / "policies"


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("1.2.3", "1.2.4", False),
        ("1.2.3", "1.9", False),
        ("1.2.3", "2.0.0", True),
        ("0.2.1", "0.2.2", False),
        ("0.2.1", "0.3.0", True),
        ("0.0.1", "0.0.2", True),
        ("v1.5.2", "v1.6.0+incompatible", False),
        ("2024.1", "2025.1", True),
    ],
)
def test_a_major_step_is_one_that_may_break(before, after, expected):
    """Below 1.0 each minor may, below 0.1 each release."""
    assert expected is is_major(number(before), number(after))


@pytest.mark.parametrize(
    "version", ["1.0rc1", "1.0.0-beta.1", "v0.0.0-20260101000000-abcdefabcdef", "1.0.dev3", "x", ""]
)
def test_what_is_no_final_release_is_never_compared(version):
    """Nor offered, nor replaced."""
    assert number(version) is None
    assert ((), ()) == choose(version, [release("2.0")], NOW, timedelta(days=7), insecure=True)


def release(version: str, days: float | None = 30, *, taken_back: bool = False) -> Release:
    return Release(version, None if days is None else NOW - timedelta(days=days), taken_back)


@pytest.mark.parametrize(
    ("releases", "insecure", "offered", "majors"),
    [
        ([release("1.1"), release("1.2"), release("1.0")], False, ["1.2"], []),
        ([release("1.1"), release("1.2", 2)], False, ["1.1"], []),
        ([release("1.1"), release("1.2", 2)], True, ["1.1", "1.2"], []),
        ([release("1.1", None)], False, [], []),
        ([release("1.1", taken_back=True), release("1.2rc1")], True, [], []),
        ([release("2.0"), release("3.0"), release("4.0", 1)], False, [], ["3.0"]),
    ],
)
def test_the_newest_that_is_old_enough(releases, insecure, offered, majors):
    """By the registry's word alone; what is insecure may have a younger one, if the older does not help."""
    found = choose("1.0", releases, NOW, timedelta(days=7), insecure=insecure)
    assert (offered, majors) == ([each.version for each in found.offered], [each.version for each in found.majors])


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (Said(licence="MIT"), Said(licence="mit"), True),
        (Said(licence="MIT", text="a"), Said(licence="MIT", text="b"), True),
        (Said(licence="MIT License", text="a"), Said(licence="MIT", text="a"), True),
        (Said(licence="MIT"), Said(licence="GPL"), False),
        (Said(licence="MIT"), Said(), False),
        (Said(), Said(text="a"), False),
        (Said(), Said(), True),
    ],
)
def test_a_licence_is_the_same_by_its_name_or_by_its_words(before, after, expected):
    """One that names itself otherwise, with the same words, is no other."""
    assert expected is same_licence(before, after)


def loaded(tmp_path: Path, files: str, keyed: str = '"/uv.lock"', protected: str = ""):
    for name in ("autopilot.toml", "protected_paths.toml", "charter.toml"):
        text = (SHIPPED / name).read_text()
        (tmp_path / name).write_text(protected or text if name == "protected_paths.toml" else text)
    (tmp_path / "targets").mkdir()
    (tmp_path / "targets/t.toml").write_text(TARGET.replace("FILES", files).replace("KEYED", keyed))
    return PolicyFiles(tmp_path).effective("t")


@pytest.mark.parametrize(
    ("files", "keyed", "says"),
    [
        ('"bun.lock"', '"*.lock"', "lock files of uv.lock, poetry.lock, pdm.lock, .*, Cargo.lock are understood"),
        ('"uv.lock"', '"/other"', "uv.lock has to be in environment.keyed_by"),
        ('"go.mod"', '"/go.mod"', "go.sum has to be in environment.keyed_by"),
        ("", '"x"', "lock_files"),
    ],
)
def test_a_table_that_could_not_be_kept_is_refused(tmp_path, files, keyed, says):
    """What an update changes has to decide what it is checked in."""
    with pytest.raises(PolicyError, match=says):
        loaded(tmp_path, files, keyed)


def test_an_operators_own_protection_has_to_open_itself(tmp_path):
    """It says what to add, and where."""
    text = (SHIPPED / "protected_paths.toml").read_text()
    older = "\n".join(line for line in text.splitlines() if "dependency_update" not in line)
    with pytest.raises(PolicyError, match=r'lock files.*add `unless = \["dependency_update"\]` to that rule'):
        loaded(tmp_path, '"uv.lock"', protected=older)


def test_the_type_opens_what_the_table_names_and_nothing_else(tmp_path):
    """Neither another lock file, nor with another type, nor where it is off; and its risk is not low."""
    policy = loaded(tmp_path, '"uv.lock"')
    update = TaskType.DEPENDENCY_UPDATE
    assert protection("uv.lock", policy, update) is None
    assert reachable("uv.lock", policy, update)
    assert protection("uv.lock", policy, TaskType.CODE_IMPROVEMENT)
    for path in ("poetry.lock", "web/uv.lock"):
        assert protection(path, policy, update), path
    for path in ("src/x.py", "pyproject.toml", "web/uv.lock"):
        assert not reachable(path, policy, update), path
    assert RiskLevel.MEDIUM is estimate_level(("uv.lock",), policy, update)
    assert RiskLevel.HIGH is estimate_level(("uv.lock",), policy)
    off = policy.target.model_copy(update={"dependencies": DependencyPolicy(lock_files=("uv.lock",), on=False)})
    assert protection("uv.lock", policy.model_copy(update={"target": off}), update)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("uv.lock", Decision.ALLOW),
        ("UV.lock", Decision.ESCALATE),
        ("poetry.lock", Decision.ESCALATE),
        ("web/uv.lock", Decision.ESCALATE),
        (".github/workflows/x.yml", Decision.ESCALATE),
        ("src/app.py", Decision.DENY),
    ],
)
def test_a_change_under_that_type_is_held_to_those_files(tmp_path, path, expected):
    """Whatever its contract's scope says."""
    policy = loaded(tmp_path, '"uv.lock"')
    contract = known_bad.contract(policy).model_copy(update={"type": TaskType.DEPENDENCY_UPDATE})
    contract = contract.model_copy(update={"scope": Scope(allowed_paths=("**",), max_files=8, max_lines=400)})
    assert expected is judge_paths(known_bad.change(known_bad.entry(path, "M")), policy, contract, ()).decision


def test_that_it_is_an_update_the_tool_says_and_no_backend():
    """A candidate that calls itself one opens nothing by that."""
    facts = FindingFacts(confidence=1, type=TaskType.CODE_IMPROVEMENT)
    one = Finding(fingerprint="x", tool="t", rule="r", path="uv.lock", line=1, message="m", fixable=True, facts=facts)
    own = one.model_copy(update={"facts": facts.model_copy(update={"type": TaskType.DEPENDENCY_UPDATE})})
    claimed = Candidate(
        task_id="t", type=TaskType.DEPENDENCY_UPDATE, title="t", tool="t", rule="r", paths=("uv.lock",), metric="m",
        before=1, expected_after=0, confidence=1, score=1, estimated_files=1, estimated_lines=1,
    )  # fmt: skip
    proposed = CandidateTasks(run_id="r", base_sha="a" * 40, candidates=(claimed,))
    for findings, expected in (((one,), "code_improvement"), ((), "code_improvement"), ((own,), "dependency_update")):
        assert [expected] == [each.type for each in stated_by_us(proposed, "t", findings)]
