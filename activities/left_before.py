"""What the audit logs say was left on the base and on the forge: for a Control that has lost its books (runbook §6.3).

A target's log holds each merge whole, each rollback's order and end, each follow-up's end; a run's log holds with its
clearance what is to be followed of its pull request.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from pydantic import ValidationError

from activities.in_flight_before import SETTLED, cleared
from contracts.audit import AuditRecord
from contracts.clearance import WriteOutcome
from contracts.control import LeftBefore
from contracts.modes import Mode, WriteAction
from contracts.rollback import FollowUpInput, Merged, MergeRecord, RollbackOutcome, RollbackStage
from ports.store import AuditLog

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
        elif run_id in self.merges:
            self._of_its_rollback(record, self.merges[run_id])

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
        follows=tuple(given for given in follows if given is not None)[-KEPT:],
        review_due=found.review_due,
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
