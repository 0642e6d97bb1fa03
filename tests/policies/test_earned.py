"""What SELECTIVE_AUTO must be earned by, criterion by criterion (runbook, "before ``SELECTIVE_AUTO``")."""

from datetime import timedelta

import pytest

from contracts.governance import DayCost, IncidentFacts, ReviewFacts
from contracts.modes import Mode
from policies.governance.earned import earned
from tests.policies.test_governance import MERGED, UNTIL, run

TYPE = "documentation_update"
BEGAN = UNTIL - timedelta(days=90)


def facts(**more: object) -> ReviewFacts:
    """A target that has earned it, no more: fourteen days of each mode, twenty pull requests, ten merges."""
    dry = [run(number, mode=Mode.DRY_RUN, ended_at=BEGAN + timedelta(days=number)) for number in range(14)]
    wet = []
    for number in range(20):
        at = BEGAN + timedelta(days=20 + number % 14)
        wet.append(run(100 + number, ended_at=at, opened_at=at, **(MERGED if number < 10 else {})))
    days = [DayCost(target="demo", day=f"{UNTIL - timedelta(days=back):%Y-%m-%d}", used=1.0) for back in range(31)]
    given = {"since": BEGAN, "until": UNTIL, "first": BEGAN, "runs": (*dry, *wet), "incidents": (), "days": days}
    return ReviewFacts.model_validate(given | more)


def incident(days_ago: int, trigger: str = "regression", target: str = "demo") -> IncidentFacts:
    """One that was opened so long ago."""
    return IncidentFacts(
        incident=f"INC-{days_ago}",
        target=target,
        trigger=trigger,
        opened_at=UNTIL - timedelta(days=days_ago),
        closed=True,
    )


def without(given: ReviewFacts, *run_ids: str) -> tuple:
    """Its runs but these."""
    return tuple(each for each in given.runs if each.run_id not in run_ids)


def changed(given: ReviewFacts, run_id: str, **more: object) -> tuple:
    """Its runs, one of them otherwise."""
    return tuple(each.model_copy(update=more) if each.run_id == run_id else each for each in given.runs)


def test_all_criteria_hold():
    """Exactly enough is enough; what happens on another target does not matter."""
    verdict = earned(
        facts(incidents=[incident(1, target="lib"), incident(31), incident(1, "budget_exhausted")]), "demo", TYPE
    )
    assert verdict.allowed, verdict.reason
    assert 6 == len(verdict.children)


GOOD = facts()


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        (facts(runs=without(GOOD, "demo-0")), "runs ended in DRY_RUN on 13 days, of 14"),
        (facts(runs=changed(GOOD, "demo-1", ended_at=BEGAN)), "runs ended in DRY_RUN on 13 days, of 14"),
        (facts(runs=without(GOOD, "demo-113")), "runs ended in PR_ONLY on 13 days, of 14"),
        (facts(runs=without(GOOD, "demo-114")), "19 pull requests of documentation_update in PR_ONLY, of 20"),
        (facts(runs=changed(GOOD, "demo-114", mode=Mode.SELECTIVE_AUTO)), "19 pull requests of"),
        (facts(runs=changed(GOOD, "demo-114", task_type="test_hardening")), "19 pull requests of"),
        (facts(runs=changed(GOOD, "demo-100", merged_at=None)), "not enough data: 9 merges"),
        (
            facts(runs=changed(GOOD, "demo-100", regressed=True)),
            "1 of 10 merges of documentation_update broke the base",
        ),
        (facts(incidents=[incident(30)]), "INC-30 was opened on"),
        (facts(incidents=[incident(3, "policy_violation")]), "INC-3 was opened on"),
        (facts(days=[]), "spending is booked not yet"),
        (facts(days=GOOD.days[:-1]), "for less than 30 days"),
        (
            facts(days=[GOOD.days[0].model_copy(update={"used": 1.01}), *GOOD.days[1:]]),
            "2026-03-30 used more than its cap",
        ),
        (
            facts(runs=changed(GOOD, "demo-119", ended_at=UNTIL - timedelta(days=1), unknown_cost=True)),
            "nobody has stated",
        ),
        (facts(runs=()), "runs ended in DRY_RUN on 0 days, of 14"),
    ],
)
def test_one_criterion_short(given, missing):
    """Each by itself is enough to miss it, and is named."""
    verdict = earned(given, "demo", TYPE)
    assert not verdict.allowed
    assert missing in verdict.reason
