"""What happened, told by the audit logs alone."""

from collections.abc import Iterable

from commands.terminal import show
from composition import Adapters
from contracts.audit import AuditRecord

_TOLD = (
    *("outcome", "mode", "status", "reason", "actor", "cause", "incident", "scope", "action", "result", "decision"),
    *("ticket", "mergeSha", "treeSha", "expectedTree", "tree"),
)
_WIDEST = 110


def tell(adapters: Adapters, events: Iterable[str]) -> None:
    """Print the records of all logs whose event is one of these, in the order they were written."""
    wanted = frozenset(events)
    found = [
        record for log in adapters.audit.logs() for record in adapters.audit.records(log) if record.event in wanted
    ]
    for record in sorted(found, key=lambda record: (record.at, record.log, record.seq)):
        show(_line(record))


def _line(record: AuditRecord) -> str:
    facts = "; ".join(f"{name} {record.facts[name]}" for name in _TOLD if record.facts.get(name))
    text = f"{record.at:%H:%M:%S}  {record.log:<42}  {record.event}" + (f": {facts}" if facts else "")
    return text if len(text) <= _WIDEST + 50 else f"{text[: _WIDEST + 49]}…"
