"""The pure rules of pause, ladder and books, row by row, with whole answers."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import pytest
from temporalio import workflow

from contracts.admission import Admission, AdmitRequest, Order, OrderState
from contracts.budget import Amounts, BookedBefore, PeriodAmounts, ReserveRequest, SettleCost
from contracts.control import Answer, InstallationFacts, PauseRecord
from contracts.incident import IncidentReport, Trigger
from contracts.modes import Mode, PauseStyle, RunStatus, TargetStatus
from contracts.verdict import Decision, Verdict
from tests.workflows.books import BIRTH, DAY, FIRST, Books, on_the_ladder, running
from tests.workflows.money import terms
from workflows.control import admission, budget, incident_records, pausing
from workflows.control.state import KEPT_CLOSED, ControlInput, ControlState
from workflows.epochs import epoch_at
from workflows.run.gate import Gate


def test_a_blank_control_is_paused_and_a_target_nobody_knew_opens_itself() -> None:
    """Terminating a paused Control must not unpause it; a new target needs no ladder."""
    blank, fresh, known, stopped, both = Books(), Books().opened(), Books(), Books(), Books()
    known.register(fresh=False)
    stopped.register(TargetStatus.PAUSED)
    both.register(TargetStatus.PAUSED, fresh=False)

    rows = [
        (books.state.status, [p.scope for p in books.state.pauses]) for books in (blank, fresh, known, stopped, both)
    ]
    assert [
        (TargetStatus.PAUSED, []),
        (TargetStatus.ACTIVE, []),
        (TargetStatus.PAUSED, ["start"]),
        (TargetStatus.PAUSED, ["installation"]),
        (TargetStatus.PAUSED, ["start", "installation"]),
    ] == rows


def test_a_reset_control_registers_again_and_says_why_it_is_paused() -> None:
    """Its books are as of then: how the Installation fared since, it learns; its ledger is not booked twice."""
    books = Books().opened()
    books.notice(2, TargetStatus.PAUSED)
    booked = BookedBefore(periods=(PeriodAmounts(period="day/2026-03-02", amounts=Amounts(runs=3)),))
    facts = InstallationFacts(epoch=3, status=TargetStatus.ACTIVE, ready=True, fresh=False, booked=booked)
    pausing.register(books.state, facts, books.now, again=True)

    assert [("start", "reset by hand")] == [(known.scope, known.reason) for known in books.state.pauses]
    assert (False, {}) == (books.state.installation_paused, books.state.budget.spent)
    assert books.resume().accepted


def test_a_control_that_was_paused_before_it_registered_stays_paused_and_cancels_its_queue() -> None:
    """P1: signal-with-start reaches a Control that nobody has opened."""
    books = Books()
    queued = books.admit()
    books.pause()
    books.admit("w2", attempt=2)
    books.register()

    assert Admission.QUEUED is queued.answer
    assert (TargetStatus.PAUSED, []) == (books.state.status, books.state.queue)
    assert {RunStatus.CANCELLED} == {run.status for run in books.state.runs.values()}


def test_a_reborn_control_forgets_nothing_that_somebody_paused_separately() -> None:
    """P2: its own pause may have been lost with its books, so the end of a global pause does not open it."""
    books = Books()
    books.register(TargetStatus.PAUSED, fresh=False)
    books.notice(2, TargetStatus.ACTIVE)

    assert TargetStatus.PAUSED is books.state.status
    assert books.resume().accepted


@pytest.mark.parametrize(
    ("style", "running_run", "smoke_run"),
    [
        (PauseStyle.CHECKPOINT, OrderState.HOLD, OrderState.ABORT),
        (PauseStyle.DRAIN, OrderState.DRAIN, OrderState.ABORT),
        (PauseStyle.ABORT, OrderState.ABORT, OrderState.ABORT),
    ],
)
def test_what_a_pause_orders(style: PauseStyle, running_run: OrderState, smoke_run: OrderState) -> None:
    """Running runs get the style's order, queued ones are cancelled and kept, a smoke is always aborted."""
    books = running()
    queued = books.admit("w2", attempt=2)
    books.pause(style)
    climbing = on_the_ladder()
    smoke = climbing.smoke()
    climbing.pause(style)

    assert running_run is books.state.runs[FIRST].order.state
    assert (RunStatus.CANCELLED, OrderState.CANCELLED) == (
        books.state.runs[queued.run_id].status,
        books.state.runs[queued.run_id].order.state,
    )
    assert smoke_run is climbing.state.runs[smoke.run_id].order.state
    assert climbing.state.ladder is None


