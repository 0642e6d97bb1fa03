"""Everything Control knows, in one bounded model: continue-as-new hands it on in one line."""

import re
from datetime import datetime
from typing import Any

from pydantic import AwareDatetime, PrivateAttr, model_validator

from contracts.admission import Order, OrderState, RunRecord
from contracts.alert import Alert, AlertKind
from contracts.artifact import Book, Contract
from contracts.audit import AuditEvent
from contracts.clearance import WriteRecord
from contracts.control import Answer, Ladder, ModeOverride, PauseRecord, StatusView
from contracts.dashboard import DASHBOARD
from contracts.grant import Grant
from contracts.incident import IncidentRecord, IncidentState
from contracts.modes import Mode, Role, RunKind, RunStatus, TargetStatus
from contracts.remediation import Remediation
from contracts.rollback import (
    FollowUpInput,
    HardeningTask,
    MergeRecord,
    Quarantined,
    RollbackStage,
)
from contracts.source import SourceRecord
from contracts.terms import ControlTerms, from_before
from contracts.verdict import Decision, Fact, Verdict
from policies.counted import shortened
from policies.verdicts import allow, ask, hold
from workflows.control import budget_book
from workflows.control.budget_book import BudgetBook

KEPT_CLOSED = 60
"""Closed runs Control remembers; older ones live in the target's audit log and the artifacts."""
KEPT_UNLOGGED = 300
"""Events that wait while the audit log cannot be written; more would outgrow what continue-as-new can carry."""


LONGEST_WORD = 1000
"""Characters that are kept of what a run says about its end."""
LOG_BATCH = 100
"""Events that are written to the audit log at once."""
_REPEATED = frozenset({"paused", "unknown signal ignored", "a flood of pauses"})
"""What anybody can send thousands of."""
_SAYS = re.compile(r"/(outcome|comment)-\d+-")
"""Keys of what is said on pull requests."""
_OWN_BUDGET = frozenset({"budget"})
"""Its book, which has the terms of its own."""
_LOST = "events not kept: the log could not be written"


