"""Rollbacks in Control's books (runbook §6.3, §8): caps, once, refusals, the review; without a server."""

from __future__ import annotations

from datetime import timedelta

import pytest

from contracts.artifact import ArtifactRef
from contracts.clearance import WriteAnswerKind, WriteRequest
from contracts.control import Answer
from contracts.handover import PinnedPolicy, RunRef
from contracts.incident import IncidentNews
from contracts.modes import Mode, RunKind, RunStatus, TargetStatus, WriteAction, WriteClass
from contracts.rollback import (
    Idea,
    Merged,
    Regression,
    RollbackCaps,
    RollbackOutcome,
    RollbackRequest,
    RollbackResult,
    RollbackStage,
)
from contracts.verdict import Decision
from tests.workflows.books import BIRTH, DAY, FIRST, Books, running
from workflows.control import clearances, incident_records, rollback_records

INCIDENT = f"INC-{FIRST}-regression"
IDEA = Idea(task_id="t-1", title="t", tool="ruff", rule="F401", paths=("a.py",))


def merge_of(run_id: str = FIRST, hours_ago: float = 0) -> Merged:
    """A merge of a run."""
    file = ArtifactRef(name="policy.json", sha256="0" * 64, size=0, media_type="text/plain", location="none")
    run = RunRef(
        run_id=run_id, target="demo", kind=RunKind.DAILY, mode=Mode.PR_ONLY, date=DAY, attempt=1, workflow_id="w",
        started_at=BIRTH, started_by="ann", policy=PinnedPolicy(digest="d", artifact=file),
    )  # fmt: skip
    return Merged(
        run=run, merge_sha="m" * 40, parent_sha="p" * 40, head_sha="h" * 40, task_id="t-1", pull_request=1,
        merged_at=BIRTH - timedelta(hours=hours_ago),
    )  # fmt: skip


def regressed(books: Books, run_id: str = FIRST, hours_ago: float = 0) -> Answer:
    """``FollowUp`` reports a confirmed regression."""
    said = Regression(merged=merge_of(run_id, hours_ago), reason="tests red since our merge", failing=("tests",))
    return rollback_records.regression(books.state, said, books.now)


def ordered(books: Books, run_id: str = FIRST) -> Answer:
    """A person orders a rollback."""
    asked = RollbackRequest(run_id=run_id, reason="it hurts", actor="ann")
    return rollback_records.roll_back(books.state, asked, books.now)


def ended(books: Books, outcome: RollbackOutcome = RollbackOutcome.RESTORED, run_id: str = FIRST) -> Answer:
    """``Rollback`` says how it ended."""
    incident = books.state.merges[run_id].incident
    said = RollbackResult(
        run_id=run_id, incident=incident, outcome=outcome, reason="so", seconds=7, impact="7 s", idea=IDEA
    )
    return rollback_records.rolled_back(books.state, said, books.now)


def repair(books: Books, run_id: str = f"RB-{FIRST}", incident: str = INCIDENT) -> WriteAnswerKind:
    """The rollback asks whether it may write."""
    asked = WriteRequest(
        run_id=run_id, key=f"{run_id}/revert", attempt="a1", action=WriteAction.REVERT, write_class=WriteClass.REPAIR,
        branch="main", head_sha="r" * 40, base_sha="m" * 40, policy_digest="old", seconds=60, incident=incident,
    )  # fmt: skip
    answer = clearances.begin(books.state, asked, books.now)
    books.state.writes.clear()
    return answer.answer


def events(books: Books) -> list[str]:
    """What goes into the target's log."""
    return [event.event for event in books.state.to_log]


def test_a_regression_sets_dry_run_first_then_opens_the_incident() -> None:
    """6.3: the order in the audit log."""
    books = running()
    assert regressed(books).accepted
    said = events(books)
    assert said.index("mode set") < said.index("incident opened") < said.index("rollback ordered")
    assert (Mode.DRY_RUN, INCIDENT) == (books.state.mode, books.state.review_due)
    assert "" == books.state.incidents[INCIDENT].commanded_by


