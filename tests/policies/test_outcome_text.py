"""What stands at the head of a text once it is known; foreign words in it act on nothing."""

from __future__ import annotations

import pytest

from contracts.incident import NamedPull, PostIncidentReport, Trigger
from contracts.rollback import RollbackOutcome, RollbackTag
from policies.texts.inert_markdown import inert_markdown
from policies.texts.outcome import (
    IncidentPlaces,
    closed_head,
    closed_in_short,
    incident_head,
    merged_head,
    restored_head,
    rolled_back_head,
)
from policies.texts.pull_request import already_on_base
from tests.policies.test_rollback_text import AT, NOWHERE, given

LOUD, REVERT = "@everyone closes #1\n\n# Head <img src=x>", "d" * 40
MERGED, PAGE = given().merged, "https://runs.example.invalid/demo-1/run_report.html"
PLACES = IncidentPlaces(report=PAGE, run=PAGE)


def incident(**changes: object) -> PostIncidentReport:
    report = PostIncidentReport(
        incident="INC-demo-1", opened_at=AT, target="demo", run_id="demo-1", trigger=Trigger.REGRESSION,
        trigger_reason=LOUD,
    )  # fmt: skip
    return report.model_copy(update=changes)


TAG = RollbackTag(outcome=RollbackOutcome.RESTORED, reason=LOUD, seconds=12.3, impact="", revert_sha="c" * 40)


@pytest.mark.parametrize(
    ("head", "said"),
    [
        (merged_head(MERGED), "**Outcome: merged by itself**, as " + "c" * 40),
        (merged_head(MERGED.model_copy(update={"by": LOUD})), "**Outcome: merged by `@everyone closes #1"),
        (merged_head(MERGED), "`starter.py rollback demo-1 --reason …`"),
        (closed_head(LOUD), "`**; nothing of it was merged."),
        (closed_head("", closed_in_short("text\n" + already_on_base("main", "b"))), "us**: `main` holds this change"),
        (rolled_back_head(given(reason=LOUD), REVERT, 9), REVERT + ", the merge of pull request #9, for `INC-demo-1"),
        (rolled_back_head(given(reason=LOUD), REVERT, 0), REVERT + " for `INC-demo-1"),
        (
            restored_head(REVERT, 7, "INC-1", PLACES),
            f"; it undid pull request #7 for `INC-1`, [incident report]({PAGE})",
        ),
        (incident_head(incident(), NOWHERE), "**Open**\n\n- Outcome: nothing was rolled back\n- Cause: not stated"),
        (incident_head(incident(rollback=TAG, root_cause=LOUD), NOWHERE), "- Outcome: rolled back by cccc"),
        (incident_head(incident(owner=LOUD, due_on="2026-04-01"), NOWHERE), "`, prevention due on `2026-04-01`"),
        (incident_head(incident(closed_by="bob", closed_because="x"), NOWHERE), "**Closed by `bob`**: `x`"),
        (incident_head(incident(), NOWHERE), "- Read on: `starter.py incident show INC-demo-1`; run `demo-1`: `st"),
        (incident_head(incident(), PLACES), f"[incident report]({PAGE}); run `demo-1`: [report]({PAGE})"),
        (
            incident_head(incident(pull_request=NamedPull(number=7, url=PAGE)), NOWHERE),
            "- Pull requests: pull request #7 (the change)\n- Read on",
        ),
        (
            incident_head(incident(rollback_pull_request=NamedPull(number=9, url="")), NOWHERE),
            "- Pull requests: pull request #9 (its rollback)\n",
        ),
    ],
)  # fmt: skip
def test_it_says_so_and_acts_on_nothing(head: str, said: str) -> None:
    """Numbers of ours alone are links."""
    assert said in head
    assert head == inert_markdown(head, (7, 9), (PAGE,))


def test_a_rollbacks_own_pull_request_names_no_command_that_undoes_it() -> None:
    """There is none."""
    own = MERGED.model_copy(update={"run": MERGED.run.model_copy(update={"run_id": "RB-demo-1"}), "by": "ann"})
    assert merged_head(own) == "**Outcome: merged by `ann`**, as " + "c" * 40 + "."
