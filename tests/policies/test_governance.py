"""Every baseline metric of the runbook, from facts alone (runbook §11, "baselines")."""

from datetime import UTC, datetime, timedelta

import pytest

from contracts.governance import DayCost, IncidentFacts, ReviewFacts, RunFacts, SourceSeen, Standing
from contracts.later_review import DAYS, Fate, LaterReview, Moment, Objective, Said
from contracts.modes import Mode, RunStatus
from contracts.source import Grade
from policies.governance.baselines import ENOUGH_ANSWERS, ENOUGH_MERGES, ENOUGH_RUNS, wilson
from policies.governance.calibration import calibration
from policies.governance.review import governance_review

UNTIL = datetime(2026, 3, 30, 6, tzinfo=UTC)
"""A Monday; the clocks of Europe changed the day before."""
SINCE = UNTIL - timedelta(days=28)
AT = SINCE + timedelta(days=3)


def run(number: int = 0, **more: object) -> RunFacts:
    """A run that ended well on the third day."""
    facts = {
        "run_id": f"demo-{number}",
        "target": "demo",
        "mode": Mode.PR_ONLY,
        "started_at": AT,
        "ended_at": AT + timedelta(minutes=5),
        "status": RunStatus.PR_OPENED,
        "reason": "pull request opened",
        "task_type": "documentation_update",
        "idea": "codespell docs",
        "all_green": True,
    }
    return RunFacts.model_validate(facts | more)


def review(*runs: RunFacts, **more: object):
    """The whole review of these."""
    facts = {"since": SINCE, "until": UNTIL, "first": SINCE, "runs": runs, "incidents": (), "days": ()} | more
    return governance_review(ReviewFacts.model_validate(facts))


def metric(found, name: str):
    """One of all runs' metrics."""
    (one,) = [each for each in found.groups[0].metrics if each.name == name]
    return one


def many(count: int, *, bad: int, good: dict, worse: dict) -> list[RunFacts]:
    """So many runs, some of which are bad."""
    return [run(number, **(worse if number < bad else good)) for number in range(count)]


MERGED = {"merged_at": AT, "merged_by": "ann"}
CLOSED = {"closed_at": AT, "said": "closed by bob: not worth it"}


@pytest.mark.parametrize(
    ("name", "enough", "good", "worse", "least_missed"),
    [
        ("policy violations", ENOUGH_RUNS, {}, {"violation": True}, 1),
        ("post-merge regressions", ENOUGH_MERGES, MERGED, MERGED | {"regressed": True}, 1),
        ("all checks green", ENOUGH_RUNS, {}, {"all_green": False}, 2),
        ("rollbacks", ENOUGH_MERGES, MERGED, MERGED | {"rolled_back": True}, 1),
        ("pull request acceptance", ENOUGH_ANSWERS, MERGED, CLOSED, 4),
    ],
)
def test_baselines_shares_are_met_missed_or_not_known(name, enough, good, worse, least_missed):
    """Each with its bound, at which it is missed; one case too few says nothing, and of none there is no share."""
    assert (None, Standing.TOO_FEW) == (metric(review(), name).value, metric(review(), name).standing)
    few = metric(review(*many(enough - 1, bad=enough - 1, good=good, worse=worse)), name)
    assert Standing.TOO_FEW is few.standing
    met = metric(review(*many(enough, bad=least_missed - 1, good=good, worse=worse)), name)
    missed = metric(review(*many(enough, bad=least_missed, good=good, worse=worse)), name)
    assert (Standing.MET, Standing.MISSED) == (met.standing, missed.standing)
    assert met.low <= met.value <= met.high


def test_baselines_protected_paths_touched():
    """One is one too many, and it takes one run to say that there was none."""
    name = "protected paths touched"
    standings = [metric(review(*runs), name).standing for runs in ((), (run(),), (run(protected=True),))]
    assert [Standing.TOO_FEW, Standing.MET, Standing.MISSED] == standings


@pytest.mark.parametrize(("opened", "standing"), [(11, "missed"), (12, "met"), (40, "met"), (41, "missed")])
def test_baselines_pull_requests_a_week(opened, standing):
    """3 to 10 in each of four weeks, both ends included; the weeks before the first run are none."""
    name, runs = "pull requests a week", [run(number, opened_at=AT) for number in range(opened)]
    assert standing == metric(review(*runs), name).standing.value
    late = metric(review(*runs, first=UNTIL - timedelta(days=7)), name)
    assert (1, Standing.TOO_FEW) == (late.of, late.standing)


