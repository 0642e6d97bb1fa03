"""What the dashboard may ask Control for: its ticket, in every state, one write at a time, forgotten soon."""

from __future__ import annotations

import pytest

from contracts.clearance import SettleRequest, WriteAnswer, WriteAnswerKind, WriteOutcome, WriteRequest
from contracts.dashboard import DASHBOARD
from contracts.modes import Mode, WriteAction, WriteClass
from tests.workflows.books import FIRST, Books, on_the_ladder, running
from workflows.control import clearances

GO, BUSY, REFUSED = WriteAnswerKind.GO, WriteAnswerKind.BUSY, WriteAnswerKind.REFUSED


def begin(
    books: Books,
    look: int = 1,
    attempt: str = "a1",
    action: WriteAction = WriteAction.UPDATE_TICKET,
    write_class: WriteClass = WriteClass.RECORD,
) -> WriteAnswer:
    """A look asks whether it may write."""
    asked = WriteRequest(
        run_id=DASHBOARD,
        key=f"{DASHBOARD}/{look}",
        attempt=attempt,
        action=action,
        write_class=write_class,
        branch="",
        head_sha="",
        base_sha="",
        policy_digest="whatever",
        seconds=60,
    )
    return clearances.begin(books.state, asked, books.now)


def settle(books: Books, look: int = 1, outcome: WriteOutcome = WriteOutcome.DONE) -> bool:
    """It ended."""
    said = SettleRequest(key=f"{DASHBOARD}/{look}", attempt="a1", outcome=outcome, result="1")
    return clearances.settle(books.state, said, books.now).accepted


def paused() -> Books:
    """A target with a run, paused."""
    books = running()
    books.pause()
    return books


def lowered() -> Books:
    """A target in DRY_RUN."""
    books = running()
    books.set_mode(Mode.DRY_RUN)
    return books


@pytest.mark.parametrize("books", [running, paused, lowered, on_the_ladder, lambda: Books().opened(), Books])
def test_its_ticket_is_written_in_every_state(books) -> None:
    """It says what is true; a pause is not hidden from the people it is for."""
    assert GO is begin(books()).answer


@pytest.mark.parametrize("action", list(WriteAction))
@pytest.mark.parametrize("write_class", list(WriteClass))
def test_it_may_do_nothing_else(action: WriteAction, write_class: WriteClass) -> None:
    """Its id opens no door: not a branch, not a pull request, not an incident's ticket."""
    fits = (action, write_class) == (WriteAction.UPDATE_TICKET, WriteClass.RECORD)
    answer = begin(running(), action=action, write_class=write_class)
    assert (GO if fits else REFUSED) is answer.answer
    assert fits or answer.clearance is None


def test_nobody_else_gets_a_dashboard_out_of_a_record() -> None:
    """A run's own records stay bound to the run."""
    books = running()
    books.finish(FIRST)
    answer = books.begin(FIRST, action=WriteAction.UPDATE_TICKET, write_class=WriteClass.RECORD)
    assert REFUSED is answer.answer


def test_one_write_at_a_time() -> None:
    """Two looks at once could open two tickets; after its end, or its deadline, the next one goes."""
    books = running()
    assert GO is begin(books, 1).answer
    held = begin(books, 2)
    assert (BUSY, 60) == (held.answer, held.retry_after_seconds)
    assert BUSY is begin(books, 1, "a2").answer
    books.wait(60)
    assert GO is begin(books, 2).answer
    assert not settle(books, 1)
    assert settle(books, 2)
    assert WriteAnswerKind.SETTLED is begin(books, 2, "a9").answer
    assert GO is begin(books, 3).answer


def test_the_books_stay_small() -> None:
    """However often it is written, and whatever became of it: the latest settled one, and the one in flight."""
    books = running()
    for look in range(200):
        assert GO is begin(books, look).answer
        if look % 3:
            settle(books, look, WriteOutcome.DONE if look % 2 else WriteOutcome.NOT_DONE)
        books.wait(61)
        assert 2 >= len([write for write in books.state.writes.values() if write.run_id == DASHBOARD])
    assert GO is books.begin(FIRST).answer
    assert f"{FIRST}/push_branch" in books.state.writes


def test_it_keeps_nobody_waiting() -> None:
    """A pause is quiescent and a resume is accepted while the dashboard is being written; a run's write is not so."""
    books = paused()
    assert GO is begin(books).answer
    assert (True, 0) == (books.state.view().quiescent, books.state.view().writes_in_flight)
    assert books.resume().accepted
    books = running()
    books.begin(FIRST)
    books.pause()
    assert not books.resume().accepted
