"""Control's books of incidents, and the count of failures (runbook §6, §12; policy, "repeated run failures")."""

from __future__ import annotations

import pytest

from contracts.admission import OrderState
from contracts.alert import AlertKind
from contracts.clearance import WriteAnswerKind, WriteRequest
from contracts.incident import IncidentNews, IncidentRecord, IncidentReport, IncidentState, Trigger
from contracts.modes import Mode, RunStatus, TargetStatus, WriteAction, WriteClass
from tests.workflows.books import FIRST, POLICY, Books, running
from workflows.control import clearances, incident_records
from workflows.control.pausing import escalate_failures

INCIDENT = f"INC-{FIRST}-policy-violation"


def opened() -> Books:
    """An incident is in the books and its workflow runs."""
    books = running()
    said = IncidentReport(incident=INCIDENT, run_id=FIRST, trigger=Trigger.POLICY_VIOLATION, reason=".env touched")
    incident_records.open_incident(books.state, said, books.now)
    return books


def tell(books: Books, *, done: bool = False, **changes: object) -> None:
    """News of the incident."""
    record = IncidentRecord(
        incident=INCIDENT, run_id=FIRST, trigger="policy_violation", reason=".env touched", opened_at=books.now
    ).model_copy(update=changes)
    assert incident_records.take_news(books.state, IncidentNews(record=record, done=done)).accepted


def fail_runs(books: Books, *statuses: RunStatus) -> list[bool]:
    """Daily runs that end one after the other, as Control's handler takes it."""
    told = []
    for number, status in enumerate(statuses):
        run_id = books.admit(f"f{number}-{books.state.logged}", again=True).run_id
        books.finish(run_id, status)
        told.append(escalate_failures(books.state, books.now))
    return told


def test_a_forge_that_keeps_runs_out_is_no_failure_of_theirs() -> None:
    """A week of expired token opens no incident, and does not make three failures around it fewer."""
    books = Books(runs_per_day=50).opened()
    told = fail_runs(books, RunStatus.FAILED, RunStatus.FAILED)
    for number in range(5):
        run_id = books.admit(f"out{number}", again=True).run_id
        books.finish(run_id, RunStatus.FAILED, kept_out=True)
        told.append(escalate_failures(books.state, books.now))
    assert [False] * 7 == told
    assert 2 == len(books.state.failed_in_a_row)


def ticket(books: Books, action: WriteAction = WriteAction.OPEN_TICKET) -> WriteAnswerKind:
    """The incident wants to write its ticket."""
    asked = WriteRequest(
        run_id=INCIDENT,
        key=f"{INCIDENT}/{action}",
        attempt="a1",
        action=action,
        write_class=WriteClass.RECORD,
        branch="",
        head_sha="",
        base_sha="",
        policy_digest="another policy",
        seconds=60,
    )
    return clearances.begin(books.state, asked, books.now).answer


def test_repeated_failures_pause_first_then_open_the_incident() -> None:
    """Policy: the third in a row; the brake stands before the incident in the log; an alert follows."""
    books = Books().opened()
    assert [False, False, True] == fail_runs(books, RunStatus.FAILED, RunStatus.LOST, RunStatus.FAILED)

    events = [event.event for event in books.state.to_log]
    assert events.index("paused") < events.index("incident opened")
    assert TargetStatus.PAUSED is books.state.status
    (record,) = books.state.incidents.values()
    assert (Trigger.REPEATED_FAILURES, 2) == (record.trigger, len(record.runs))
    assert [AlertKind.RUN_FAILED] == [alert.kind for alert in books.state.to_alert]
    assert 3 == len(incident_records.start_of(books.state, record).runs)


@pytest.mark.parametrize(
    "between", [RunStatus.PR_OPENED, RunStatus.DRY_RUN_COMPLETE, RunStatus.NOTHING_TO_DO, RunStatus.REJECTED]
)
def test_a_run_with_an_answer_restarts_the_count(between: RunStatus) -> None:
    """Only failures in a row count."""
    books = Books().opened()
    assert not any(fail_runs(books, RunStatus.FAILED, RunStatus.FAILED, between, RunStatus.FAILED, RunStatus.FAILED))


@pytest.mark.parametrize("between", [RunStatus.CANCELLED, RunStatus.PAUSED])
def test_a_run_that_a_person_ended_says_nothing(between: RunStatus) -> None:
    """Cancelling must not hide that a target fails."""
    books = Books().opened()
    assert fail_runs(books, RunStatus.FAILED, RunStatus.FAILED, between, RunStatus.FAILED)[-1]


def test_a_resume_restarts_the_count() -> None:
    """The cause was closed by a person: what failed before it counts no more."""
    books = Books().opened()
    fail_runs(books, RunStatus.FAILED, RunStatus.FAILED)
    books.pause()
    assert books.resume().accepted
    assert [] == books.state.failed_in_a_row


def test_the_limit_is_the_policys() -> None:
    """``control.failures_in_a_row``."""
    books = Books().opened()
    books.policy_says(failures_in_a_row=1)
    assert [True] == fail_runs(books, RunStatus.LOST)


