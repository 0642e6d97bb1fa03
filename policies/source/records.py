"""From an answer to records: parsed, selected by JMESPath, checked by JSON Schema, sorted.

The same bytes give the same records, at any later time and in any other process.
"""

import calendar
import csv
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from xml.sax import SAXException

from pydantic import JsonValue, TypeAdapter, ValidationError

from contracts.source import Record, RefusedRecord
from policies.counted import counted, shortened
from policies.settings.sources import Format, Mapping, SourcePolicy

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator

MOST_RECORDS = 20_000
MOST_PAYLOAD = 64 * 1024
"""Characters of one record's JSON."""
_JSON = TypeAdapter[JsonValue](JsonValue)
_FEED_FIELDS = ("id", "title", "link", "summary", "author", "published", "updated")


class NotReadable(Exception):
    """The answer is not what its source's file says it is: nothing is concluded from it."""


@dataclass(frozen=True)
class Normalised:
    """What an answer says."""

    records: tuple[Record, ...]
    """By key."""
    refused: tuple[RefusedRecord, ...]

    def written(self) -> bytes:
        """One line for each record, so that a difference is a line."""
        lines = (
            json.dumps(each.model_dump(mode="json", by_alias=True), sort_keys=True, ensure_ascii=False)
            for each in self.records
        )
        return "".join(f"{line}\n" for line in lines).encode("utf-8", "backslashreplace")


def records_of(body: bytes, form: Format, source: SourcePolicy) -> Normalised:
    """The records of an answer, sorted by key; one that is none is named with its reason, a second of a key as well.

    Raises:
        NotReadable: it is no such format, holds no list of records, or too many of them.
    """
    found = searched(source.mapping.records, _PARSERS[form](body), "records")
    if not isinstance(found, list):
        raise NotReadable(f"mapping.records leads to {_kind(found)}, not to a list")
    if len(found) > MOST_RECORDS:
        raise NotReadable(f"{counted(len(found), 'record')}: at most {MOST_RECORDS} are read")
    checker = _checker(source)
    records: dict[str, Record] = {}
    refused = []
    for place, raw in enumerate(found):
        made = _record(raw, source.mapping, checker)
        if isinstance(made, str):
            refused.append(RefusedRecord(place=place, reason=shortened(made, 300)))
        elif made.key in records:
            refused.append(RefusedRecord(place=place, reason=f"a second record of the key {shortened(made.key, 100)}"))
        else:
            records[made.key] = made
    return Normalised(tuple(records[key] for key in sorted(records)), tuple(refused))


def _record(raw: Any, mapping: Mapping, checker: "Draft202012Validator") -> Record | str:
    try:
        key, payload = searched(mapping.key, raw, "key"), searched(mapping.payload, raw, "payload")
        if isinstance(key, bool) or not isinstance(key, str | int) or key == "":
            return f"its key is {_kind(key)}"
        if not isinstance(payload, dict):
            return f"its payload is {_kind(payload)}, not an object"
        if len(json.dumps(payload, allow_nan=False)) > MOST_PAYLOAD:
            return f"its payload is longer than {MOST_PAYLOAD} characters"
        at = _moment(searched(mapping.at, raw, "at")) if mapping.at else None
    except (NotReadable, ValueError, OverflowError, OSError) as problem:
        return str(problem)
    if mapping.at and at is None:
        return "it does not say when it was written"
    if wrong := next(iter(sorted(checker.iter_errors(payload), key=lambda each: list(map(str, each.path)))), None):
        return f"{'.'.join(map(str, wrong.path)) or 'payload'}: {wrong.message}"
    try:
        return Record(key=str(key), at=at, payload=payload)
    except ValidationError as wrong_shape:
        return wrong_shape.errors()[0]["msg"]


def _moment(value: Any) -> datetime | None:
    """RFC 3339, a date, or seconds since 1970; without a zone, UTC."""
    if value is None or isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return datetime.fromtimestamp(value, UTC)
    found = datetime.fromisoformat(str(value).strip())
    return found if found.tzinfo else found.replace(tzinfo=UTC)


# Each library is imported where it is used: every worker reads this file, and few have a source.


def searched(expression: str, data: Any, what: str) -> Any:
    """What a JMESPath expression finds.

    Raises:
        NotReadable: it is none, or does not fit the data; ``what`` names it.
    """
    import jmespath  # noqa: PLC0415
    from jmespath.exceptions import JMESPathError  # noqa: PLC0415

    try:
        return jmespath.search(expression, data)
    except (JMESPathError, RecursionError) as problem:
        raise NotReadable(f"mapping.{what}: {problem}") from problem


def _checker(source: SourcePolicy) -> "Draft202012Validator":
    from jsonschema import Draft202012Validator  # noqa: PLC0415
    from jsonschema.exceptions import SchemaError  # noqa: PLC0415
    from referencing import Registry  # noqa: PLC0415

    try:
        Draft202012Validator.check_schema(source.record_schema)
    except SchemaError as wrong:
        raise NotReadable(f"record_schema of {source.name} is none: {wrong.message}") from wrong
    # Without a registry of its own it would fetch what a `$ref` names.
    return Draft202012Validator(source.record_schema, registry=Registry())


def _json(body: bytes) -> Any:
    try:
        return _JSON.validate_json(body)
    except ValidationError as wrong:
        raise NotReadable(f"it is not JSON: {wrong.errors()[0]['msg']}") from wrong


def _lines(body: bytes) -> Any:
    return [_json(line) for line in body.splitlines() if line.strip()]


def _table(body: bytes) -> Any:
    try:
        text = body.decode("utf-8-sig")
        rows = list(csv.DictReader(io.StringIO(text, newline=""), strict=True))
    except (UnicodeDecodeError, csv.Error) as wrong:
        raise NotReadable(f"it is not CSV in UTF-8: {wrong}") from wrong
    if any(None in row or None in row.values() for row in rows):
        raise NotReadable("it is not CSV: a line has another number of fields than the first")
    return rows


def _feed(body: bytes) -> Any:
    import feedparser  # noqa: PLC0415

    # A stream, so that what looks like an address in it is not fetched.
    found = feedparser.parse(io.BytesIO(body), resolve_relative_uris=False, sanitize_html=False)
    broken = found.get("bozo_exception")
    # Of nothing at all it says not even that it has no version.
    if not found.get("version") or isinstance(broken, SAXException):
        # What it made of the half that it could read is no answer.
        raise NotReadable(f"it is no RSS or Atom feed: {broken or 'no such element'}")
    return [
        {name: str(entry[name]) for name in _FEED_FIELDS if entry.get(name)} | _feed_time(entry)
        for entry in found.entries
    ]


def _feed_time(entry: Any) -> dict[str, str]:
    parsed = entry.get("updated_parsed") or entry.get("published_parsed")
    try:
        return {"at": datetime.fromtimestamp(calendar.timegm(parsed), UTC).isoformat()} if parsed else {}
    except (ValueError, OverflowError, OSError):
        # The year 0, say: what some programs write for "never".
        return {}


_PARSERS: dict[Format, Callable[[bytes], Any]] = {"json": _json, "jsonl": _lines, "csv": _table, "feed": _feed}


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "a text", type(None): "nothing", bool: "true or false"}
    return names.get(type(value), "a number")
