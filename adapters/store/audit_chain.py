"""The audit chain's arithmetic: how a record is sealed, read back and linked to the one before it."""

import hashlib
import json
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from contracts.audit import AuditEvent, AuditRecord


def seal(event: AuditEvent, log: str, seq: int, at: datetime, previous: str) -> AuditRecord:
    """Make an event the next record of a chain."""
    unsealed = AuditRecord(**dict(event), seq=seq, log=log, at=at, previous=previous, hash="")
    return unsealed.model_copy(update={"hash": _hash(unsealed.model_dump(mode="json"))})


def line_of(record: AuditRecord) -> bytes:
    """The one way a record is written."""
    return _canonical(record.model_dump(mode="json")) + b"\n"


def key_needle(key: str) -> bytes:
    """What the line of a record with this key surely contains."""
    return b'"key":' + _canonical(key)


def parse_record(line: bytes) -> AuditRecord | str:
    """The record in a line, or why there is none."""
    if not line.endswith(b"\n"):
        return "the line has no end: an interrupted append (never acknowledged), or cut by hand"
    try:
        return AuditRecord.model_validate(json.loads(line))
    except ValidationError as error:
        return f"not an audit record: {error.error_count()} wrong or missing fields"
    except (ValueError, RecursionError):
        return "not JSON"


def sealed_record(line: bytes, log: str) -> AuditRecord | str:
    """The record in a line exactly as it was sealed for this log, or why there is none."""
    record = parse_record(line)
    if isinstance(record, str):
        return record
    fields = json.loads(line)
    if fields["hash"] != _hash(fields):
        return "the record was changed: its hash does not match its fields"
    # The parser forgives what the hash does not cover: spaces, escapes, a key given twice.
    if line != line_of(record):
        return "the record was rewritten: same fields, other bytes"
    if record.log != log:
        return f"the record belongs to the log {record.log!r}: the file was replaced"
    return record


def next_record(line: bytes, log: str, seq: int, previous: str) -> AuditRecord | str:
    """The record in a line if it is the one that belongs here, or why it is not."""
    record = sealed_record(line, log)
    if isinstance(record, str):
        return record
    if record.seq != seq:
        return f"record {record.seq} stands where {seq} belongs: one was dropped, repeated or moved"
    if record.previous != previous:
        return "the record does not follow the one before it: the chain was rewritten"
    return record


def _hash(fields: dict[str, Any]) -> str:
    return hashlib.sha256(_canonical({key: value for key, value in fields.items() if key != "hash"})).hexdigest()


def _canonical(value: Any) -> bytes:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    # A surrogate (an undecodable byte of a file name) becomes its JSON escape, which reads back as itself.
    return text.encode("utf-8", "backslashreplace")