class ControlState(Book):
    """One target's books. Mutated only by the pure rules in ``admission``, ``clearances`` and ``pausing``."""

    target: str
    registered: bool = False
    rewound: bool = False
    """By a reset, and not registered again yet: its pause refuses at once, as nothing of it will turn out to be new."""
    terms: ControlTerms = ControlTerms()
    status: TargetStatus = TargetStatus.PAUSED
    mode: Mode = Mode.PR_ONLY
    override: ModeOverride | None = None
    """A person's, while the mode is SELECTIVE_AUTO; ``earning`` has the rules."""
    standing: list[str] = []
    """Kinds of task that had earned SELECTIVE_AUTO when that was looked at last; ``earning`` tells who lost it."""
    epoch: int = 0
    """Raised by every pause: nothing that was seen before it may loosen anything after it."""
    revision: int = 0
    installation_epoch: int = 0
    installation_paused: bool = False
    pauses: list[PauseRecord] = []
    """The pauses in force: ``target`` and ``start`` are this target's own, ``installation`` is everybody's."""
    ladder: Ladder | None = None
    runs: dict[str, RunRecord] = {}
    queue: list[str] = []
    writes: dict[str, WriteRecord] = {}
    incidents: dict[str, IncidentRecord] = {}
    incidents_done: list[str] = []
    failed_in_a_row: list[str] = []
    """Daily runs that ended FAILED or LOST since the last one that ended in an answer, or since the last resume."""
    grants: dict[str, Grant] = {}
    """By quarantined run; a taken one moves into the record of the run that took it."""
    remediations: dict[str, Remediation] = {}
    """By fingerprint; ``backlog`` has the rules."""
    schedule_paused: bool = False
    """Whether this target's Schedule was paused by us, if it has one."""
    schedule_epoch: int = 0
    """The epoch the Schedule's note is of."""
    merges: dict[str, MergeRecord] = {}
    """Merges of ours by run id, each with its one rollback; ``rolling_back`` has the rules."""
    to_follow: dict[str, FollowUpInput] = {}
    """Ended runs whose ``FollowUp`` has not been started."""
    followed: dict[str, FollowUpInput] = {}
    """By run: a ``FollowUp`` was started and has not said how it ended; ``following`` has the rules."""
    follow_starts: dict[str, int] = {}
    """How often each was started."""
    hardening: dict[str, HardeningTask] = {}
    """By incident, until it is done."""
    quarantined: dict[str, Quarantined] = {}
    """By task id."""
    sources: dict[str, SourceRecord] = {}
    """By name; ``source_records`` has the rules."""
    review_due: str = ""
    """The incident a person must review before the mode rises above DRY_RUN (runbook §6.3)."""
    to_tell: list[str] = []
    """Run ids whose latest order has not been delivered."""
    to_log: list[AuditEvent] = []
    to_mention: list[AuditEvent] = []
    """Events that go into the audit log with the next one that must be there at once, or with the next check-up."""
    to_alert: list[Alert] = []
    """Alerts that have not been handed over."""
    budget: BudgetBook = BudgetBook()
    log_head: str = ""
    logged: int = 0
    """Serial number of audit events, so that each has its own key."""
    smoke_due: bool = False
    _batches: bool = PrivateAttr(default=False)
    _tells_losses: bool = PrivateAttr(default=False)

    @model_validator(mode="before")
    @classmethod
    def _from_before(cls, raw: Any) -> Any:
        return from_before(raw, but=_OWN_BUDGET)

    def order(self, run_id: str, state: OrderState, reason: str = "") -> None:
        """Give a run a new order and remember to deliver it."""
        self.revision += 1
        order = Order(revision=self.revision, epoch=self.epoch, state=state, reason=reason)
        self.runs[run_id] = self.runs[run_id].model_copy(update={"order": order})
        if run_id not in self.to_tell:
            self.to_tell.append(run_id)

    def log(self, event: str, **facts: Fact) -> None:
        """Remember something for the target's audit log."""
        self.log_mentions()
        self.logged += 1
        if event in _REPEATED and self._repeats(event, facts):
            return
        if len(self.to_log) >= KEPT_UNLOGGED:
            # Said, not hidden: how many are missing, counted up to the latest.
            last = self.to_log.pop()
            before = last.facts.get("events", 1) if last.event == _LOST else 1
            event, facts = _LOST, {"events": int(before or 0) + 1, "latest": event}
        self.to_log.append(self._event(event, facts))

    def mention(self, run_id: str, event: str, **facts: Fact) -> None:
        """Remember what another Control would find out otherwise, should these books be lost meanwhile.

        It costs no entry of its own while its run is open: that is looked after, and its end is logged.
        """
        run = self.runs.get(run_id)
        if not self._batches or run is None or run.closed_at is not None or len(self.to_mention) >= LOG_BATCH:
            self.log(event, **facts)
            return
        self.logged += 1
        self.to_mention.append(self._event(event, facts))

    def batch_log(self) -> None:
        """From now on ``mention`` waits for company."""
        self._batches = True

    def tell_losses(self) -> None:
        """From now on an earned mode that is lost raises an alert."""
        self._tells_losses = True

    @property
    def tells_losses(self) -> bool:
        """Controls that began before this told the log alone."""
        return self._tells_losses

    def log_mentions(self) -> None:
        """What waits for company waits no longer."""
        self.to_log += self.to_mention
        self.to_mention = []

    def _event(self, event: str, facts: dict[str, Fact]) -> AuditEvent:
        key = f"{self.epoch}/{self.logged}"
        return AuditEvent(key=key, role=Role.ORCHESTRATOR, event=event, facts={"epoch": self.epoch, **facts})

    def _repeats(self, event: str, facts: dict[str, Fact]) -> bool:
        """Count what floods in the event that waits last, and keep the latest of it; a batch is being written first."""
        if len(self.to_log) <= LOG_BATCH or self.to_log[-1].event != event:
            return False
        last = self.to_log[-1]
        times = int(last.facts.get("times", 1) or 1) + 1
        self.to_log[-1] = last.model_copy(update={"facts": {"epoch": self.epoch, **facts, "times": times}})
        return True

    def alert(self, kind: AlertKind, fingerprint: str, summary: str, run_id: str = "", **facts: Fact) -> None:
        """Remember to raise an alert."""
        self.to_alert.append(
            Alert(
                kind=kind,
                target=self.target,
                run_id=run_id,
                summary=shortened(summary, 2000),
                facts=facts,
                fingerprint=fingerprint[:300],
            )
        )

    def answer(self, rule: str, decision: Decision, reason: str, /, **facts: Fact) -> Answer:
        """What whoever sent an update is told."""
        return Answer.of(Verdict(rule=rule, decision=decision, reason=reason, facts=facts), self.epoch)

    def active(self) -> list[RunRecord]:
        """Admitted and not closed."""
        return [run for run in self.runs.values() if run.closed_at is None and run.run_id not in self.queue]

    def occupying(self) -> list[RunRecord]:
        """Runs that take a slot: a held one does not block the ladder's smoke, which takes none itself."""
        return [run for run in self.active() if run.kind is RunKind.DAILY]

    def open_writes(self) -> list[WriteRecord]:
        """Begun and not settled. The dashboard's go on in every state, and the next one makes up for a lost one."""
        return [write for write in self.writes.values() if write.settled_at is None and write.run_id != DASHBOARD]

    def _ended(self, run_id: str) -> bool:
        return run_id in self.runs and self.runs[run_id].closed_at is not None

    def rolling_back(self) -> list[MergeRecord]:
        """Rollbacks that are due or running."""
        return [m for m in self.merges.values() if m.stage in {RollbackStage.DUE, RollbackStage.RUNNING}]

    def note_became(self, run_id: str, became: str) -> None:
        """What a person made of a run's pull request, while the run is in the books."""
        if became and run_id in self.runs:
            self.runs[run_id] = self.runs[run_id].model_copy(update={"became": became[:LONGEST_WORD]})

    def forget_outcomes(self, but: str) -> None:
        """Writes that said what became of pull requests nobody follows any more; ``but`` may ask again (P7)."""
        known = {but, *self.runs, *self.followed, *self.to_follow}
        self.writes = {
            key: write
            for key, write in self.writes.items()
            if write.run_id in known or write.settled_at is None or not _SAYS.search(key)
        }

    def close(self, run_id: str, now: datetime, status: RunStatus, *, kept_out: bool = False, **more: str) -> None:
        """Close a run's record and forget the oldest closed ones."""
        run = self.runs[run_id]
        more = {name: shortened(value, LONGEST_WORD) for name, value in more.items()}
        self.runs[run_id] = run.model_copy(update={"status": status, "closed_at": now, **more})
        self.queue = [queued for queued in self.queue if queued != run_id]
        self.log("run closed", runId=run_id, status=status, **more, **({"keptOut": True} if kept_out else {}))
        if not kept_out:
            self._count(run_id, run.kind, status)
        closed = [run for run in self.runs.values() if run.closed_at is not None]
        unsettled = {write.run_id for write in self.open_writes()}
        for old in sorted(closed, key=lambda run: run.closed_at or now)[: max(0, len(closed) - KEPT_CLOSED)]:
            if old.run_id in unsettled or old.run_id in self.to_tell:
                continue
            del self.runs[old.run_id]
            self.writes = {key: write for key, write in self.writes.items() if write.run_id != old.run_id}

    def _count(self, run_id: str, kind: RunKind, status: RunStatus) -> None:
        if kind is not RunKind.DAILY or status in {RunStatus.CANCELLED, RunStatus.PAUSED}:
            # A person or a pause ended it, or it is the ladder's own: says nothing about the target's health.
            return
        failed = status in {RunStatus.FAILED, RunStatus.LOST}
        self.failed_in_a_row = [*self.failed_in_a_row, run_id] if failed else []

    def why(self) -> Verdict:
        """Why this target works, or does not (P12)."""
        children = tuple(
            hold(
                f"no {pause.scope} pause is in force",
                f"paused by {pause.actor}: {pause.reason or 'no reason given'}",
                at=pause.at.isoformat(),
                epoch=pause.epoch,
                style=pause.style,
                reviewOn=pause.review_on,
            )
            for pause in self.pauses
        )
        budget = budget_book.blocked(self.budget, self.target)
        if not budget.allowed:
            children = (*children, budget)
        children += tuple(_unresolved(record) for record in self.incidents.values())
        if self.review_due:
            reason = f"{self.review_due} waits for a person's review: `starter.py resume` names cause and evidence"
            rule = "no review is due before the mode may rise above DRY_RUN"
            children += (ask(rule, reason),)
        if not self.registered:
            decision, reason = Decision.HOLD, "not yet registered with the Installation"
        elif self.status is TargetStatus.ACTIVE and not budget.allowed:
            # A block of its own (runbook §6.4): nobody paused anything, so nothing has to be resumed.
            decision, reason = Decision.HOLD, f"active in mode {self.mode}, but no new run may start: {budget.reason}"
        elif self.status is TargetStatus.ACTIVE:
            decision, reason = Decision.ALLOW, f"active in mode {self.mode}"
        elif self.status is TargetStatus.RESUMING:
            decision, reason = Decision.HOLD, "resuming: waiting for a green DRY_RUN smoke"
        else:
            decision, reason = Decision.HOLD, "paused; `starter.py resume` names the cause and opens it again"
        facts: dict[str, Fact] = {"status": self.status, "mode": self.mode, "epoch": self.epoch}
        return Verdict(rule="the target may work", decision=decision, reason=reason, facts=facts, children=children)

    def told(self, runs: list[RunRecord]) -> None:
        """These orders were delivered; one that changed meanwhile is told again."""
        told = {run.run_id: run.order.revision for run in runs}
        self.to_tell = [
            run_id
            for run_id in self.to_tell
            if run_id in self.runs and self.runs[run_id].order.revision != told.get(run_id)
        ]

    def details(self) -> str:
        """Markdown for the Temporal UI."""
        lines = [f"**{self.status}** · mode {self.mode} · epoch {self.epoch}", "", self.why().reason]
        lines += [f"- {pause.scope} pause by {pause.actor}: {pause.reason}" for pause in self.pauses]
        lines += [f"- {_unresolved(record).reason}" for record in self.incidents.values()]
        lines += [f"- rollback of `{m.merged.run.run_id}` is {m.stage}: {m.reason}" for m in self.rolling_back()]
        lines += [f"- run `{run.run_id}` {run.status}, order {run.order.state}" for run in self.active()]
        lines += [f"- queued `{run_id}`" for run_id in self.queue]
        lines += budget_book.details(self.budget, self.target)
        return "\n".join(lines)

    def view(self) -> StatusView:
        """The answer of the ``status`` query."""
        writes = self.open_writes()
        exchanges = [each.key for each in self.budget.exchanging() if not self._ended(each.run_id)]
        closed = sorted(
            (run for run in self.runs.values() if run.closed_at is not None),
            key=lambda run: run.closed_at or run.admitted_at,
            reverse=True,
        )
        return StatusView(
            target=self.target,
            status=self.status,
            mode=self.mode,
            epoch=self.epoch,
            installation_epoch=self.installation_epoch,
            # Who is not registered does not know yet what an earlier Control let begin.
            quiescent=self.registered and self.status is TargetStatus.PAUSED and not (writes or exchanges),
            writes_in_flight=len(writes),
            pauses=tuple(self.pauses),
            ladder=self.ladder,
            active=tuple(self.active()),
            queued=tuple(self.runs[run_id] for run_id in self.queue),
            recent=tuple(closed[:20]),
            writes=tuple(writes),
            exchanges=tuple(exchanges),
            why=self.why(),
            incidents=tuple(self.incidents.values()),
            budget=budget_book.view(self.budget, self.target, self.epoch),
            incidents_done=tuple(self.incidents_done),
            rollbacks=tuple(self.rolling_back()),
            review_due=self.review_due,
            grants=tuple(grant for grant in self.grants.values() if grant.expected_epoch == self.epoch),
            override=self.override if self.mode is Mode.SELECTIVE_AUTO else None,
            earned=self.terms.earned,
            log_head=self.log_head,
            registered=self.registered,
        )


class ControlInput(Contract):
    """How a Control starts: blank, for a target; or with the books of the run before it."""

    target: str
    state: ControlState | None = None


def _unresolved(record: IncidentRecord) -> Verdict:
    closed = record.state is IncidentState.CLOSED
    when = "overdue since" if record.overdue else "due on"
    due = f"prevention {when} {record.due_on}" if record.due_on else "no due date"
    reason = f"{record.incident} is {record.state}, {due}, owner {record.owner or 'nobody yet'}: {record.reason}"
    answer = allow if closed and not record.overdue else ask
    facts: dict[str, Fact] = {"trigger": record.trigger, "runId": record.run_id, "dueOn": record.due_on}
    return answer("no incident asks for a person", reason, **facts)


def clock(moment: AwareDatetime) -> str:
    """A time as facts show it."""
    return moment.isoformat(timespec="seconds")
