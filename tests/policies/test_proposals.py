"""Proposals of the governance review: one bounded step, outside the noise, never back (runbook §11)."""

import subprocess
from datetime import timedelta
from pathlib import Path

import pytest

from contracts.release import WhatIf
from policies.governance.baselines import ENOUGH_MERGES
from policies.governance.proposals import REST, Step, edited, patch, proposal, propose
from tests.policies.test_governance import AT, CLOSED, MERGED, SINCE, many, review, run

TEXT = (Path(__file__).parents[2] / "policies" / "autopilot.toml").read_text()
CLOSING = many(40, bad=30, good=MERGED, worse=CLOSED)
BREAKING = many(40, bad=20, good=MERGED, worse=MERGED | {"regressed": True})
FLOOD = [run(number, opened_at=AT) for number in range(80)]
FEW = [*many(20, bad=1, good=MERGED, worse=CLOSED), run(99, opened_at=AT)]


def proposed(*runs, text=TEXT, earlier=(), **more):
    """What a review of these runs proposes: key and new value, or why nothing."""
    step = propose(review(*runs, **more), text, earlier)
    return step if isinstance(step, str) else (step.key, step.after)


@pytest.mark.parametrize(
    ("runs", "expected"),
    [
        (BREAKING, ("auto_merge.lines", 60)),
        (many(40, bad=20, good=MERGED, worse=MERGED | {"rolled_back": True}), ("auto_merge.lines", 60)),
        (CLOSING, ("candidates.minimum_confidence", 0.65)),
        (FLOOD, ("caps.open_pull_requests", 4)),
        (FEW, ("candidates.minimum_confidence", 0.55)),
        # Fewer pull requests than wanted, which people do not accept: less sure ideas would be no cure.
        ([*many(20, bad=8, good=MERGED, worse=CLOSED), run(99, opened_at=AT)], "no metric misses"),
        # Missed, but the interval holds the target.
        (many(ENOUGH_MERGES, bad=1, good=MERGED, worse=MERGED | {"regressed": True}), "no metric misses"),
        ([*FEW, run(98, violation=True)], "no metric misses"),
        ([run(number, opened_at=AT) for number in range(45)], "no metric misses"),
        ([], "no metric misses"),
    ],
)
def test_what_the_numbers_speak_for(runs, expected):
    """Safety's first; of what noise explains, nothing."""
    found = proposed(*runs)
    assert expected == found or expected in found


def test_safety_comes_first():
    """People close most, and what they merge breaks the base."""
    assert "auto_merge.lines" == proposed(*BREAKING, *CLOSING)[0]


def test_a_part_concludes_nothing():
    """What cannot be read may be what matters."""
    assert proposed(*CLOSING, unreadable={"target/demo": "damaged"}).startswith("not everything could be read")


def test_no_step_goes_beyond_its_bounds():
    """Nobody is locked out, and no gate is opened."""
    text = TEXT.replace("minimum_confidence = 0.6", "minimum_confidence = 0.9")
    assert proposed(*CLOSING, text=text).endswith("as far as it goes")
    assert proposed(*FLOOD, text=TEXT.replace("open_pull_requests = 5", "open_pull_requests = 1")).endswith("it goes")
    assert "is not in autopilot.toml" in proposed(*FLOOD, text="[caps]\n")


def reviewed(step: Step, days: int):
    """A review that proposed it, so many days ago."""
    nothing = WhatIf(decisions=0, others=())
    report = review(since=SINCE - timedelta(days=days), until=SINCE + timedelta(days=28 - days))
    return report.model_copy(update={"proposal": proposal(step, TEXT, nothing)})


def test_what_nobody_took_is_proposed_again_and_nothing_else():
    """Also when the numbers speak for something else by now."""
    open_still = reviewed(Step("caps", "open_pull_requests", 5, 4, "too many"), 7)
    assert ("caps.open_pull_requests", 4) == proposed(*BREAKING, earlier=[open_still])


def test_a_step_that_was_taken_is_looked_at_first():
    """Four weeks, in which the same threshold stays."""
    taken = Step("candidates", "minimum_confidence", 0.55, 0.6, "too many closed")
    assert "first" in proposed(*CLOSING, earlier=[reviewed(taken, REST.days - 7)])
    assert ("candidates.minimum_confidence", 0.65) == proposed(*CLOSING, earlier=[reviewed(taken, REST.days)])


def test_nothing_goes_back_and_forth():
    """A person moves it back, or nobody does, however long ago it was."""
    taken = Step("candidates", "minimum_confidence", 0.65, 0.6, "few")
    assert "the other way" in proposed(*CLOSING, earlier=[reviewed(taken, 300)])


def test_the_patch_keeps_every_comment_and_applies(tmp_path):
    """One line differs; ``git apply`` takes it."""
    step = propose(review(*CLOSING), TEXT, ())
    changed = [line for line in patch(TEXT, step).splitlines() if line[0] in "+-" and line[:3] not in {"+++", "---"}]
    assert ["-minimum_confidence = 0.6", "+minimum_confidence = 0.65"] == changed
    (tmp_path / "autopilot.toml").write_text(TEXT)
    subprocess.run(["git", "apply", "-"], cwd=tmp_path, input=patch(TEXT, step), text=True, check=True)
    assert edited(TEXT, step) == (tmp_path / "autopilot.toml").read_text()


def test_whole_numbers_stay_whole():
    """``lines = 60``, not ``60.0``: the file's own check would refuse it."""
    assert "+lines = 60\n" in patch(TEXT, propose(review(*BREAKING), TEXT, ())).replace("60  ", "60\n")
