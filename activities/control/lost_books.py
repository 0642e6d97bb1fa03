"""What the audit logs say is still in flight: for a Control that was terminated and has lost its books (P1).

A run's log has each clearance before anything acts on it (P10); the target's log has how Control heard that it ended.
What Control heard last may not have reached its log any more: such a write is looked up again after its deadline.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from pydantic import ValidationError

from contracts.audit import AuditRecord
from contracts.budget import Amounts, BookedBefore, PeriodAmounts, Reservation
from contracts.clearance import WriteOutcome, WriteRecord
from contracts.control import LeftBefore
from contracts.modes import Mode, WriteAction
from contracts.rollback import FollowUpInput, Merged, MergeRecord, RollbackOutcome, RollbackStage
from contracts.source import SourceRecord, SourceState
from contracts.verdict import Fact
from ports.store import AuditLog

CLEARED, SETTLED = "write cleared", "write settled"
_IN_FLIGHT_WITHIN = timedelta(days=1)
"""Far longer than any clearance: logs that nobody wrote to since hold nothing that is in flight."""


def cleared_facts(target: str, write: WriteRecord) -> dict[str, Fact]:
    """All that a Control without books must know of a write."""
    return {
        "target": target,
        "deadline": write.clearance.deadline.isoformat(),
        "write": write.model_dump_json(by_alias=True, exclude_none=True),
    }


def cleared(record: AuditRecord) -> WriteRecord | None:
    """The write that a record clears; None for any other record, and for one of another version."""
    if record.event != CLEARED:
        return None
    try:
        return WriteRecord.model_validate_json(str(record.facts.get("write", "")))
    except ValidationError:
        # Its child is dead by its deadline, and no look at the remote can be made of it.
        return None


def in_flight_before(audit: AuditLog, target: str, now: datetime) -> tuple[WriteRecord, ...]:
    """Writes of a target shown as cleared and not as settled, the latest clearance of each key.

    Raises:
        StoreError: a log cannot be read; then nobody can say that nothing is in flight.
    """
    found: dict[str, WriteRecord] = {}
    for log in audit.logs(written_since=now - _IN_FLIGHT_WITHIN):
        if log.startswith("run/"):
            for record in audit.records(log):
                if record.facts.get("target") == target and (write := cleared(record)) is not None:
                    found[write.key] = write
    settled = _settled(audit.records(f"target/{target}"))
    return tuple(write for key, write in found.items() if (key, write.clearance.attempt) not in settled)


def _settled(records: Iterable[AuditRecord]) -> set[tuple[str, str]]:
    return {
        (str(record.facts.get("key")), str(record.facts.get("attempt")))
        for record in records
        if record.event == SETTLED
    }


# What a target's audit log says was booked: for a Control that was terminated and has lost its ledger (P9).

_BOOKED_WITHIN = timedelta(days=40)
"""Longer than any period that may still be present."""


def booked_before(records: Iterable[AuditRecord], now: datetime) -> BookedBefore:
    """Sum costs and runs by period; a reservation that was never settled is still one."""
    spent: dict[str, Amounts] = {}
    reserved: dict[str, Reservation] = {}
    for record in records:
        if record.at < now - _BOOKED_WITHIN or not record.facts.get("periods"):
            continue
        key, periods = str(record.facts.get("key", "")), str(record.facts["periods"]).split()
        # A key is used again, by the next attempt or round; and a reset has what was booked before booked once more.
        known = f"{key}@{record.facts.get('attempt')}"
        if record.event == "cost booked":
            reserved.pop(known, None)
            _add(spent, periods, _amounts(record))
        elif record.event in {"cost reserved", "cost unknown"}:
            reserved[known] = Reservation(
                key=key,
                attempt=str(record.facts["attempt"]),
                run_id=key.rpartition("/")[0],
                worst=_amounts(record),
                at=datetime.fromisoformat(str(record.facts["since"])),
                periods=tuple(periods),
                unknown=record.event == "cost unknown",
                note=str(record.facts.get("note", "")),
                exchange=bool(record.facts.get("exchange")),
            )
        elif record.event in {"run admitted", "run queued"}:
            _add(spent, periods, Amounts(runs=1))
    sums = tuple(PeriodAmounts(period=period, amounts=amounts) for period, amounts in sorted(spent.items()))
    return BookedBefore(periods=sums, reservations=tuple(reserved.values()))


def _add(spent: dict[str, Amounts], periods: list[str], more: Amounts) -> None:
    for period in periods:
        known = spent.get(period, Amounts())
        spent[period] = Amounts(
            usd=min(known.usd + more.usd, 1e9),
            tokens=min(known.tokens + more.tokens, 10**15),
            agent_minutes=min(known.agent_minutes + more.agent_minutes, 1e9),
            runs=known.runs + more.runs,
        )


def _amounts(record: AuditRecord) -> Amounts:
    facts = record.facts
    return Amounts.model_validate(
        {"usd": facts["usd"], "tokens": facts["tokens"], "agent_minutes": facts["agentMinutes"]}
    )


# What the audit logs say was left on the base and on the forge: for a Control that has lost its books (runbook §6.3).

KEPT = 60
"""Merges and follow-ups that are given back, the latest."""
_STAGES = {RollbackOutcome.RESTORED: RollbackStage.RESTORED, RollbackOutcome.ESCALATED: RollbackStage.ESCALATED}


@dataclass
class _Found:
    """By run id, as the target's log tells it from its beginning."""

    merges: dict[str, MergeRecord] = field(default_factory=dict)
    pulls: dict[str, int] = field(default_factory=dict)
    followed: set[str] = field(default_factory=set)
    review_due: str = ""
    sources: dict[str, SourceRecord] = field(default_factory=dict)
    """Those that are lowered, by name."""

    def take(self, record: AuditRecord) -> None:
        """What one record changes."""
        run_id = str(record.facts.get("runId", ""))
        if record.event in {"merged", "merged by a person"}:
            self._merged(run_id, str(record.facts.get("merge", "")))
        elif record.event == SETTLED and record.facts.get("outcome") == WriteOutcome.DONE:
            self._written(str(record.facts["key"]), str(record.facts.get("result", "")))
        elif record.event == "follow-up ended":
            self.followed.add(run_id)
        elif record.event == "resumed" and record.facts.get("mode") == Mode.PR_ONLY:
            self.review_due = ""
        elif record.event in {"source lowered", "source lifted", "source trial passed"}:
            self._of_a_source(record)
        elif run_id in self.merges:
            self._of_its_rollback(record, self.merges[run_id])

    def _of_a_source(self, record: AuditRecord) -> None:
        facts = record.facts
        name = str(facts["source"])
        if record.event == "source lifted":
            self.sources.pop(name, None)
        elif record.event == "source lowered":
            self.sources[name] = SourceRecord(
                source=name,
                lowered=SourceState(str(facts["state"])),
                since=record.at,
                reason=str(facts.get("reason", "")),
                by=str(facts.get("actor", "")),
            )
        elif name in self.sources:
            known = self.sources[name]
            self.sources[name] = known.model_copy(update={"passed": (*known.passed, str(facts["trial"]))[-5:]})

    def _merged(self, run_id: str, merge: str) -> None:
        try:
            self.merges[run_id] = MergeRecord(merged=Merged.model_validate_json(merge))
        except ValidationError:
            # Of a version that did not say it whole: known from its write alone, as long as that is in flight.
            return

    def _written(self, key: str, result: str) -> None:
        run_id, _, action = key.rpartition("/")
        if action == WriteAction.OPEN_PULL_REQUEST and result.isdecimal():
            self.pulls[run_id] = int(result)
        elif action in {WriteAction.CLOSE_PULL_REQUEST, WriteAction.MERGE} and run_id not in self.merges:
            self.pulls.pop(run_id, None)

    def _of_its_rollback(self, record: AuditRecord, known: MergeRecord) -> None:
        run_id, incident = known.merged.run.run_id, str(record.facts.get("incident", ""))
        if record.event in {"rollback ordered", "rollback kept back"}:
            ordered = record.event == "rollback ordered"
            self.review_due = incident
            changes = {
                "stage": RollbackStage.DUE if ordered else RollbackStage.NONE,
                "incident": incident,
                "reason": str(record.facts.get("reason", "")),
                "begun_at": record.at if ordered else None,
                "commanded_by": str(record.facts.get("person", "")),
            }
            self.merges[run_id] = known.model_copy(update=changes)
        elif record.event == "rollback ended":
            stage = _STAGES[RollbackOutcome(str(record.facts["outcome"]))]
            self.merges[run_id] = known.model_copy(update={"stage": stage})