def test_baselines_daily_budget_use():
    """The most that one day used of any cap."""
    days = [DayCost(target="demo", day="2026-03-10", used=used) for used in (0.2, 1.0, 1.01)]
    standings = [metric(review(days=days[:count]), "daily budget use").standing for count in range(4)]
    assert [Standing.TOO_FEW, Standing.MET, Standing.MET, Standing.MISSED] == standings


def test_baselines_time_to_pull_request():
    """The median, from the run's start."""
    runs = [run(number, opened_at=AT + timedelta(hours=number + 1)) for number in range(3)]
    assert 2 == metric(review(*runs), "time to pull request").value


def test_baselines_cost_per_run_and_per_merged_change():
    """What is not known makes no mean, rather than a small one."""
    runs = [run(0, usd=1, tokens=10, **MERGED), run(1, usd=2, tokens=20)]
    found = review(*runs)
    costs = [metric(found, name).value for name in ("cost per run", "cost per merged change", "tokens per run")]
    assert [1.5, 3, 15] == costs
    assert metric(review(*runs, run(2, unknown_cost=True)), "cost per run").value is None


def test_10_cost_per_run_and_per_successful_change():
    """What was spent on what came to nothing is paid for by what was merged; of no merge there is no cost."""
    runs = [run(0, usd=1, **MERGED), run(1, usd=5, **CLOSED)]
    assert (3, 6) == tuple(metric(review(*runs), f"cost per {what}").value for what in ("run", "merged change"))
    assert metric(review(runs[1]), "cost per merged change").value is None


def test_baselines_tokens_per_role():
    """The mean of the runs whose cost is known; a step is one role's."""
    runs = [run(0, tokens_by_step={"code": 30, "plan": 3}), run(1, tokens_by_step={"code": 10})]
    assert {"code": 20, "plan": 1.5} == review(*runs, run(2, unknown_cost=True)).tokens_by_step
    assert {} == review().tokens_by_step


def trial(number: int, **more: object) -> dict[str, object]:
    """One that ended in the window and was not passed."""
    facts = {"target": "demo", "source": f"s{number}", "trial_id": f"s{number}-2026-03-05-1", "ended_at": AT}
    return facts | {"passed": False, "reason": "conflict rate 0.4, at most 0.1", "promoted": False} | more


def lowered(**more: object) -> dict[str, object]:
    """By Control, in the window."""
    facts = {"target": "demo", "source": "days", "at": AT, "state": "DEGRADED", "reason": "3 breaches", "by": "control"}
    return facts | more


def test_baselines_source_trial_success_and_promotion():
    """Of trials that ended in the window, whoever else waits; of none there is neither 0 nor 100 %."""
    ended = [trial(0), trial(1, passed=True), trial(2, passed=True, promoted=True), trial(3, ended_at=UNTIL)]
    found = review(trials=ended)
    success, promotions = (metric(found, f"source {name}") for name in ("trial success", "promotions"))
    assert (2, 3, 1, 2) == (success.count, success.of, promotions.count, promotions.of)
    assert [None] * 4 == [each.value for each in review().groups[0].metrics if each.name.startswith("source ")]
    assert metric(review(trials=[trial(0)]), "source promotions").value is None
    assert 0 == metric(review(trials=[trial(0)]), "source trial success").value


def test_baselines_source_demotion():
    """Each time one was lowered, by Control or a person; none in use is no number."""
    asked = run(sources=(SourceSeen(source="days", grade=Grade.GOOD, freshness_hours=2),))
    assert 0 == metric(review(asked), "source demotions").value
    many = [lowered(), lowered(by="ann", state="DISABLED"), lowered(at=UNTIL)]
    assert 2 == metric(review(asked, lowered=many), "source demotions").value


def test_baselines_source_freshness():
    """The median over every answer that says how old it is; one that does not is in no number."""
    ages = (1, 5, 40, None)
    asked = tuple(SourceSeen(source="days", grade=Grade.GOOD, freshness_hours=age) for age in ages)
    found = metric(review(run(sources=asked)), "source freshness")
    assert (5, 3, Standing.NO_TARGET) == (found.value, found.of, found.standing)


