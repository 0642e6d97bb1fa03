"""May this write begin, and how did it end? The rules row by row, then live (P1, P3, P7)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from temporalio.client import WorkflowUpdateFailedError
from world import World

from contracts.clearance import Clearance, SettleRequest, WriteAnswer, WriteAnswerKind, WriteOutcome, WriteRequest
from contracts.control import Answer
from contracts.modes import Mode, RunStatus, WriteAction, WriteClass
from contracts.verdict import Decision, Verdict
from tests.workflows.books import FIRST, Books, running
from tests.workflows.conversation import pause, resume_when_quiescent
from tests.workflows.quick import Turnstile, add_target, stopping
from workflows import api

TAKEN = "another attempt holds the clearance until 2026-03-02T09:01:00+00:00"
PUSH_FACTS = {"key": f"{FIRST}/push_branch", "class": "advance", "branch": "autonomy/x", "headSha": "h" * 40}


def may_begin(decision: Decision, reason: str) -> Verdict:
    """The verdict of a push."""
    return Verdict(rule="push_branch may begin", decision=decision, reason=reason, facts=PUSH_FACTS)


def test_the_first_write_goes_and_its_clearance_names_everything() -> None:
    """The clearance is bound to key, attempt, action, head, base, policy, epoch and a deadline."""
    books = running()
    clearance = Clearance(
        key=f"{FIRST}/push_branch",
        attempt="a1",
        action=WriteAction.PUSH_BRANCH,
        write_class=WriteClass.ADVANCE,
        branch="autonomy/x",
        head_sha="h" * 40,
        base_sha="b" * 40,
        policy_digest="policy-1",
        epoch=books.state.epoch,
        seconds=60,
        deadline="2026-03-02T09:01:00+00:00",  # type: ignore[arg-type]  # parsed
    )
    verdict = may_begin(Decision.ALLOW, "active in mode PR_ONLY")
    assert WriteAnswer(answer=WriteAnswerKind.GO, verdict=verdict, clearance=clearance) == books.begin(FIRST)
    assert WriteAnswer(answer=WriteAnswerKind.GO, verdict=verdict, clearance=clearance) == books.begin(FIRST)


@pytest.mark.parametrize(
    ("then", "attempt", "answer", "reason"),
    [
        (lambda b: b.wait(59), "a2", WriteAnswerKind.BUSY, TAKEN),
        (lambda b: b.wait(60), "a2", WriteAnswerKind.GO, "active in mode PR_ONLY"),
        (lambda b: (b.pause(), b.wait(60)), "a2", WriteAnswerKind.LOOK_ONLY, "the target is PAUSED"),
        (lambda b: b.pause(), "a2", WriteAnswerKind.BUSY, TAKEN),
        (lambda b: b.pause(), "a1", WriteAnswerKind.LOOK_ONLY, "the target is PAUSED"),
        (
            lambda b: (b.pause(), b.wait(60), b.begin(FIRST, "a2")),
            "a2",
            WriteAnswerKind.LOOK_ONLY,
            "the target is PAUSED",
        ),
        (lambda b: b.settle(FIRST), "a2", WriteAnswerKind.SETTLED, "already done under this key"),
        (lambda b: (b.settle(FIRST), b.pause()), "a2", WriteAnswerKind.SETTLED, "already done under this key"),
        (lambda b: b.settle(FIRST, outcome=WriteOutcome.NOT_DONE), "a2", WriteAnswerKind.GO, "active in mode PR_ONLY"),
        (
            lambda b: (b.settle(FIRST, outcome=WriteOutcome.NOT_DONE), b.pause()),
            "a2",
            WriteAnswerKind.REFUSED,
            "the target is PAUSED",
        ),
    ],
)
def test_what_the_next_question_about_a_begun_write_is_answered(
    then: Any, attempt: str, answer: WriteAnswerKind, reason: str
) -> None:
    """P1 and P7: never two at once, never a new beginning after a pause, adopt what is done."""
    books = running()
    books.begin(FIRST)
    then(books)
    said = books.begin(FIRST, attempt)

    assert (answer, reason) == (said.answer, said.verdict.reason)


@pytest.mark.parametrize(
    ("prepare", "more", "decision", "reason"),
    [
        (lambda b: b.finish(FIRST), {}, Decision.DENY, "the run is not open in Control's books"),
        (lambda b: None, {"policy": "other"}, Decision.HOLD, "the policy is not the one this run was admitted under"),
        (lambda b: b.pause(), {}, Decision.HOLD, "the target is PAUSED"),
        (lambda b: b.set_mode(Mode.DRY_RUN), {}, Decision.DENY, "the target's mode was lowered to DRY_RUN"),
        (lambda b: None, {"write_class": WriteClass.RECORD}, Decision.DENY, "push_branch is no record write"),
    ],
)
def test_when_a_push_is_refused(prepare: Any, more: dict[str, Any], decision: Decision, reason: str) -> None:
    """P12: each "no" names its reason, and counts nothing as in flight."""
    books = running()
    prepare(books)
    said = books.begin(FIRST, **more)

    assert (WriteAnswerKind.REFUSED, decision, reason) == (said.answer, said.verdict.decision, said.verdict.reason)
    assert 0 == books.state.view().writes_in_flight


@pytest.mark.parametrize("action", list(WriteAction))
@pytest.mark.parametrize("write_class", list(WriteClass))
def test_a_dry_run_begins_nothing_but_records(action: WriteAction, write_class: WriteClass) -> None:
    """P3: whatever class and action a step claims."""
    books = Books().opened()
    run_id = books.admit(mode=Mode.DRY_RUN).run_id
    record = action.value.endswith("_ticket")
    allowed = record and write_class is WriteClass.RECORD

    said = books.begin(run_id, action=action, write_class=write_class)
    assert (WriteAnswerKind.GO if allowed else WriteAnswerKind.REFUSED) is said.answer


@pytest.mark.parametrize("write_class", list(WriteClass))
def test_pr_only_never_merges(write_class: WriteClass) -> None:
    """P4: no class makes a merge out of a run that may only open pull requests."""
    said = running().begin(FIRST, action=WriteAction.MERGE, write_class=write_class)
    assert WriteAnswerKind.REFUSED is said.answer


def test_a_record_is_cleared_while_paused() -> None:
    """An incident's ticket is written under the brake; it never moves a ref."""
    books = running()
    books.pause()
    said = books.begin(FIRST, action=WriteAction.OPEN_TICKET, write_class=WriteClass.RECORD)
    assert WriteAnswerKind.GO is said.answer


