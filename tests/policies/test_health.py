"""What probes mean, and when a canary has passed (P13: could not find out is never a yes)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from contracts.merging import CanaryReport, Health, ProbeResult
from policies.release.health import exit_health, judge_canary, overall, status_health
from tests.policies.sample_policy import auto_policy, policy

COMMIT = "e" * 40
BEGAN = datetime(2026, 3, 2, 9, tzinfo=UTC)


def result(health: Health, name: str = "imports") -> ProbeResult:
    return ProbeResult(name=name, health=health, detail="as seen", seconds=1)


def canary(minutes: float = 30, **changed: object) -> CanaryReport:
    fields = {
        "merge_sha": COMMIT,
        "branch": "autonomy/canary/x",
        "began_at": BEGAN,
        "ended_at": BEGAN + timedelta(minutes=minutes),
        "rounds": 31,
        "health": Health.GREEN,
        "last": (result(Health.GREEN),),
    }
    return CanaryReport.model_validate(fields | changed)


@pytest.mark.parametrize(
    ("code", "health"),
    [
        (0, Health.GREEN),
        (1, Health.RED),
        (125, Health.RED),
        (126, Health.UNKNOWN),
        (127, Health.UNKNOWN),
        (137, Health.UNKNOWN),
        (-9, Health.UNKNOWN),
        (None, Health.UNKNOWN),
    ],
)
def test_exit_statuses(code: int | None, health: Health) -> None:
    """0 green, 1 to 125 red, the shell's and the kernel's own could not find out."""
    assert health is exit_health(code)


@pytest.mark.parametrize(("status", "health"), [(200, "green"), (204, "red"), (503, "red"), (302, "red")])
def test_http_statuses(status: int, health: str) -> None:
    """200 green, another status red; no answer is neither."""
    assert health == status_health(status)
    assert Health.UNKNOWN is status_health(None)


@pytest.mark.parametrize(
    ("found", "health"),
    [
        ([], Health.UNKNOWN),
        ([Health.GREEN], Health.GREEN),
        ([Health.GREEN, Health.UNKNOWN], Health.UNKNOWN),
        ([Health.UNKNOWN, Health.RED, Health.GREEN], Health.RED),
    ],
)
def test_overall(found: list[Health], health: Health) -> None:
    """Nothing asked is not green."""
    assert health is overall(result(one) for one in found)


@pytest.mark.parametrize(
    ("report", "reason"),
    [
        (None, "no canary"),
        (canary(merge_sha="f" * 40), "no canary"),
        (canary(last=()), "not every probe"),
        (canary(last=(result(Health.GREEN, "other"),)), "not every probe"),
        (canary(health=Health.UNKNOWN), "unknown"),
        (canary(last=(result(Health.RED),), health=Health.RED), "imports is red: as seen"),
        (canary(last=(result(Health.RED),)), "imports is red: as seen"),
        (canary(29.9), "1794 s of 1800 s"),
        (canary(rounds=1), "the canary lasted 1800 s of 1800 s, 1 round"),
    ],
)
def test_each_doubt_about_a_canary_is_a_persons(report: CanaryReport | None, reason: str) -> None:
    """Each condition alone missing."""
    verdict = judge_canary(report, COMMIT, auto_policy())
    assert not verdict.allowed
    assert reason in verdict.reason


def test_a_canary_that_passed() -> None:
    """All rounds green for the whole window, on this commit; never for a target without probes."""
    assert judge_canary(canary(), COMMIT, auto_policy()).allowed
    assert not judge_canary(canary(last=()), COMMIT, policy(target={"probes": []})).allowed