def test_a_gentler_pause_never_softens_a_harder_one() -> None:
    """Abort stays abort."""
    books = running()
    books.pause(PauseStyle.ABORT)
    books.pause(PauseStyle.CHECKPOINT)

    assert OrderState.ABORT is books.state.runs[FIRST].order.state


def test_a_pause_is_newer_than_anything_a_reset_control_has_forgotten() -> None:
    """A reset rewinds epoch and revision; the next pause must be newer than what runs and people saw before."""
    books = running()
    forgotten = books.state.model_copy(deep=True)
    for _ in range(3):
        books.pause()
    reset = Books(state=forgotten, now=BIRTH)
    reset.wait(60)
    reset.pause()

    assert reset.state.epoch > books.state.epoch
    assert reset.state.runs[FIRST].order.revision > books.state.runs[FIRST].order.revision


@pytest.mark.parametrize(
    ("prepare", "reason"),
    [
        (lambda books: books.wait(0), "the target is ACTIVE, not PAUSED"),
        (
            lambda books: books.notice(2, TargetStatus.PAUSED),
            "the whole installation is paused; resume it first (--all)",
        ),
        (
            lambda books: (books.begin(FIRST), books.pause()),
            "a write is still in flight; wait until it is settled",
        ),
        (lambda books: (books.pause(), books.resume()), "the target is RESUMING, not PAUSED"),
    ],
)
def test_7_when_a_resume_is_refused(prepare: Any, reason: str) -> None:
    """P14: refused with the reason, and nothing changed."""
    books = running()
    prepare(books)
    before = books.state.model_dump_json()
    answer = books.resume()

    facts = {"epoch": books.state.epoch, "status": books.state.status}
    verdict = Verdict(rule="the target may resume", decision=Decision.DENY, reason=reason, facts=facts)
    assert Answer(accepted=False, verdict=verdict, epoch=books.state.epoch) == answer
    assert before == books.state.model_dump_json()


def test_a_resume_under_an_older_epoch_never_undoes_a_newer_pause() -> None:
    """A late resume, typed before the pause and delivered after it."""
    books = running()
    books.pause()
    seen = books.state.epoch
    books.pause()
    answer = books.resume(seen)

    assert not answer.accepted
    assert f"a newer pause raised the epoch to {seen + 1}; look again before you resume" == answer.verdict.reason
    assert TargetStatus.PAUSED is books.state.status


@pytest.mark.parametrize(
    ("status", "policy", "opened", "reason"),
    [
        (RunStatus.DRY_RUN_COMPLETE, "policy-1", True, ""),
        (RunStatus.NOTHING_TO_DO, "policy-1", True, ""),
        (RunStatus.DRY_RUN_COMPLETE, "policy-2", False, "the policy changed while the smoke ran"),
        (RunStatus.DRY_RUN_COMPLETE, "", False, "the policy changed while the smoke ran"),
        (RunStatus.REFUSED, "policy-1", False, "the smoke ended REFUSED: see its report"),
        (RunStatus.LOST, "policy-1", False, "the smoke ended LOST: see its report"),
        (RunStatus.REJECTED, "policy-1", False, "the smoke ended REJECTED: see its report"),
    ],
)
def test_7_only_a_green_smoke_under_the_current_policy_opens_the_target(
    status: RunStatus, policy: str, *, opened: bool, reason: str
) -> None:
    """P2: green → ACTIVE in PR_ONLY; else PAUSED again, with the reason."""
    books = on_the_ladder()
    books.finish(books.smoke().run_id, status, policy)

    assert (TargetStatus.ACTIVE if opened else TargetStatus.PAUSED) is books.state.status
    assert Mode.PR_ONLY is books.state.mode
    assert ([] if opened else [reason]) == [
        pause.reason for pause in books.state.pauses if pause.reason != "smoke in the room"
    ]


