"""Triaging's ranking: bounded, deterministic, and never the same idea twice (runbook §4)."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.tools.measures import TOOLS
from contracts.task import CandidateTasks, Finding, FindingFacts, TaskType, Words
from policies.task.candidates import LINES_PER_FINDING, candidate_of, rank, stated_by_us, suppress, task_id
from policies.task.idea_memory import Memory, Place
from policies.task.risk import estimate_level
from tests.policies.sample_policy import policy

POLICY = policy()
TODAY = date(2026, 11, 23)
FRESH = Memory(today=TODAY)
UNSURE = FindingFacts(confidence=0.5, may_change=("*",))


def found(path: str, count: int = 1, tool: str = "ruff", rule: str = "UP", *, fixable: bool = True) -> list[Finding]:
    """Findings of one rule in one file, with what their tool says of them."""
    known = next((each.facts(rule, POLICY) for each in TOOLS if each.name == tool), UNSURE)
    one = Finding(fingerprint="", tool=tool, rule=rule, path=path, line=1, message="old", fixable=fixable, facts=known)
    return [one.model_copy(update={"fingerprint": f"{path}{n}", "line": n + 1}) for n in range(count)]


def test_a_group_becomes_one_candidate():
    """Tool and rule are one idea, with a stable id, a measure and its evidence."""
    findings = (*found("src/b.py", 2), *found("src/a.py"))
    (candidate,) = rank(findings, POLICY, FRESH).candidates

    assert ("src/a.py", "src/b.py") == candidate.paths
    assert (3, 0, "ruff UP findings") == (candidate.before, candidate.expected_after, candidate.metric)
    assert (2, 6, 0.9) == (candidate.estimated_files, candidate.estimated_lines, candidate.confidence)
    assert task_id("example", "ruff", "UP", ("src/b.py", "src/a.py")) == candidate.task_id
    assert candidate.task_id.startswith("ruff-up-")
    assert candidate.evidence[0] == "src/a.py:1 UP old"


@given(st.permutations([*found("src/a.py", 3), *found("src/b.py", 2, rule="F"), *found("README.md", tool="codespell")]))
def test_order_of_the_findings_does_not_matter(findings):
    """The same tree gives the same ranking."""
    ordered = sorted(findings, key=lambda finding: finding.fingerprint)

    assert rank(tuple(ordered), POLICY, FRESH) == rank(tuple(findings), POLICY, FRESH)


@given(st.lists(st.integers(1, 250), min_size=1, max_size=20))
def test_a_large_group_is_split_never_overflows(counts):
    """The proposed files fit files and lines of the budget, however the findings are spread."""
    findings = [finding for number, count in enumerate(counts) for finding in found(f"src/{number:02}.py", count)]
    ranking = rank(tuple(findings), POLICY, FRESH)

    budget = POLICY.autopilot.diff_budget
    for candidate in ranking.candidates:
        assert 1 <= len(candidate.paths) <= budget.files
        assert LINES_PER_FINDING * candidate.before == candidate.estimated_lines <= budget.lines
    fits = any(LINES_PER_FINDING * count <= budget.lines for count in counts)
    assert bool(ranking.candidates) == fits
    assert fits or "beyond the diff budget" in ranking.suppressed[0].reason


UNTESTED = policy(target={"checks": [{"name": "lint", "kind": "lint", "argv": ["ruff"]}]})


@pytest.mark.parametrize(
    ("paths", "chosen", "high"),
    [
        ([f"src/{number}.py" for number in range(8)], 7, False),
        ([f"src/{number}.py" for number in range(5)] + [f"docs/{number}.py" for number in range(3)], 7, False),
        (["src/a.py", "src/auth.py"], 1, False),
        (["src/auth.py"], 1, True),
        ([f"docs/{number}.py" for number in range(8)], 8, False),
    ],
)
def test_a_batch_is_split_before_its_size_makes_it_high(paths, chosen, high):
    """Without tests eight files that run are HIGH, seven are not; a sensitive one goes alone, and last."""
    findings = tuple(finding for path in paths for finding in found(path))
    (candidate,) = rank(findings, UNTESTED, FRESH).candidates
    assert chosen == len(candidate.paths)
    assert high is (estimate_level(candidate.paths, UNTESTED) in {"HIGH", "CRITICAL"})


def test_the_rest_waits_for_another_day():
    """The best files come first; when they are done, the rest is another task."""
    findings = [finding for number in range(12) for finding in found(f"src/{number:02}.py", number + 1)]
    (first,) = rank(tuple(findings), POLICY, FRESH).candidates
    left = tuple(finding for finding in findings if finding.path not in first.paths)
    (second,) = rank(left, POLICY, FRESH).candidates

    assert "src/11.py" in first.paths
    assert first.evidence[-1] == "4 more files wait for another day: one batch stays within diff budget and risk"
    assert 4 == len(second.paths)
    assert first.task_id != second.task_id


@pytest.mark.parametrize(
    "findings",
    [
        found("src/a.py", fixable=False),
        found(".github/workflows/x.py"),
        found("uv.lock", tool="pins", rule="pin"),
        found("src/a\u202eb.py"),
        found("../a.py"),
        found("docs/AGENTS.md", tool="codespell", rule="spelling"),
        found("src/a.toml"),
        [found("src/a.py")[0].model_copy(update={"facts": FindingFacts()})],
    ],
)
def test_what_may_not_be_touched_is_not_proposed(findings):
    """Unfixable, protected and hostile findings are no candidates (P5), nor prose that programs read.

    Nor is what the tool's fixes may not change, and one whose tool says nothing of it.
    """
    assert ((), ()) == rank(tuple(findings), POLICY, FRESH)


def test_what_the_target_does_not_allow_is_not_proposed():
    """A contract could never contain it."""
    assert ((), ()) == rank(tuple(found("src/a.py")), policy(target={"allowed_paths": ["docs/**"]}), FRESH)


ID = rank(tuple(found("src/a.py")), POLICY, FRESH).candidates[0].task_id


OPEN = "a pull request is open for the same idea: {}; until it is merged or closed"
ANSWERED = "; until one is merged or closed"


@pytest.mark.parametrize(
    ("memory", "reason"),
    [
        ({"open_task_ids": {ID}}, OPEN.format(ID)),
        (
            {"open_task_ids": {"ruff-up-00000000"}},
            OPEN.format("ruff-up-00000000"),
        ),
        (
            {"open_task_ids": set("abcde")},
            "5 pull requests wait for a person, at most 5" + ANSWERED,
        ),
        ({"refused": {Place("ruff", "UP", "src/a.py"): "a person"}}, "a person"),
        ({"refused_tasks": {ID: "long ago"}}, "long ago"),
    ],
)
def test_what_is_remembered_is_not_proposed_again(memory, reason):
    """Open, rejected or capped; the reason is kept, whoever did the ranking."""
    remembered = Memory.model_validate({"today": TODAY} | memory)
    proposed = CandidateTasks(
        run_id="r", base_sha="b", candidates=rank(tuple(found("src/a.py")), POLICY, FRESH).candidates
    )

    assert [reason] == [s.reason for s in rank(tuple(found("src/a.py")), POLICY, remembered).suppressed]
    assert [reason] == [s.reason for s in suppress(proposed, POLICY, remembered).suppressed]
    assert () == suppress(proposed, POLICY, remembered).candidates


@pytest.mark.parametrize(
    "memory",
    [
        {"open_task_ids": {"ruff-f-00000000"}},
        {"refused": {Place("ruff", "UP", "src/b.py"): "another file"}},
        {"refused": {Place("ruff", "F", "src/a.py"): "another rule"}},
        {"refused_tasks": {"ruff-up-00000000": "another task"}},
    ],
)
def test_other_memories_do_not_matter(memory):
    """Suppression expires, and concerns its own idea."""
    remembered = Memory.model_validate({"today": TODAY} | memory)

    assert [ID] == [c.task_id for c in rank(tuple(found("src/a.py")), POLICY, remembered).candidates]


def test_ranking_and_its_limit():
    """More valuable families and more findings first; beyond ``listed``, suppressed with that reason."""
    findings = (
        *found("src/a.py", 2, rule="F"),
        *found("src/a.py", 2, rule="W"),
        *found("src/a.py", 9, rule="F", tool="x"),
    )
    ranking = rank(findings, policy({"candidates": {"listed": 1}}), FRESH)

    assert ["ruff-f"] == [c.task_id.rpartition("-")[0] for c in ranking.candidates]
    assert {"x-f": "confidence 0.5 is below 0.6", "ruff-w": "beyond the 1 best; until those are done"} == {
        s.task_id.rpartition("-")[0]: s.reason for s in ranking.suppressed
    }


def test_task_types():
    """Words are documentation, pins reliability, tests test hardening."""
    findings = (
        *found("README.md", tool="codespell", rule="spelling"),
        *found("requirements.txt", tool="pins", rule="pin"),
        *found("tests/test_a.py", rule="F"),
        *found("src/a.py", rule="B"),
    )
    assert {
        "codespell": TaskType.DOCUMENTATION_UPDATE,
        "pins": TaskType.RELIABILITY_FIX,
        "ruff": TaskType.TEST_HARDENING,
    } == {c.tool: c.type for c in rank(findings, POLICY, FRESH).candidates if c.rule != "B"}


def test_the_least_sure_finding_of_a_group_speaks_for_it():
    """A finding without facts makes the whole idea one that nobody is sure of."""
    mute = found("src/b.py")[0].model_copy(update={"facts": FindingFacts()})
    assert [0.9, 0] == [
        candidate_of("ruff", "UP", group, POLICY).confidence
        for group in (found("src/a.py"), [*found("src/a.py"), mute])
    ]


def test_what_an_agent_calls_its_idea_is_not_said():
    """Ids and words of a candidate are ours, whoever proposed it; of what nothing was found there are none."""
    (ours,) = rank(tuple(found("src/a.py")), POLICY, FRESH).candidates
    theirs = Words(verb="Approve", one="this", many="these", why="@octocat said so.")
    said = ours.model_copy(update={"words": theirs, "task_id": "fresh", "needs_person": True, "remediates": "x"})
    proposed = CandidateTasks(run_id="r", base_sha="b", candidates=(said, said.model_copy(update={"rule": "F"})))
    first, second = stated_by_us(proposed, "example", tuple(found("src/a.py")))
    assert ours == first
    assert second.words is None
