"""What a forge and a base would show of the runs of a year: pull requests, who answers them, merges that break it.

Every write is asked of Control and settled there, as the real ones are; then it is done at once.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha1
from typing import Any

from activities import api
from activities.step_session import StepPorts
from contracts import handover, messages
from contracts import rollback as after
from contracts.admission import PullRequestRef
from contracts.audit import AuditEvent
from contracts.clearance import SettleRequest, WriteAnswerKind, WriteOutcome, WriteRequest
from contracts.incident import TicketInput, TicketOutput
from contracts.merging import Health
from contracts.modes import Role, WriteAction, WriteClass
from contracts.report import WriteResult
from contracts.task import TaskType
from workflows.api import rollback_run_id


@dataclass(frozen=True)
class Day:
    """What one run is going to find, and what becomes of it."""

    type: TaskType | None
    """None: there is nothing to do."""
    tool: str = ""
    rule: str = ""
    paths: tuple[str, ...] = ()
    lines: int = 0
    green: bool = True
    protected: bool = False
    """The change touches a protected path, which is found out after it was made."""
    usd: float | None = 0
    """None: the agent does not say what it cost."""
    tokens: int = 0
    minutes: float = 1
    answer: str = ""
    """``merged`` or ``closed`` by a person, if it is theirs to decide; empty: nobody looks at it for long."""
    waits: timedelta = timedelta(days=1)
    who: str = "ann"


@dataclass
class Pull:
    """A pull request of the year."""

    number: int
    opened_at: datetime
    day: Day
    head: str
    state: str = "open"


@dataclass
class Forge:
    """Pull requests and bases of all targets.

    Args:
        draw: makes up a run's day.
        breaks: whether what merges by itself now breaks the base.
    """

    bench: StepPorts
    clock: Callable[[], datetime]
    draw: Callable[[handover.RunRef], Day]
    breaks: Callable[[handover.RunRef], bool]
    pulls: dict[str, dict[str, Pull]] = field(default_factory=dict)
    """By target and run."""
    red: dict[str, set[str]] = field(default_factory=dict)
    """By target: merge commits that broke it and have not been undone."""
    undone: set[str] = field(default_factory=set)
    """Merge commits that were rolled back."""
    _days: dict[str, Day] = field(default_factory=dict)

    def day(self, run: handover.RunRef) -> Day:
        """Made up when it is first asked for."""
        if run.run_id not in self._days:
            self._days[run.run_id] = self.draw(run)
        return self._days[run.run_id]

    def waiting(self, target: str) -> int:
        """How many pull requests wait for a person."""
        return sum(pull.state == "open" for pull in self.pulls.get(target, {}).values())

    def steps(self) -> Mapping[str, Callable[..., Any]]:
        """By the names of the steps they stand for."""
        return {
            api.WRITE.name: self.write,
            api.LOOK_AT_PULL.name: self.look_at_pull,
            api.OBSERVE.name: self.observe,
            api.PREPARE_REVERT.name: self.prepare,
            api.REPAIR.name: self.repair,
            api.NOTE_ROLLBACK.name: self.note,
            api.OPEN_TICKET.name: self.ticket,
            api.CLOSE_TICKET.name: self.ticket,
        }

    # Writes, asked of Control

    def write(self, request: api.WriteInput) -> WriteResult:
        """Cleared, done at once, settled."""
        run, planned = request.run, request.planned
        key, attempt = f"{run.run_id}/{request.name or planned.action}", f"{run.run_id}/{request.name}/1"
        is_pull = planned.action is WriteAction.OPEN_PULL_REQUEST
        merged = self._merged(run, planned, by="") if planned.action is WriteAction.MERGE else None
        follows = after.FollowUpInput(run=run, task_id=planned.task_id, pull_request=0) if is_pull else None
        clearance = WriteRequest(
            run_id=run.run_id, key=key, attempt=attempt, action=planned.action, write_class=WriteClass.ADVANCE,
            branch=planned.branch, head_sha=planned.head_sha, base_sha=planned.base_sha,
            policy_digest=self.bench.policies.effective(run.target).digest, seconds=60, merges=merged, follows=follows,
            task_type=(self.day(run).type or "") if merged or "canary" in planned.branch else "",
        )  # fmt: skip
        answer = self.bench.control.ask(run.target, messages.BEGIN_WRITE, clearance)
        done = answer.answer is WriteAnswerKind.GO
        result, shown = planned.head_sha, None
        if done and is_pull:
            pull = self._opened(run, planned)
            result = str(pull.number)
            shown = PullRequestRef(number=pull.number, branch=planned.branch, head_sha=pull.head, url=f"year#{result}")
        if done and merged is not None:
            self._lands(run, merged)
        if done:
            report = SettleRequest(key=key, attempt=attempt, outcome=WriteOutcome.DONE, result=result, merged=merged)
            self.bench.control.ask(run.target, messages.SETTLE_WRITE, report)
        event = AuditEvent(
            key=f"{key}/ended", role=Role.RELEASE, event="write done" if done else "write refused",
            facts={"action": planned.action, "reason": answer.verdict.reason, "done": done},
        )  # fmt: skip
        head = self.bench.record(run.run_id, (event,), request.now)
        return WriteResult(
            planned=planned, done=done, verdict=answer.verdict, pull_request=shown, audit_head=head, merged=merged
        )

    # After a run

    def look_at_pull(self, request: after.FollowUpInput) -> after.PullLook:
        """What a person made of it, once they have."""
        pull = self.pulls[request.run.target][request.run.run_id]
        day, answered = pull.day, pull.opened_at + pull.day.waits
        if not day.answer or self.clock() < answered:
            return after.PullLook(state="open")
        pull.state = day.answer
        if day.answer == "closed":
            return after.PullLook(state="closed", who=day.who, at=answered)
        merged = after.Merged(
            run=request.run, merge_sha=sha("merge", request.run.run_id), parent_sha=sha("parent", request.run.run_id),
            head_sha=pull.head, task_id=request.task_id, pull_request=pull.number, merged_at=answered, by=day.who,
        )  # fmt: skip
        return after.PullLook(state="merged", who=day.who, at=answered, merged=merged)

    def observe(self, request: after.ObserveInput) -> after.Observation:
        """The base is as red as what was merged into it."""
        red = self.red.setdefault(request.run.target, set())
        bad = bool(red) if not request.commit else request.commit in red
        failing, healthy = (("tests",), ()) if bad else ((), ("tests",))
        return after.Observation(
            commit=request.commit or (next(iter(red)) if red else sha("main", request.run.run_id)),
            health=Health.RED if bad else Health.GREEN,
            failing=failing,
            healthy=healthy,
        )

    def prepare(self, request: after.PrepareInput) -> after.RevertPlan:
        """The tree of before."""
        merged = request.given.merged
        return after.RevertPlan(
            branch="main", base_branch="main", onto=merged.merge_sha, revert_sha=sha("revert", merged.run.run_id),
            revert_onto=merged.merge_sha, landing_sha=sha("revert", merged.run.run_id),
            expected_tree=sha("before", merged.run.run_id), baseline=True,
            health=after.HealthTerms(in_a_row=2, every_seconds=60, maximum_minutes=15, base_moves=1),
        )  # fmt: skip

    def repair(self, request: after.RepairInput) -> after.RepairResult:
        """Cleared as a repair, done at once."""
        merged, place = request.given.merged, rollback_run_id(request.given.merged.run.run_id)
        key, attempt = f"{place}/{request.action}", f"{place}/1"
        clearance = WriteRequest(
            run_id=place, key=key, attempt=attempt, action=request.action, write_class=WriteClass.REPAIR, branch="main",
            head_sha=request.plan.landing_sha, base_sha=request.plan.onto, policy_digest=merged.run.policy.digest,
            seconds=60, incident=request.given.incident,
        )  # fmt: skip
        answer = self.bench.control.ask(merged.run.target, messages.BEGIN_WRITE, clearance)
        if answer.answer is not WriteAnswerKind.GO:
            return after.RepairResult(done=False, verdict=answer.verdict)
        self.red.get(merged.run.target, set()).discard(merged.merge_sha)
        self.undone.add(merged.merge_sha)
        report = SettleRequest(key=key, attempt=attempt, outcome=WriteOutcome.DONE, result=request.plan.landing_sha)
        self.bench.control.ask(merged.run.target, messages.SETTLE_WRITE, report)
        restored = request.plan.expected_tree
        return after.RepairResult(
            done=True, verdict=answer.verdict, result=request.plan.landing_sha, restored_tree=restored
        )

    def note(self, request: after.RollbackNote) -> api.LogHead:
        """In the rollback's own log."""
        event = AuditEvent(key=request.key, role=Role.AUDIT, event=request.event, facts=request.facts)
        return api.LogHead(
            head=self.bench.record(rollback_run_id(request.given.merged.run.run_id), (event,), self.clock())
        )

    def ticket(self, _given: TicketInput) -> TicketOutput:
        """One number for all."""
        return TicketOutput(ticket="1", audit_head="")

    def _opened(self, run: handover.RunRef, planned: handover.PlannedWrite) -> Pull:
        pulls = self.pulls.setdefault(run.target, {})
        pull = Pull(len(pulls) + 1, self.clock(), self.day(run), planned.head_sha)
        return pulls.setdefault(run.run_id, pull)

    def _merged(self, run: handover.RunRef, planned: handover.PlannedWrite, by: str) -> after.Merged:
        pull = self.pulls[run.target][run.run_id]
        return after.Merged(
            run=run, merge_sha=planned.head_sha, parent_sha=planned.base_sha, tree_sha=planned.tree_sha,
            head_sha=pull.head, task_id=planned.task_id, pull_request=pull.number, merged_at=self.clock(), by=by,
        )  # fmt: skip

    def _lands(self, run: handover.RunRef, merged: after.Merged) -> None:
        self.pulls[run.target][run.run_id].state = "merged"
        if self.breaks(run):
            self.red.setdefault(run.target, set()).add(merged.merge_sha)


def sha(*of: str) -> str:
    """Looks like a commit."""
    return sha1("/".join(of).encode(), usedforsecurity=False).hexdigest()
