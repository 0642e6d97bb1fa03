"""Grants: who may release a quarantined change, when, for which paths, and how often."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from contracts.admission import Admission, AdmitAnswer, AdmitRequest, RunRequest
from contracts.control import Answer
from contracts.grant import GrantRequest
from contracts.modes import Mode, RunKind, RunStatus
from contracts.terms import ControlTerms
from tests.workflows.books import BIRTH, DAY, FIRST, TARGET, Books, running
from workflows.control import admission, grants

HEAD = "a" * 40
PATH = ".github/workflows/ci.yml"
DAY_LATER = BIRTH + timedelta(days=1)


def escalated() -> Books:
    """An open target whose first run was escalated; paused and resumed since."""
    books = running()
    books.finish(FIRST, RunStatus.ESCALATED)
    books.pause()
    assert books.resume().accepted
    books.finish(books.smoke().run_id, RunStatus.DRY_RUN_COMPLETE)
    return books


def give(books: Books, **other: Any) -> Answer:
    """A person's grant; by default a good one."""
    values: dict[str, Any] = {
        "expected_epoch": books.state.epoch,
        "run_id": FIRST,
        "head_sha": HEAD,
        "paths": (PATH,),
        "expires_at": DAY_LATER,
        "reason": "read line by line",
        "actor": "ann",
    }
    return grants.give(books.state, GrantRequest(**(values | other)), books.now)


def ask(books: Books, execution: str = "g1", head: str = HEAD, problem: str = "", **spec: Any) -> AdmitAnswer:
    """A run asks to take the change."""
    asked = AdmitRequest(
        request=RunRequest(target=TARGET, **({"grant": FIRST} | spec)),
        workflow_id=f"run-{execution}",
        workflow_run_id=execution,
        date=DAY,
        policy_digest=books.policy,
        terms=ControlTerms(
            max_active=1,
            queue_limit=3,
            runs_per_day=50,
            maximum_mode=Mode.SELECTIVE_AUTO,
            grant_days=books.state.terms.grant_days,
        ),
        quarantined_head=head,
        quarantine_problem=problem,
    )
    return admission.admit(books.state, asked, books.now)


def logged(books: Books) -> list[str]:
    """What went into the target's log."""
    return [event.event for event in books.state.to_log]


def test_a_grant_is_given_shown_and_logged() -> None:
    """Issue line 6: scoped, expiring, by a person, after the resume."""
    books = escalated()
    answer = give(books)
    (shown,) = books.state.view().grants

    assert answer.accepted
    assert f"`run --grant {FIRST}` may take it once, until 2026-03-03T09:00:00+00:00" == answer.verdict.reason
    assert (FIRST, HEAD, (PATH,), "ann", "") == (shown.run_id, shown.head_sha, shown.paths, shown.actor, shown.used_by)
    assert "granted" in logged(books)


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        ({"expected_epoch": 3}, "a newer pause raised the epoch"),
        ({"run_id": "other-2026-03-02-pr-1"}, "is no run of demo"),
        ({"run_id": f"demo-{DAY}-pr-9"}, "is not in the books: name the audit record"),
        ({"run_id": "demo-smoke"}, "is not in the books"),
        ({"expires_at": BIRTH}, "it would have ended already, at 2026-03-02T09:00:00+00:00"),
        ({"expires_at": BIRTH - timedelta(days=1)}, "it would have ended already"),
        ({"expires_at": BIRTH + timedelta(days=7, seconds=1)}, "it may last 7 days at most (control.grant_days)"),
        ({"paths": (".github/**",)}, "is a pattern: a grant names exact paths"),
        ({"paths": (".github/workflows/?.yml",)}, "is a pattern"),
        ({"paths": ("[.]env",)}, "is a pattern"),
        ({"paths": ("!.env",)}, "is a pattern"),
        ({"paths": (PATH, ".github/")}, "is a pattern"),
        ({"paths": ("/etc/passwd",)}, "is no path inside the repository"),
        ({"paths": ("../.env",)}, "is no path inside the repository"),
        ({"paths": ("a//b",)}, "is no path inside the repository"),
        ({"paths": (".env\n",)}, "holds characters no path needs"),
        ({"paths": (".env", ".env")}, "a path is named twice"),
    ],
)
def test_a_grant_is_refused_with_the_reason(other: dict[str, Any], reason: str) -> None:
    """P14, and P13: whatever is not exactly right gives nothing."""
    books = escalated()
    answer = give(books, **other)

    assert not answer.accepted
    assert reason in answer.verdict.reason
    assert ({}, "grant refused") == (books.state.grants, logged(books)[-1])


