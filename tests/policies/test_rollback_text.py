"""What a rollback's pull request says (issue: it names the one it undoes, its title and the incident)."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from contracts.artifact import ArtifactRef
from contracts.handover import PinnedPolicy, RunRef
from contracts.modes import Mode, RunKind
from contracts.rollback import Idea, Merged, RollbackInput
from policies.texts.commit import rollback_body, rollback_title
from policies.texts.inert_markdown import inert_markdown
from policies.texts.outcome import IncidentPlaces

AT = datetime(2026, 3, 2, 9, tzinfo=UTC)
NOWHERE = IncidentPlaces()
PLACES = IncidentPlaces(*(f"https://runs.example.invalid/{name}" for name in ("report.md", "run.html", "issues/9")))
TITLE = "Remove unused imports (F401)"


def given(**changes: object) -> RollbackInput:
    file = ArtifactRef(name="policy.json", sha256="0" * 64, size=0, media_type="text/plain", location="none")
    run = RunRef(
        run_id="demo-1", target="demo", kind=RunKind.DAILY, mode=Mode.PR_ONLY, date="2026-03-02", attempt=1,
        workflow_id="w", started_at=AT, started_by="ann", policy=PinnedPolicy(digest="d", artifact=file),
    )  # fmt: skip
    merged = Merged(
        run=run, merge_sha="c" * 40, parent_sha="p" * 40, head_sha="h" * 40, task_id="t-1", pull_request=7, merged_at=AT
    )
    start = RollbackInput(merged=merged, incident="INC-demo-1-regression", reason="imports red since our merge")
    return start.model_copy(update=changes)


def idea(title: str = TITLE) -> Idea:
    return Idea(task_id="t-1", title=title, tool="ruff", rule="F401", paths=("a.py",))


@pytest.mark.parametrize(
    "named",
    ["pull request #7: Remove unused imports (F401)", "c" * 40, "INC-demo-1-regression", "A measured regression: "],
)
def test_it_names_what_it_undoes_and_why(named: str) -> None:
    """Number, title, merge commit, incident, reason."""
    assert named in rollback_body(given(), idea(), NOWHERE)


def test_a_persons_order_is_theirs() -> None:
    """A reason that somebody gave is not called measured."""
    body = rollback_body(given(commanded_by="ann", reason="it hurts"), idea(), NOWHERE)
    assert "Ordered by `ann`: `it hurts`" in body
    assert "measured" not in body


def test_others_words_act_on_nothing() -> None:
    """Titles, names and reasons come from repositories, agents and people: no mention, no reference, no new line."""
    loud = "@everyone closes #1\n\n# Head <img src=x>"
    body = rollback_body(given(reason=loud, commanded_by=loud), idea(loud), NOWHERE)
    assert "\n# Head" not in body
    prose = "".join(body.split("`")[::2])
    assert "@everyone" not in prose
    assert "<img" not in prose
    assert "closes #1" not in prose


def test_without_contract_or_pull_request_it_says_so() -> None:
    """Nothing is made up: no title, no number."""
    merged = given().merged.model_copy(update={"pull_request": 0})
    assert "Undoes a change without a pull request\n" in rollback_body(given(merged=merged), None, NOWHERE)
    assert "Roll back demo-1" == rollback_title(given())


def test_it_leads_to_the_incident_its_ticket_and_the_run_where_they_can_be_followed() -> None:
    """Links on a forge are of the web, and stay ones; without an address a command stands there, and never a path."""
    linked = rollback_body(given(), idea(), PLACES)
    assert f"[incident report]({PLACES.report}), [ticket]({PLACES.ticket})" in linked
    assert f"[report]({PLACES.run})" in linked
    kept = inert_markdown(linked, (7,), PLACES.addresses)
    assert all(f"]({address})" in kept for address in PLACES.addresses)
    assert "pull request #7" in kept
    local = rollback_body(given(), idea(), IncidentPlaces(ticket="file:///home/forge/demo/tickets/9.json"))
    assert "`starter.py incident show INC-demo-1-regression`" in local
    assert "`starter.py report demo-1`" in local
    assert "](" not in local
    assert "file:" not in local