def test_held_runs_go_on_after_a_green_smoke_and_cancelled_ones_do_not() -> None:
    """A checkpoint is a pause, not an end."""
    books = running()
    queued = books.admit("w2", attempt=2)
    books.pause()
    books.resume()
    books.finish(books.smoke().run_id, RunStatus.DRY_RUN_COMPLETE)

    orders = [books.state.runs[run_id].order.state for run_id in (FIRST, queued.run_id)]
    assert [OrderState.PROCEED, OrderState.CANCELLED] == orders


def test_the_end_of_a_global_pause_opens_only_those_it_closed() -> None:
    """A target that was paused separately stays paused."""
    closed_by_all, closed_itself = Books().opened(), Books().opened()
    closed_itself.pause()
    for books in (closed_by_all, closed_itself):
        books.notice(5, TargetStatus.PAUSED)
        books.notice(6, TargetStatus.ACTIVE)
        books.notice(5, TargetStatus.PAUSED)

    assert TargetStatus.RESUMING is closed_by_all.state.status
    assert TargetStatus.PAUSED is closed_itself.state.status


@pytest.mark.parametrize("status", [TargetStatus.ACTIVE, TargetStatus.PAUSED, TargetStatus.RESUMING])
def test_news_under_an_epoch_that_is_to_come_hides_no_later_pause_or_resume(status: TargetStatus) -> None:
    """Typed by hand in the UI, or of an Installation whose clock had jumped: the brake still works, and lets go."""
    books, present = Books().opened(), epoch_at(BIRTH)
    books.notice(10**17, status)
    books.notice(present + 1, TargetStatus.PAUSED)
    paused = books.state.status
    books.notice(present + 2, TargetStatus.ACTIVE)
    books.notice(present + 1, TargetStatus.PAUSED)

    assert (TargetStatus.PAUSED, TargetStatus.RESUMING) == (paused, books.state.status)


def test_an_order_under_a_revision_that_is_to_come_hides_no_later_order() -> None:
    """The same at a run's gate."""
    gate = Gate()
    order = Order(revision=10**17, epoch=1, state=OrderState.PROCEED)
    with patch.object(workflow, "now", return_value=BIRTH):
        for revision, state in ((10**17, OrderState.PROCEED), (7, OrderState.HOLD), (6, OrderState.PROCEED)):
            gate.take(order.model_copy(update={"revision": revision, "state": state}))

    assert OrderState.HOLD is (gate.order or order).state


@pytest.mark.parametrize(
    ("mode", "asked", "paused", "stale", "accepted", "reason"),
    [
        (Mode.PR_ONLY, Mode.DRY_RUN, True, True, True, "mode is DRY_RUN"),
        (Mode.DRY_RUN, Mode.PR_ONLY, False, False, True, "mode is PR_ONLY"),
        (Mode.DRY_RUN, Mode.PR_ONLY, True, False, False, "the target is PAUSED; only the resume ladder opens it"),
        (Mode.DRY_RUN, Mode.PR_ONLY, False, True, False, "look again before you raise the mode"),
        (
            Mode.PR_ONLY,
            Mode.SELECTIVE_AUTO,
            False,
            False,
            False,
            "raise modes.maximum and the target's maximum_mode first",
        ),
    ],
)
def test_lowering_the_mode_always_works_and_raising_it_has_conditions(
    mode: Mode, asked: Mode, reason: str, *, paused: bool, stale: bool, accepted: bool
) -> None:
    """P2: above PR_ONLY it must be earned, and a stale epoch raises nothing."""
    books = Books().opened()
    books.state.mode = mode
    if paused:
        books.pause()
    answer = books.set_mode(asked, books.state.epoch - stale)

    assert (accepted, asked if accepted else mode) == (answer.accepted, books.state.mode)
    assert answer.verdict.reason.endswith(reason)


