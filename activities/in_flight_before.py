"""What the audit logs say is still in flight: for a Control that was terminated and has lost its books (P1).

A run's log has each clearance before anything acts on it (P10); the target's log has how Control heard that it ended.
What Control heard last may not have reached its log any more: such a write is looked up again after its deadline.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from pydantic import ValidationError

from contracts.audit import AuditRecord
from contracts.clearance import WriteRecord
from contracts.verdict import Fact
from ports.store import AuditLog

CLEARED, SETTLED = "write cleared", "write settled"
_LOOKED_BACK = timedelta(days=1)
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
    for log in audit.logs(written_since=now - _LOOKED_BACK):
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
