"""``make demo-year``, a month of it: the same code, around a night in which the clock is set."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from contracts.modes import Mode
from demo import recount, year
from demo.year import Plan, Year, became


@pytest.fixture(scope="module")
def month(tmp_path_factory: pytest.TempPathFactory) -> Year:
    """Four weeks and a day of one target: a touched path, a pause, runs that are pruned; the mode rises to the top."""
    changed = pytest.MonkeyPatch()
    changed.setattr(year, "ZONES", {"atlas": "Europe/Berlin"})
    changed.setattr(year, "BEGINS", datetime(2026, 3, 16, tzinfo=UTC))
    plan = Plan(days=29, protected=3, holidays=range(7, 9), pruned=20)
    try:
        lived = Year(tmp_path_factory.mktemp("year"), 7, plan)
        lived.live()
        assert [] == lived.check()
    finally:
        changed.undo()
    return lived


def test_every_number_of_every_review_is_what_the_raw_files_say(month: Year) -> None:
    """Counted again by other code; and a number that is not so is found."""
    assert [7, 14, 21, 28, 29] == [
        (datetime.fromisoformat(each["until"]) - datetime(2026, 3, 16, tzinfo=UTC)).days for each in month.reviews
    ]
    last = month.reviews[-1]
    assert [] == differences(month, last)
    for number, field in enumerate(("count", "of", "value")):
        wrong = copy.deepcopy(last)
        wrong["groups"][0]["metrics"][number][field] = 1000
        (found,) = differences(month, wrong)
        assert wrong["groups"][0]["metrics"][number]["name"] in found


def differences(month: Year, told: dict[str, Any]) -> list[str]:
    """Of a review, to the raw files."""
    return recount.differences(told, list(month.logs.values()), became)


@pytest.mark.parametrize(
    ("place", "wrong", "found"),
    [
        (("groups", 0, "metrics", 2, "low"), 1, "the interval of all checks green"),
        (("groups", 0, "metrics", 2, "high"), 1, "the interval of all checks green"),
        (("groups", 0, "metrics", 4, "standing"), "no target", "pull request acceptance is no target, counted"),
        (("groups", 0, "metrics", -2, "count"), 7, "source demotions is (7,"),
        (("groups", 0, "metrics", -1, "value"), 7, "source freshness is"),
        (("weeks", 2, "metrics", 0, "of"), 7, "the week of"),
        (("weeks", 0, "metrics", 2, "low"), 7, "the week of"),
        (("fates", 0, "standing"), 7, "after 1 days"),
        (("fates", 1, "counts", "kept"), 7, "after 7 days"),
        (("fates", 2, "counts", "not yet"), 7, "after 30 days"),
        (("flakes", 0, "flaked"), 7, "flakes are"),
        (("flakes", 0, "seen"), 7, "flakes are"),
    ],
)
def test_what_is_not_so_is_found(month: Year, place: tuple[Any, ...], wrong: object, found: str) -> None:
    """Intervals, standings, weeks, fates after 1, 7 and 30 days, flakes and sources: each is counted again."""
    told = copy.deepcopy(month.reviews[-1])
    *way, last = place
    here: Any = told
    for step in way:
        here = here[step]
    assert wrong != here[last]
    here[last] = wrong
    (said,) = differences(month, told)
    assert found in said


def test_what_went_wrong_is_told(month: Year) -> None:
    """The path that was touched, what was pruned and what is damaged; and few data are called so."""
    last = month.reviews[-1]
    metrics = {each["name"]: each for each in last["groups"][0]["metrics"]}
    assert (1, 1) == (metrics["policy violations"]["count"], metrics["protected paths touched"]["count"])
    assert ["policy_violation"] == [each["trigger"] for each in last["incidents"]]
    assert 4 == len(month.pruned)
    assert month.pruned == {name.partition("/")[0] for name in last["unreadable"]}
    assert "not everything could be read: nothing is concluded from a part" == last["noProposal"]
    early = {each["name"]: each for each in month.reviews[1]["groups"][0]["metrics"]}
    assert "not enough data" == early["pull request acceptance"]["standing"]


def test_nothing_merges_by_itself_that_has_not_earned_it(month: Year) -> None:
    """The mode is SELECTIVE_AUTO, and Control lets nothing through; a rule that says otherwise is told."""
    assert Mode.SELECTIVE_AUTO is month.people.view("atlas").mode
    assert [] == month.enforced
    assert ["DRY_RUN", "SELECTIVE_AUTO"] != sorted(
        {run.mode for run in month.logs["atlas"].runs.values() if run.report}
    )
    log = month.logs["atlas"]
    assert {"pull requests", "regressions", "quiet"} <= set(recount.missing(log, year.DOCS, month.world.now))
    month.earned["atlas"], seen = {"documentation_update"}, log.critical
    log.critical = []
    month._compare("atlas")
    log.critical = seen
    assert "Control lets [] merge, restated ['documentation_update']" in month.wrong.pop()


def test_a_step_back_and_one_too_far_are_found(month: Year, monkeypatch: pytest.MonkeyPatch) -> None:
    """No proposal goes back on an earlier one, and each is one step."""
    monkeypatch.setattr(month, "steps_taken", [("caps.open_pull_requests", 5, 4), ("caps.open_pull_requests", 4, 5)])
    assert 3 == len([*month._oscillating()])
    monkeypatch.setattr(month, "steps_taken", [("candidates.minimum_confidence", 0.6, 0.65)])
    assert [] == [*month._oscillating()]


def test_the_year_can_be_lived_again(month: Year, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same seed brings the same days."""
    monkeypatch.setattr(year, "ZONES", {"atlas": "Europe/Berlin"})
    monkeypatch.setattr(year, "BEGINS", datetime(2026, 3, 16, tzinfo=UTC))
    again = Year(tmp_path, 7, Plan(days=3, protected=3, holidays=range(7, 9)))
    again.live()
    begun = [run.run_id for run in again.logs["atlas"].runs.values()]
    assert begun == list(month.logs["atlas"].runs)[: len(begun)]
    spent = {run_id: month.logs["atlas"].runs[run_id].usd for run_id in begun}
    assert spent == {run_id: run.usd for run_id, run in again.logs["atlas"].runs.items()}
