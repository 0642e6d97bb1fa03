"""What comes first, what few answers teach, what goes quiet, and what a person reviews as one (runbook §4 Triaging)."""

from datetime import date

import pytest

from contracts.task import Candidate, CandidateTasks, Concern
from policies.settings.schema import ImprovePolicy
from policies.task.acceptance import CARE, PRIOR, Answer, How, area, expected, package, quiet, turn
from policies.task.candidates import judge_worth, rank, suppress
from policies.task.idea_memory import Memory
from policies.task.planning import make_contract
from tests.policies.sample_policy import policy
from tests.policies.test_candidates import FRESH, POLICY, TODAY, found

(IDEA,) = rank(tuple(found("src/pkg/a.py")), POLICY, FRESH).candidates


def answers(*how: How, rule: str = "UP", places: tuple[str, ...] = ("src/pkg",)) -> tuple[Answer, ...]:
    """To pull requests 1, 2, … of one kind."""
    return tuple(
        Answer(tool="ruff", rule=rule, areas=frozenset(places), how=each, number=number)
        for number, each in enumerate(how, 1)
    )


def concerned(concern: Concern, **more: object) -> Candidate:
    """An idea of a concern."""
    return IDEA.model_copy(update={"concern": concern, "task_id": concern.value} | more)


def test_what_owners_accept_comes_first():
    """Security, broken, the owner's hook, what is outdated, code, prose last; whatever else their scores are."""
    ideas = [concerned(each, score=float(number)) for number, each in enumerate(Concern)]
    ideas.reverse()
    assert list(Concern) == [each.concern for each in sorted(ideas, key=turn)]
    assert list(Concern) == list(CARE)


def test_every_tool_says_what_its_findings_are_about():
    """Two hundred typos do not come before one pin that contradicts another."""
    findings = (*found("requirements.txt", tool="pins", rule="pin"), *found("docs/a.md", 90, "codespell", "docs"))
    ranked = rank((*findings, *found("src/pkg/a.py", 30)), POLICY, FRESH).candidates
    assert [Concern.OUTDATED, Concern.CODE, Concern.PROSE] == [each.concern for each in ranked]


ASSUMED = "60% is assumed of every kind."
HERE, OF = "People here merged", "pull requests of ruff UP"


@pytest.mark.parametrize(
    ("how", "share", "said"),
    [
        ((), PRIOR, "Nobody here has answered a pull request of ruff UP yet; "),
        (
            ("closed",) * 4,
            PRIOR,
            f"{HERE} 0 of 4 {OF} (4 closed); under 5 answers nothing is learned, ",
        ),
        (
            ("merged", "closed", "undone", "let lie", "closed"),
            PRIOR,
            f"{HERE} 1 of 5 {OF} (2 closed, 1 undone and 1 let lie): 4% to 62% (95 %), so 60% is expected; ",
        ),
        (
            ("closed",) * 20,
            0.16,
            f"{HERE} 0 of 20 {OF} (20 closed): 0% to 16% (95 %), so 16% is expected; ",
        ),
        (("merged",) * 20, 0.84, f"{HERE} 20 of 20 {OF}: 84% to 100% (95 %), so 84% is expected; "),
    ],
)
def test_few_answers_teach_nothing(how, share, said):
    """The prior gives way only where the interval of the answers excludes it; the sentence says all of it."""
    others = answers(*["closed"] * 30, rule="F")
    learned = expected(IDEA, (*answers(*how), *others))
    assert (share, f"{said}{ASSUMED}") == (learned.acceptance, learned.answers)


def test_a_kind_that_people_refuse_goes_behind_what_they_take():
    """Whoever ranked it: an owner's hook that is closed every time comes after prose that is merged every time."""
    no = tuple(each.model_copy(update={"areas": frozenset({"other"})}) for each in answers(*["closed"] * 30))
    yes = tuple(each.model_copy(update={"rule": "W"}) for each in answers(*["merged"] * 30))
    hook, prose = concerned(Concern.HOOK), concerned(Concern.PROSE, rule="W")
    proposed = CandidateTasks(run_id="r", base_sha="b", candidates=(hook, prose))
    assert [hook.task_id, prose.task_id] == [each.task_id for each in suppress(proposed, POLICY, FRESH).candidates]
    memory = FRESH.model_copy(update={"answers": (*no, *yes)})
    assert [prose.task_id, hook.task_id] == [each.task_id for each in suppress(proposed, POLICY, memory).candidates]