def test_grants_come_after_the_resume() -> None:
    """P2: neither PAUSED nor RESUMING, whatever epoch is named."""
    books = running()
    books.finish(FIRST, RunStatus.ESCALATED)
    books.pause()
    paused = give(books)
    books.resume()
    resuming = give(books)

    assert [
        "the target is PAUSED: a grant comes after the resume",
        "the target is RESUMING: a grant comes after the resume",
    ] == [
        paused.verdict.reason,
        resuming.verdict.reason,
    ]


@pytest.mark.parametrize("status", [status for status in RunStatus if status is not RunStatus.ESCALATED])
def test_only_an_escalated_run_has_a_quarantine(status: RunStatus) -> None:
    """An open run, or one that ended in any other way, has nothing to release."""
    books = running()
    if status in {RunStatus.RUNNING, RunStatus.QUEUED}:
        books.state.runs[FIRST] = books.state.runs[FIRST].model_copy(update={"status": status})
    else:
        books.finish(FIRST, status)

    assert f"{FIRST} is {status}" in give(books, expires_at=books.now + timedelta(hours=1)).verdict.reason


def test_a_forgotten_run_needs_the_audit_record_that_names_its_end() -> None:
    """Control remembers sixty closed runs; the log remembers all, and admission reads it again."""
    books = escalated()
    del books.state.runs[FIRST]
    assert not give(books).accepted
    assert give(books, escalated_record="0" * 64).accepted
    assert Admission.REFUSED is ask(books, problem="the run is REJECTED, by its own audit log, not ESCALATED").answer


def test_a_granted_run_is_a_new_attempt_and_takes_the_grant_with_it() -> None:
    """`--grant` implies `--again`; the grant leaves the books and stands in the run's record."""
    books = escalated()
    give(books)
    answer = ask(books)

    assert (Admission.ADMITTED, f"demo-{DAY}-pr-2", Mode.PR_ONLY) == (answer.answer, answer.run_id, answer.mode)
    assert answer.grant is not None
    assert (FIRST, answer.run_id) == (answer.grant.run_id, answer.grant.used_by)
    assert ((), "grant taken") == (books.state.view().grants, logged(books)[-2])


def test_a_retry_of_the_same_run_is_given_the_grant_again() -> None:
    """P7: whatever dies between Control's answer and the run, the run is the same and so is its grant."""
    books = escalated()
    give(books)
    first = ask(books)
    books.wait(3600 * 48)
    assert first.grant == ask(books).grant


@pytest.mark.parametrize(
    ("seconds", "asked", "reason"),
    [
        (0, {"grant": f"demo-{DAY}-pr-7"}, f"no grant for demo-{DAY}-pr-7 is in force"),
        (24 * 3600, {}, f"the grant for {FIRST} ended at 2026-03-03T09:00:00+00:00"),
        (0, {"head": "b" * 40}, "the grant is for commit aaaaaaaaaaaa, in quarantine is bbbbbbbbbbbb"),
        (0, {"head": ""}, "in quarantine is none"),
        (0, {"problem": "change.json is not the one its audit log names"}, "is not the one its audit log names"),
    ],
)
def test_a_run_without_a_grant_that_fits_is_refused(seconds: int, asked: dict[str, Any], reason: str) -> None:
    """Expired, another run, another commit, evidence that was touched."""
    books = escalated()
    give(books)
    books.wait(seconds)
    answer = ask(books, **asked)

    assert (Admission.REFUSED, None) == (answer.answer, answer.grant)
    assert reason in answer.verdict.reason