@pytest.mark.parametrize(
    ("then", "answer"),
    [
        (lambda _books: None, WriteAnswerKind.GO),
        (lambda books: books.pause(), WriteAnswerKind.REFUSED),
        (lambda books: books.set_mode(Mode.DRY_RUN), WriteAnswerKind.REFUSED),
    ],
)
def test_a_question_on_an_issue_waits_while_paused(then: Any, answer: WriteAnswerKind) -> None:
    """P1: a record that begins something is none of those that say what became of something."""
    books = running()
    then(books)
    key, record = f"{FIRST}/question-42-ab12", WriteClass.RECORD
    assert answer is books.begin(FIRST, key=key, action=WriteAction.COMMENT, write_class=record).answer
    said = books.begin(FIRST, key=f"{FIRST}/comment-7-closed", action=WriteAction.COMMENT, write_class=record)
    assert WriteAnswerKind.GO is said.answer


@pytest.mark.parametrize(
    ("wait", "attempt", "looked", "accepted", "reason"),
    [
        (0, "a1", False, True, "settled"),
        (70, "a1", False, True, "settled"),
        (59, "check-up", True, False, "another attempt holds it until 2026-03-02T09:01:00+00:00"),
        (60, "check-up", True, True, "settled"),
        (60, "check-up", False, False, "another attempt holds it until 2026-03-02T09:01:00+00:00"),
    ],
)
def test_who_may_settle_a_write(wait: int, attempt: str, reason: str, *, looked: bool, accepted: bool) -> None:
    """The attempt that began, or after the deadline whoever looked at the remote."""
    books = running()
    books.begin(FIRST)
    books.wait(wait)
    answer = books.settle(FIRST, attempt, looked=looked)

    assert (accepted, reason) == (answer.accepted, answer.verdict.reason)


