"""Whose a regression is (runbook §6.3; issue: attributed only if our merge is the first red one; P13)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from contracts.merging import Health
from contracts.rollback import EVERYTHING, HardeningTask, Idea, Observation, Quarantined
from contracts.task import Candidate, CandidateTasks, TaskType
from policies.after.attribution import Culprit, attribute, confirmed, culprit_of, flaky, whose
from policies.task.target_memory import with_hardening, without_quarantined

G, R, U = Health.GREEN, Health.RED, Health.UNKNOWN
NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def look(health: Health, commit: str = "m", name: str = "tests") -> Observation:
    """One look that showed one name."""
    shown = {R: "failing", U: "unknown", G: "healthy"}[health]
    return Observation.model_validate({"commit": commit, "health": health, shown: (name,)})


@pytest.mark.parametrize(
    ("ours", "parent", "expected"),
    [
        (R, G, Culprit.OURS),
        (R, R, Culprit.BEFORE_US),
        (G, G, Culprit.SOMEONE_ELSE),
        (G, R, Culprit.SOMEONE_ELSE),
        (R, U, Culprit.UNKNOWN),
        (U, G, Culprit.UNKNOWN),
        (U, R, Culprit.UNKNOWN),
        (U, U, Culprit.UNKNOWN),
        (G, U, Culprit.UNKNOWN),
    ],
)
def test_only_a_red_that_began_with_our_merge_is_ours(ours: Health, parent: Health, expected: Culprit) -> None:
    """6.3: the whole truth table; unknown never blames (P13)."""
    assert culprit_of(ours, parent) is expected
    verdict = attribute(("tests",), (look(ours),), (look(parent, "p"),), frozenset())
    assert whose(verdict) is expected
    assert verdict.allowed is (expected is Culprit.OURS)


def test_looks_that_differ_blame_nobody() -> None:
    """A probe that flaps: red, green, red at our merge, green at its parent."""
    merge = (look(R), look(G), look(R))
    verdict = attribute(("tests",), merge, (look(G, "p"),) * 3, frozenset())
    assert whose(verdict) is Culprit.UNKNOWN


def test_what_was_red_and_green_on_one_commit_is_flaky_for_good() -> None:
    """Flaky is a fact about the name: later looks that agree do not wash it away."""
    known = flaky((look(G), look(R), look(G, "p")))
    assert frozenset({"tests"}) == known
    assert whose(attribute(("tests",), (look(R),) * 3, (look(G, "p"),) * 3, known)) is Culprit.UNKNOWN
    assert frozenset() == flaky((look(G, "p"), look(R)))


def test_one_of_several_reds_may_be_ours() -> None:
    """Judged by name: red before us in one check, ours in another."""
    both = Observation(commit="m", health=R, failing=("lint", "tests"))
    parent = Observation(commit="p", health=R, failing=("lint",), healthy=("tests",))
    verdict = attribute(("lint", "tests"), (both,), (parent,), frozenset())
    assert whose(verdict) is Culprit.OURS
    assert "tests red since our merge" in verdict.reason


def test_only_what_was_red_twice_on_the_same_commit_is_confirmed() -> None:
    """Confirmed by a rerun on the same commit."""
    assert ("tests",) == confirmed(look(R), look(R))
    assert () == confirmed(look(R), look(G))
    assert () == confirmed(look(R), look(U))
    assert () == confirmed(look(R), look(R, "other"))


def test_a_look_that_showed_nothing_at_all_blames_nobody() -> None:
    """An unreachable remote, a sandbox that does not start."""
    nothing = Observation(commit="p", health=U, unknown=(EVERYTHING,))
    assert whose(attribute(("tests",), (look(R),), (nothing,), frozenset())) is Culprit.UNKNOWN


def _candidate(task: str, tool: str, path: str) -> Candidate:
    return Candidate(
        task_id=task, type=TaskType.CODE_IMPROVEMENT, title=task, tool=tool, rule="F401", paths=(path,), metric="m",
        before=1, expected_after=0, confidence=0.9, score=1, estimated_files=1, estimated_lines=2,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("task", "tool", "path", "days", "banned"),
    [
        ("t-1", "ruff", "a.py", 1, True),
        ("t-1", "other", "z.py", 1, True),
        ("t-2", "ruff", "a.py", 1, True),
        ("t-2", "ruff", "b.py", 1, False),
        ("t-2", "other", "a.py", 1, False),
        ("t-1", "ruff", "a.py", -1, False),
    ],
)
def test_a_quarantined_idea_stays_away_until_it_expires(
    task: str, tool: str, path: str, days: int, banned: bool
) -> None:
    """8: with reason and expiry; under its id, and under its tool and rule in the same files."""
    idea = Idea(task_id="t-1", title="t", tool="ruff", rule="F401", paths=("a.py",))
    ban = Quarantined(idea=idea, reason="rolled back", until=NOW + timedelta(days=days))
    proposed = CandidateTasks(run_id="r", base_sha="b", candidates=(_candidate(task, tool, path),))
    left = without_quarantined(proposed, (ban,), NOW)
    assert banned is (left.candidates == ())
    assert all("quarantined until 2026-03-03: rolled back" in one.reason for one in left.suppressed)


def test_a_hardening_task_is_listed_last_for_a_person() -> None:
    """8: seen in the next ``candidate_tasks.json``, and taken by no run."""
    idea = Idea(task_id="t-1", title="t", tool="ruff", rule="F401", paths=("a.py",))
    task = HardeningTask(incident="INC-r-regression", run_id="r", title="Harden", idea=idea, at=NOW)
    proposed = CandidateTasks(run_id="r", base_sha="b", candidates=(_candidate("t-2", "ruff", "b.py"),))
    first, last = with_hardening(proposed, (task,)).candidates
    assert ("t-2", False, "harden-r", True) == (first.task_id, first.needs_person, last.task_id, last.needs_person)
