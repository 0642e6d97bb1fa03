"""§6.2: Control's remediations: deduplicated, counted, capped, bounded; nothing from DRY_RUN or a smoke."""

from __future__ import annotations

from typing import Any

import pytest

from contracts.admission import FinishRequest
from contracts.evidence import CheckStatus
from contracts.modes import Mode, RunStatus
from contracts.remediation import FailureNote, Remediation, RemediationEnd
from tests.workflows.books import BIRTH, Books, on_the_ladder
from workflows.control import admission, remediations
from workflows.control.state import ControlInput

PRINT = "ab" * 32
TASK = f"remediate-{PRINT[:8]}"


def failure(fingerprint: str = PRINT, **more: Any) -> Remediation:
    """A failure as a run reports it."""
    facts: dict[str, Any] = {
        "fingerprint": fingerprint,
        "task_id": "ruff-up-12345678",
        "tool": "ruff",
        "rule": "UP",
        "paths": ("a.py", "b.py"),
        "failed": (FailureNote(check="unit", status=CheckStatus.RED, detail="exit 1"),),
        "run_id": "r",
        "at": BIRTH,
        "most_attempts": 2,
    }
    return Remediation.model_validate(facts | more)


def ends(books: Books, status: RunStatus = RunStatus.REJECTED, mode: Mode | None = None, **said: Any) -> None:
    """One more run of the target ends, as Control's handler hears it."""
    number = len(books.state.runs)
    answer = books.admit(f"e{number}", again=True, mode=mode)
    assert answer.run_id in books.state.runs, answer.verdict.reason
    request = FinishRequest(run_id=answer.run_id, status=status, **said)
    assert admission.finish(books.state, request, books.now)
    remediations.heard(books.state, request)


def one(books: Books) -> Remediation:
    """The only one."""
    (found,) = remediations.shown(books.state)
    return found


def test_the_same_failure_is_one_remediation() -> None:
    """Deduplicated by fingerprint; seen again is counted, and is no attempt."""
    books = Books().opened()
    for _ in range(3):
        ends(books, remediation=failure())
    ends(books, remediation=failure("cd" * 32))
    found = {each.fingerprint: (each.seen, each.attempts, each.ended) for each in remediations.shown(books.state)}
    assert {PRINT: (3, 0, None), "cd" * 32: (1, 0, None)} == found


def test_counts_of_the_sender_are_not_believed() -> None:
    """Attempts and sightings are Control's."""
    books = Books().opened()
    ends(books, remediation=failure(attempts=9, seen=9, ended=RemediationEnd.RESOLVED))
    assert (0, 1, None) == (one(books).attempts, one(books).seen, one(books).ended)


@pytest.mark.parametrize(
    ("status", "used"),
    [
        (RunStatus.REJECTED, 1),
        (RunStatus.FAILED, 1),
        (RunStatus.ESCALATED, 1),
        (RunStatus.CANCELLED, 0),
        (RunStatus.PAUSED, 0),
        (RunStatus.LOST, 0),
        (RunStatus.NOTHING_TO_DO, 0),
        (RunStatus.REFUSED, 0),
    ],
)
def test_what_uses_an_attempt_up(status: RunStatus, used: int) -> None:
    """A run that a pause or a person ended tried nothing."""
    books = Books().opened()
    ends(books, remediation=failure())
    ends(books, status, task_id=TASK)
    assert (used, None) == (one(books).attempts, one(books).ended)


def test_attempts_are_capped_and_stay_used_up() -> None:
    """caps.attempts_per_task: the failure may be seen again, it is not tried again."""
    books = Books().opened()
    ends(books, remediation=failure())
    for _ in range(2):
        ends(books, task_id=TASK, remediation=failure("cd" * 32))
    assert (2, RemediationEnd.ATTEMPTS) == (one(books).attempts, one(books).ended)
    ends(books, remediation=failure())
    ends(books, RunStatus.PR_OPENED, task_id=TASK)
    assert (2, RemediationEnd.ATTEMPTS, 2) == (one(books).attempts, one(books).ended, one(books).seen)


@pytest.mark.parametrize("status", [RunStatus.PR_OPENED, RunStatus.MERGED])
def test_a_pull_request_ends_it_and_the_next_failure_begins_anew(status: RunStatus) -> None:
    """The sound part got through; what still fails has all its attempts, on its own files."""
    books = Books().opened()
    ends(books, remediation=failure())
    ends(books, task_id=TASK)
    ends(books, status, task_id=TASK)
    assert RemediationEnd.PULL_REQUEST is one(books).ended
    ends(books, remediation=failure(paths=("b.py",)))
    assert (0, None, ("b.py",), 2) == (one(books).attempts, one(books).ended, one(books).paths, one(books).seen)


def test_findings_that_are_gone_resolve_it() -> None:
    """Any run that measured may say so; unknown ones do not matter."""
    books = Books().opened()
    ends(books, remediation=failure())
    ends(books, RunStatus.NOTHING_TO_DO, resolved=(PRINT, "ef" * 32))
    assert RemediationEnd.RESOLVED is one(books).ended


def test_dry_runs_and_smokes_book_nothing_and_use_nothing_up() -> None:
    """They prove nothing about a change that was never to be released."""
    books = Books().opened()
    ends(books, remediation=failure())
    ends(books, mode=Mode.DRY_RUN, task_id=TASK)
    ends(books, mode=Mode.DRY_RUN, remediation=failure("cd" * 32))
    ends(books, RunStatus.DRY_RUN_COMPLETE, mode=Mode.DRY_RUN, task_id=TASK)
    assert (0, None) == (one(books).attempts, one(books).ended)
    climbing = on_the_ladder()
    smoke = climbing.smoke()
    remediations.heard(
        climbing.state, FinishRequest(run_id=smoke.run_id, status=RunStatus.REJECTED, remediation=failure())
    )
    assert [] == remediations.shown(climbing.state)


def test_every_move_is_logged() -> None:
    """P12: queued, tried, ended."""
    books = Books().opened()
    ends(books, remediation=failure())
    ends(books, task_id=TASK)
    ends(books, task_id=TASK)
    events = [event.event for event in books.state.to_log if "remediation" in event.event]
    assert ["remediation queued", "remediation tried", "remediation tried", "remediation ended"] == events


def test_the_books_stay_small() -> None:
    """Continue-as-new carries them: ended ones go first, then the oldest."""
    books = Books(runs_per_day=500).opened()
    ends(books, remediation=failure())
    for number in range(remediations.KEPT + 10):
        long = tuple(f"{'d' * 90}{number}/{each}.py" for each in range(50))
        ends(books, remediation=failure(f"{number:064x}", paths=long))
        if number == 20:
            ends(books, RunStatus.PR_OPENED, task_id=f"remediate-{20:064x}"[:18])
    kept = books.state.remediations
    assert remediations.KEPT == len(kept)
    assert f"{remediations.KEPT + 9:064x}" in kept
    assert len(ControlInput(target="demo", state=books.state).model_dump_json()) < 1_000_000


def test_an_unknown_runs_word_is_not_taken() -> None:
    """A forged or late ``finish`` books nothing."""
    books = Books().opened()
    said = FinishRequest(run_id="nobody", status=RunStatus.REJECTED, remediation=failure())
    remediations.heard(books.state, said)
    assert {} == books.state.remediations
