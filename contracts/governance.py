"""``governance_review.json`` (runbook §11), and what it is made from."""

from datetime import date, datetime
from enum import StrEnum
from typing import Literal

from pydantic import AwareDatetime, Field

from contracts.artifact import ArtifactRef, Contract
from contracts.evidence import CheckStatus
from contracts.later_review import Fate, LaterReview
from contracts.modes import Mode, RunStatus
from contracts.proposal import PolicyProposal
from contracts.source import Grade


class CheckSeen(Contract):
    """One look of one check at one tree."""

    target: str
    check: str
    tree: str
    environment: str
    base_count: int | None
    """What it was compared with, for checks that may be no worse than the base."""
    status: CheckStatus
    seconds: tuple[float, ...]
    """Of each attempt; no two looks take exactly as long."""
    at: AwareDatetime


class KnownFlake(Contract):
    """What a target's policy says of a check of its own."""

    target: str
    check: str
    owner: str
    until: date | None


class Flake(Contract):
    """A check that gave different answers about the same commit, or is known to."""

    target: str
    check: str
    seen: int
    """Looks at a tree, in the window."""
    flaked: int
    first: AwareDatetime | None
    last: AwareDatetime | None
    owner: str
    """Empty: nobody."""
    until: date | None
    """Until when the policy says it is known to be flaky; None: it does not say."""
    overdue: bool
    """That day is over."""


class FlakyCheck(Contract):
    """A check of the ledger, and which tests its output named when it was red."""

    flake: Flake
    tests: tuple[tuple[str, str], ...]
    """Path and name, as the output has them: the repository's words."""


class FlakyChecks(Contract):
    """``lookups/flaky_checks.json``: what Sensing found in this target's flake ledger."""

    checks: tuple[FlakyCheck, ...]


class CoverageLook(Contract):
    """``lookups/coverage.json``: lines of recent commits that a check of the target's own says something of."""

    check: str
    run_id: str
    """Whose check of the base wrote the report."""
    commits: int
    """On the line of first parents, counted from the base."""
    added: dict[str, tuple[int, ...]]
    """Lines that are new since then, counted from 1, by path."""


class SourceSeen(Contract):
    """A source that a run asked."""

    source: str
    grade: Grade
    freshness_hours: float | None
    """Age of its newest record; None: it does not say."""


class TrialFacts(Contract):
    """A source's trial that ended in the window."""

    target: str
    source: str
    trial_id: str
    ended_at: AwareDatetime
    passed: bool
    reason: str
    """Of its gates."""
    promoted: bool
    """The policy says by now that a person promoted it by this trial."""


class SourceLowered(Contract):
    """A source that Control or a person lowered in the window."""

    target: str
    source: str
    at: AwareDatetime
    state: str
    reason: str
    by: str


class RunFacts(Contract):
    """One run and what became of it, from its target's audit log and its own artifacts."""

    run_id: str
    target: str
    mode: Mode
    started_at: AwareDatetime
    ended_at: AwareDatetime
    status: RunStatus
    reason: str
    task_type: str = ""
    """Empty: no task was planned."""
    idea: str = ""
    """Tool and rule, for example ``codespell docs``."""
    rejection: str = ""
    """Reason code of a rejected release."""
    all_green: bool | None = None
    """Whether every check of the merge result was green; None: it came to no check."""
    opened_at: AwareDatetime | None = None
    """When its pull request was opened."""
    violation: bool = False
    """A policy violation was reported of it (runbook §6.1)."""
    protected: bool = False
    """Its change touched a protected path."""
    merged_at: AwareDatetime | None = None
    merged_by: str = ""
    """The person; empty: this system, or nobody."""
    closed_at: AwareDatetime | None = None
    """When a person closed its pull request."""
    said: str = ""
    """What became of it, in the follow-up's words, a person's own among them."""
    regressed: bool = False
    """Its merge broke the base, confirmed and attributed."""
    rolled_back: bool = False
    risk: float | None = None
    """Total of the risk score, 0.0 to 1.0; None: it came to no release decision."""
    usd: float = 0
    tokens: int = 0
    tokens_by_step: dict[str, int] = {}
    usd_by_step: dict[str, float] = {}
    checks: tuple[CheckSeen, ...] = ()
    sources: tuple[SourceSeen, ...] = ()
    later: LaterReview | None = None
    """What became of its change; None: it was neither merged nor closed, or nobody looked."""
    unknown_cost: bool = False
    """Part of what it cost is not known."""


class IncidentFacts(Contract):
    """An incident that was opened in the window, or whose prevention is due."""

    incident: str
    target: str
    trigger: str
    opened_at: AwareDatetime
    closed: bool
    owner: str = ""
    due_on: str = ""
    """ISO date; empty: nobody said."""
    prevented: bool = False


class DayCost(Contract):
    """What a target booked on one day of its own time zone, to the policy's caps."""

    target: str
    day: str
    """ISO date."""
    used: float
    """The largest share of a cap, of any measure: 1.0 is all of it."""


