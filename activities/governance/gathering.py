"""The facts of a governance review, from the targets' audit logs and from what their runs and incidents left."""

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from activities.governance.past_decisions import Model, NeverKept, NotKept, read_kept
from contracts.audit import AuditRecord
from contracts.budget import Amounts
from contracts.evidence import ChecksReport, CheckStatus
from contracts.governance import (
    CheckSeen,
    DayCost,
    IncidentFacts,
    KnownFlake,
    ReviewFacts,
    RunFacts,
    SourceLowered,
    SourceSeen,
    TrialFacts,
)
from contracts.incident import PostIncidentReport, Trigger
from contracts.later_review import DAYS, LaterReview, LaterReviewInput
from contracts.modes import RunKind, WriteAction
from contracts.release import ReleaseDecision
from contracts.report import RunReport
from contracts.rollback import Merged, RollbackOutcome
from contracts.source import Reading, SourceState
from contracts.task import TaskContract
from contracts.trial import SourceTrialReport
from contracts.verdict import Decision, Verdict
from policies.governance.flakes import KEPT, looks
from policies.run.alerts import PROTECTED_RULE
from policies.settings.schema import EffectivePolicy
from ports.policy_source import PolicyError, PolicySource
from ports.store import ArtifactStore, AuditLog, StoreError

_OPENED = f"/{WriteAction.OPEN_PULL_REQUEST}"
_CLOSED = "closed by "
_OURS = f"{_CLOSED}us"
_BY_PERSON = "merged by "
_LOWERED = {"source": "source", "state": "state", "reason": "reason", "by": "actor"}
_SOURCE = re.compile(r"sources/([^/]+)/reading\.json")
_EXCHANGE = re.compile(r"-\d+$")
"""An exchange of a step is paid under ``<step>-<n>``: it is the step that costs it."""


@dataclass
class Told:
    """What a target's log says of one run."""

    ended_at: datetime | None = None
    opened_at: datetime | None = None
    merged_at: datetime | None = None
    merged_by: str = ""
    closed_at: datetime | None = None
    said: str = ""
    outcome: str = ""
    """Of its follow-up."""
    merged: Merged | None = None
    regressed: bool = False
    rolled_back: bool = False
    violation: bool = False
    spent: dict[str, Amounts] = field(default_factory=dict)
    """Per step."""
    unknown: set[str] = field(default_factory=set)
    """Keys, of steps and of their exchanges, whose cost nobody has stated."""

    def facts(self) -> dict[str, object]:
        """By the names of ``RunFacts``."""
        total = sum(self.spent.values(), Amounts())
        alike = ("ended_at", "opened_at", "violation", "merged_at", "merged_by", "closed_at", "said", "regressed",
                 "rolled_back")  # fmt: skip
        return {name: getattr(self, name) for name in alike} | {
            "usd": total.usd,
            "tokens": total.tokens,
            "tokens_by_step": {step: cost.tokens for step, cost in self.spent.items() if cost.tokens},
            "usd_by_step": {step: cost.usd for step, cost in self.spent.items() if cost.usd},
            "unknown_cost": bool(self.unknown),
        }

    def moments(self) -> Iterator[datetime]:
        """When something happened that a review counts."""
        yield from (at for at in (self.ended_at, self.opened_at, self.merged_at, self.closed_at) if at)
        if self.merged:
            yield from (self.merged.merged_at + timedelta(days=days) for days in DAYS)


