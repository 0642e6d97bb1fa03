"""Every pull request of ours is followed, and every follow-up looked after (runbook §6.3; A9): the books' rules."""

from __future__ import annotations

from typing import Any

import pytest

from contracts.clearance import WriteOutcome
from contracts.control import CheckupResult, RunFinding
from contracts.modes import RunStatus, WriteAction, WriteClass
from contracts.rollback import FollowUpEnd, FollowUpInput, RollbackOutcome
from contracts.verdict import Decision, Verdict
from tests.workflows.books import DAY, FIRST, Books, running
from tests.workflows.test_rolling_back import INCIDENT, ended, merge_of, ordered
from workflows.control import follow_ups, reaping, rollback_records

OPEN, CLOSE = WriteAction.OPEN_PULL_REQUEST, WriteAction.CLOSE_PULL_REQUEST
ENDS = [status for status in RunStatus if status not in {RunStatus.ADMITTING, RunStatus.QUEUED, RunStatus.ALREADY_RAN}]


def follows() -> FollowUpInput:
    """What the write that opens the pull request says; it does not know the number yet."""
    return FollowUpInput(run=merge_of().run, task_id="t-1", pull_request=0)


def opened(books: Books) -> Books:
    """The first run has opened pull request 7."""
    books.begin(FIRST, action=OPEN, follows=follows())
    assert books.settle(FIRST, action=OPEN).accepted
    return books


def lost(books: Books) -> None:
    """Control's look finds the workflow of the first run closed."""
    seen = RunFinding(run_id=FIRST, open=False, status="TERMINATED", workflow_run_id="w")
    reaping.apply(books.state, CheckupResult(runs=(seen,), settled=()), books.now)


def gone(books: Books, status: str = "TERMINATED") -> None:
    """Control's look finds the follow-up closed."""
    seen = RunFinding(run_id=FIRST, open=False, status=status, workflow_run_id="w")
    reaping.apply(books.state, CheckupResult(runs=(), settled=(), follow_ups=(seen,)), books.now)


def started(books: Books) -> Books:
    """The follow-up that is due runs."""
    follow_ups.begun(books.state, books.state.to_follow.pop(FIRST))
    return books


@pytest.mark.parametrize("status", ENDS)
def test_an_open_pull_request_is_followed_however_its_run_ended(status: RunStatus) -> None:
    """The settled write says that there is one; the run's own last word need not."""
    books = opened(running())
    books.finish(FIRST, status)
    assert {FIRST: (7, "t-1")} == {run: (one.pull_request, one.task_id) for run, one in books.state.to_follow.items()}


def test_a_run_that_was_lost_leaves_its_pull_request_followed() -> None:
    """Terminated: Control finds it, and what it left."""
    books = opened(running())
    lost(books)
    assert [FIRST] == list(books.state.to_follow)


def test_a_pull_request_that_is_found_after_its_run_was_lost_is_followed() -> None:
    """The write was in flight when the run was terminated; Control looks for it after its deadline."""
    books = running()
    books.begin(FIRST, action=OPEN, follows=follows())
    lost(books)
    assert {} == books.state.to_follow
    books.wait(61)
    assert books.settle(FIRST, "check-up", action=OPEN, looked=True).accepted
    assert [7] == [one.pull_request for one in books.state.to_follow.values()]


@pytest.mark.parametrize("landed", [True, False])
def test_nothing_is_followed_while_a_write_is_in_flight(landed: bool) -> None:
    """The run was lost in the middle of its merge: what it left is the merge, or still the pull request."""
    books = opened(running())
    books.begin(FIRST, merges=merge_of())
    lost(books)
    assert {} == books.state.to_follow
    books.wait(61)
    books.settle(FIRST, "check-up", WriteOutcome.DONE if landed else WriteOutcome.NOT_DONE, looked=True)
    assert [merge_of() if landed else None] == [one.merged for one in books.state.to_follow.values()]


def test_a_run_whose_workflow_id_was_started_again_leaves_its_pull_request_followed() -> None:
    """Terminated, and started again under the same id before Control looked."""
    books = opened(running())
    books.admit("w2", workflow_id="run-w1", again=True)
    assert (RunStatus.LOST, [FIRST]) == (books.state.runs[FIRST].status, list(books.state.to_follow))


def test_what_we_closed_or_never_opened_is_not_followed() -> None:
    """Nobody can merge it."""
    nothing, closed = running(), opened(running())
    closed.begin(FIRST, action=CLOSE)
    closed.settle(FIRST, action=CLOSE)
    for books in (nothing, closed):
        books.finish(FIRST, RunStatus.REJECTED)
        assert {} == books.state.to_follow