class ReviewFacts(Contract):
    """All that a review is computed from."""

    since: AwareDatetime
    until: AwareDatetime
    first: AwareDatetime | None
    """When the first run of all was admitted; None: none ever was."""
    runs: tuple[RunFacts, ...]
    """Those that ended, were merged or were answered in the window; no smoke runs."""
    incidents: tuple[IncidentFacts, ...]
    days: tuple[DayCost, ...]
    known_flakes: tuple[KnownFlake, ...] = ()
    trials: tuple[TrialFacts, ...] = ()
    lowered: tuple[SourceLowered, ...] = ()
    unreadable: dict[str, str] = {}
    """What could not be read, and why: it is in no number."""


class Standing(StrEnum):
    """How a metric stands to its target."""

    MET = "met"
    MISSED = "missed"
    TOO_FEW = "not enough data"
    NO_TARGET = "no target"


class Metric(Contract):
    """One baseline metric over one group of runs."""

    name: str
    formula: str
    target: str
    """In words, for example ``below 1 %``; empty: the runbook names none."""
    unit: Literal["%", "a week", "USD", "hours", "tokens", "count"]
    count: float
    """The numerator."""
    of: float
    """The denominator."""
    value: float | None
    """None: nothing to compute it from, which is neither 0 nor 100 %."""
    low: float | None = None
    high: float | None = None
    """Of a share: its 95 % interval (Wilson), in per cent."""
    standing: Standing


class MetricGroup(Contract):
    """All metrics of some of the runs."""

    by: Literal["all", "target", "mode", "task type"]
    name: str
    runs: int
    metrics: tuple[Metric, ...]


class Pattern(Contract):
    """Why changes were accepted or not, by what they were about."""

    what: str
    """An idea (``codespell docs``), or the reason of a refusal."""
    kind: Literal["accepted", "closed by a person", "rejected"]
    count: int
    said: tuple[str, ...]
    """The latest words about it, at most three."""


class RiskBin(Contract):
    """Changes of like risk score, and how many of them went badly."""

    low: float
    high: float
    changes: int
    mean_score: float
    bad: int
    """Closed by a person, regressed, rolled back, or reverted."""
    share_low: float
    share_high: float
    """95 % interval of the bad ones' share, 0.0 to 1.0."""


class Calibration(Contract):
    """The risk score against what happened (runbook §10)."""

    bins: tuple[RiskBin, ...]
    verdict: str
    """One sentence: calibrated, not calibrated and where, or not enough data."""


class Fates(Contract):
    """What had become of merges after so many days, where that moment lies in the window."""

    days: int
    counts: dict[Fate, int]
    """``not yet``: of those merged in the window."""
    added: int
    """Lines that those merges added whose fate is known."""
    standing: int


class GovernanceReport(Contract):
    """The weekly review over all targets."""

    schema_version: Literal[1] = 1
    since: AwareDatetime
    until: AwareDatetime
    sentence: str
    """What a person would say of it."""
    groups: tuple[MetricGroup, ...]
    """All runs first."""
    patterns: tuple[Pattern, ...]
    incidents: tuple[IncidentFacts, ...]
    overdue: tuple[IncidentFacts, ...]
    regressed: tuple[str, ...]
    """Run ids."""
    rolled_back: tuple[str, ...]
    weeks: tuple[MetricGroup, ...]
    """All runs' metrics of each week of the window, oldest first: the charts' points."""
    tokens_by_step: dict[str, float] = {}
    """Mean per run; a step is one role's. Steps that cost none are left out."""
    usd_by_step: dict[str, float] = {}
    """The same."""
    fates: tuple[Fates, ...] = ()
    """After 1, 7 and 30 days."""
    undone: tuple[str, ...] = ()
    """Merges that were reverted or rewritten, a sentence each, at most twenty."""
    objectives_met: int = 0
    objectives_missed: int = 0
    """Of merges in the window, by the contract's own measure on the base; the others were not measured."""
    flakes: tuple[Flake, ...] = ()
    """Overdue ones first."""
    trials: tuple[TrialFacts, ...] = ()
    """Trials of sources that ended, the latest first."""
    lowered: tuple[SourceLowered, ...] = ()
    """The same."""
    calibration: Calibration
    proposal: PolicyProposal | None = None
    """At most one bounded step of one threshold, for a person to take or leave."""
    patch: str = ""
    """It as a unified diff of the policy folder, comments kept: ``git apply`` or ``patch -p1`` takes it."""
    no_proposal: str = ""
    """Why nothing is proposed."""
    unreadable: dict[str, str]


def review_place(until: datetime) -> str:
    """``GR-2026-W48``: where the review of an ISO week is kept; capitals, so that it is never taken for a run's id."""
    return f"GR-{until:%G-W%V}"


class ReviewRequest(Contract):
    """Input of ``GovernanceReview``; ``{}`` is the usual one."""

    days: int = Field(default=28, ge=1, le=3660)
    """How far back from now it looks."""


class ReviewInput(Contract):
    """Input of the step that makes it."""

    since: AwareDatetime
    until: AwareDatetime


class ReviewKept(Contract):
    """What ``GovernanceReview`` returns."""

    sentence: str
    report: ArtifactRef
    page: ArtifactRef
    address: str
    """Where a person finds both."""
