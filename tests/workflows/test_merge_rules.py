"""Control's rules of merging by itself: who may raise the mode, and what the books keep (P2, P4)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from contracts.admission import FinishRequest
from contracts.artifact import ArtifactRef
from contracts.clearance import WriteAnswerKind
from contracts.handover import PinnedPolicy, RunRef
from contracts.incident import IncidentRecord, IncidentState
from contracts.modes import Mode, RunKind, RunStatus, WriteAction, WriteClass
from contracts.rollback import Merged
from tests.workflows.books import BIRTH, DAY, FIRST, Books
from workflows.control import admission, rollback_records

FILE = ArtifactRef(name="policy.json", sha256="0" * 64, size=0, media_type="application/json", location="x")
MAY = {"maximum": Mode.SELECTIVE_AUTO, "probes": 1}


def incident(state: IncidentState = IncidentState.OPEN, *, overdue: bool = False) -> Callable[[Books], None]:
    """Puts an incident into the books."""

    def put(books: Books) -> None:
        books.state.incidents["INC-1"] = IncidentRecord(
            incident="INC-1",
            run_id="r",
            trigger="regression",
            reason="r",
            opened_at=BIRTH,
            state=state,
            overdue=overdue,
        )

    return put


@pytest.mark.parametrize(
    ("before", "given", "reason"),
    [
        (lambda books: None, {}, "policy allows PR_ONLY at most"),
        (lambda books: None, {"probes": 1}, "policy allows PR_ONLY at most"),
        (lambda books: None, {"maximum": Mode.SELECTIVE_AUTO}, "no [[probes]]"),
        (incident(), MAY, "no higher mode before this is dealt with: INC-1 is open"),
        (incident(IncidentState.CLOSED, overdue=True), MAY, "the prevention of INC-1 is overdue"),
        (lambda books: books.pause(), MAY, "the target is PAUSED"),
    ],
)
def test_each_thing_missing_refuses_selective_auto(
    before: Callable[[Books], None], given: dict[str, Any], reason: str
) -> None:
    """P2: each condition alone; what the sender leaves out counts as a no."""
    books = Books().opened()
    before(books)
    answer = books.set_mode(Mode.SELECTIVE_AUTO, **given)
    assert (False, Mode.PR_ONLY) == (answer.accepted, books.state.mode)
    assert reason in answer.verdict.reason


def test_a_person_sets_selective_auto() -> None:
    """With everything there; a closed incident whose prevention is not overdue is no obstacle. It is recorded."""
    books = Books().opened()
    incident(IncidentState.CLOSED)(books)
    assert books.set_mode(Mode.SELECTIVE_AUTO, **MAY).accepted
    assert Mode.SELECTIVE_AUTO is books.state.mode
    assert "mode set" == books.state.to_log[-1].event


def auto() -> tuple[Books, str]:
    """An open target in SELECTIVE_AUTO with one run."""
    books = Books(maximum_mode=Mode.SELECTIVE_AUTO).opened()
    books.set_mode(Mode.SELECTIVE_AUTO, **MAY)
    return books, books.admit().run_id


def test_only_a_selective_auto_run_may_merge() -> None:
    """P4: and only while the mode is what it was."""
    books, run_id = auto()
    assert WriteAnswerKind.GO is books.begin(run_id, action=WriteAction.MERGE).answer
    lowered, run_id = auto()
    lowered.set_mode(Mode.PR_ONLY)
    assert "lowered to PR_ONLY" in lowered.begin(run_id, action=WriteAction.MERGE).verdict.reason
    plain = Books().opened()
    plain.admit()
    assert "PR_ONLY never merges" in plain.begin(FIRST, action=WriteAction.MERGE).verdict.reason
    assert not plain.begin(FIRST, action=WriteAction.REVERT, write_class=WriteClass.ADVANCE).verdict.allowed


def merged(run_id: str) -> Merged:
    """A merge of ours."""
    run = RunRef(
        run_id=run_id,
        target="demo",
        kind=RunKind.DAILY,
        mode=Mode.SELECTIVE_AUTO,
        date=DAY,
        attempt=1,
        workflow_id="w",
        started_at=BIRTH,
        started_by="bob",
        policy=PinnedPolicy(digest="p", artifact=FILE),
    )
    return Merged(
        run=run,
        merge_sha="c" * 40,
        parent_sha="b" * 40,
        tree_sha="d" * 40,
        head_sha="a" * 40,
        task_id="t",
        pull_request=1,
        merged_at=BIRTH,
    )


def test_the_books_keep_each_merge_once() -> None:
    """Told twice, or by a run that was taken for lost: it is on the base, so it is in the books."""
    books, run_id = auto()
    said = FinishRequest(run_id=run_id, status=RunStatus.MERGED, merged=merged(run_id))
    assert admission.finish(books.state, said, books.now)
    assert not admission.finish(books.state, said, books.now)
    assert [run_id] == list(books.state.merges)
    assert 1 == sum(event.event == "merged" for event in books.state.to_log)
    for number in range(rollback_records.KEPT):
        rollback_records.merged(books.state, merged(f"r{number}"))
    assert rollback_records.KEPT == len(books.state.merges)
    assert run_id not in books.state.merges