@pytest.mark.parametrize(
    ("second", "accepted", "reason"),
    [(WriteOutcome.DONE, True, "already settled as done"), (WriteOutcome.NOT_DONE, False, "already settled as done")],
)
def test_a_settled_write_stays_as_it_was_settled(second: WriteOutcome, reason: str, *, accepted: bool) -> None:
    """The first word counts; saying it again is no error, another one is."""
    books = running()
    books.begin(FIRST)
    books.settle(FIRST)
    answer = books.settle(FIRST, outcome=second)

    assert (accepted, reason) == (answer.accepted, answer.verdict.reason)


def test_quiescent_means_paused_and_nothing_in_flight() -> None:
    """P1's second moment comes when the write that was in flight is settled."""
    books = running()
    books.begin(FIRST)
    moments = [books.state.view().quiescent]
    books.pause()
    moments.append(books.state.view().quiescent)
    books.settle(FIRST)
    moments.append(books.state.view().quiescent)

    assert [False, False, True] == moments


def write_request(run_id: str, attempt: str, policy_digest: str, **more: Any) -> WriteRequest:
    """What a step sends."""
    return WriteRequest(
        run_id=run_id,
        key=more.pop("key", f"{run_id}/push_branch"),
        attempt=attempt,
        action=WriteAction.PUSH_BRANCH,
        write_class=WriteClass.ADVANCE,
        branch="autonomy/x",
        head_sha="h" * 40,
        base_sha="b" * 40,
        policy_digest=policy_digest,
        seconds=60,
        **more,
    )


async def test_control_itself_refuses_a_dry_run_whoever_asks(world: World) -> None:
    """P3 is not an `if` in a step: the very same question, sent by hand, gets no clearance."""
    add_target(world, "quick")
    turnstile = Turnstile({"dry": "release"})
    async with world.worker(stopping(world, turnstile)):
        await world.start("quick", "dry", mode="DRY_RUN")
        await world.until(turnstile.all_reached())
        run = (await world.status("quick")).active[0]
        control = world.control("quick")
        asked = write_request(run.run_id, "by hand", run.policy_digest)
        answer = await control.execute_update(api.BEGIN_WRITE, asked, result_type=WriteAnswer)
        foreign = write_request(run.run_id, "by hand", run.policy_digest, key="other-run/push_branch")
        with pytest.raises(WorkflowUpdateFailedError) as refused:
            await control.execute_update(api.BEGIN_WRITE, foreign)
        after = await world.status("quick")
        turnstile.open()

    reason = "the run is a DRY_RUN: no advance write can begin"
    assert (WriteAnswerKind.REFUSED, None, reason) == (answer.answer, answer.clearance, answer.verdict.reason)
    assert "key must be run_id/step" in str(refused.value.cause)
    assert 0 == after.writes_in_flight


async def test_nobody_shares_or_settles_the_clearance_of_a_write_in_flight(world: World) -> None:
    """P7, live: another attempt is busy, may not settle, and after a pause it may not begin either."""
    add_target(world, "quick")
    turnstile = Turnstile({"writer": "effect"})
    async with world.worker(stopping(world, turnstile)):
        handle = await world.start("quick", "writer")
        await world.until(turnstile.all_reached())
        run = (await world.status("quick")).active[0]
        control = world.control("quick")
        asked = write_request(run.run_id, "another", run.policy_digest)
        busy = await control.execute_update(api.BEGIN_WRITE, asked, result_type=WriteAnswer)
        said = SettleRequest(key=asked.key, attempt="another", outcome=WriteOutcome.DONE, looked=True)
        stolen = await control.execute_update(api.SETTLE_WRITE, said, result_type=Answer)
        await pause(world, "quick")
        paused = await control.execute_update(api.BEGIN_WRITE, asked, result_type=WriteAnswer)
        turnstile.open()
        assert (await resume_when_quiescent(world, "quick")).accepted
        result = await asyncio.wait_for(handle.result(), 60)

    assert [WriteAnswerKind.BUSY] * 2 == [busy.answer, paused.answer]
    assert 0 < busy.retry_after_seconds <= 60
    assert not stolen.accepted
    assert (RunStatus.PR_OPENED, 1) == (result.status, len(world.pulls("quick")))