def test_running_runs_hold_when_failures_repeat() -> None:
    """The pause is a pause like any other."""
    books = Books(max_active=2).opened()
    held = books.admit("held").run_id
    fail_runs(books, *[RunStatus.FAILED] * 3)
    assert OrderState.HOLD is books.state.runs[held].order.state


def test_an_incident_writes_its_ticket_after_its_run_and_while_paused() -> None:
    """The record class: allowed for what is in the books, whatever the policy is by now; never for anything else."""
    books = opened()
    books.finish(FIRST, RunStatus.ESCALATED)
    books.pause()
    assert POLICY != "another policy"
    assert [WriteAnswerKind.GO] * 2 == [ticket(books), ticket(books, WriteAction.CLOSE_TICKET)]
    assert WriteAnswerKind.REFUSED is ticket(running())


def test_it_starts_once_when_its_run_has_ended_and_all_is_logged() -> None:
    """Evidence is complete then; the books remember that it was started."""
    books = opened()
    assert [INCIDENT] == [record.incident for record in incident_records.to_start(books.state)]
    books.state.to_log.clear()
    assert not incident_records.evidence_is_complete(books.state)
    books.finish(FIRST, RunStatus.ESCALATED)
    books.state.to_log.clear()
    assert incident_records.evidence_is_complete(books.state)
    incident_records.started(books.state, INCIDENT)
    assert [] == incident_records.to_start(books.state)


@pytest.mark.parametrize(
    ("news", "bars"),
    [
        ({}, f"{INCIDENT} is open"),
        ({"state": IncidentState.CLOSED, "due_on": "2026-04-01"}, ""),
        (
            {"state": IncidentState.CLOSED, "due_on": "2026-04-01", "overdue": True},
            f"the prevention of {INCIDENT} is overdue",
        ),
    ],
)
def test_12_an_open_incident_or_an_overdue_prevention_bars_a_higher_mode(news: dict[str, object], bars: str) -> None:
    """§12, issue 4: refused with its name, whatever policy allows; lowering and PR_ONLY stay possible."""
    books = opened()
    tell(books, **news)
    asked = books.set_mode(Mode.SELECTIVE_AUTO, maximum=Mode.SELECTIVE_AUTO, probes=1)
    told = f"no higher mode before this is dealt with: {bars}" if bars else "mode is SELECTIVE_AUTO"
    assert (not bars, told) == (asked.accepted, asked.verdict.reason)
    assert all(books.set_mode(mode).accepted for mode in (Mode.DRY_RUN, Mode.PR_ONLY))


def test_12_an_overdue_prevention_ends_selective_auto() -> None:
    """§12, issue 4: the mode falls to PR_ONLY, said in the log; DRY_RUN stays what it is; only a person raises it."""
    closed = {"state": IncidentState.CLOSED, "due_on": "2026-04-01"}
    for mode, then in ((Mode.SELECTIVE_AUTO, Mode.PR_ONLY), (Mode.DRY_RUN, Mode.DRY_RUN)):
        books = opened()
        tell(books, **closed)
        assert books.set_mode(mode, maximum=Mode.SELECTIVE_AUTO, probes=1).accepted
        tell(books, **closed, overdue=True)
        said = [event.facts["actor"] for event in books.state.to_log if event.event == "mode set"]
        assert (then, then is not mode) == (books.state.mode, "control" in said)


def test_12_overdue_is_alerted_once_and_shown() -> None:
    """Status, why and the UI's details say whose prevention is late."""
    books = opened()
    for _ in range(2):
        tell(books, state=IncidentState.CLOSED, owner="ann", due_on="2026-04-01", overdue=True)
    assert [AlertKind.PREVENTION_OVERDUE] == [alert.kind for alert in books.state.to_alert]
    assert "prevention overdue since 2026-04-01, owner ann" in books.state.details()
    assert any("overdue since" in child.reason for child in books.state.why().children)
    assert books.state.view().incidents[0].overdue


def test_done_is_forgotten_but_never_opened_again() -> None:
    """Books stay small; a late report or a reset Incident opens nothing twice."""
    books = opened()
    ticket(books)
    tell(books, state=IncidentState.CLOSED, done=True)
    assert ({}, []) == (books.state.incidents, [key for key in books.state.writes if key.startswith("INC-")])
    assert (INCIDENT,) == books.state.view().incidents_done
    tell(books)
    said = IncidentReport(incident=INCIDENT, run_id=FIRST, trigger=Trigger.POLICY_VIOLATION, reason="again")
    incident_records.open_incident(books.state, said, books.now)
    assert {} == books.state.incidents


def test_books_that_were_lost_learn_of_the_incident_from_it() -> None:
    """A terminated Control has forgotten; the Incident's next word puts it back, as started."""
    books = Books().opened()
    tell(books, owner="ann")
    assert ("ann", True) == (books.state.incidents[INCIDENT].owner, books.state.incidents[INCIDENT].started)
    assert WriteAnswerKind.GO is ticket(books)
