"""What goes back to the agent that coded, and what does not."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest

from contracts.evidence import CheckStatus, ReviewReport
from contracts.modes import Role
from contracts.verdict import Decision, Verdict
from policies.settings.charter import RolePolicy
from policies.task.rounds import after_checks, after_coding, rounds_left
from tests.policies.sample_policy import policy
from tests.policies.test_asked import report, result

NOW = datetime(2026, 11, 27, tzinfo=UTC)
USUAL = policy()


def with_rounds(backend: str, rounds: int) -> Any:
    role = RolePolicy(backend=backend, rounds=rounds)
    charter = USUAL.charter.model_copy(update={"roles": {**USUAL.charter.roles, Role.CODING: role}})
    return USUAL.model_copy(update={"charter": charter})


@pytest.mark.parametrize(
    ("backend", "rounds", "now", "grant", "left"),
    [
        ("command", 2, 1, None, 2),
        ("command", 2, 3, None, 0),
        ("command", 2, 9, None, 0),
        ("tools", 2, 1, None, 0),
        ("command", 0, 1, None, 0),
        ("command", 2, 1, "granted", 0),
    ],
)
def test_rounds_are_an_agents_and_few(backend: str, rounds: int, now: int, grant: Any, left: int) -> None:
    """A tool would do the same again; a released change was made by nobody here."""
    given = SimpleNamespace(run=SimpleNamespace(grant=grant, asked=None), round=now)
    assert left == rounds_left(with_rounds(backend, rounds), cast("Any", given))


@pytest.mark.parametrize(
    ("decision", "left", "again"),
    [
        (Decision.DENY, 1, True),
        (Decision.DENY, 0, False),
        (Decision.ALLOW, 1, False),
        (Decision.ESCALATE, 1, False),
        (Decision.HOLD, 1, False),
    ],
)
def test_a_violation_is_not_tried_again(decision: Decision, left: int, again: bool) -> None:
    """It pauses everything; and one that waits is the same round."""
    said = Verdict(rule="r", decision=decision, reason="x")
    assert again is (after_coding(said, left) is Role.CODING)


@pytest.mark.parametrize(
    ("status", "approve", "left", "after"),
    [
        (CheckStatus.RED, True, 1, Role.CODING),
        (CheckStatus.GREEN, False, 1, Role.CODING),
        (CheckStatus.RED, False, 0, Role.RELEASE),
        (CheckStatus.GREEN, True, 1, Role.RELEASE),
        (CheckStatus.INFRASTRUCTURE, True, 1, Role.RELEASE),
        (CheckStatus.TIMEOUT, True, 1, Role.RELEASE),
        (CheckStatus.FLAKY, True, 1, Role.RELEASE),
    ],
)
def test_what_an_agent_can_mend_goes_back(status: CheckStatus, approve: bool, left: int, after: Role) -> None:
    """A check that could not be run is nobody's to mend; Review's no is."""
    review = ReviewReport(
        run_id="r", task_id="t", head_sha="a" * 40, reviewer="tools", approve=approve, confidence=1, summary="s"
    )
    assert after is after_checks(report(result(status=status)), review, left)