def test_an_incident_is_recorded_once() -> None:
    """P7: a repeated report adds nothing."""
    books = running()
    said = IncidentReport(
        incident="INC-1", run_id=FIRST, trigger=Trigger.POLICY_VIOLATION, reason="left its scope" * 1000
    )
    answers = [incident_records.open_incident(books.state, said, books.now) for _ in range(2)]

    assert [True, True] == [answer.accepted for answer in answers]
    assert ["INC-1"] == list(books.state.incidents)
    assert 1 == sum(event.event == "incident opened" for event in books.state.to_log)


def test_closed_runs_are_forgotten_oldest_first_and_their_writes_with_them() -> None:
    """The books are bounded; what is older lives in the audit log."""
    books = Books(runs_per_day=1000).opened()
    for number in range(KEPT_CLOSED + 20):
        run_id = books.admit(f"w{number}", again=True).run_id
        books.begin(run_id)
        books.settle(run_id)
        books.wait(1)
        books.state.to_tell.clear()
        books.finish(run_id)

    kept = list(books.state.runs)
    assert (KEPT_CLOSED, f"demo-{DAY}-pr-{KEPT_CLOSED + 20}") == (len(kept), kept[-1])
    assert set(kept) == {write.run_id for write in books.state.writes.values()}


def test_books_that_cannot_be_logged_stay_small_and_say_what_is_missing() -> None:
    """P10: a full disk for a week must not make Control too large to hand on; the gap itself is logged."""
    books = Books().opened()
    for _ in range(2500):
        # Not the same twice in a row: repeated ones are counted.
        books.state.log("mode set")
        books.pause()

    last = books.state.to_log[-1]
    assert len(books.state.model_dump_json()) < 512 * 1024
    assert 5001 == len(books.state.to_log) - 1 + int(last.facts["events"] or 0)
    assert "paused" == last.facts["latest"]


def test_why_names_every_pause_in_force() -> None:
    """P12: who, why, since when, until when a person looks again."""
    state = ControlState(target="demo", registered=True)
    pausing.pause(
        state,
        PauseRecord(
            scope="target",
            style=PauseStyle.DRAIN,
            reason="bad day",
            actor="ann",
            at=BIRTH,
            epoch=0,
            review_on="2026-03-09",
        ),
    )
    facts = {"at": BIRTH.isoformat(), "epoch": state.epoch, "style": "drain", "reviewOn": "2026-03-09"}
    child = Verdict(
        rule="no target pause is in force", decision=Decision.HOLD, reason="paused by ann: bad day", facts=facts
    )
    whole = Verdict(
        rule="the target may work",
        decision=Decision.HOLD,
        reason="paused; `starter.py resume` names the cause and opens it again",
        facts={"status": "PAUSED", "mode": "PR_ONLY", "epoch": state.epoch},
        children=(child,),
    )
    assert whole == state.why()


def test_a_rewound_control_refuses_at_once_and_a_blank_one_waits_for_what_it_will_hear() -> None:
    """Blank, its target may turn out to be new; rewound by a reset, it is paused whatever it hears."""
    rewound, blank = Books(state=ControlState(target="demo", epoch=1, rewound=True)), Books()
    assert (Admission.REFUSED, Admission.QUEUED) == (rewound.admit().answer, blank.admit().answer)


OF_BEFORE = {
    "maxActive": 3,
    "queueLimit": 4,
    "runsPerDay": 5,
    "maximumMode": "PR_ONLY",
    "failuresInARow": 6,
    "rollbackCaps": {"revertsPerDay": 7, "culpritHours": 8, "quarantineDays": 9},
    "grantDays": 0.5,
}
"""The policy's terms as the question for admission held them, each for itself."""