@pytest.mark.parametrize("said", ["outcome", "comment"])
def test_only_who_is_followed_says_what_became_of_a_pull_request(said: str) -> None:
    """Also while paused and long after the run; refused by default, and nothing of it is kept for ever."""
    books = opened(running())
    assert [Decision.DENY] * 2 == [says(books, FIRST).decision, says(books, "INC-x").decision]
    lost(books)
    follow_ups.begun(books.state, books.state.to_follow.pop(FIRST))
    books.pause()
    assert (Decision.ALLOW, "says what became of a pull request of ours") == (
        says(books, FIRST).decision, says(books, FIRST).reason
    )  # fmt: skip
    assert Decision.DENY is says(books, "demo-9").decision
    books.state.runs.clear()
    key = f"{FIRST}/{said}-7-merged"
    books.state.writes[key] = books.state.writes[f"{FIRST}/{OPEN}"]
    for run_id in (FIRST, "demo-9"):
        follow_ups.followed_up(books.state, FollowUpEnd(run_id=run_id, outcome="closed", reason="x"))
        assert (run_id == FIRST) == (key in books.state.writes)
    assert Decision.DENY is says(books, FIRST).decision


def says(books: Books, run_id: str) -> Verdict:
    return books.begin(run_id, action=WriteAction.UPDATE_PULL_REQUEST, write_class=WriteClass.RECORD).verdict


def comment(books: Books, run_id: str, about: str, outcome: WriteOutcome = WriteOutcome.DONE) -> None:
    """Whoever acted on pull request 1 had time to say so, or to try."""
    key = f"{run_id}/comment-1-{about}"
    assert books.begin(run_id, action=WriteAction.COMMENT, write_class=WriteClass.RECORD, key=key).verdict.allowed
    assert books.settle(run_id, outcome=outcome, key=key).accepted


@pytest.mark.parametrize(("said", "unsaid"), [(None, True), (WriteOutcome.NOT_DONE, True), (WriteOutcome.DONE, False)])
def test_a_merge_that_nobody_lived_to_speak_of_is_said_by_its_follow_up(
    said: WriteOutcome | None, unsaid: bool
) -> None:
    """Ended by force between its merge and its comment; said already, nothing is owed."""
    books = running()
    books.begin(FIRST, merges=merge_of())
    books.settle(FIRST)
    if said is not None:
        comment(books, FIRST, "merged", said)
    lost(books)
    given = follow_ups.start_of(books.state, FIRST)
    assert (merge_of(), unsaid) == (given.merged, given.unsaid is not None)


@pytest.mark.parametrize("merged", [{"by": "ann"}, {"pull_request": 0}], ids=["a person's", "without pull request"])
def test_only_what_we_did_on_a_pull_request_is_ours_to_say(merged: dict[str, Any]) -> None:
    """A person's merge the forge itself shows."""
    books = running()
    rollback_records.merged(books.state, merge_of().model_copy(update=merged))
    lost(books)
    assert None is follow_ups.start_of(books.state, FIRST).unsaid


@pytest.mark.parametrize("action", [WriteAction.REVERT, WriteAction.MERGE])
@pytest.mark.parametrize("late", [False, True], ids=["settled first", "given up first"])
def test_a_revert_that_nobody_lived_to_speak_of_is_said_once_the_rollback_is_given_up(
    action: WriteAction, late: bool
) -> None:
    """However it landed; a rollback that goes on says it itself."""
    books, own = running(), f"RB-{FIRST}"
    rollback_records.merged(books.state, merge_of())
    assert ordered(books).accepted
    books.begin(own, action=action, write_class=WriteClass.REPAIR, incident=INCIDENT)
    steps = [lambda: books.settle(own, action=action), lambda: ended(books, RollbackOutcome.ESCALATED)]
    for step in reversed(steps) if late else steps:
        assert own not in books.state.to_follow
        step()
    given = follow_ups.start_of(books.state, own)
    assert given.unsaid is not None
    assert ("7", FIRST, 0) == (given.unsaid.revert_sha, given.rolls_back, given.pull_request)


def test_a_rollback_that_said_so_itself_leaves_nothing_to_say() -> None:
    """Escalated for its health alone."""
    books, own = running(), f"RB-{FIRST}"
    rollback_records.merged(books.state, merge_of())
    assert ordered(books).accepted
    books.begin(own, action=WriteAction.REVERT, write_class=WriteClass.REPAIR, incident=INCIDENT)
    books.settle(own, action=WriteAction.REVERT)
    key = f"{own}/comment-1-rolled-back"
    books.begin(own, action=WriteAction.COMMENT, write_class=WriteClass.RECORD, incident=INCIDENT, key=key)
    books.settle(own, key=key)
    ended(books, RollbackOutcome.ESCALATED)
    assert own not in books.state.to_follow