def test_a_persons_order_is_in_the_books_as_theirs_and_a_measured_regression_as_nobodys() -> None:
    """§12: the trigger of the report says whose word its reason is."""
    books = running()
    rollback_records.merged(books.state, merge_of())
    assert ordered(books).accepted
    measured = running()
    assert regressed(measured).accepted
    shown = [each.state.incidents[INCIDENT] for each in (books, measured)]
    assert [("ann", "it hurts"), ("", "tests red since our merge")] == [(one.ordered_by, one.reason) for one in shown]


def test_a_merge_has_one_rollback() -> None:
    """Once per run, never in a loop: a repeated report, an order while it runs, and after it ended."""
    books = running()
    assert regressed(books).accepted
    assert regressed(books).accepted
    assert 1 == events(books).count("rollback ordered")
    rollback_records.started(books.state, FIRST)
    assert "its rollback is running already" == ordered(books).verdict.reason
    ended(books)
    assert "it was rolled back already" == ordered(books).verdict.reason
    assert regressed(books).accepted
    assert RollbackStage.RESTORED is books.state.merges[FIRST].stage
    assert None is rollback_records.to_start(books.state)


def test_an_escalated_rollback_is_a_persons_from_then_on() -> None:
    """A conflict is not tried again by itself, and people hear of it."""
    books = running()
    regressed(books)
    ended(books, RollbackOutcome.ESCALATED)
    assert "escalated" in ordered(books).verdict.reason
    assert ["regression/" + FIRST, "rollback/" + FIRST] == [alert.fingerprint for alert in books.state.to_alert]


@pytest.mark.parametrize(("run_id", "reason"), [(FIRST, "it merged nothing"), ("demo-x", "no such run")])
def test_what_merged_nothing_cannot_be_rolled_back(run_id: str, reason: str) -> None:
    """Bad input: refused with the reason, and nothing changes."""
    books = running()
    answer = ordered(books, run_id)
    assert (False, True, Mode.PR_ONLY) == (answer.accepted, reason in answer.verdict.reason, books.state.mode)
    assert {} == books.state.incidents


@pytest.mark.parametrize("blank", ["reason", "actor"])
def test_nobody_orders_a_rollback_for_no_reason(blank: str) -> None:
    """P14: blanks are no statement."""
    books = running()
    asked = RollbackRequest(run_id=FIRST, **({"reason": "it breaks", "actor": "ann"} | {blank: "    "}))
    answer = rollback_records.roll_back(books.state, asked, books.now)
    assert (False, True) == (answer.accepted, "Blank is not an answer" in answer.verdict.reason)
    assert {} == books.state.incidents


def test_two_rollbacks_of_a_target_come_one_after_the_other() -> None:
    """A person is refused while one runs; a second regression waits."""
    books = running()
    books.policy_says(rollback_caps=RollbackCaps(reverts_per_day=5))
    rollback_records.merged(books.state, merge_of("other"))
    regressed(books)
    assert "is being rolled back; wait" in ordered(books, "other").verdict.reason
    first = rollback_records.to_start(books.state)
    assert first is not None
    rollback_records.started(books.state, FIRST)
    books.wait(1)
    assert regressed(books, "other").accepted
    assert None is rollback_records.to_start(books.state)
    ended(books)
    second = rollback_records.to_start(books.state)
    assert second is not None
    assert "other" == second.merged.run.run_id


