"""What became of a run's change (runbook §10): fates, people's words, the risk score against it, what it speaks for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from contracts.forge_facts import PullComment
from contracts.later_review import Fate, LaterReview, Moment, Objective, Said
from contracts.modes import RiskLevel
from contracts.release import RiskScore
from policies.after.later_review import fate, judged, objective_met, told_objective, words
from tests.policies.test_rollback_text import given

AT = datetime(2026, 3, 20, 6, tzinfo=UTC)
"""The clocks of Europe change nine days later: days are of 24 hours, whatever they do."""
MERGED = given().merged.model_copy(update={"merged_at": AT, "by": "ann"})


def moment(days: int, fate: Fate = Fate.KEPT, **more: object) -> Moment:
    return Moment(days=days, at=AT + timedelta(days=days), fate=fate, **more)


def review(*moments: Moment, **more: object) -> LaterReview:
    facts = {
        "run_id": "demo-1", "target": "demo", "sentence": "", "pull_request": 3, "ended": "merged by ann; healthy",
        "merged": MERGED, "moments": moments, "looked_at": AT,
    }  # fmt: skip
    return LaterReview.model_validate(facts | more)


def scored(level: RiskLevel) -> RiskScore:
    parts = ("files_touched", "sensitive_paths", "runtime_impact", "test_coverage", "past_failures")
    return RiskScore(**dict.fromkeys(parts, 0.1), total=0.1, level=level)


@pytest.mark.parametrize(
    ("added", "standing", "undone", "became"),
    [
        (3, 3, "", Fate.KEPT),
        (0, 0, "", Fate.KEPT),
        (3, 2, "", Fate.REWRITTEN),
        (3, 0, "", Fate.REWRITTEN),
        (3, 1, "a", Fate.REWRITTEN),
        (3, 3, "a", Fate.REWRITTEN),
        (3, 0, "ab", Fate.REVERTED),
        (0, 0, "ab", Fate.REVERTED),
    ],
)
def test_10_fate_of_a_merge(added: int, standing: int, undone: str, became: Fate) -> None:
    """Of a change of two files; what removes lines only is kept until they are back."""
    assert became is fate(added, standing, frozenset(undone), frozenset("ab"))


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        (
            review(moment(1), moment(7, Fate.REWRITTEN, added=3, standing=2), moment(30, Fate.NOT_YET)),
            (
                "Merged by ann on 2026-03-20: kept after 1 day; rewritten after 7 days, 2 of 3 lines stood; "
                "30 days are not over yet."
            ),
        ),
        (
            review(moment(1, Fate.REVERTED, by="bob"), moment(7, Fate.NOT_YET), moment(30, Fate.NOT_YET)),
            "Merged by ann on 2026-03-20: reverted by bob after 1 day; 7 days are not over yet.",
        ),
        (
            review(moment(1, Fate.UNKNOWN, note="the remote is gone"), merged=MERGED.model_copy(update={"by": ""})),
            "Merged by itself on 2026-03-20: not known after 1 day: the remote is gone.",
        ),
        (review(rolled_back=True), "Merged by ann on 2026-03-20, and rolled back."),
        (
            review(merged=None, ended="closed by bob", said=(Said(author="bob", text="not worth it"),)),
            "Closed by bob, “not worth it”.",
        ),
        (
            review(merged=None, ended="merged by ann"),
            "Merged by ann; which commit brought it cannot be told, so nor can what became of it.",
        ),
    ],
)
def test_10_what_became_of_it_in_one_sentence(found: LaterReview, sentence: str) -> None:
    """What is not over is not yet, and what could not be found out is not known."""
    assert sentence == judged(found, None).sentence


@pytest.mark.parametrize(
    ("found", "level", "said"),
    [
        (review(moment(1)), RiskLevel.LOW, "borne out so far: scored LOW (0.10), and kept after 1 day"),
        (review(moment(1)), RiskLevel.HIGH, "not borne out so far: scored HIGH (0.10), and kept after 1 day"),
        (review(moment(1, Fate.UNKNOWN), moment(7, Fate.NOT_YET)), RiskLevel.LOW, "not known yet: scored LOW (0.10)"),
        (
            review(moment(1), moment(7, Fate.REVERTED, by="bob")),
            RiskLevel.LOW,
            "underestimated: scored LOW (0.10), and reverted by bob within 7 days",
        ),
        (review(rolled_back=True), RiskLevel.HIGH, "borne out: scored HIGH (0.10), and rolled back"),
        (
            review(ended="merged by ann; regression, not rolled back by itself"),
            RiskLevel.LOW,
            "underestimated: scored LOW (0.10), and it broke the base",
        ),
        (review(merged=None, ended="closed by us"), RiskLevel.LOW, "not known yet: scored LOW (0.10)"),
    ],
)
def test_10_risk_score_against_what_happened(found: LaterReview, level: RiskLevel, said: str) -> None:
    """A change that we withdrew ourselves says nothing of its risk."""
    assert (said, 0.1) == (judged(found, scored(level)).risk_against_outcome, judged(found, scored(level)).risk)
    assert "no risk was scored" == judged(found, None).risk_against_outcome


@pytest.mark.parametrize(
    ("found", "threshold"),
    [
        (review(moment(1)), ""),
        (review(rolled_back=True), "auto_merge.lines"),
        (review(ended="regression"), "auto_merge.lines"),
        (review(moment(1, Fate.REVERTED)), "candidates.minimum_confidence"),
        (review(merged=None, ended="closed by bob"), "candidates.minimum_confidence"),
    ],
)
def test_10_policy_updates_are_the_levers_of_the_weekly_review(found: LaterReview, threshold: str) -> None:
    """Each with what happened; one case is no reason to move one, and says so."""
    suggested = judged(found, None).suggested
    assert [threshold] * bool(threshold) == [each.partition(":")[0] for each in suggested]
    assert all("one case of" in each for each in suggested)


@pytest.mark.parametrize(
    ("before", "expected", "achieved", "met", "told"),
    [
        (3, 0, 0, True, "typos: 3 → 0 on the base after the merge, as expected"),
        (3, 1, 0, True, "typos: 3 → 0 on the base after the merge, better than the expected 1"),
        (3, 0, 1, False, "typos: 3 → 1 on the base after the merge, short of the expected 0"),
        (3, 5, 4, False, "typos: 3 → 4 on the base after the merge, short of the expected 5"),
        (3, 0, None, None, "typos: not counted on the base after the merge: no sandbox"),
    ],
)
def test_10_objective_achieved_against_expected(
    before: int, expected: int, achieved: int | None, met: bool | None, told: str
) -> None:
    """As the contract's own measure counts it; what could not be counted is neither met nor missed."""
    objective = Objective(
        metric="typos", before=before, expected=expected, achieved=achieved, commit="c", note="no sandbox"
    )
    assert (met, told) == (objective_met(objective), told_objective(objective))
    missed = [each for each in judged(review(objective=objective), None).suggested if "drop the rule" in each]
    assert (met is False) == bool(missed)


def test_10_peoples_words_are_theirs_and_bounded() -> None:
    """Not ours, by key or account; no machine's; of each the beginning, in one line; the latest ten."""
    comments = [
        PullComment(author="ann", body="Please\n\nno more   of these " + "x" * 600),
        PullComment(author="Autonomy", body="ours by account"),
        PullComment(author="ann", body="ours by key", run_key="demo-1/comment-3-merged"),
        PullComment(author="cov[bot]", body="87 %"),
        PullComment(author="bob", body="  \n "),
    ]
    (said,) = words(comments, "autonomy")
    assert ("ann", "Please no more of these") == (said.author, said.text[:23])
    assert 500 >= len(said.text)
    many = [PullComment(author="ann", body=str(number)) for number in range(12)]
    assert [str(number) for number in range(2, 12)] == [each.text for each in words(many, "")]