def test_books_and_questions_of_before_keep_their_terms():
    """P15: an open Control hands on, and has queued, what knew nothing of ``ControlTerms``."""
    question = {
        "request": {"target": "demo"},
        "workflowId": "w",
        "workflowRunId": "x",
        "date": DAY,
        "policyDigest": "p",
    }
    asked = AdmitRequest.model_validate(question | OF_BEFORE)
    assert (3, 4, 5, Mode.PR_ONLY, 6, 7, 0.5) == (
        asked.terms.max_active,
        asked.terms.queue_limit,
        asked.terms.runs_per_day,
        asked.terms.maximum_mode,
        asked.terms.failures_in_a_row,
        asked.terms.rollback_caps.reverts_per_day,
        asked.terms.grant_days,
    )
    handed_on = {name: OF_BEFORE[name] for name in ("maxActive", "failuresInARow", "rollbackCaps", "grantDays")}
    books = {"target": "demo", "epoch": 7, "reapSeconds": 11, "budget": {"waiting": {"r": "c"}}} | handed_on
    state = ControlInput.model_validate({"target": "demo", "state": books}).state
    assert state is not None
    assert (3, 6, 0.5, 11, {"r": "c"}) == (
        state.terms.max_active,
        state.terms.failures_in_a_row,
        state.terms.grant_days,
        state.terms.reap_seconds,
        state.budget.waiting,
    )
    assert state == ControlInput.model_validate_json(ControlInput(target="demo", state=state).model_dump_json()).state
    facts = {"epoch": 1, "status": "ACTIVE", "ready": True, "fresh": True, "reapSeconds": 12, "firstMode": "DRY_RUN"}
    told = InstallationFacts.model_validate(facts | {"budget": None}).terms
    assert (12, Mode.DRY_RUN, None) == (told.reap_seconds, told.first_mode, told.budget)
    # A question of before says nothing of when to reap: what was registered stays.
    admission.admit(state, asked, BIRTH)
    assert (11, 3) == (state.terms.reap_seconds, state.terms.max_active)


def test_what_is_only_mentioned_is_logged_with_the_next_event_and_in_its_place():
    """An entry of its own for nothing that a Control without books would find out otherwise; nothing is left out."""
    books = running()
    books.state.to_log.clear()
    books.state.batch_log()
    books.begin(FIRST)
    books.state.to_log.clear()
    books.settle(FIRST)
    assert ([], ["write settled"]) == (
        [event.event for event in books.state.to_log],
        [event.event for event in books.state.to_mention],
    )
    # Handed on to the next run of Control, it is not lost.
    books.state = ControlState.model_validate_json(books.state.model_dump_json())
    books.finish(FIRST)
    assert ["write settled", "run closed"] == [event.event for event in books.state.to_log]
    assert [] == books.state.to_mention
    # Nobody looks after a run that is over.
    books.state.mention(FIRST, "write settled")
    assert "write settled" == books.state.to_log[-1].event


def test_money_is_logged_at_once():
    """P9: what a Control that lost its books could not find out otherwise."""
    books = running(terms=terms())
    books.state.batch_log()
    for usd in (0.0, 1.0):
        books.state.to_log.clear()
        key, worst = f"{FIRST}/code", Amounts(usd=usd, agent_minutes=1)
        asked = ReserveRequest(run_id=FIRST, key=key, attempt=f"a{usd}", worst=worst, terms=terms())
        assert budget.reserve(books.state, asked, books.now).reserved
        said = SettleCost(key=key, attempt=f"a{usd}", cost=Amounts(usd=usd), agent_minutes=1)
        assert budget.settle(books.state, said, books.now).accepted
        assert (["cost reserved", "cost booked"] if usd else []) == [event.event for event in books.state.to_log][-2:]