@pytest.mark.parametrize(("per_day", "hours_ago", "why"), [(0, 0, "rollbacks within 24 hours"), (2, 73, "hours old")])
def test_over_a_blast_cap_a_person_goes_on(per_day: int, hours_ago: float, why: str) -> None:
    """Blast caps: incident, DRY_RUN and an alert, but no revert; a person may order it all the same."""
    books = running()
    books.policy_says(rollback_caps=RollbackCaps(reverts_per_day=per_day))
    answer = regressed(books, hours_ago=hours_ago)
    assert (False, True) == (answer.accepted, why in answer.verdict.reason)
    assert (Mode.DRY_RUN, [INCIDENT], []) == (
        books.state.mode,
        list(books.state.incidents),
        books.state.rolling_back(),
    )
    assert not regressed(books, hours_ago=hours_ago).accepted
    assert ordered(books).accepted
    assert "ann" == books.state.incidents[INCIDENT].commanded_by


def test_reverts_are_counted_for_a_day() -> None:
    """A new day, a new count."""
    books = running()
    books.policy_says(rollback_caps=RollbackCaps(reverts_per_day=1))
    assert regressed(books).accepted
    ended(books)
    assert not regressed(books, "second").accepted
    books.wait(25 * 3600)
    assert regressed(books, "third").accepted


def test_the_end_tags_the_incident_queues_hardening_and_quarantines() -> None:
    """8: duration and impact, a follow-up hardening task, the idea away until its expiry. Once."""
    books = running()
    regressed(books)
    for _ in range(2):
        ended(books)
    tag = books.state.incidents[INCIDENT].rollback
    assert tag is not None
    assert (7, "7 s", RollbackOutcome.RESTORED) == (tag.seconds, tag.impact, tag.outcome)
    kept = books.state.quarantined["t-1"]
    assert (books.now + timedelta(days=30), [INCIDENT]) == (kept.until, list(books.state.hardening))
    assert 1 == events(books).count("rollback ended")


def test_a_rollback_that_was_called_over_and_restored_the_base_is_booked_as_restored() -> None:
    """Terminated by hand, then reset: in the books, on the incident, in the log, and people hear of it. Once."""
    books = running()
    regressed(books)
    ended(books, RollbackOutcome.ESCALATED)
    books.state.incidents[INCIDENT] = books.state.incidents[INCIDENT].model_copy(update={"tagged": True})
    for _ in range(2):
        ended(books)
    known, record = books.state.merges[FIRST], books.state.incidents[INCIDENT]
    assert (RollbackStage.RESTORED, False) == (known.stage, record.tagged)
    for tag in (known.result, record.rollback):
        assert tag is not None
        assert RollbackOutcome.RESTORED is tag.outcome
    assert ["escalated", "restored"] == [
        event.facts["outcome"] for event in books.state.to_log if event.event == "rollback ended"
    ]
    assert f"rollback-restored/{FIRST}" == books.state.to_alert[-1].fingerprint
    ended(books, RollbackOutcome.ESCALATED)
    assert RollbackStage.RESTORED is books.state.merges[FIRST].stage


@pytest.mark.parametrize("outcome", [RollbackOutcome.ESCALATED, RollbackOutcome.RESTORED])
def test_a_rollback_that_is_over_writes_nothing_more(outcome: RollbackOutcome) -> None:
    """Reset by hand after Control gave it up: somebody may be mending the base."""
    books = running()
    regressed(books)
    assert WriteAnswerKind.GO is repair(books)
    ended(books, outcome)
    assert WriteAnswerKind.REFUSED is repair(books)


def test_a_rollback_that_was_kept_back_writes_nothing() -> None:
    """Over a cap: its incident is open, and a person's."""
    books = running()
    books.policy_says(rollback_caps=RollbackCaps(reverts_per_day=0))
    regressed(books)
    assert WriteAnswerKind.REFUSED is repair(books)


def test_news_of_the_incident_keep_what_control_knows_and_its_end_ends_the_hardening_task() -> None:
    """The Incident's own copy of the record is older than the tag."""
    books = running()
    regressed(books)
    record = books.state.incidents[INCIDENT]
    ended(books)
    incident_records.take_news(books.state, IncidentNews(record=record.model_copy(update={"owner": "bob"})))
    kept = books.state.incidents[INCIDENT]
    assert ("bob", True) == (kept.owner, kept.rollback is not None)
    incident_records.take_news(books.state, IncidentNews(record=kept, done=True))
    assert {} == books.state.hardening


