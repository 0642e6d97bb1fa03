"""Our pages in a real browser, at a desk's and a telephone's width, with scripts switched off and nobody to ask."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest

from contracts.evidence import CheckStatus
from contracts.governance import DayCost, IncidentFacts, KnownFlake
from contracts.later_review import Objective, Said
from contracts.source import Grade, SourceBook, SourceState
from contracts.trial import ReplayCheck, SourceTrialReport, TriageReplay, TrialFetch
from policies.after.later_review import judged
from policies.governance.edits import patch
from policies.governance.proposals import propose
from policies.settings.sources import SourcePolicy
from policies.source.trials import differences, gates, metrics, shape_changes
from reporting.governance_html import render_review
from reporting.run_report_html import render_html
from reporting.source_html import render_source
from reporting.source_trial_html import render_trial
from settings import SHIPPED_POLICIES
from tests.chromium import WIDTHS, Look, look_at
from tests.policies.test_flakes import seen
from tests.policies.test_governance import AT, CLOSED, MERGED, UNTIL, later, lowered, many, review, run, trial
from tests.policies.test_rollback_text import given
from tests.policies.test_source_trials import ENTRY, GOOD, NOW, fetch, known, records
from tests.policies.test_source_trials import trial as begun
from tests.reporting.test_run_report import HOSTILE, REPORT, hostile_report, page_of

# A word without a break, and every way to make a page act that foreign text could try.
FOREIGN = f"{'unbreakable' * 20} {HOSTILE} <img src=/planted onerror=x> <a href='javascript:x'>y</a> <base href=/z>"


LATER = judged(
    later(
        *("kept", "rewritten", "not yet"),
        merged=given().merged.model_copy(update={"merged_at": AT, "by": FOREIGN}),
        objective=Objective(metric=FOREIGN[:90], before=3, expected=0, achieved=1, commit="c" * 40),
        said=(Said(author=FOREIGN, text=FOREIGN),),
    ),
    None,
)


def _governance() -> str:
    closed = CLOSED | {"said": FOREIGN, "idea": FOREIGN[:90]}
    runs = [
        each.model_copy(
            update={"risk": number / 60, "opened_at": AT, "target": f"target-{number % 5}", "later": LATER}
            | {"checks": (seen(CheckStatus.FLAKY, number, check=FOREIGN[:40]),)}
        )
        for number, each in enumerate(many(60, bad=40, good=MERGED, worse=closed))
    ]
    incident = IncidentFacts(
        incident="INC-demo-1-regression", target="demo", trigger="regression", opened_at=AT, closed=False,
        owner=FOREIGN[:60], due_on="2026-03-01",
    )  # fmt: skip
    day = DayCost(target="demo", day="2026-03-05", used=0.4)
    known = KnownFlake(target="demo", check=FOREIGN[:40], owner=FOREIGN[:60], until=AT.date())
    sources = {"trials": [trial(0, reason=FOREIGN)], "lowered": [lowered(by=FOREIGN[:60], reason=FOREIGN)]}
    more = sources | {
        "incidents": (incident,),
        "days": (day,),
        "unreadable": {FOREIGN: FOREIGN},
        "known_flakes": (known,),
    }
    found = review(*runs, run(99, opened_at=UNTIL), **more)
    found = found.model_copy(update={"overdue": (incident,)})
    text = (SHIPPED_POLICIES / "autopilot.toml").read_text(encoding="utf-8")
    proposed = propose(found, text, ())
    update = {"no_proposal": proposed} if isinstance(proposed, str) else {"proposal": proposed}
    return render_review(found.model_copy(update=update))


def _trial(*fetches: TrialFetch, **more: object) -> str:
    """Against a baseline that says something else of most records."""
    ours = records(*({"id": f"{FOREIGN[:80]} {each}", "day": FOREIGN} for each in range(60)))
    theirs = records(*({"id": f"{FOREIGN[:80]} {each}", "day": each} for each in range(30)))
    found = differences(ours, theirs, ())
    made, replay = begun(**more), ReplayCheck(answers=2 * len(fetches))
    verdict = gates(made, SourcePolicy.model_validate(ENTRY | more), fetches, replay, known(), SourceBook())
    report = SourceTrialReport(
        run_id="days-2026-11-27-source-1", target="days", trial=made, ended_at=NOW, metrics=metrics(fetches),
        fetches=fetches, shape_changes=shape_changes(fetches), replay=replay, differences=found,
        triage=TriageReplay(sentence=FOREIGN, changes=1), verdict=verdict,
        proposal_id="feast-2026-11-27-1-days" if verdict.allowed else "",
    )  # fmt: skip
    return render_trial(report)


def _bad_trial() -> str:
    told = (f"its newest record is 4,139 days old; at most 3 days; {FOREIGN}",)
    fetches = [fetch(each, Grade.BREACH, {FOREIGN: "text"}, freshness_hours=each, coverage=0.4) for each in (1, 2, 3)]
    readings = [each.reading.model_copy(update={"reasons": told}) for each in fetches]
    said = [each.model_copy(update={"reading": reading}) for each, reading in zip(fetches, readings, strict=True)]
    return _trial(
        *said, fetch(4, shape={"id": "text"}), compliance_reference=FOREIGN.encode(errors="replace").decode()[:400]
    )


def _source(*, lowered: bool) -> str:
    """A long life, foreign words at every place; and one that nobody has asked."""
    entry = SourcePolicy.model_validate(
        ENTRY | {"fallback": "kept", "provenance": FOREIGN.encode(errors="replace").decode()[:400]}
    )
    if not lowered:
        return render_source("days", entry, SourceState.CANDIDATE, "", (), ())
    told = []
    for number in range(120):
        quality = {"freshness_hours": 900.0 * number, "coverage": number / 120, "conflict_rate": None}
        reading = fetch(1, Grade.BREACH, {FOREIGN: "text"}, **quality).reading
        fetched = reading.fetched.model_copy(update={"at": NOW - timedelta(hours=number)})
        told.append((f"run {FOREIGN[:60]}", reading.model_copy(update={"fetched": fetched, "reasons": (FOREIGN,)})))
    return render_source("days", entry, SourceState.DEGRADED, FOREIGN, told, (FOREIGN,), (FOREIGN,))


def _pages() -> dict[str, str]:
    return {
        "source": _source(lowered=True),
        "new-source": _source(lowered=False),
        "good-trial": _trial(*GOOD),
        "bad-trial": _bad_trial(),
        "governance": _governance(),
        "run": page_of(REPORT),
        "hostile-run": page_of(hostile_report()),
        "reviewed-run": render_html(REPORT, later=LATER),
    }


def test_what_is_proposed_is_on_the_page_with_its_patch() -> None:
    """Why, by which numbers, what it changes, and the two ways to take it."""
    text = (SHIPPED_POLICIES / "autopilot.toml").read_text(encoding="utf-8")
    found = review(*many(40, bad=20, good=MERGED, worse=MERGED | {"regressed": True}))
    proposed = propose(found, text, ())
    assert not isinstance(proposed, str)
    page = render_review(found.model_copy(update={"proposal": proposed, "patch": patch(text, proposed)}))
    for said in (
        "auto_merge.lines: 80 → 60",
        "Merges break the base too often: merge smaller changes alone.",
        "Post-merge regressions: 50 % (20 of 40); wanted is below 5 %.",
        f"starter.py policy apply {proposed.proposal_id}",
        "-lines = 80\n+lines = 60\n",
    ):
        assert said in page


def test_a_charts_legend_is_within_its_picture_and_its_labels_do_not_touch() -> None:
    """Which line is which; of twelve weeks every other one is named, the last among them."""
    page = _governance()
    legends = re.findall(r'<g transform="translate\([\d.]+, ([\d.]+)\)" class="legends"', page)
    assert 2 == len(legends)
    assert all(float(lowest) + 18 <= 320 for lowest in legends)
    begins = UNTIL - timedelta(weeks=12)
    quarter = review(*many(30, bad=0, good=MERGED, worse=MERGED), since=begins, first=begins)
    bars = render_review(quarter).partition("by week")[2].partition("Accepted")[0]
    named = re.findall(r">(\d\d-\d\d)</text>", bars)
    assert [week.name[5:] for week in quarter.weeks[1::2]] == named


def test_big_numbers_are_readable() -> None:
    """And not 1.5e+07."""
    page = render_review(review(*many(30, bad=0, good={"tokens": 509_906}, worse={})))
    assert "tokens of all runs / runs: 15,297,180 / 30" in page


BAD = """<!doctype html><p>Not the sentence.</p><h1>Late</h1><div style="width:2000px">wide</div>
<img src="/planted"><a href="/x" style="position:absolute">x</a><div style="position:fixed;inset:0">over all</div>"""


@pytest.mark.browser
async def test_pages_are_read_at_any_width_and_ask_nobody(tmp_path: Path) -> None:
    """No sideways scroll, the sentence first, every link within reach, foreign text inert, no request."""
    pages = _pages()
    looks, asked = await look_at(pages, tmp_path / "profile")
    assert [] == asked
    assert {each: look for each, look in looks.items() if look.too_wide or not look.first} == {}
    assert {each: look.acting for each, look in looks.items() if look.acting} == {}
    assert {each: look.links for each, look in looks.items() if "covered" in look.links.values()} == {}
    for width in WIDTHS:
        assert "feast is DEGRADED" in looks["source", width].text
        assert "And 70 earlier answers" in looks["source", width].text
        assert "What became of merges" in looks["governance", width].text
        assert "Flaky checks" in looks["governance", width].text
        assert "Since then" in looks["reviewed-run", width].text
        assert "Governance review" in looks["governance", width].text
        assert "onerror=x" in looks["governance", width].text
        assert "feast passed its trial" == looks["good-trial", width].first
        assert "feast did not pass its trial" == looks["bad-trial", width].first
        assert "fetches 1 to 3: its newest record is 4,139 days old" in looks["bad-trial", width].text


@pytest.mark.browser
async def test_what_would_be_wrong_is_seen(tmp_path: Path) -> None:
    """The looks themselves: on a page with every fault each is found."""
    looks, asked = await look_at({"bad": BAD}, tmp_path / "profile")
    bad: Look = looks["bad", 390]
    assert bad.too_wide > 1000
    assert ("", {"/x": "covered"}) == (bad.first, bad.links)
    assert [each[:4] for each in bad.acting] == ["<img"]
    assert {"/planted"} == set(asked)