def left_before(audit: AuditLog, target: str) -> LeftBefore:
    """Merges with their rollbacks, and what nobody is known to have followed to its end.

    Raises:
        StoreError: a log cannot be read.
    """
    found = _Found()
    for record in audit.records(f"target/{target}"):
        found.take(record)
    open_ended = [run_id for run_id in {**found.pulls, **found.merges} if run_id not in found.followed]
    follows = (_to_follow(found, run_id, lambda run_id: audit.records(f"run/{run_id}")) for run_id in open_ended)
    return LeftBefore(
        merges=tuple(found.merges.values())[-KEPT:],
        follows=tuple(request for request in follows if request is not None)[-KEPT:],
        review_due=found.review_due,
        sources=tuple(found.sources.values()),
    )


def _to_follow(found: _Found, run_id: str, records: Callable[[str], Iterable[AuditRecord]]) -> FollowUpInput | None:
    if run_id in found.merges:
        merged = found.merges[run_id].merged
        return FollowUpInput(run=merged.run, task_id=merged.task_id, pull_request=merged.pull_request, merged=merged)
    for record in records(run_id):
        write = cleared(record)
        if write is not None and write.clearance.action is WriteAction.OPEN_PULL_REQUEST and write.follows is not None:
            undone = found.merges.get(write.follows.rolls_back)
            if undone is not None and undone.stage is not RollbackStage.ESCALATED:
                return None
            return write.follows.model_copy(update={"pull_request": found.pulls[run_id]})
    return None
