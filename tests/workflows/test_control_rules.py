"""The pure rules of Control, row by row, with whole answers."""

from __future__ import annotations

from typing import Any

import pytest

from contracts.control import (
    Admission,
    Answer,
    Clearance,
    IncidentReport,
    OrderState,
    PauseRecord,
    WriteAnswer,
    WriteAnswerKind,
    WriteOutcome,
)
from contracts.modes import Mode, PauseStyle, RunKind, RunStatus, TargetStatus, WriteAction, WriteClass
from contracts.verdict import Decision, Verdict
from tests.workflows.books import BIRTH, DAY, Books
from workflows import pausing
from workflows.control_state import KEPT_CLOSED, ControlState

FIRST = f"demo-{DAY}-pr-1"
PUSH_FACTS = {"key": f"{FIRST}/push_branch", "class": "advance", "branch": "autonomy/x", "headSha": "h" * 40}


def running(**more: Any) -> Books:
    """An open target with one admitted run, ``FIRST``."""
    books = Books(**more).opened()
    books.admit()
    return books


def on_the_ladder() -> Books:
    """Paused and resumed: waiting for the smoke."""
    books = Books().opened()
    books.pause()
    assert books.resume().accepted
    return books


def may_begin(decision: Decision, reason: str) -> Verdict:
    """The verdict of a push."""
    return Verdict(rule="push_branch may begin", decision=decision, reason=reason, facts=PUSH_FACTS)


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
    ("spec", "answer", "run_id", "reason"),
    [
        ({}, Admission.ADMITTED, FIRST, "a slot was free"),
        ({"mode": Mode.DRY_RUN}, Admission.ADMITTED, f"demo-{DAY}-dry-1", "a slot was free"),
        ({"attempt": 7}, Admission.ADMITTED, f"demo-{DAY}-pr-7", "a slot was free"),
        (
            {"mode": Mode.SELECTIVE_AUTO},
            Admission.REFUSED,
            f"demo-{DAY}-auto-1",
            "mode SELECTIVE_AUTO asked, but the target is in PR_ONLY and policy allows PR_ONLY",
        ),
        (
            {"kind": RunKind.SMOKE},
            Admission.REFUSED,
            f"demo-{DAY}-smoke-{int(BIRTH.timestamp())}",
            "a smoke run is started by the resume ladder only; use mode DRY_RUN instead",
        ),
    ],
)
def test_who_is_admitted_into_an_open_target(spec: dict[str, Any], answer: Admission, run_id: str, reason: str) -> None:
    """Each question has one answer, a run id and a reason."""
    said = Books().opened().admit(**spec)

    assert (answer, run_id, reason) == (said.answer, said.run_id, said.verdict.reason)


def test_a_smoke_is_never_admitted_by_a_control_that_is_not_registered() -> None:
    """P2: the ladder is the only way to a smoke run, whatever Control knows so far."""
    assert Admission.REFUSED is Books().admit(kind=RunKind.SMOKE).answer


def test_the_mode_is_never_more_than_policy_allows() -> None:
    """The policy's ceiling wins over the target's mode."""
    books = Books(maximum_mode=Mode.DRY_RUN).opened()

    assert Mode.DRY_RUN is books.admit().mode
    assert Admission.REFUSED is books.admit("w2", mode=Mode.PR_ONLY).answer


def test_the_second_run_waits_the_queue_is_first_come_first_served_and_has_a_limit() -> None:
    """One active run per target by default; nobody overtakes."""
    books = running(queue_limit=2)
    second, third, fourth = (books.admit(f"w{n}", attempt=n) for n in (2, 3, 4))
    books.finish(FIRST)
    late = books.admit("w5", attempt=5)

    assert [Admission.QUEUED, Admission.QUEUED, Admission.REFUSED] == [s.answer for s in (second, third, fourth)]
    assert "the queue is full (2); control.queue_limit raises it" == fourth.verdict.reason
    assert Admission.QUEUED is late.answer
    assert OrderState.PROCEED is books.state.runs[second.run_id].order.state
    assert [third.run_id, late.run_id] == books.state.queue


def test_the_same_workflow_run_gets_the_same_answer_and_another_one_learns_who_ran() -> None:
    """Admission is by business key; a retried question changes nothing."""
    books = running()
    again, other = books.admit(), books.admit("w2")

    assert (Admission.ADMITTED, FIRST) == (again.answer, again.run_id)
    assert (Admission.ALREADY_RAN, books.state.runs[FIRST]) == (other.answer, other.previous)
    assert f"{FIRST} is RUNNING; `--again` makes a new attempt" == other.verdict.reason


