"""Proposals in the store: written once, withdrawn by a later record, never a part of them for all."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from temporalio.testing import ActivityEnvironment

from activities.governance.kept_proposals import KeptProposals
from activities.governance.past_decisions import NotKept
from activities.governance.reviewing import GovernanceReviewing
from activities.run.open_pulls import overtaken
from activities.step_session import written
from adapters.store.chained_log import ChainedLog
from adapters.store.local_store import LocalStore
from contracts.governance import ReviewInput
from contracts.proposal import PROPOSALS, PolicyEdit, PolicyProposal
from contracts.pull_request import PullRequest
from contracts.task import Finding
from policies.governance.proposals import propose
from settings import SHIPPED_POLICIES
from tests.policies.test_governance import review
from tests.policies.test_planning import CONTRACT
from tests.policies.test_proposals import BREAKING, threshold

AT = datetime(2026, 11, 9, tzinfo=UTC)


@pytest.fixture(name="kept")
def _kept(tmp_path) -> KeptProposals:
    return KeptProposals(LocalStore(tmp_path))


def step(proposal_id, key="open_pull_requests", before=5, after=4, **more):
    """A step that may be proposed."""
    return threshold("caps", key, before, after, proposal_id=proposal_id, **more)


def test_what_is_kept_stays_as_it_was(kept):
    """Under one id one proposal, whoever comes later with another."""
    first = kept.keep(step("2026-W45-caps"))
    assert first == kept.keep(step("2026-W45-caps", before=4, after=3))
    assert (first,) == kept.open()


def test_a_withdrawn_one_is_proposed_no_more(kept):
    """The first reason stays; the others stay open, oldest first."""
    kept.keep(step("b").model_copy(update={"made_at": AT}))
    other = threshold("auto_merge", "lines", 80, 60, proposal_id="a")
    kept.keep(other.model_copy(update={"made_at": AT + timedelta(days=7)}))
    assert ["b", "a"] == [each.proposal_id for each in kept.open()]
    kept.withdraw("b", "the trial is void", "Ada", AT)
    kept.withdraw("b", "another", "Ben", AT)
    assert ["a"] == [each.proposal_id for each in kept.open()]
    assert kept.find("b")
    assert b"void" in kept.store.get(kept.store.find(PROPOSALS, "b.withdrawn.json"))


def source(kind, after, day, before=None, trial=""):
    """A proposal about one source, of a day."""
    edits = [("state", before, after), ("trial", "", trial)] if trial else [("state", before, after)]
    return PolicyProposal(
        proposal_id=f"{kind}-{day}", kind=f"source_{kind}", file="sources.toml", because="it is so",
        edits=tuple(PolicyEdit(table="", entry="gauges", key=k, before=b, after=a) for k, b, a in edits),
        made_at=AT + timedelta(days=day),
    )  # fmt: skip


def test_an_older_proposal_does_not_come_back(kept):
    """Demoted, tried, promoted: what the first proposal found stands there again, and is not to be taken back."""
    kept.keep(source("demotion", "DEGRADED", 0, before="PRODUCTION"))
    kept.keep(source("promotion", "PRODUCTION", 9, before="DEGRADED", trial="gauges-2026-11-18-1"))
    assert ["promotion-9"] == [each.proposal_id for each in kept.open()]
    # Nor does the promotion, by a trial of before, once it is lowered again; a person's no to that is another matter.
    kept.keep(source("demotion", "DEGRADED", 20, before="PRODUCTION"))
    assert ["demotion-20"] == [each.proposal_id for each in kept.open()]
    kept.withdraw("demotion-20", "it was a holiday", "Ada", AT)
    assert ["promotion-9"] == [each.proposal_id for each in kept.open()]


def test_what_is_over_goes_after_a_time(kept):
    """Replaced or withdrawn, for longer than runs are kept; what is open, and a person's no, stay."""
    kept.keep(step("no").model_copy(update={"made_at": AT}))
    kept.withdraw("no", "nobody is swamped", "Ada", AT)
    kept.keep(threshold("auto_merge", "lines", 80, 60, proposal_id="open").model_copy(update={"made_at": AT}))
    for day in (0, 1, 80, 91, 170):
        kept.keep(source("demotion", "DEGRADED", day, before="PRODUCTION"))
    left = {"no.withdrawn.json", "open.json", "demotion-80.json", "demotion-91.json", "demotion-170.json"}
    assert left == set(kept.store.names(PROPOSALS))
    assert ["open", "demotion-170"] == [each.proposal_id for each in kept.open()]
    kept.keep(source("demotion", "DEGRADED", 402, before="PRODUCTION"))
    assert {"open.json", "demotion-402.json"} == set(kept.store.names(PROPOSALS))


def test_what_nobody_may_propose_is_not_kept(kept):
    """Whoever made it: a mistake of ours, found before a person sees it."""
    with pytest.raises(ValueError, match=r"caps.usd_per_day: 5 to 4 is no step"):
        kept.keep(step("loose", "usd_per_day"))
    assert not kept.open()


def test_a_damaged_one_is_no_absent_one(kept):
    """P13: what is left of them is not taken for all."""
    kept.keep(step("a"))
    kept.store.put(PROPOSALS, "b.json", b"{")
    with pytest.raises(NotKept):
        kept.open()


def test_a_review_keeps_what_it_proposes(kept, tmp_path):
    """A worker's, and once: the same week's review again proposes the same one."""
    found = review(*BREAKING)
    proposed = propose(found, (SHIPPED_POLICIES / "autopilot.toml").read_text(), ())
    reviewing = GovernanceReviewing(kept.store, ChainedLog(tmp_path), None, None, lambda _found: "<html>")
    object.__setattr__(reviewing, "report", lambda *_: found.model_copy(update={"proposal": proposed}))
    asked = ReviewInput(since=found.since, until=found.until)
    for _ in range(2):
        ActivityEnvironment().run(reviewing.review, asked)
    assert (proposed,) == kept.open()


def test_the_pull_request_of_what_is_proposed_no_more_is_found(kept):
    """Withdrawn, replaced or refused by now; of a run that has ended, and of a proposal: nothing else is closed."""
    for name, tool in (
        ("good", "policy"),
        ("gone", "policy"),
        ("late", "policy"),
        ("other", "ruff"),
        ("open", "policy"),
    ):
        contract = CONTRACT.model_copy(update={"tool": tool, "rule": name})
        kept.store.put(name, "task_contract.json", written(contract))
        if name != "open":
            kept.store.put(name, "run_report.json", b"{}")
    kept.keep(step("good"))
    kept.keep(threshold("auto_merge", "lines", 80, 60, proposal_id="late"))
    kept.keep(threshold("candidates", "minimum_confidence", 0.6, 0.65, proposal_id="gone"))
    kept.withdraw("gone", "not now", "Ada", AT)
    about = {"tool": "policy", "path": "autopilot.toml", "line": 1}
    refused = Finding(**about, fingerprint="f", rule="late", message="late: is 60 by now", fixable=False)
    well = Finding(**about, fingerprint="g", rule="good", message="-", fixable=True)
    pulls = [
        PullRequest(
            number=number, branch="b", base_branch="main", head_sha="h", title="t", body="", state="open", url="",
            run_key=f"{run}/open_pull_request" if run else "",
        )
        for number, run in enumerate(("good", "gone", "late", "other", "open", ""))
    ]  # fmt: skip
    session = SimpleNamespace(bench=SimpleNamespace(store=kept.store))
    assert {1: "gone is proposed no more: see starter.py policy proposals", 2: "late: is 60 by now"} == overtaken(
        session, pulls, (refused, well)
    )
