"""A source's lifecycle (runbook §5): Control's books lower it at once; a passed trial and a person raise it."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from activities.control.lost_books import left_before
from adapters.store.chained_log import ChainedLog
from contracts.artifact import Contract
from contracts.control import LeftBefore
from contracts.source import Grade, SourceOrder, SourcePassed, SourceRecord, SourceState, SourceUse
from policies.settings.sources import SourcePolicy
from policies.source.lifecycle import in_force
from tests.workflows.books import Books
from workflows.control import source_records

APPROVED = {"licence": "MIT", "compliance": "approved", "compliance_reference": "legal #7"}


class Lives:
    """One source in one target's books."""

    def __init__(self) -> None:
        self.books = Books().opened()
        self.runs = 0

    def used(self, grade: Grade, **more: object):
        """By the next run."""
        self.runs += 1
        use = SourceUse(**{"run_id": f"run-{self.runs}", "source": "days", "grade": grade, "reasons": ("old",), **more})
        return source_records.used(self.books.state, use, self.books.now)

    def order(self, lift: str = "", epoch: int | None = None):
        """A person's word."""
        epoch = self.books.state.epoch if epoch is None else epoch
        asked = SourceOrder(source="days", lift=lift, expected_epoch=epoch, reason="as agreed", actor="ann")
        return source_records.order(self.books.state, asked, self.books.now)

    def passed(self, trial: str, at: datetime | None = None, began_at: datetime | None = None) -> None:
        """A trial was passed."""
        report = SourcePassed(source="days", trial=trial, at=at, began_at=began_at)
        source_records.passed(self.books.state, report)

    @property
    def record(self) -> SourceRecord:
        """As the query shows it."""
        return source_records.shown(self.books.state).of("days")

    @property
    def alerts(self) -> int:
        """So many were raised."""
        return len([each for each in self.books.state.to_alert if each.kind == "source_quality"])


def test_5_a_sustained_breach_demotes() -> None:
    """Three in a row by default; a good answer between begins anew. Who uses it afterwards is told no."""
    lives = Lives()
    grades = [Grade.BREACH, Grade.BREACH, Grade.GOOD, Grade.BREACH, Grade.BREACH]
    assert all(lives.used(grade).accepted for grade in grades)
    assert lives.record.lowered is None
    answer = lives.used(Grade.BREACH)
    assert (False, SourceState.DEGRADED) == (answer.accepted, lives.record.lowered)
    assert "3 breaches in a row: old" == lives.record.reason
    assert not lives.used(Grade.GOOD).accepted


def test_off_is_off_also_after_a_trial_was_passed() -> None:
    """A person says it again once the promotion is in the policy: that promotion does not undo it."""
    lives = Lives()
    lives.order()
    lives.passed("days-2026-11-20-1")
    lives.order()
    assert not lives.used(Grade.GOOD, trial="days-2026-11-20-1").accepted
    assert (SourceState.DISABLED, ()) == (lives.record.lowered, lives.record.passed)


def test_a_trial_told_again_is_not_passed_since() -> None:
    """A step that is done again says again what it said before the lowering; the policy names that trial already."""
    lives = Lives()
    ended = lives.books.now - timedelta(minutes=1)
    lives.passed("days-2026-11-20-1", ended)
    lives.used(Grade.BREACH, in_conflict=True, trial="days-2026-11-20-1")
    lives.passed("days-2026-11-20-1", ended)
    assert not lives.used(Grade.GOOD, trial="days-2026-11-20-1").accepted
    lives.passed("days-2026-11-27-1", lives.books.now + timedelta(days=1))
    assert lives.used(Grade.GOOD, trial="days-2026-11-27-1").accepted


def test_a_trial_under_way_when_it_was_lowered_does_not_count() -> None:
    """It began before; a person lifts by no such trial either."""
    lives = Lives()
    began = lives.books.now - timedelta(minutes=1)
    lives.used(Grade.BREACH, in_conflict=True)
    lives.passed("days-2026-11-20-1", lives.books.now + timedelta(days=1), began)
    assert () == lives.record.passed
    assert not lives.order(lift="days-2026-11-20-1").accepted
    lives.passed("days-2026-11-27-1", lives.books.now + timedelta(days=2), lives.books.now + timedelta(days=1))
    assert lives.order(lift="days-2026-11-27-1").accepted


def test_one_use_told_twice_counts_once() -> None:
    """A step that is tried again says the same of the same run."""
    lives = Lives()
    for _ in range(5):
        lives.runs = 0
        lives.used(Grade.BREACH)
    assert (1, None) == (lives.record.breaches, lives.record.lowered)


@pytest.mark.parametrize("more", [{"in_conflict": True}, {"refused": "its use is refused: legal #9"}])
def test_5_conflict_and_compliance_demote_at_once(more: dict[str, object]) -> None:
    """Runbook, "sources": demotion follows a sustained breach, high conflict or a compliance risk."""
    lives = Lives()
    assert not lives.used(Grade.BREACH if "in_conflict" in more else Grade.GOOD, **more).accepted
    assert SourceState.DEGRADED is lives.record.lowered