def test_11_source_trial_outcomes_are_their_targets():
    """Listed with their reasons; counted for the target, and for no mode or kind of task."""
    found = review(run(0), run(1, target="lib"), trials=[trial(0), trial(1, target="lib")], lowered=[lowered()])
    assert ["s0", "s1"] == [each.source for each in found.trials]
    assert "conflict rate 0.4, at most 0.1" == found.trials[0].reason
    counts = {
        group.name: each.of for group in found.groups for each in group.metrics if each.name == "source trial success"
    }
    assert {"all runs": 2, "demo": 1, "lib": 1, "PR_ONLY": 0, "documentation_update": 0} == counts


def test_what_happened_outside_the_window_is_not_counted():
    """A run that ended before it and was merged in it counts for the merges alone."""
    before = {"ended_at": SINCE - timedelta(days=1), "started_at": SINCE - timedelta(days=1)}
    found = review(run(0, **before, **MERGED), run(1, merged_at=UNTIL, merged_by="ann"))
    assert (1, 1) == (metric(found, "policy violations").of, metric(found, "rollbacks").of)


def test_groups_by_target_mode_and_task_type():
    """Each over its own runs; a day's budget is its target's."""
    runs = [run(0), run(1, target="lib", mode=Mode.DRY_RUN, task_type="test_hardening"), run(2, task_type="")]
    found = review(*runs, days=[DayCost(target="lib", day="2026-03-10", used=2)])
    counts = {(group.by, group.name): group.runs for group in found.groups}
    assert {
        ("all", "all runs"): 3,
        ("target", "demo"): 2,
        ("target", "lib"): 1,
        ("mode", "DRY_RUN"): 1,
        ("mode", "PR_ONLY"): 2,
        ("task type", "documentation_update"): 1,
        ("task type", "test_hardening"): 1,
    } == counts
    over = {
        group.name for group in found.groups for each in group.metrics if each.name == "daily budget use" and each.of
    }
    assert {"all runs", "lib"} == over


def test_weeks_cover_the_window_once():
    """Every run is in exactly one of them, whatever the clocks do."""
    runs = [run(number, ended_at=SINCE + timedelta(hours=7 * number)) for number in range(90)]
    assert [90, 4] == [sum(week.runs for week in review(*runs).weeks), len(review(*runs).weeks)]


def test_11_patterns_say_why():
    """The most frequent first, with the latest words."""
    refused = {"rejection": "CHECKS_NOT_GREEN", "reason": "check tests is red"}
    found = review(run(0, **CLOSED), run(1, **CLOSED), run(2, **MERGED), run(3, **refused))
    assert [
        ("closed by a person", "codespell docs", 2, ("closed by bob: not worth it",)),
        ("accepted", "codespell docs", 1, ()),
        ("rejected", "CHECKS_NOT_GREEN", 1, ("check tests is red",)),
    ] == [(each.kind, each.what, each.count, each.said) for each in found.patterns]


def later(*fates: str, merged_at: datetime = AT, **more: object) -> LaterReview:
    """A merge, and what had become of it after 1, 7 and 30 days."""
    moments = [
        Moment(days=days, at=merged_at + timedelta(days=days), fate=Fate(fate), added=4, standing=3)
        for days, fate in zip(DAYS, fates, strict=False)
    ]
    facts = {"run_id": "demo-1", "target": "demo", "sentence": "Merged, and so on.", "pull_request": 1,
             "ended": "merged by ann", "merged": None, "moments": moments, "looked_at": UNTIL}  # fmt: skip
    return LaterReview.model_validate(facts | more)


def test_11_fates_are_counted_in_the_window_that_their_moment_lies_in():
    """A merge of before counts for its thirtieth day alone, and for no other number; of no merge there is no table."""
    early = SINCE - timedelta(days=20)
    old = {"merged_at": early, "merged_by": "ann", "ended_at": early, "task_type": "test_hardening"}
    found = review(
        run(0, **MERGED, later=later("kept", "reverted", "not yet")),
        run(1, **MERGED, later=later("kept", "unknown", "not yet")),
        run(2, **old, later=later("kept", "kept", "rewritten", merged_at=early)),
    )
    counts = [{fate.value: count for fate, count in row.counts.items() if count} for row in found.fates]
    assert [{"kept": 2}, {"reverted": 1, "unknown": 1}, {"rewritten": 1, "not yet": 2}] == counts
    assert [(8, 6), (4, 3), (4, 3)] == [(row.added, row.standing) for row in found.fates]
    assert ["demo-0: Merged, and so on.", "demo-2: Merged, and so on."] == list(found.undone)
    assert (2, "test_hardening") == (metric(found, "rollbacks").of, old["task_type"])
    assert "test_hardening" not in {group.name for group in found.groups}
    assert () == review(run(0, **MERGED)).fates


