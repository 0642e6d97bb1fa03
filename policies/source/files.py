"""A data file of the repository, as its source's records make it: sorted, one record a line, so a diff is news."""

import csv
import io
import json
from collections import Counter
from collections.abc import Sequence
from typing import Literal

from contracts.source import Record
from policies.counted import counted


def records_in(recorded: bytes) -> tuple[Record, ...]:
    """What a run recorded of a source (``Normalised.written``)."""
    return tuple(Record.model_validate_json(line) for line in recorded.splitlines())


def rendered(records: Sequence[Record], form: Literal["json", "csv"]) -> bytes:
    """The whole file. JSON: a list of payloads; CSV: a column for each field that any of them has."""
    if form == "csv":
        columns = sorted({name for record in records for name in record.payload})
        out = io.StringIO(newline="")
        writer = csv.DictWriter(out, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows({name: _cell(value) for name, value in record.payload.items()} for record in records)
        return out.getvalue().encode("utf-8", "backslashreplace")
    rows = [json.dumps(record.payload, sort_keys=True, ensure_ascii=False) for record in records]
    body = "[\n" + ",\n".join(f"  {row}" for row in rows) + "\n]\n" if rows else "[]\n"
    return body.encode("utf-8", "backslashreplace")


def what_changes(before: bytes, after: bytes) -> tuple[int, str]:
    """How many lines differ, and in words; commas at line ends are no difference."""
    old, new = (Counter(line.rstrip(b",") for line in body.splitlines()) for body in (before, after))
    added, gone = (new - old).total(), (old - new).total()
    return added + gone, f"{counted(added, 'line is new', 'lines are new')}, {counted(gone, 'is gone', 'are gone')}"


def _cell(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False)