@pytest.mark.parametrize(
    ("taken", "run_id"),
    [
        ((), f"demo-{DAY}-pr-2"),
        ((f"demo-{DAY}-pr-7",), f"demo-{DAY}-pr-8"),
        ((f"demo-{DAY}-dry-7",), f"demo-{DAY}-pr-2"),
        ((f"demo-{DAY}-pr-7.bak", f"demo-{DAY}-pr-", f"demo-{DAY}-pr-x"), f"demo-{DAY}-pr-2"),
    ],
)
def test_again_takes_the_next_attempt_that_neither_books_nor_logs_know(taken: tuple[str, ...], run_id: str) -> None:
    """Stray files beside the audit logs are no attempts, and break nothing."""
    assert run_id == running(max_active=2).admit("w2", taken=taken, again=True).run_id


def test_a_control_that_lost_its_books_still_knows_what_ran_and_how_often() -> None:
    """The audit logs outlive Control: no second run of an attempt, no second daily allowance."""
    taken = (FIRST, f"demo-{DAY}-dry-1", f"demo-{DAY}-smoke-5")
    books = Books(runs_per_day=2).opened()
    same, more = books.admit(taken=taken), books.admit("w2", taken=taken, again=True)

    assert (Admission.ALREADY_RAN, None) == (same.answer, same.previous)
    assert f"caps.runs_per_day: 2 of 2 runs of {DAY} are used" == more.verdict.reason


def test_a_workflow_id_that_is_started_again_frees_the_slot_of_the_run_before() -> None:
    """A terminated run under the same id would look alive for ever to whoever describes that id."""
    books = running()
    again = books.admit("w2", workflow_id="run-w1", attempt=2)

    assert Admission.ADMITTED is again.answer
    assert RunStatus.LOST is books.state.runs[FIRST].status


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
def test_when_a_resume_is_refused(prepare: Any, reason: str) -> None:
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
def test_only_a_green_smoke_under_the_current_policy_opens_the_target(
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


def test_while_resuming_only_the_ladders_own_smoke_is_admitted() -> None:
    """No daily run, and no smoke that somebody else started."""
    books = on_the_ladder()
    daily, forged = books.admit(), books.admit("w2", kind=RunKind.SMOKE)

    wanted = (Admission.REFUSED, "resuming: only the ladder's own smoke run is admitted")
    assert [wanted, wanted] == [(said.answer, said.verdict.reason) for said in (daily, forged)]
    assert Admission.ADMITTED is books.smoke().answer


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
        (lambda b: b.wait(59), "a2", WriteAnswerKind.BUSY, "another attempt holds the clearance until 2026-03-02T09:01:00+00:00"),
        (lambda b: b.wait(60), "a2", WriteAnswerKind.GO, "active in mode PR_ONLY"),
        (lambda b: (b.pause(), b.wait(60)), "a2", WriteAnswerKind.LOOK_ONLY, "the target is PAUSED"),
        (lambda b: b.pause(), "a2", WriteAnswerKind.BUSY, "another attempt holds the clearance until 2026-03-02T09:01:00+00:00"),
        (lambda b: b.pause(), "a1", WriteAnswerKind.LOOK_ONLY, "the target is PAUSED"),
        (lambda b: (b.pause(), b.wait(60), b.begin(FIRST, "a2")), "a2", WriteAnswerKind.LOOK_ONLY, "the target is PAUSED"),
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
)  # fmt: skip
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
    allowed = (action, write_class) == (WriteAction.OPEN_TICKET, WriteClass.RECORD)

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


@pytest.mark.parametrize(
    ("mode", "asked", "paused", "stale", "accepted", "reason"),
    [
        (Mode.PR_ONLY, Mode.DRY_RUN, True, True, True, "mode is DRY_RUN"),
        (Mode.DRY_RUN, Mode.PR_ONLY, False, False, True, "mode is PR_ONLY"),
        (Mode.DRY_RUN, Mode.PR_ONLY, True, False, False, "the target is PAUSED; only the resume ladder opens it"),
        (Mode.DRY_RUN, Mode.PR_ONLY, False, True, False, "look again before you raise the mode"),
        (Mode.PR_ONLY, Mode.SELECTIVE_AUTO, False, False, False, "SELECTIVE_AUTO is not enabled in this version"),
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
    said = IncidentReport(incident="i1", run_id=FIRST, trigger="policy_violation", reason="left its scope" * 1000)
    answers = [pausing.open_incident(books.state, said, books.now) for _ in range(2)]

    assert [True, True] == [answer.accepted for answer in answers]
    assert ["i1"] == list(books.state.incidents)
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
    for _ in range(5000):
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
