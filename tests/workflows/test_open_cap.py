"""Never more open pull requests than the cap, however many runs there are at once: Control gives the places away."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from shell import shell_of
from world import World

from contracts.clearance import WriteAnswer, WriteAnswerKind, WriteOutcome
from contracts.modes import Mode, Role, RunStatus, WriteAction, WriteClass
from contracts.rollback import FollowUpEnd, FollowUpInput
from contracts.verdict import Decision
from policies.run.caps import control_terms
from tests.adapters.test_check_environments import policy
from tests.workflows.books import DAY, FIRST, Books, running
from tests.workflows.conversation import edit
from tests.workflows.quick import add_target, quick
from tests.workflows.test_rolling_back import merge_of
from workflows.control import follow_ups

SECOND = f"demo-{DAY}-pr-2"
OPEN, MERGE = WriteAction.OPEN_PULL_REQUEST, WriteAction.MERGE


def two_runs(most: int, **more: Any) -> Books:
    """Both planned when there was still a place."""
    books = running(max_active=2, **more)
    books.admit("w2", again=True)
    books.policy_says(open_pull_requests=most)
    return books


def opens(books: Books, run_id: str) -> None:
    """A run pushes and opens its pull request."""
    books.begin(run_id)
    books.settle(run_id)
    run = merge_of().run.model_copy(update={"run_id": run_id})
    books.begin(run_id, action=OPEN, follows=FollowUpInput(run=run, task_id="t", pull_request=0))
    books.settle(run_id, action=OPEN)


def refused(answer: WriteAnswer) -> bool:
    """By the cap."""
    capped = "caps.open_pull_requests" in answer.verdict.reason
    assert capped == (answer.answer is WriteAnswerKind.REFUSED), answer.verdict.reason
    return capped


def test_the_last_place_is_taken_with_the_first_push() -> None:
    """Two runs at once, one place: whoever pushes first has it, to the end of its pull request."""
    books = two_runs(1)
    assert not refused(books.begin(FIRST))
    second = books.begin(SECOND)
    assert refused(second)
    reason = "caps.open_pull_requests: 1 of 1 wait for a person, or are being opened by other runs"
    assert (Decision.DENY, reason) == (second.verdict.decision, second.verdict.reason)
    assert not refused(books.begin(FIRST))
    books.settle(FIRST)
    assert refused(books.begin(SECOND))
    opens(books, FIRST)
    books.finish(FIRST, RunStatus.PR_OPENED)
    assert refused(books.begin(SECOND))
    follow_ups.begun(books.state, books.state.to_follow.pop(FIRST))
    assert refused(books.begin(SECOND))
    ended = FollowUpEnd(run_id=FIRST, outcome="merged", reason="by ann", became="merged")
    follow_ups.followed_up(books.state, ended)
    assert not refused(books.begin(SECOND))


@pytest.mark.parametrize(
    ("before", "takes"),
    [
        (lambda b: b.settle(FIRST, outcome=WriteOutcome.NOT_DONE), False),
        (lambda b: (b.settle(FIRST), b.finish(FIRST, RunStatus.REJECTED)), False),
        (lambda b: b.finish(FIRST, RunStatus.LOST), True),
        (lambda b: b.settle(FIRST), True),
    ],
)
def test_what_a_begun_push_holds(before: Any, takes: bool) -> None:
    """Its place, until it is known to have come to nothing; of a lost run nobody knows yet."""
    books = two_runs(1)
    books.begin(FIRST)
    before(books)
    assert takes == refused(books.begin(SECOND))


def test_what_the_forge_shows_beside_the_books_counts() -> None:
    """Of an installation that was lost, say; and what the books know to be over counts no more."""
    books = two_runs(2)
    assert refused(books.begin(SECOND, open_pulls=(101, 102)))
    assert not refused(books.begin(SECOND, open_pulls=(101,)))
    books = two_runs(2)
    opens(books, FIRST)
    # Number 7 is the first run's own: seen on the forge and known here, it is one.
    assert refused(books.begin(SECOND, open_pulls=(7, 101)))
    assert not refused(books.begin(SECOND, open_pulls=(7,)))


def test_a_merge_and_the_undoing_of_one_take_no_place() -> None:
    """Nobody is asked for anything by them."""
    books = two_runs(1, maximum_mode=Mode.SELECTIVE_AUTO)
    left = FollowUpInput(run=merge_of().run, task_id="t", pull_request=8)
    books.state.followed = {"a": left.model_copy(update={"merged": merge_of()})}
    books.state.to_follow = {"b": left.model_copy(update={"rolls_back": "a"})}
    assert not refused(books.begin(FIRST))


def test_other_writes_and_older_workers_are_not_held() -> None:
    """A comment opens nothing; terms from before Control held it say nothing."""
    books = two_runs(1)
    books.begin(FIRST)
    assert not refused(books.begin(SECOND, action=WriteAction.COMMENT, write_class=WriteClass.ADVANCE))
    assert not refused(two_runs(0).begin(SECOND, open_pulls=(1, 2, 3)))


def test_the_policys_cap_is_what_control_holds() -> None:
    """One setting for Triage, Planning and Control."""
    said = policy()
    assert said.autopilot.caps.open_pull_requests == control_terms(said).open_pull_requests


async def test_of_two_runs_at_once_one_pull_request_is_opened(world: World) -> None:
    """Live: both were planned while there was a place; Control gives it to one, and the other says which cap it was."""
    add_target(world, "quick")
    edit(world, "max_active = 1 ", "max_active = 2 ")
    edit(world, "open_pull_requests = 5 ", "open_pull_requests = 1 ")
    both = threading.Barrier(2, timeout=200)
    meet = quick(world, before=lambda brief: both.wait() if brief.role is Role.CODING else None)
    async with world.worker(meet):
        handles = [await world.start("quick", f"run-{number}", again=number > 0) for number in range(2)]
        results = [await asyncio.wait_for(handle.result(), 240) for handle in handles]
    opened, other = sorted(results, key=lambda result: result.status is not RunStatus.PR_OPENED)
    assert (RunStatus.PR_OPENED, RunStatus.REJECTED) == (opened.status, other.status), other.reason
    assert "caps.open_pull_requests: 1 of 1 wait for a person, or are being opened by other runs" in other.reason
    assert 1 == len(shell_of(world).type("pr", "list", "quick", "--json").json["pullRequests"])
