"""Our pages in a real browser, at a desk's and a telephone's width, with scripts switched off and nobody to ask."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts.evidence import CheckStatus
from contracts.governance import DayCost, IncidentFacts, KnownFlake
from contracts.later_review import Objective, Said
from policies.after.later_review import judged
from policies.governance.proposals import propose
from reporting.governance_html import render_review
from reporting.run_report_html import render_html
from settings import SHIPPED_POLICIES
from tests.chromium import WIDTHS, Look, look_at
from tests.policies.test_flakes import seen
from tests.policies.test_governance import AT, CLOSED, MERGED, UNTIL, later, many, review, run
from tests.policies.test_rollback_text import given
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
    more = {"incidents": (incident,), "days": (day,), "unreadable": {FOREIGN: FOREIGN}, "known_flakes": (known,)}
    found = review(*runs, run(99, opened_at=UNTIL), **more)
    found = found.model_copy(update={"overdue": (incident,)})
    text = (SHIPPED_POLICIES / "autopilot.toml").read_text(encoding="utf-8")
    proposed = propose(found, text, ())
    update = {"no_proposal": proposed} if isinstance(proposed, str) else {"proposal": proposed}
    return render_review(found.model_copy(update=update))


def _pages() -> dict[str, str]:
    return {
        "governance": _governance(),
        "run": page_of(REPORT),
        "hostile-run": page_of(hostile_report()),
        "reviewed-run": render_html(REPORT, later=LATER),
    }


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
        assert "What became of merges" in looks["governance", width].text
        assert "Flaky checks" in looks["governance", width].text
        assert "Since then" in looks["reviewed-run", width].text
        assert "Governance review" in looks["governance", width].text
        assert "onerror=x" in looks["governance", width].text


@pytest.mark.browser
async def test_what_would_be_wrong_is_seen(tmp_path: Path) -> None:
    """The looks themselves: on a page with every fault each is found."""
    looks, asked = await look_at({"bad": BAD}, tmp_path / "profile")
    bad: Look = looks["bad", 390]
    assert bad.too_wide > 1000
    assert ("", {"/x": "covered"}) == (bad.first, bad.links)
    assert [each[:4] for each in bad.acting] == ["<img"]
    assert {"/planted"} == set(asked)
