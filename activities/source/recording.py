"""What a run uses of its target's sources, recorded by Sensing: later steps read this, and ask nobody (P6)."""

from dataclasses import dataclass
from datetime import UTC, datetime

from activities.source.reading import SourceReader
from activities.step_session import StepSession
from contracts.alert import Alert, AlertKind
from contracts.source import Grade, Reading, SourceState
from policies.counted import shortened
from policies.settings.sources import SourcePolicy
from ports.sources import Asked

_USED = frozenset({SourceState.PRODUCTION, SourceState.DEGRADED})


@dataclass(frozen=True)
class Recorded:
    """By source."""

    records: dict[str, bytes]
    """Also, as ``from/<name>``, the name of the fallback whose records these are."""
    missing: tuple[str, ...]
    """``source: <name>: <reason>`` of each that nothing was to be had of, nor of its fallback."""
    replaced: tuple[str, ...] = ()
    """Of each whose fallback stands in for it, a sentence with the reason."""


def record_sources(session: StepSession, reader: SourceReader) -> Recorded:
    """Ask every source in use; one that is degraded, or breaches its thresholds, gives way to its fallback.

    Raises:
        StoreError: an answer cannot be kept.
    """
    policy, records, missing, replaced = session.policy, {}, [], []
    known = {each.name: each for each in policy.sources.sources}
    # One look for all of them: what is a source, a fallback and a baseline is asked once.
    asked = Asked(policy, session.repository, session.given.base_sha, session.alive)
    for source in policy.sources.of(session.run.target):
        if source.state not in _USED or source.file is None:
            continue
        tried = [] if source.state is SourceState.DEGRADED else [source]
        tried += [known[source.fallback]] if source.fallback else []
        reasons: list[str] = []
        for each in tried:
            reading = _read(session, reader, each, asked)
            if reading.grade is not Grade.GOOD:
                _alert(session, each, reading)
            if reading.grade is not Grade.BREACH and reading.records:
                records[source.name] = reader.store.get(reading.records)
                session.save(f"sources/{source.name}/used.jsonl", records[source.name], "application/jsonl")
                if each is not source:
                    records[f"from/{source.name}"] = each.name.encode()
                    why = "; ".join(reasons).removeprefix(f"{source.name}: ") or "it is degraded"
                    replaced.append(f"{each.name} stands in for {source.name}: {why}")
                break
            reasons.append(f"{each.name}: {'; '.join(reading.reasons)}")
        else:
            missing.append(f"source: {'; '.join(reasons) or f'{source.name} is degraded and has no fallback'}")
    return Recorded(records, tuple(missing), tuple(replaced))


def _read(session: StepSession, reader: SourceReader, source: SourcePolicy, asked: Asked) -> Reading:
    reading = reader.read(source, session.policy.sources, asked, datetime.now(UTC), session.save)
    quality = reading.quality
    session.note("source asked", source=source.name, grade=reading.grade, records=quality.records,
                 answer=reading.fetched.body.sha256 if reading.fetched.body else "")  # fmt: skip
    return reading


def _alert(session: StepSession, source: SourcePolicy, reading: Reading) -> None:
    """Runbook §9: source quality below its threshold."""
    how = "poor" if reading.grade is Grade.WARN else "not usable"
    said = f"source {source.name} is {how}: {'; '.join(reading.reasons)}"
    session.bench.alerts.send(
        Alert(
            kind=AlertKind.SOURCE_QUALITY,
            target=session.run.target,
            run_id=session.run.run_id,
            summary=shortened(said, 500),
            fingerprint=f"source_quality/{session.run.target}/{source.name}/{reading.grade}",
        )
    )
