"""The trial metrics of a source (sister documents), and what its thresholds make of them."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from pydantic import JsonValue

from contracts.source import Grade, Quality, Record
from policies.counted import aged
from policies.settings.sources import SourcePolicy
from policies.source.records import Normalised

_AHEAD = timedelta(days=1)
"""Clocks and days without a zone may be so far apart."""
AT_MOST, _AT_LEAST = ("freshness_hours", "conflict_rate"), ("coverage", "schema_validity")


def quality(source: SourcePolicy, found: Normalised | None, at: datetime, baseline: Sequence[Record] | None) -> Quality:
    """How good an answer is; None where there is nothing to tell it by.

    Args:
        source: its wanted number of records, and the fields that are compared.
        found: what it said; None: there was no answer, or none that could be read.
        at: when it was asked.
        baseline: what the source that it is compared with says; None: there is none, or it gave no answer.
    """
    if found is None:
        return Quality(available=False)
    records = {record.key: record for record in found.records}
    known = {record.key: record for record in baseline or ()}
    # What says that it was written later than now tells nothing of its age: it would look new for ever.
    times = [record.at for record in found.records if record.at and record.at <= at + _AHEAD]
    total = len(found.records) + len(found.refused)
    common = records.keys() & known.keys()
    coverage = None
    if known:
        coverage = len(common) / len(known)
    elif source.wanted_records:
        coverage = min(len(records) / source.wanted_records, 1.0)
    return Quality(
        available=True,
        records=len(records),
        freshness_hours=max((at - max(times)) / timedelta(hours=1), 0) if times else None,
        coverage=coverage,
        schema_validity=len(records) / total if total else None,
        conflict_rate=sum(_differs(records[key], known[key], source.compared) for key in common) / len(common)
        if common
        else None,
    )


def grade(source: SourcePolicy, measured: Quality) -> tuple[Grade, tuple[str, ...]]:
    """The worst that any threshold makes of it, and why. What could not be told is not good (P13)."""
    if not measured.available:
        return Grade.BREACH, ("it gave no answer that could be read",)
    found = list(_judged(source, measured))
    worst = max((each for each, _ in found), key=list(Grade).index, default=Grade.GOOD)
    return worst, tuple(reason for each, reason in found if each is not Grade.GOOD)


def in_conflict(source: SourcePolicy, measured: Quality) -> bool:
    """Whether it contradicts its baseline beyond the breach of its threshold."""
    bound = source.thresholds.conflict_rate
    return bound is not None and measured.conflict_rate is not None and measured.conflict_rate > bound.breach


def _judged(source: SourcePolicy, measured: Quality) -> Iterator[tuple[Grade, str]]:
    for name in (*AT_MOST, *_AT_LEAST):
        bounds, value = getattr(source.thresholds, name), getattr(measured, name)
        if bounds is None:
            continue
        words, sign = name.replace("_", " "), 1 if name in AT_MOST else -1
        shown = f"{words} is {value:.2f}" if value is not None else ""
        least, good = f"{bounds.breach:g}", f"{bounds.warn:g}"
        if value is not None and name == "freshness_hours":
            shown, least, good = f"its newest record is {aged(value)} old", aged(bounds.breach), aged(bounds.warn)
        if value is None:
            yield Grade.WARN, f"{words}: nothing to tell it by"
        elif sign * value > sign * bounds.breach:
            yield Grade.BREACH, f"{shown}; {'at most' if sign > 0 else 'at least'} {least}"
        elif sign * value > sign * bounds.warn:
            yield Grade.WARN, f"{shown}; {'at most' if sign > 0 else 'at least'} {good} is good"


def _differs(one: Record, other: Record, fields: Sequence[str]) -> bool:
    return _compared(one.payload, fields) != _compared(other.payload, fields)


def _compared(payload: Mapping[str, JsonValue], fields: Sequence[str]) -> Mapping[str, JsonValue]:
    return {name: payload.get(name) for name in fields} if fields else payload