def test_11_objectives_measured_on_the_base():
    """Met, missed, and not counted, which is neither."""

    def measured(achieved):
        return Objective(metric="typos", before=3, expected=0, achieved=achieved, commit="c")

    runs = [run(number, **MERGED, later=later(objective=measured(got))) for number, got in enumerate((0, 0, 1, None))]
    found = review(*runs)
    assert (2, 1) == (found.objectives_met, found.objectives_missed)


def test_11_patterns_have_peoples_own_words():
    """With who said them; without any, the follow-up's."""
    said = (Said(author="bob", text="not worth it"), Said(author="cleo", text="nor for me"))
    found = review(run(0, **CLOSED, later=later(said=said)), run(1, **MERGED | {"said": "merged by ann"}))
    words = {pattern.kind: pattern.said for pattern in found.patterns}
    assert ("bob: “not worth it”; cleo: “nor for me”",) == words["closed by a person"]
    assert ("merged by ann",) == words["accepted"]


def test_10_a_merge_that_people_reverted_went_badly():
    """Calibration counts it with what was closed, regressed or rolled back."""
    runs = many(20, bad=5, good=MERGED | {"risk": 0.15}, worse=MERGED | {"risk": 0.15, "later": later("reverted")})
    (found,) = calibration(runs).bins
    assert (5, 20) == (found.bad, found.changes)


def test_11_cost_per_role():
    """In money as in tokens: the mean of the runs whose cost is known."""
    runs = [run(0, usd_by_step={"code": 3.0}), run(1, usd_by_step={"code": 1.0, "plan": 0.5})]
    assert {"code": 2.0, "plan": 0.25} == review(*runs, run(2, unknown_cost=True)).usd_by_step


def test_11_overdue_preventions_and_what_cannot_be_read():
    """Both stand in the first sentence."""
    incident = {"incident": "INC-1", "target": "demo", "trigger": "regression", "opened_at": AT, "closed": True}
    late = IncidentFacts.model_validate(incident | {"due_on": "2026-03-29", "owner": "ann"})
    done = late.model_copy(update={"prevented": True})
    today = late.model_copy(update={"due_on": "2026-03-30"})
    found = review(incidents=(late, done, today), unreadable={"demo-7": "run_report.json cannot be read"})
    assert (late,) == found.overdue
    assert "1 prevention is overdue." in found.sentence
    assert "What could not be read is in no number: 1 record." in found.sentence


@pytest.mark.parametrize(
    ("bad_of_low", "bad_of_high", "verdict"),
    [
        (3, 12, "Calibrated"),
        (12, 12, "Not calibrated: scores of about 0.15"),
        (19, 1, "Not calibrated: changes with a higher score went better"),
    ],
)
def test_10_calibration_of_the_risk_score(bad_of_low, bad_of_high, verdict):
    """The score is read as the chance that a change goes badly."""
    low = many(20, bad=bad_of_low, good=MERGED | {"risk": 0.15}, worse=CLOSED | {"risk": 0.15})
    high = many(20, bad=bad_of_high, good=MERGED | {"risk": 0.6}, worse=CLOSED | {"risk": 0.6})
    assert calibration([*low, *high]).verdict.startswith(verdict)


def test_calibration_of_too_few():
    """One bin is no curve; what nobody answered has no end."""
    runs = many(30, bad=3, good=MERGED | {"risk": 0.15}, worse=CLOSED | {"risk": 0.15})
    assert "Not enough data: 30 changes with a known end." == calibration([*runs, run(risk=0.9)]).verdict


@pytest.mark.parametrize(
    ("bad", "of", "low", "high"), [(0, 0, 0, 1), (0, 10, 0, 0.2775), (5, 10, 0.2366, 0.7634), (10, 10, 0.7225, 1)]
)
def test_wilson(bad, of, low, high):
    """As published tables have it."""
    assert [low, high] == [pytest.approx(each, abs=1e-4) for each in wilson(bad, of)]
