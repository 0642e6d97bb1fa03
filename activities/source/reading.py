"""One answer of a source: recorded, read, compared with its baseline, graded; all of it can be done again offline."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from contracts.artifact import ArtifactRef
from contracts.source import Fetched, Grade, Reading
from policies.settings.sources import Format, SourcePolicy, Sources
from policies.source.quality import grade, quality
from policies.source.records import Normalised, NotReadable, records_of
from ports.repository import RepositoryError
from ports.sources import Connector, SourceAnswer, SourceRequest
from ports.store import ArtifactStore

Keep = Callable[[str, bytes, str], ArtifactRef]
"""Keeps a body under a name and media type."""


@dataclass(frozen=True)
class Compared:
    """A graded answer, and what it was compared with."""

    reading: Reading
    with_source: str
    """Empty: nothing."""
    baseline: Fetched | None
    records: Normalised | None
    """The baseline's; None: it gave none."""


@dataclass(frozen=True)
class SourceReader:
    """Asks; keeps what came back before anything is concluded from it."""

    connectors: Mapping[str, Connector]
    store: ArtifactStore

    def read(self, source: SourcePolicy, sources: Sources, request: SourceRequest, at: datetime, keep: Keep) -> Reading:
        """A source's answer now, graded.

        Raises:
            StoreError: what came back cannot be kept, so it is not used.
        """
        return self.compare(source, sources, request, at, keep).reading

    def compare(
        self, source: SourcePolicy, sources: Sources, request: SourceRequest, at: datetime, keep: Keep
    ) -> Compared:
        """A source's answer now, graded, and its baseline's where it has one.

        Raises:
            StoreError: what came back cannot be kept, so it is not used.
        """
        fetched = self.fetch(source, request, at, keep)
        found, problem = self.normalised(source, fetched)
        name = source.baseline or source.fallback
        other = sources.named(name)
        theirs, baseline, silent = None, None, ""
        if other is not None:
            theirs = self.fetch(other, request, at, keep)
            baseline, silent = self.normalised(other, theirs)
        records = keep(f"sources/{source.name}/records.jsonl", found.written(), "application/jsonl") if found else None
        measured = quality(source, found, at, baseline.records if baseline else None)
        graded, reasons = grade(source, measured)
        if silent:
            # What cannot be compared is not good (P13).
            graded, reasons = (
                max(graded, Grade.WARN, key=list(Grade).index),
                (*reasons, f"its baseline {name}: {silent}"),
            )
        reading = Reading(
            fetched=fetched,
            records=records,
            refused=found.refused[:100] if found else (),
            quality=measured,
            grade=graded,
            reasons=(problem,) if problem else reasons,
        )
        keep(f"sources/{source.name}/reading.json", reading.model_dump_json(by_alias=True).encode(), "application/json")
        return Compared(reading, name, theirs, baseline)

    def fetch(self, source: SourcePolicy, request: SourceRequest, at: datetime, keep: Keep) -> Fetched:
        """Ask once, and keep the bytes as they came."""
        answer = request.answers.get(source.name)
        if answer is None:
            try:
                answer = self.connectors[source.connector].fetch(source, request)
            except RepositoryError as problem:
                answer = SourceAnswer(source.connector, None, str(problem))
            request.answers[source.name] = answer
        media = answer.media_type or "application/octet-stream"
        body = None if answer.body is None else keep(f"sources/{source.name}/answer", answer.body, media)
        return Fetched(
            source=source.name,
            connector=source.connector,
            at=at,
            asked=answer.asked,
            problem=answer.problem,
            headers=answer.headers,
            media_type=answer.media_type,
            body=body,
        )

    def normalised(self, source: SourcePolicy, fetched: Fetched) -> tuple[Normalised | None, str]:
        """What a recorded answer says, at any later time; None and the reason when it says nothing."""
        if fetched.body is None:
            return None, fetched.problem
        try:
            return records_of(self.store.get(fetched.body), format_of(source), source), ""
        except NotReadable as problem:
            return None, str(problem)


def format_of(source: SourcePolicy) -> Format:
    """How its answer is written."""
    for connector in (source.http, source.command, source.repository):
        if connector is not None:
            return connector.format
    return "json"
