"""The flake ledger (runbook §10): same commit, different answers, over runs."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from contracts.evidence import CheckStatus
from contracts.governance import CheckSeen, KnownFlake
from policies.governance.flakes import flakes
from tests.policies.sample_policy import policy
from tests.policies.test_governance import AT, review, run

GREEN, RED, FLAKY, TIMEOUT = CheckStatus.GREEN, CheckStatus.RED, CheckStatus.FLAKY, CheckStatus.TIMEOUT
TODAY = date(2026, 3, 29)
"""The clocks of Europe change on it."""


def seen(status: CheckStatus, hours: float = 0, **more: object) -> CheckSeen:
    facts = {
        "target": "demo", "check": "tests", "tree": "t", "environment": "e", "base_count": None, "status": status,
        "seconds": (hours + 1,), "at": AT + timedelta(hours=hours),
    }  # fmt: skip
    return CheckSeen.model_validate(facts | more)


@pytest.mark.parametrize(
    ("looks", "flaked", "count"),
    [
        ([seen(GREEN), seen(GREEN, 1)], 0, 0),
        ([seen(FLAKY)], 1, 1),
        ([seen(GREEN), seen(RED, 1)], 1, 2),
        ([seen(GREEN), seen(RED, 1), seen(RED, 2), seen(FLAKY, 3)], 2, 4),
        ([seen(GREEN), seen(RED, 1, tree="u")], 0, 0),
        ([seen(GREEN), seen(RED, 1, environment="f")], 0, 0),
        ([seen(GREEN), seen(RED, 1, base_count=3)], 0, 0),
        ([seen(GREEN), seen(TIMEOUT, 1)], 0, 0),
        ([seen(FLAKY), seen(FLAKY, 5, seconds=(1,))], 1, 1),
    ],
    ids=[
        "alike", "second try", "two runs differ", "both", "another tree", "another environment", "another base",
        "no answer", "taken over",
    ],
)  # fmt: skip
def test_10_flake_ledger_counts_different_answers_about_one_tree(
    looks: list[CheckSeen], flaked: int, count: int
) -> None:
    """A timeout is no answer, and what a run took over from an earlier one is no second look."""
    found = flakes(looks, (), TODAY)
    assert ([(flaked, count)] if flaked else []) == [(each.flaked, each.seen) for each in found]


@pytest.mark.parametrize(("until", "overdue"), [("2026-03-28", True), ("2026-03-29", False), (None, False)])
def test_10_flake_ledger_names_owner_and_expiry(until: str | None, overdue: bool) -> None:
    """Of a check of the policy's; overdue from the day after, also where it has not flaked in the window."""
    entry = KnownFlake.model_validate({"target": "demo", "check": "tests", "owner": "ann", "until": until})
    (found,) = flakes([seen(FLAKY, 3), seen(FLAKY, 30)], (entry,), TODAY)
    assert ("ann", overdue) == (found.owner, found.overdue)
    assert (AT + timedelta(hours=3), AT + timedelta(hours=30)) == (found.first, found.last)
    assert ([("tests", 0, overdue)] if until else []) == [
        (each.check, each.flaked, each.overdue) for each in flakes([], (entry,), TODAY)
    ]


def test_10_an_overdue_flake_stands_in_the_reviews_first_sentence() -> None:
    """Nobody need look for it."""
    entry = KnownFlake(target="demo", check="tests", owner="ann", until=date(2026, 3, 1))
    found = review(run(checks=(seen(FLAKY),)), known_flakes=(entry,))
    assert "1 flaky check is overdue." in found.sentence
    assert [("tests", 1)] == [(each.check, each.flaked) for each in found.flakes]


def test_who_looks_after_a_check_voids_no_run() -> None:
    """It decides nothing, so a run under way goes on when it is written down."""
    check = {"name": "tests", "kind": "tests", "argv": ["true"]}
    named = check | {"owner": "ann", "flaky_until": "2026-03-01"}
    plain, owned = (policy(target={"checks": [each]}) for each in (check, named))
    assert plain.digest == owned.digest
    assert plain != owned