@pytest.mark.parametrize("number", ["", "x", "-1"])
def test_a_pull_request_without_a_number_is_no_reason_to_fall_over(number: str) -> None:
    """P16: Control answers, whatever a forge called it."""
    books = opened(running())
    key = f"{FIRST}/{OPEN}"
    books.state.writes[key] = books.state.writes[key].model_copy(update={"result": number})
    books.finish(FIRST, RunStatus.CANCELLED)
    assert {} == books.state.to_follow


def test_a_merge_comes_before_its_pull_request() -> None:
    """What is on the base is what is watched."""
    books = opened(running())
    books.begin(FIRST, merges=merge_of())
    books.settle(FIRST)
    books.finish(FIRST, RunStatus.CANCELLED)
    assert merge_of() == books.state.to_follow[FIRST].merged


@pytest.mark.parametrize("status", ["TERMINATED", "CANCELED", "FAILED", "TIMED_OUT", "GONE"])
def test_a_lost_follow_up_is_started_again_and_then_a_persons(status: str) -> None:
    """So many times; then people hear that nobody follows it, once."""
    books = opened(running())
    books.finish(FIRST, RunStatus.CANCELLED)
    for _ in range(follow_ups.MOST_STARTS):
        assert [] == books.state.to_alert
        gone(started(books), status)
    gone(books, status)
    assert ({}, {}) == (books.state.to_follow, books.state.followed)
    (alert,) = books.state.to_alert
    assert ("nobody follows pull request 7" in alert.summary, status in alert.summary) == (True, True)
    assert [True, True, False] == [one.facts["again"] for one in books.state.to_log if one.event == "follow-up lost"]


def test_a_follow_up_that_said_how_it_ended_is_not_looked_after() -> None:
    """Whichever the books hear first, its end or its start."""
    for late in (False, True):
        books = opened(running())
        books.finish(FIRST, RunStatus.PR_OPENED)
        end = FollowUpEnd(run_id=FIRST, outcome="closed by ann", reason="so")
        given = books.state.to_follow.pop(FIRST)
        if late:
            follow_ups.followed_up(books.state, end)
            follow_ups.begun(books.state, given)
        else:
            follow_ups.begun(books.state, given)
            follow_ups.followed_up(books.state, end)
        gone(books, "COMPLETED")
        assert ({}, {}, []) == (books.state.followed, books.state.to_follow, books.state.to_alert)


def test_the_look_asks_for_every_follow_up() -> None:
    """Under its own workflow id."""
    books = opened(running())
    books.finish(FIRST, RunStatus.PR_OPENED)
    started(books)
    assert {FIRST: f"follow-up/{FIRST}"} == reaping.due(books.state, books.now).followed
    assert DAY in FIRST


@pytest.mark.parametrize(("key", "followed"), [(CLOSE, []), ("close-demo-2026-11-20-pr-1", [FIRST])])
def test_closing_what_an_earlier_run_left_is_no_closing_of_its_own(key: str, followed: list[str]) -> None:
    """A run closes moot pull requests of others; its own stays followed."""
    books = opened(running())
    known = books.state.writes[f"{FIRST}/{OPEN}"]
    clearance = known.clearance.model_copy(update={"action": CLOSE, "key": f"{FIRST}/{key}"})
    books.state.writes[clearance.key] = known.model_copy(update={"key": clearance.key, "clearance": clearance})
    books.finish(FIRST, RunStatus.PR_OPENED)
    assert followed == list(books.state.to_follow)


def test_what_a_person_made_of_it_stands_at_the_run() -> None:
    """Merged is known before the observation is over, closed at its end; what we merged ourselves is nobody's."""
    books = opened(running())
    books.finish(FIRST, RunStatus.PR_OPENED)
    rollback_records.merged(books.state, merge_of())
    assert "" == books.state.runs[FIRST].became
    books.state.merges.clear()
    rollback_records.merged(books.state, merge_of().model_copy(update={"by": "ann"}))
    assert "MERGED by ann" == books.state.runs[FIRST].became
    end = FollowUpEnd(run_id=FIRST, outcome="closed by bob", reason="r", who="bob", became="CLOSED by bob")
    follow_ups.followed_up(books.state, end)
    assert ("CLOSED by bob", RunStatus.PR_OPENED) == (books.state.runs[FIRST].became, books.state.runs[FIRST].status)
