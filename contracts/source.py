"""Sources (runbook §5): where Sensing learns something, what it yielded, and how good that was."""

from enum import StrEnum
from typing import Literal

from pydantic import AwareDatetime, Field, JsonValue

from contracts.artifact import ArtifactRef, Contract


class SourceState(StrEnum):
    """From proposed to switched off (sister documents, "sources"); only PRODUCTION and DEGRADED are used."""

    CANDIDATE = "CANDIDATE"
    TRIAL = "TRIAL"
    PRODUCTION = "PRODUCTION"
    DEGRADED = "DEGRADED"
    """Its fallback is used instead."""
    DISABLED = "DISABLED"


class Fetched(Contract):
    """One answer of a source, as it was recorded: what is concluded from it can be concluded again, offline."""

    source: str
    connector: str
    at: AwareDatetime
    asked: str
    """URL without credentials, argv or paths."""
    problem: str = ""
    """Why there is no answer; empty: there is one."""
    headers: dict[str, str] = {}
    """Those that say what it is and how old: type, length, date, last change, entity tag."""
    media_type: str = ""
    body: ArtifactRef | None = None


class Record(Contract):
    """One thing that a source says."""

    key: str = Field(min_length=1, max_length=400)
    at: AwareDatetime | None = None
    """When it was written, as the source says; None: it does not say."""
    payload: dict[str, JsonValue]


class RefusedRecord(Contract):
    """A record that is none: it stands in no number but its own."""

    place: int
    """Its number in the answer, from 0."""
    reason: str


class Quality(Contract):
    """How good an answer was (sister documents, "trial metrics"); None: nothing to tell it by."""

    available: bool
    records: int = 0
    freshness_hours: float | None = None
    """Age of the newest record."""
    coverage: float | None = None
    """Share of the baseline's keys, or of the wanted number of records, that it has; 0.0 to 1.0."""
    schema_validity: float | None = None
    """Share of the records that are what the schema says, each key once."""
    conflict_rate: float | None = None
    """Share of the keys it has in common with the baseline of which it says something else."""


class Grade(StrEnum):
    """What quality means by the source's own thresholds."""

    GOOD = "good"
    WARN = "warn"
    BREACH = "breach"


class Reading(Contract):
    """``sources/<name>/reading.json``: one answer, its records and how good they are."""

    schema_version: Literal[1] = 1
    fetched: Fetched
    records: ArtifactRef | None = None
    """``records.json``: sorted by key, the same bytes from the same answer."""
    refused: tuple[RefusedRecord, ...] = ()
    quality: Quality
    grade: Grade
    reasons: tuple[str, ...] = ()
    """Which threshold, and by how much."""


class SourceUse(Contract):
    """Update ``source_used`` of Control: how good a source was, each time that a run uses it."""

    run_id: str
    source: str = Field(min_length=1, max_length=40)
    grade: Grade
    reasons: tuple[str, ...] = ()
    in_conflict: bool = False
    """Whether its conflict rate is what breaches."""
    refused: str = ""
    """Why its use is not allowed any more, by the policy; empty: it is."""
    sustained: int = Field(default=3, ge=1, le=100)
    """As many breaches one after the other demote it, by the policy."""
    trial: str = ""
    """The trial that the policy says a person promoted it by."""


class SourcePassed(Contract):
    """Update ``source_passed`` of Control: a trial of a source met everything; a person decides about it."""

    source: str = Field(min_length=1, max_length=40)
    trial: str = Field(min_length=1, max_length=200)
    report_sha256: str = ""
    at: AwareDatetime | None = None
    """When it ended; None: whoever asks is older than this."""
    began_at: AwareDatetime | None = None
    """None: whoever asks is older than this, and its end counts instead."""


class SourceOrder(Contract):
    """Update ``order_source`` of Control: a person switches a source off, or lifts what it was lowered by."""

    source: str = Field(min_length=1, max_length=40)
    lift: str = Field(default="", max_length=200)
    """The trial that it passed since it was lowered; empty: it is to be switched off."""
    expected_epoch: int = 0
    """To lift only: the epoch the person saw."""
    reason: str = Field(min_length=3, max_length=2000)
    actor: str = Field(min_length=1, max_length=200)


BY_CONTROL = "control"
"""Who lowered a source, where no person did."""


class SourceRecord(Contract):
    """What Control's books say of one source. They only ever lower what ``sources.toml`` says."""

    source: str
    lowered: SourceState | None = None
    """DEGRADED or DISABLED; None: it is what the file says."""
    since: AwareDatetime | None = None
    """When it was lowered."""
    reason: str = ""
    by: str = ""
    """``control``, or the person."""
    grade: Grade = Grade.GOOD
    """Of its latest use."""
    run_id: str = ""
    """The run that used it last."""
    breaches: int = 0
    """Uses one after the other that were a breach."""
    passed: tuple[str, ...] = ()
    """Trials it passed since it was lowered, the latest last."""


class SourceBook(Contract):
    """Query ``sources`` of Control."""

    sources: tuple[SourceRecord, ...] = ()

    def of(self, source: str) -> SourceRecord:
        """One source's; nothing is known of most."""
        return next((each for each in self.sources if each.source == source), SourceRecord(source=source))