def test_selective_auto_takes_nothing_out_of_quarantine() -> None:
    """The release of a granted change is a person's, always; a target in SELECTIVE_AUTO still runs it in PR_ONLY."""
    books = escalated()
    books.state.mode = Mode.SELECTIVE_AUTO
    give(books)
    asked = ask(books, mode=Mode.SELECTIVE_AUTO)
    default = ask(books, "g2")

    assert (Admission.REFUSED, "a granted change is reviewed by a person: at most mode PR_ONLY") == (
        asked.answer,
        asked.verdict.reason,
    )
    assert (Admission.ADMITTED, Mode.PR_ONLY) == (default.answer, default.mode)


def test_a_smoke_takes_nothing_out_of_quarantine() -> None:
    """The ladder's smoke proves that the target works; it carries nothing."""
    books = escalated()
    give(books)
    books.pause()
    books.resume()
    assert books.state.ladder is not None
    books.state.smoke_due = False
    answer = admission.admit(
        books.state,
        AdmitRequest(
            request=RunRequest(target=TARGET, kind=RunKind.SMOKE, mode=Mode.DRY_RUN, grant=FIRST),
            workflow_id=books.state.ladder.smoke_workflow_id,
            workflow_run_id="s",
            date=DAY,
            policy_digest=books.policy,
            terms=ControlTerms(max_active=1, queue_limit=1, runs_per_day=9, maximum_mode=Mode.PR_ONLY),
            quarantined_head=HEAD,
        ),
        books.now,
    )
    assert "only a daily run takes a change out of quarantine" == answer.verdict.reason


def test_a_grant_is_taken_once_and_a_new_one_may_follow_a_run_that_released_nothing() -> None:
    """Used twice: refused, naming who took it; then a person may grant again, unless a pull request was opened."""
    books = escalated()
    give(books)
    taker = ask(books).run_id
    second = ask(books, "g2")
    while_open = give(books)
    books.finish(taker, RunStatus.FAILED)
    again = give(books)
    released = ask(books, "g3").run_id
    books.finish(released, RunStatus.PR_OPENED)
    late = give(books)

    assert f"no grant for {FIRST} is in force: {taker} took the last one" in second.verdict.reason
    assert f"{taker} is taking this change now" == while_open.verdict.reason
    assert again.accepted
    assert f"{released} opened a pull request with this change" == late.verdict.reason


def test_a_newer_pause_makes_a_grant_void() -> None:
    """Nothing that was said before a pause loosens anything after it."""
    books = escalated()
    give(books)
    books.pause()
    shown = books.state.view().grants
    books.resume()
    books.finish(books.smoke("s2").run_id, RunStatus.DRY_RUN_COMPLETE)
    answer = ask(books)

    assert ((), Admission.REFUSED) == (shown, answer.answer)
    assert f"a newer pause made the grant for {FIRST} void" in answer.verdict.reason


def test_a_policy_that_was_tightened_shortens_grants_that_are_out() -> None:
    """The limit is the one of the day the change is taken."""
    books = escalated()
    give(books)
    books.policy_says(grant_days=0.5)
    books.wait(13 * 3600)
    assert f"the grant for {FIRST} ended at 2026-03-02T21:00:00+00:00" == ask(books).verdict.reason


def test_the_books_stay_bounded_and_what_ended_is_logged_and_forgotten() -> None:
    """KEPT grants at most; an ended one makes room."""
    books = escalated()
    for number in range(grants.KEPT):
        assert give(books, run_id=f"demo-old-{number}", escalated_record="0" * 64).accepted
    full = give(books)
    again = give(books, run_id="demo-old-0", escalated_record="0" * 64, reason="a better reason")
    books.wait(24 * 3600)
    room = give(books, expires_at=books.now + timedelta(hours=1))

    assert f"{grants.KEPT} grants are in force already" == full.verdict.reason
    assert (True, True, [FIRST]) == (again.accepted, room.accepted, list(books.state.grants))
    assert grants.KEPT == logged(books).count("grant ended")


def test_no_write_begins_after_the_grant_ended() -> None:
    """A run that was held over the end of its grant publishes nothing."""
    books = escalated()
    give(books)
    run_id = ask(books).run_id
    before = books.begin(run_id, "a1").verdict
    books.wait(24 * 3600)
    after = books.begin(run_id, "a2", policy=books.policy)

    assert before.allowed
    assert ("look_only", "the grant of this change ended at 2026-03-03T09:00:00+00:00") == (
        after.answer,
        after.verdict.reason,
    )