class Target:
    """One pass over a target's log."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.first: datetime | None = None
        self.runs: dict[str, Told] = defaultdict(Told)
        self.incidents: dict[str, tuple[str, datetime]] = {}
        """Trigger and time."""
        self.days: dict[str, Amounts] = {}
        self.lowered: list[SourceLowered] = []
        self._hears: dict[str, Callable[[AuditRecord], None]] = {
            "run admitted": self._admitted,
            "run admitted from the queue": self._admitted,
            "run closed": self._closed,
            "write settled": self._settled,
            "cost booked": self._booked,
            "cost unknown": self._unknown,
            "merged": self._merged,
            "merged by a person": self._merged,
            "follow-up ended": self._followed_up,
            "incident opened": self._incident,
            "rollback ended": self._rolled_back,
            "source lowered": self._lowered,
        }

    def hear(self, record: AuditRecord) -> None:
        """Take in a record; most are of no interest here."""
        if (take := self._hears.get(record.event)) is not None:
            take(record)

    def _of(self, record: AuditRecord) -> Told:
        return self.runs[str(record.facts["runId"])]

    def _admitted(self, record: AuditRecord) -> None:
        self.first = self.first or record.at

    def _closed(self, record: AuditRecord) -> None:
        self._of(record).ended_at = record.at

    def _settled(self, record: AuditRecord) -> None:
        key = str(record.facts["key"])
        if key.endswith(_OPENED) and record.facts["outcome"] == "done":
            self.runs[key.removesuffix(_OPENED)].opened_at = record.at

    def _booked(self, record: AuditRecord) -> None:
        cost = _amounts(record)
        run_id, _, paid = str(record.facts["key"]).partition("/")
        told, step = self.runs[run_id], _EXCHANGE.sub("", paid)
        told.spent[step] = told.spent.get(step, Amounts()) + cost
        told.unknown.discard(paid)
        for period in str(record.facts["periods"]).split():
            if period.startswith("day/"):
                day = period.removeprefix("day/")
                self.days[day] = self.days.get(day, Amounts()) + cost

    def _unknown(self, record: AuditRecord) -> None:
        run_id, _, step = str(record.facts["key"]).partition("/")
        self.runs[run_id].unknown.add(step)

    def _merged(self, record: AuditRecord) -> None:
        told, merged = self._of(record), Merged.model_validate(json.loads(str(record.facts["merge"])))
        told.merged, told.merged_at, told.merged_by = merged, merged.merged_at, merged.by

    def _followed_up(self, record: AuditRecord) -> None:
        told, outcome = self._of(record), str(record.facts["outcome"])
        told.said, told.outcome = f"{outcome}: {record.facts['reason']}", outcome
        at = record.facts.get("at")
        if outcome.startswith(_BY_PERSON) and told.merged is None and at:
            # Nothing says by which commit: it was accepted all the same.
            told.merged_at, told.merged_by = datetime.fromisoformat(str(at)), str(record.facts["who"])
        if outcome.startswith(_CLOSED) and not outcome.startswith(_OURS):
            told.closed_at = record.at

    def _incident(self, record: AuditRecord) -> None:
        trigger = str(record.facts["trigger"])
        self.incidents[str(record.facts["incident"])] = (trigger, record.at)
        told = self._of(record)
        told.violation |= trigger == Trigger.POLICY_VIOLATION
        told.regressed |= trigger == Trigger.REGRESSION

    def _rolled_back(self, record: AuditRecord) -> None:
        self._of(record).rolled_back |= record.facts["outcome"] == RollbackOutcome.RESTORED

    def _lowered(self, record: AuditRecord) -> None:
        facts = {name: str(record.facts[key]) for name, key in _LOWERED.items()}
        self.lowered.append(SourceLowered(target=self.name, at=record.at, **facts))


@dataclass(frozen=True)
class Gathering:
    """Reads and counts; writes nothing."""

    store: ArtifactStore
    audit: AuditLog
    policies: PolicySource | None = None
    """Says who looks after a flaky check; None: checks are not looked at one by one."""
    later: Callable[[LaterReviewInput], LaterReview | None] = lambda _given: None
    """What became of a run's change."""

    def facts(self, since: datetime, until: datetime, only: str = "") -> ReviewFacts:
        """Of every target that ever had a log, or of one; what cannot be read is named, and is in no number.

        Raises:
            StoreError: the logs cannot be listed.
        """
        unreadable: dict[str, str] = {}
        targets = []
        for log in self.audit.logs(begins=f"target/{only}"):
            if only not in {"", log.removeprefix("target/")}:
                continue
            try:
                target = self.told(log, until)
            except (StoreError, KeyError, ValueError) as damage:
                # Half a log would be half a truth.
                unreadable[log] = str(damage)
                continue
            targets.append(target)
        runs = tuple(self._runs(targets, since, until, unreadable))
        known_flakes = tuple(each for target in targets for each in self._known_flakes(target.name, unreadable))
        return ReviewFacts(
            since=since,
            until=until,
            first=min((target.first for target in targets if target.first), default=None),
            runs=runs,
            incidents=tuple(self._incidents(targets, unreadable)),
            days=tuple(self._days(targets, runs, since, until, unreadable)),
            known_flakes=known_flakes,
            trials=tuple(self._trials(targets, since, until, unreadable)),
            lowered=tuple(each for target in targets for each in target.lowered if since <= each.at < until),
            unreadable=unreadable,
        )

    def told(self, log: str, until: datetime) -> Target:
        """What a target's log says, up to a moment.

        Raises:
            StoreError: it cannot be read.
            KeyError, ValueError: it says what cannot be understood.
        """
        target = Target(log.removeprefix("target/"))
        for record in self.audit.records(log):
            if record.at < until:
                target.hear(record)
        return target

    def _runs(
        self, targets: list[Target], since: datetime, until: datetime, unreadable: dict[str, str]
    ) -> Iterator[RunFacts]:
        for target in targets:
            for run_id, told in target.runs.items():
                if told.ended_at is None or not any(since <= at < until for at in told.moments()):
                    continue
                try:
                    run = self.run(run_id, told, until, unreadable)
                except NotKept as problem:
                    unreadable[run_id] = str(problem)
                    continue
                if run is not None:
                    yield run

    def run(self, run_id: str, told: Told, until: datetime, unreadable: dict[str, str]) -> RunFacts | None:
        """What became of a run that has ended; None: it was no daily run.

        Raises:
            NotKept: its report is gone, or damaged.
        """
        report = read_kept(self.store, run_id, "run_report.json", RunReport)
        if report.run.kind is not RunKind.DAILY:
            return None
        about = self._about(report, unreadable)
        return about.model_copy(update=told.facts() | {"later": self._later(told, report, until)})

    def _about(self, report: RunReport, unreadable: dict[str, str]) -> RunFacts:
        """What its artifacts say."""
        run_id = report.run.run_id
        contract = self._optional(run_id, "task_contract.json", TaskContract, unreadable)
        checks = self._optional(run_id, "checks/checks.json", ChecksReport, unreadable)
        decision = self._optional(run_id, "release_decision.json", ReleaseDecision, unreadable)
        verdicts = [record.verdict for record in report.steps] + ([decision.verdict] if decision else [])
        names = self.store.names(run_id) if self.policies else ()
        return RunFacts(
            run_id=run_id,
            target=report.run.target,
            mode=report.run.mode,
            started_at=report.run.started_at,
            ended_at=report.ended_at,
            status=report.status,
            reason=report.reason,
            task_type=contract.type if contract else "",
            idea=f"{report.idea.tool} {report.idea.rule}".strip() if report.idea else "",
            rejection=report.rejection.reason_code if report.rejection else "",
            all_green=all(each.status is CheckStatus.GREEN for each in checks.results) if checks else None,
            protected=any(map(_touches_protected, verdicts)),
            risk=decision.risk.total if decision else None,
            checks=tuple(self._checks(report, names, unreadable)),
            sources=tuple(self._sources(run_id, names, unreadable)),
        )

    def _later(self, told: Told, report: RunReport, until: datetime) -> LaterReview | None:
        if not (told.merged_at or told.closed_at):
            return None
        pull = report.pull_request.number if report.pull_request else 0
        by = f"merged by {told.merged_by}" if told.merged_by else "merged by itself"
        return self.later(
            LaterReviewInput(
                run=report.run,
                ended=told.outcome or by,
                now=until,
                pull_request=told.merged.pull_request if told.merged else pull,
                merged=told.merged,
                rolled_back=told.rolled_back,
            )
        )

    def _checks(self, report: RunReport, names: Iterable[str], unreadable: dict[str, str]) -> Iterator[CheckSeen]:
        """Every look at a tree that the run's artifacts tell of: before the change, with it, and after its merge."""
        run_id = report.run.run_id
        for name in filter(KEPT.fullmatch, names):
            kept = self._optional(run_id, name, ChecksReport, unreadable)
            yield from looks(report.run.target, kept, report.ended_at) if kept else ()

    def _sources(self, run_id: str, names: Iterable[str], unreadable: dict[str, str]) -> Iterator[SourceSeen]:
        """What it asked, also as another's baseline or fallback."""
        for name in names:
            found = _SOURCE.fullmatch(name)
            kept = self._optional(run_id, name, Reading, unreadable) if found else None
            if found and kept:
                yield SourceSeen(source=found[1], grade=kept.grade, freshness_hours=kept.quality.freshness_hours)

    def _trials(
        self, targets: list[Target], since: datetime, until: datetime, unreadable: dict[str, str]
    ) -> Iterator[TrialFacts]:
        """Each once, by the run that judged it; who was promoted by it, the policy says as it is now."""
        found: dict[str, TrialFacts] = {}
        for target in targets if self.policies else ():
            promoted = self._promoted(target.name)
            for run_id, told in target.runs.items():
                if told.ended_at is None or not since <= told.ended_at < until:
                    continue
                kept = self._optional(run_id, "source_trial_report.json", SourceTrialReport, unreadable)
                if kept is not None:
                    trial = kept.trial
                    found[trial.trial_id] = TrialFacts(
                        target=target.name,
                        source=trial.source,
                        trial_id=trial.trial_id,
                        ended_at=kept.ended_at,
                        passed=kept.passed,
                        reason=kept.verdict.reason,
                        promoted=trial.trial_id in promoted,
                    )
        yield from found.values()

    def _promoted(self, target: str) -> frozenset[str]:
        try:
            sources = self.policies.effective(target).sources.of(target) if self.policies else ()
        except PolicyError:
            # Said where the checks' owners are asked for.
            return frozenset()
        # Only a promotion writes a trial; one that was demoted since was promoted all the same.
        untried = {SourceState.CANDIDATE, SourceState.TRIAL}
        return frozenset(each.trial for each in sources if each.trial and each.state not in untried)

    def _known_flakes(self, target: str, unreadable: dict[str, str]) -> Iterator[KnownFlake]:
        if self.policies is None or target not in self.policies.names():
            return
        try:
            checks = self.policies.effective(target).target.checks
        except PolicyError as problem:
            unreadable[f"owners of {target}'s checks"] = str(problem)
            return
        for check in checks:
            if check.owner or check.flaky_until:
                yield KnownFlake(target=target, check=check.name, owner=check.owner, until=check.flaky_until)

    def _incidents(self, targets: list[Target], unreadable: dict[str, str]) -> Iterator[IncidentFacts]:
        for target in targets:
            for incident, (trigger, at) in target.incidents.items():
                report = self._optional(incident, "post_incident_report.json", PostIncidentReport, unreadable)
                yield IncidentFacts(
                    incident=incident,
                    target=target.name,
                    trigger=trigger,
                    opened_at=at,
                    closed=report is not None and bool(report.closed_by),
                    owner=report.owner if report else "",
                    due_on=report.due_on if report else "",
                    prevented=report is not None and bool(report.prevention_done_by),
                )

    def _days(
        self, targets: list[Target], runs: tuple[RunFacts, ...], since: datetime, until: datetime,
        unreadable: dict[str, str],
    ) -> Iterator[DayCost]:  # fmt: skip
        """Each day's cost, to the caps of the policy that the target's last run of the window had."""
        last = {run.target: run.run_id for run in sorted(runs, key=lambda run: run.ended_at)}
        for target in targets:
            if (run_id := last.get(target.name)) is None:
                continue
            try:
                pinned = read_kept(self.store, run_id, "run_report.json", RunReport).run.policy.artifact
                caps = EffectivePolicy.model_validate_json(self.store.get(pinned)).autopilot.caps
            except (NotKept, StoreError, ValueError) as problem:
                unreadable[f"policy of {run_id}"] = str(problem)
                continue
            limits = Amounts(usd=caps.usd_per_day, tokens=caps.tokens_per_day, agent_minutes=caps.agent_minutes_per_day)
            for day, spent in sorted(target.days.items()):
                if f"{since:%Y-%m-%d}" <= day <= f"{until:%Y-%m-%d}":
                    yield DayCost(target=target.name, day=day, used=_share(spent, limits))

    def _optional(self, run_id: str, name: str, model: type[Model], unreadable: dict[str, str]) -> Model | None:
        try:
            return read_kept(self.store, run_id, name, model)
        except NeverKept:
            return None
        except NotKept as problem:
            unreadable[f"{run_id}/{name}"] = str(problem)
            return None


def _touches_protected(verdict: Verdict) -> bool:
    here = verdict.rule == PROTECTED_RULE and verdict.decision is Decision.ESCALATE
    return here or any(map(_touches_protected, verdict.children))


def _amounts(record: AuditRecord) -> Amounts:
    facts = record.facts
    return Amounts.model_validate(
        {"usd": facts["usd"], "tokens": facts["tokens"], "agentMinutes": facts["agentMinutes"]}
    )


def _share(spent: Amounts, limits: Amounts) -> float:
    """The largest share of a cap; where nothing is allowed, anything is more than all of it."""
    pairs = (
        (spent.usd, limits.usd),
        (spent.tokens, limits.tokens),
        (spent.agent_minutes, limits.agent_minutes),
    )
    return max((used / cap if cap else float(used > 0) * 2) for used, cap in pairs)
