"""What a grant opens, and what it does not (P5)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from contracts.change import ChangedPath
from contracts.grant import Grant
from contracts.modes import Mode, Outcome
from contracts.verdict import Decision
from policies.paths.diff_budget import judge_budget
from policies.paths.rules import granted_entries, judge_paths, widened
from policies.release.release import judge_release
from policies.run import known_bad
from policies.run.known_bad import BASE_PATHS, entry, good_facts
from policies.texts.pull_request import body
from tests.policies.sample_policy import auto_policy, policy

POLICY = policy()
PATH = ".github/workflows/x.yml"
CONTRACT = known_bad.contract(POLICY).model_copy(
    update={
        "scope": known_bad.contract(POLICY).scope.model_copy(
            update={"allowed_paths": ("src/module.py",), "blocked_paths": (".github/workflows/**",), "max_files": 1}
        )
    }
)
RELEASED = entry(PATH, "A")
GRANT = Grant(
    expected_epoch=1,
    run_id="demo-2026-03-02-pr-1",
    head_sha="a" * 40,
    paths=(PATH,),
    expires_at=datetime(2026, 3, 3, tzinfo=UTC),
    reason="read by @ann | line by line",
    actor="ann@desk",
    granted_at=datetime(2026, 3, 2, tzinfo=UTC),
)


def judged(*paths: ChangedPath, granted: tuple[ChangedPath, ...] = (RELEASED,)) -> Decision:
    """A change with these paths, next to the ordinary one."""
    change = known_bad.change(entry("src/module.py"), *paths)
    return judge_paths(change, POLICY, CONTRACT, BASE_PATHS, granted).decision


@pytest.mark.parametrize(
    ("touched", "expected"),
    [
        ((RELEASED,), Decision.ALLOW),
        ((RELEASED, entry(".github/workflows/y.yml", "A")), Decision.ESCALATE),
        ((RELEASED, entry(".env", "A")), Decision.ESCALATE),
        ((entry(".github/workflows/X.yml", "A"),), Decision.ESCALATE),
        ((entry(".GitHub/workflows/x.yml", "A"),), Decision.ESCALATE),
        ((entry(".github/workflows/\uff58.yml", "A"),), Decision.ESCALATE),
        ((RELEASED, entry(".github/workflows/X.yml", "A")), Decision.ESCALATE),
        ((RELEASED.model_copy(update={"new_sha": "3" * 40}),), Decision.ESCALATE),
        ((entry(PATH, "A", new="120000"),), Decision.ESCALATE),
        ((entry(PATH, "A", new="100755"),), Decision.ESCALATE),
        ((entry(PATH, "M"),), Decision.ESCALATE),
        ((entry(PATH, "D"),), Decision.ESCALATE),
        ((RELEASED, entry(".github/workflows/ci.yml", "D")), Decision.ESCALATE),
        ((RELEASED, entry("src/other.py", "A")), Decision.DENY),
        ((RELEASED, entry("src/module.PY", "A")), Decision.DENY),
    ],
)
def test_only_the_very_entry_that_was_quarantined_is_released(
    touched: tuple[ChangedPath, ...], expected: Decision
) -> None:
    """Another path, spelling, content, kind or mode stays what it was; so does what is merely out of scope."""
    assert expected is judged(*touched)


@pytest.mark.parametrize(
    "odd", [entry(PATH, "A", new="120000"), entry(PATH, "A", new="100755"), entry(PATH, "A", new="160000")]
)
def test_a_grant_makes_no_plain_file_of_anything_else(odd: ChangedPath) -> None:
    """A link, a program or a submodule is refused, although the quarantined change holds exactly that."""
    assert Decision.DENY is judged(odd, granted=(odd,))


def test_without_a_grant_nothing_is_released() -> None:
    """The default of every other run."""
    assert Decision.ESCALATE is judged(RELEASED, granted=())


def test_a_grant_says_nothing_about_paths_that_are_not_protected() -> None:
    """The contract's scope is not widened by naming more paths; patterns and twins are no names."""
    quarantined = (RELEASED, entry("src/other.py", "A"), entry(".github/workflows/X.yml", "A"))
    grant = GRANT.model_copy(update={"paths": (PATH, "src/other.py", ".github/workflows/*")})
    assert (RELEASED,) == granted_entries(grant, quarantined, CONTRACT, POLICY)


def test_the_budget_grows_by_the_granted_entries_and_lines_do_not() -> None:
    """The contract's files make room; the policy's own budget and the lines stay."""
    change = known_bad.change(entry("src/module.py"), RELEASED)
    long = known_bad.change(entry("src/module.py"), entry(PATH, "A", lines=CONTRACT.scope.max_lines))
    narrow = CONTRACT.model_copy(update={"scope": CONTRACT.scope.model_copy(update={"max_new_files": 0})})

    assert Decision.DENY is judge_budget(change, narrow, POLICY).decision
    assert Decision.ALLOW is judge_budget(change, widened(narrow, (RELEASED,)), POLICY).decision
    assert Decision.DENY is judge_budget(long, widened(narrow, (RELEASED,)), POLICY).decision
    assert narrow is widened(narrow, ())


@pytest.mark.parametrize(
    ("more", "outcome"),
    [
        ({}, Outcome.REQUIRES_HUMAN_REVIEW),
        ({"granted": ()}, Outcome.REJECT),
        ({"approved_by": ""}, Outcome.REJECT),
    ],
)
def test_a_granted_change_never_goes_further_than_a_persons_review(more: dict[str, Any], outcome: Outcome) -> None:
    """Even where policy would merge alone; and its risk counts as approved only by whoever granted it."""
    facts = good_facts(auto_policy())
    change = facts.change.model_copy(update={"paths": (*facts.change.paths, RELEASED)})
    values = {"change": change, "granted": (RELEASED,), "from_quarantine": GRANT.run_id, "approved_by": "ann"} | more
    assert outcome is judge_release(replace(facts, **values)).outcome


def test_a_quarantined_change_without_a_protected_path_needs_a_person_too() -> None:
    """The policy may have been loosened since; the change was escalated all the same."""
    facts = good_facts(auto_policy())
    found = judge_release(replace(facts, mode=Mode.SELECTIVE_AUTO, from_quarantine=GRANT.run_id))
    assert Outcome.REQUIRES_HUMAN_REVIEW is found.outcome


def test_the_effect_must_be_measured_for_a_granted_change_as_for_any() -> None:
    """A metric that does not apply any more (nothing left to mend) is no proof, so it is a no."""
    facts = good_facts(auto_policy())
    change = facts.change.model_copy(update={"metric_before": 0, "metric_after": 0})
    found = judge_release(replace(facts, change=change, from_quarantine=GRANT.run_id))
    assert Outcome.REJECT is found.outcome


def test_the_pull_request_names_the_grant() -> None:
    """Who, why, which paths, until when, from which run; inert, as every text of others."""
    facts = good_facts(POLICY)
    text = body(facts.contract, judge_release(facts), facts.checks, facts.change, GRANT)

    for part in ("`ann@desk`", "`read by @ann / line by line`", f"`{PATH}`", "`demo-2026-03-02-pr-1`", "`2026-03-03T"):
        assert part in text
    assert "quarantine" not in body(facts.contract, judge_release(facts), facts.checks, facts.change)
