"""A source expansion (runbook §5): who could be tried, the trial's contract, what its fetches showed, how it ended."""

from __future__ import annotations

from typing import Literal

from pydantic import AwareDatetime, Field, JsonValue

from contracts.artifact import ArtifactRef, Contract
from contracts.handover import StepInput, StepResult
from contracts.source import Fetched, Reading, SourceState
from contracts.verdict import Fact, Verdict

NOT_KNOWN = "unknown"
CONSEQUENCE: dict[str, Fact] = {"consequence": True}
"""A fact of a gate that says no only because another does: what is not fetched can be neither judged nor replayed."""


class ExpansionRequest(Contract):
    """What a person or a Schedule asks for: ``{"target": "demo"}`` is enough."""

    target: str = Field(min_length=1, max_length=80, pattern=r"^[a-z0-9][a-z0-9._-]*$")
    source: str = Field(default="", max_length=40, pattern=r"^[a-z0-9_-]*$")
    """The candidate to try; empty: Planning picks one."""
    actor: str = Field(default=NOT_KNOWN, max_length=200)


class CandidateSource(Contract):
    """One source that could be tried."""

    name: str
    origin: Literal["sources.toml", "catalogue.toml"]
    state: SourceState
    connector: str
    purpose: str
    """``file data/days.json``, or ``candidates``."""
    provenance: str
    """Who publishes it, or ``unknown``; so the next two."""
    licence: str
    compliance: str
    compliance_reference: str = ""
    entry: dict[str, JsonValue]
    """As the file has it, without defaults."""
    entry_digest: str
    """Of all that its answers and their grades depend on, its baseline's entry included."""
    barred: tuple[str, ...] = ()
    """Why nothing of it is fetched, a sentence each; empty: it may be tried."""


class Lead(Contract):
    """An address in the repository's own texts that looks like data. It is never tried by itself: a person names it."""

    url: str
    path: str
    """The file that has it; of one that an agent named, empty."""
    named_by: str = ""
    """The agent: what it says of the rest is its word alone."""
    provenance: str = NOT_KNOWN
    licence: str = NOT_KNOWN
    compliance: str = NOT_KNOWN


class CandidateSources(Contract):
    """``candidate_sources.json``: what the Scout found. It recommends nothing."""

    schema_version: Literal[1] = 1
    run_id: str
    target: str
    base_sha: str
    candidates: tuple[CandidateSource, ...] = ()
    leads: tuple[Lead, ...] = ()
    more_leads: int = 0
    """Found, and not listed."""
    unread: tuple[str, ...] = ()
    """What could not be looked at, and why."""


class Bounds(Contract):
    """Of one metric: the first bound warns, the second is a breach."""

    warn: float
    breach: float


class SourceTrial(Contract):
    """What a source trial's contract states (sister documents): duration, coverage, thresholds, compliance."""

    trial_id: str
    """``<source>-<date>-<number>``."""
    source: str
    origin: Literal["sources.toml", "catalogue.toml"]
    state: SourceState
    """In its file, when the trial began."""
    entry: dict[str, JsonValue]
    entry_digest: str
    began_at: AwareDatetime
    fetches: int
    hours_between: float
    at_least: int
    """So many fetches must be good."""
    duration_hours: float
    coverage_target: float | None
    thresholds: dict[str, Bounds]
    licence: str
    compliance: str
    compliance_reference: str
    baseline: str
    fallback: str
    barred: tuple[str, ...] = ()
    """Why nothing is fetched at all."""


class TrialFetch(Contract):
    """``trials/<trial>/<number>/fetch.json``, kept with the source: one answer, and the baseline's at the same time."""

    schema_version: Literal[1] = 1
    trial_id: str
    number: int
    """From 1."""
    run_id: str
    base_sha: str
    reading: Reading
    baseline: Fetched | None = None
    baseline_records: ArtifactRef | None = None
    shape: dict[str, str] = {}
    """Fields that every record has, and the kinds of their values."""


class Difference(Contract):
    """One thing that source and baseline do not say alike, in the latest fetch that has both."""

    key: str
    field: str = ""
    """Empty: the whole record."""
    ours: str = ""
    """As JSON, shortened; empty: it has no such record."""
    theirs: str = ""
    explained: str
    """Why they differ, as far as their own words tell."""


class Differences(Contract):
    """All of them counted, the first ones listed."""

    compared: int = 0
    """Keys that both have."""
    only_here: int = 0
    only_there: int = 0
    conflicts: int = 0
    """Fields of common keys."""
    listed: tuple[Difference, ...] = ()


class ReplayCheck(Contract):
    """The same recorded bytes, normalised again in a fresh sandbox."""

    answers: int = 0
    different: tuple[str, ...] = ()
    """Names of those that gave something else."""
    problem: str = ""
    """Why it could not be found out."""


class TriageReplay(Contract):
    """What today would bring with the source in use."""

    sentence: str
    changes: int = 0
    """Findings that are new."""


class TrialMetrics(Contract):
    """Over the trial (sister documents); None: nothing to tell it by."""

    fetches: int = 0
    good: int = 0
    availability: float | None = None
    freshness_hours: float | None = None
    """The oldest."""
    coverage: float | None = None
    """The least; so the next."""
    schema_validity: float | None = None
    conflict_rate: float | None = None
    """The highest."""


class SourceTrialReport(Contract):
    """``source_trial_report.json``: Source QA's word. It recommends; a person promotes."""

    schema_version: Literal[1] = 1
    run_id: str
    target: str
    trial: SourceTrial
    ended_at: AwareDatetime
    metrics: TrialMetrics
    fetches: tuple[TrialFetch, ...] = ()
    shape_changes: tuple[str, ...] = ()
    """How its records changed their shape in mid-trial."""
    replay: ReplayCheck
    differences: Differences
    triage: TriageReplay
    verdict: Verdict
    tried: str = ""
    """Digest of the entry that was weighed, and of what it was compared with: only this one may be promoted."""
    proposal_id: str = ""
    """Of the promotion that is proposed; empty: it did not pass."""

    @property
    def passed(self) -> bool:
        """Whether every gate said yes."""
        return self.verdict.allowed

    @property
    def said_no(self) -> tuple[Verdict, ...]:
        """Each gate that said no; not what follows from another, nor what an earlier one has told already."""
        told: list[Verdict] = []
        refused = [gate for gate in self.verdict.children if not gate.allowed]
        for gate in [each for each in refused if each not in self.consequences] or refused:
            if not any(gate.reason in earlier.reason for earlier in told):
                told.append(gate)
        return tuple(told)

    @property
    def consequences(self) -> tuple[Verdict, ...]:
        """Gates that had nothing to weigh, because of what another one says."""
        return tuple(gate for gate in self.verdict.children if gate.facts.keys() & CONSEQUENCE.keys())

    @property
    def reasons(self) -> tuple[str, ...]:
        """Of each of these."""
        return tuple(gate.reason for gate in self.said_no)


class TrialInput(Contract):
    """What each step of an expansion is given."""

    step: StepInput
    source: str = ""
    """The candidate that a person named."""
    look: int = 0
    """Which look this is, within the run."""


class TrialLook(Contract):
    """A step's result, and when the next fetch is due."""

    result: StepResult
    next_at: AwareDatetime | None = None
    """None: no further fetch."""