def test_9_source_quality_alerts_for_each_change_and_not_for_each_use() -> None:
    """Runbook §9: source quality below its threshold."""
    lives = Lives()
    seen = [(lives.used(grade), lives.alerts)[1] for grade in [Grade.GOOD, Grade.WARN, Grade.WARN, Grade.BREACH]]
    assert [0, 1, 1, 2] == seen
    lives.used(Grade.BREACH)
    assert 2 == lives.alerts
    lives.used(Grade.BREACH)
    assert (3, SourceState.DEGRADED) == (lives.alerts, lives.record.lowered)
    # A demotion is news of its own, also within the time in which the same breach is only counted.
    *_, breach, demotion = lives.books.state.to_alert
    assert breach.fingerprint != demotion.fingerprint
    assert "is DEGRADED now" in demotion.summary
    assert "3 breaches in a row" in demotion.summary


def test_5_recovery_needs_a_new_trial_and_a_person() -> None:
    """A trial of before does not count; a trial alone does nothing; the person saw the present epoch."""
    lives = Lives()
    lives.passed("T-1")
    lives.used(Grade.BREACH, in_conflict=True)
    assert "has not passed T-1 since; passed: none" in lives.order("T-1").verdict.reason
    lives.passed("T-2")
    assert not lives.used(Grade.GOOD).accepted
    assert not lives.order("T-2", epoch=lives.books.state.epoch - 1).accepted
    assert lives.order("T-2").accepted
    assert (None, True) == (lives.record.lowered, lives.used(Grade.GOOD).accepted)


def test_a_merged_promotion_is_a_persons_word_too() -> None:
    """The file names the trial that it passed since."""
    lives = Lives()
    lives.used(Grade.BREACH, in_conflict=True)
    lives.passed("T-2")
    assert not lives.used(Grade.GOOD, trial="T-1").accepted
    assert lives.used(Grade.GOOD, trial="T-2").accepted


def test_a_person_switches_off_whatever_the_epoch() -> None:
    """And no demotion by itself makes it less off."""
    lives = Lives()
    assert lives.order(epoch=0).accepted
    lives.used(Grade.BREACH, in_conflict=True)
    assert (SourceState.DISABLED, "ann") == (lives.record.lowered, lives.record.by)


def test_the_books_stay_bounded_and_forget_no_lowering() -> None:
    """Names come from policies; there may be many over the years."""
    lives = Lives()
    lives.order()
    for number in range(source_records.KEPT + 20):
        lives.used(Grade.GOOD, source=f"s{number}")
    assert source_records.KEPT == len(lives.books.state.sources)
    assert SourceState.DISABLED is lives.record.lowered


def test_a_control_without_books_finds_its_lowered_sources(tmp_path) -> None:
    """From the target's audit log; what was lifted is not lowered again."""
    lives, audit = Lives(), ChainedLog(tmp_path)
    lives.used(Grade.BREACH, in_conflict=True)
    lives.used(Grade.BREACH, source="other", in_conflict=True)
    lives.passed("T-2")
    lives.order("T-2")
    audit.append(f"target/{lives.books.state.target}", tuple(lives.books.state.to_log), lives.books.now)
    left = left_before(audit, lives.books.state.target)
    assert [("other", SourceState.DEGRADED)] == [(each.source, each.lowered) for each in left.sources]
    fresh = Books().opened()
    source_records.take_over(fresh.state, LeftBefore.model_validate_json(left.model_dump_json(by_alias=True)))
    assert SourceState.DEGRADED is fresh.state.sources["other"].lowered
    assert isinstance(left, Contract)


@pytest.mark.parametrize(
    ("file", "lowered", "passed", "now"),
    [
        ("PRODUCTION", None, (), "PRODUCTION"),
        ("PRODUCTION", "DEGRADED", (), "DEGRADED"),
        ("PRODUCTION", "DEGRADED", ("T-1",), "PRODUCTION"),
        ("PRODUCTION", "DISABLED", (), "DISABLED"),
        ("DEGRADED", None, (), "DEGRADED"),
        ("DEGRADED", "DISABLED", (), "DISABLED"),
        ("DISABLED", "DEGRADED", (), "DISABLED"),
        ("CANDIDATE", "DEGRADED", (), "CANDIDATE"),
        ("CANDIDATE", "DISABLED", (), "DISABLED"),
    ],
)
def test_5_the_books_are_never_higher_than_the_file(file: str, lowered: str | None, passed: tuple, now: str) -> None:
    """Whatever both say, the lower one holds; ``T-1`` is the trial that the file names."""
    source = SourcePolicy.model_validate(
        {"name": "days", "state": file, "trial": "T-1", "repository": {"path": "a"}, "file": {"path": "b"}, **APPROVED}
    )
    record = SourceRecord(source="days", lowered=lowered, passed=passed, since=Books().now - timedelta(days=1))
    state, why = in_force(source, record)
    assert (now, now != file) == (state, bool(why))


def test_a_refused_use_gives_way_at_once() -> None:
    """Its file can still be loaded: nothing else of the target stops."""
    refused = {**APPROVED, "compliance": "refused"}
    source = SourcePolicy.model_validate(
        {"name": "days", "state": "PRODUCTION", "repository": {"path": "a"}, "file": {"path": "b"}, **refused}
    )
    assert SourceState.DEGRADED is in_force(source, SourceRecord(source="days"))[0]