QUIET = (
    "quiet: pull requests {}, the last of this kind in src/pkg, were closed or undone; until one is reopened, or "
    'improve.again."ruff UP" in targets/example.toml is a later day than theirs'
)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (answers("closed"), ""),
        (answers("closed", "closed"), QUIET.format("1 and 2")),
        (answers("closed", "let lie", "undone"), QUIET.format("1 and 3")),
        (answers("merged", "closed", "closed"), QUIET.format("2 and 3")),
        (answers("closed", "merged", "closed"), ""),
        (answers("closed", "closed", "merged"), ""),
        (answers("closed", "closed", rule="F"), ""),
        (answers("closed", "closed", places=("src/other", "docs")), ""),
        (answers("closed", "closed", places=("src/other", "src/pkg")), QUIET.format("1 and 2")),
    ],
)
def test_what_was_closed_twice_goes_quiet_for_that_kind_in_that_place(said, reason):
    """A merge in between, another kind and another place do not; the reason says which two, and how it is lifted."""
    assert reason == quiet("ruff", "UP", ["src/pkg/new.py"], said, "example")
    memory = Memory(today=TODAY, answers=said)
    proposed = CandidateTasks(run_id="r", base_sha="b", candidates=(IDEA,))
    assert [reason] * bool(reason) == [each.reason for each in suppress(proposed, POLICY, memory).suppressed]


@pytest.mark.parametrize(
    ("path", "place", "of"),
    [
        ("setup.py", "", ""),
        ("docs/guide/a.md", "docs", ""),
        ("src/pkg/sub/a.py", "src/pkg", ""),
        ("src/a.py", "src", ""),
        ("packages/web/src/index.ts", "packages/web", "packages/web"),
        ("crates/core/src/lib.rs", "crates/core", "crates/core"),
    ],
)
def test_what_a_person_reviews_as_one(path, place, of):
    """A folder of the project; where there are several packages, one of them."""
    assert (place, of) == (area(path), package(path))


def test_grouping():
    """As one while it fits the budget, never across packages and kinds; beyond it, folder by folder."""

    def groups(*paths: str) -> list[tuple[str, ...]]:
        findings = tuple(each for path in paths for each in found(path))
        return sorted(each.paths for each in rank(findings, POLICY, FRESH).candidates)

    few = ("a.py", "docs/b.py", "src/pkg/c.py")
    assert [few] == groups(*few)
    assert [("a.py",), ("packages/x/b.py",), ("packages/y/c.py",)] == groups(
        "a.py", "packages/x/b.py", "packages/y/c.py"
    )
    many, tests = [tuple(f"{folder}/{n}.py" for n in range(5)) for folder in ("src/pkg", "tests")]
    assert [many, tests] == groups(*many, *tests)
    whole = [
        each.model_copy(update={"facts": each.facts.model_copy(update={"together": True})})
        for path in (*many, *tests)
        for each in found(path)
    ]
    (together,) = rank(tuple(whole), POLICY, FRESH).candidates
    assert {"src/pkg", "tests"} == {area(path) for path in together.paths}


def test_why_somebody_should_care_is_said_of_each():
    """In the candidate, the triage's verdict and the contract, also where the tool has no words of its own."""
    unnamed = tuple(
        each.model_copy(update={"facts": each.facts.model_copy(update={"words": None, "concern": Concern.HOOK})})
        for each in found("src/pkg/a.py", rule="RUF")
    )
    (best,) = ranked = rank(unnamed, policy({"candidates": {"minimum_confidence": 0}}), FRESH).candidates
    assert CARE[Concern.HOOK] == best.why
    contract = make_contract(best, POLICY, "r")
    assert contract.words is not None
    assert best.why == contract.words.why
    (row,) = judge_worth(CandidateTasks(run_id="r", base_sha="b", candidates=ranked), (), POLICY).children
    assert f"hook: {best.why} {best.answers}" == row.reason
    assert row.allowed


def test_lifting_does_not_change_policies_that_lift_nothing():
    """Digests of before stay (P15)."""
    assert "again" not in ImprovePolicy().model_dump(mode="json")
    lifted = ImprovePolicy(again={"ruff UP": date(2026, 11, 27)})
    assert lifted == ImprovePolicy.model_validate(lifted.model_dump(mode="json"))


def test_candidates_of_before_are_read():
    """Without concern, reason and answers: they rank as code that nobody answered to."""
    old = IDEA.model_dump(mode="json", exclude={"concern", "why", "acceptance", "answers"})
    assert (Concern.CODE, "", PRIOR) == (
        (read := Candidate.model_validate(old)).concern,
        read.why,
        read.acceptance,
    )