def test_a_pause_holds_the_next_write_until_a_newer_command() -> None:
    """P1: paused in the middle; the person's earlier command does not count, their next one does."""
    books = running()
    rollback_records.merged(books.state, merge_of())
    assert ordered(books).accepted
    rollback_records.started(books.state, FIRST)
    assert WriteAnswerKind.GO is repair(books)
    books.pause()
    assert WriteAnswerKind.REFUSED is repair(books)
    assert Decision.HOLD is _why(books)
    assert ordered(books).accepted
    assert WriteAnswerKind.GO is repair(books)
    books.pause()
    assert WriteAnswerKind.REFUSED is repair(books)


def _why(books: Books) -> Decision:
    asked = WriteRequest(
        run_id=f"RB-{FIRST}", key=f"RB-{FIRST}/revert", attempt="a1", action=WriteAction.REVERT, branch="main",
        write_class=WriteClass.REPAIR, head_sha="r" * 40, base_sha="m" * 40, policy_digest="", seconds=60,
        incident=INCIDENT,
    )  # fmt: skip
    return clearances.allowed(books.state, asked, books.now).decision


def test_a_repair_is_only_for_its_own_incident() -> None:
    """``repair`` writes what an open incident names, in DRY_RUN, and nothing else."""
    books = running()
    assert WriteAnswerKind.REFUSED is repair(books)
    regressed(books)
    assert WriteAnswerKind.GO is repair(books)
    assert WriteAnswerKind.REFUSED is repair(books, run_id=f"RB-{FIRST}x")
    assert WriteAnswerKind.REFUSED is repair(books, incident="INC-other")
    books.state.mode = Mode.PR_ONLY
    assert Decision.HOLD is _why(books)


def test_only_a_review_leads_back_to_pr_only() -> None:
    """6.3: `set_mode` says how; the resume waits for the rollback, then cause, evidence, smoke, PR_ONLY."""
    books = running()
    books.finish(FIRST)
    regressed(books)
    assert "starter.py resume" in books.set_mode(Mode.PR_ONLY).verdict.reason
    assert "has not ended yet" in books.resume().verdict.reason
    ended(books)
    assert books.resume().accepted
    assert TargetStatus.RESUMING is books.state.status
    smoke = books.smoke()
    books.finish(smoke.run_id, RunStatus.NOTHING_TO_DO)
    assert (TargetStatus.ACTIVE, Mode.PR_ONLY, "") == (books.state.status, books.state.mode, books.state.review_due)


def test_a_resume_in_the_middle_ends_in_dry_run_and_the_review_stays_due() -> None:
    """Paused in the middle of a rollback and resumed: it goes on, and nobody has reviewed it yet."""
    books = running()
    books.finish(FIRST)
    regressed(books)
    books.pause()
    assert books.resume().accepted
    smoke = books.smoke()
    books.finish(smoke.run_id, RunStatus.NOTHING_TO_DO)
    assert (TargetStatus.ACTIVE, Mode.DRY_RUN) == (books.state.status, books.state.mode)
    assert INCIDENT == books.state.review_due
    assert WriteAnswerKind.GO is repair(books)


def test_a_review_of_the_installation_reviews_no_regression() -> None:
    """P2: lifting a global pause is no way around the review."""
    books = running()
    books.finish(FIRST)
    regressed(books)
    ended(books)
    books.notice(2, TargetStatus.PAUSED)
    books.notice(3, TargetStatus.ACTIVE)
    smoke = books.smoke()
    books.finish(smoke.run_id, RunStatus.NOTHING_TO_DO)
    assert (Mode.DRY_RUN, INCIDENT) == (books.state.mode, books.state.review_due)
