"""Admission, the run's last word, and Control's own steps."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities import api
from activities.control.lost_books import booked_before, in_flight_before, left_before
from activities.governance.earning import Earning
from activities.heartbeat import heartbeating
from activities.run.quarantine import NotInQuarantine, open_quarantine
from activities.step_session import StepPorts, written
from activities.write.cleared_write import merge_found
from contracts import messages
from contracts.admission import Admission, AdmitAnswer, AdmitRequest, Admitted, RunRecord, RunRequest
from contracts.audit import GENESIS, RECORDS_LOST, AuditEvent
from contracts.budget import BudgetAlertReport, BudgetReportRef
from contracts.clearance import SettleRequest, WriteOutcome, WriteRecord
from contracts.control import Answer, CheckupResult, InstallationFacts, RegisterRequest, RunCheckup, RunFinding
from contracts.forge_facts import asked_on, commented_on
from contracts.handover import PinnedPolicy, RunRef
from contracts.modes import Mode, Role, RunStatus, WriteAction
from contracts.report import IndexedRun
from contracts.terms import ControlTerms
from policies.after.incident import TOLD, concerns
from policies.counted import shortened
from policies.run.caps import control_terms
from policies.settings.schema import EffectivePolicy
from ports.control_desk import ControlUnavailable, RunSight
from ports.crashpoints import crashpoint
from ports.forge import Forge, ForgeError
from ports.policy_source import PolicyError, UnknownTarget
from ports.repository import RepositoryError
from ports.store import RunIndex, StoreError


@dataclass(frozen=True)
class Admitting:
    """Asks Control on behalf of runs, and looks at the world on behalf of Control."""

    bench: StepPorts
    end_lost: Callable[[RunRecord, RunSight | None, str], api.AuditOutput | None]
    index: RunIndex
    earning: Earning
    appended: dict[str, str] = field(default_factory=dict)
    """Targets' logs to the heads that this process left there: as long as they stand, nobody needs to be asked."""

    @activity.defn(name=api.ADMIT.name, no_thread_cancel_exception=True)
    def admit(self, admission: api.AdmitInput) -> Admitted:
        """Pin the policy, find the day in the target's time zone, ask Control. Issues the run id."""
        policy = self._policy(admission.request.target)
        limits = policy.autopilot
        request = admission.request
        date = request.date or admission.now.astimezone(ZoneInfo(policy.target.time_zone)).date().isoformat()
        prefix = f"run/{request.target}-{date}-"
        taken = tuple(log.removeprefix("run/") for log in self.bench.audit.logs(begins=prefix))
        head, problem = self._in_quarantine(request)
        answer = self.bench.control.ask(
            request.target,
            messages.ADMIT,
            AdmitRequest(
                request=request,
                workflow_id=admission.workflow_id,
                workflow_run_id=admission.workflow_run_id,
                date=date,
                policy_digest=policy.digest,
                terms=self._terms(policy, admission.now),
                taken=taken,
                quarantined_head=head,
                quarantine_problem=problem,
            ),
        )
        crashpoint("admit.after_answer")
        for lost in answer.lost:
            self._end_predecessor(lost)
        run = None
        if answer.answer in {Admission.ADMITTED, Admission.QUEUED}:
            run = self._issue(admission, answer, policy, date)
        elif answer.answer is Admission.REFUSED:
            self._list_refused(admission, answer, date)
        return Admitted(
            answer=answer, run=run, hold_hours=limits.control.hold_hours, wait_hours=limits.approval.wait_hours
        )

    def _terms(self, policy: EffectivePolicy, now: datetime) -> ControlTerms:
        """With what has been earned, where anything could merge by itself at all."""
        terms, target = control_terms(policy), policy.target.name
        if terms.maximum_mode is not Mode.SELECTIVE_AUTO:
            return terms
        return terms.model_copy(update={"earned": self.earning.lacks(target, now)})

    def _list_refused(self, request: api.AdmitInput, answer: AdmitAnswer, date: str) -> None:
        entry = IndexedRun(
            run_id=answer.run_id,
            target=request.request.target,
            kind=request.request.kind,
            mode=answer.mode,
            date=date,
            status=RunStatus.REFUSED,
            outcome=None,
            task_id=None,
            pull_request=None,
            ended_at=request.now,
            refused=shortened(answer.verdict.reason, 500),
        )
        try:
            self.index.note(entry)
        except StoreError as problem:
            # It is in the target's log, too; a list must not turn a refusal into an error.
            activity.logger.warning("the refused attempt %s is not listed: %s", answer.run_id, problem)

    def _end_predecessor(self, lost: RunRecord) -> None:
        """Of a terminated run whose workflow id was started again: its execution is not that id's latest any more."""
        if self.bench.store.find(lost.run_id, "run_report.json") is not None:
            return
        sight = RunSight(
            open=False, status="TERMINATED", workflow_run_id=lost.workflow_run_id, closed_at=lost.closed_at
        )
        self.end_lost(lost, sight, lost.reason)

    @activity.defn(name=api.FINISH.name, no_thread_cancel_exception=True)
    def finish(self, report: api.FinishInput) -> Answer:
        """Tell Control how the run ended, under which policy, and archive the history so far."""
        try:
            digest = self.bench.policies.effective(report.run.target).digest
        except PolicyError:
            # Unreadable is not current: a smoke under it is not green.
            digest = ""
        crashpoint("finish.before_effect")
        answer = self.bench.control.ask(
            report.run.target, messages.FINISH, report.request.model_copy(update={"policy_digest": digest})
        )
        crashpoint("finish.after_effect")
        return answer

    @activity.defn(name=api.REGISTER.name, no_thread_cancel_exception=True)
    def register(self, registration: api.RegisterInput) -> InstallationFacts:
        """Make a Control known to the Installation."""
        request = RegisterRequest(target=registration.target, chain=registration.chain)
        facts = self.bench.control.ask("", messages.REGISTER, request)
        for _ in range(20):
            if facts.ready:
                break
            time.sleep(0.1)
            facts = self.bench.control.ask("", messages.REGISTER, request)
        if not facts.ready:
            raise ControlUnavailable("the Installation is still finding its targets")
        if not facts.fresh:
            now = activity.info().scheduled_time
            booked = booked_before(self.bench.audit.records(f"target/{registration.target}"), now)
            in_flight = in_flight_before(self.bench.audit, registration.target, now)
            left = left_before(self.bench.audit, registration.target)
            facts = facts.model_copy(update={"booked": booked, "in_flight": in_flight, "left": left})
        try:
            policy = self.bench.policies.effective(registration.target)
        except PolicyError:
            # A pause must reach a target whose policy is broken, too; defaults will do for that.
            return facts
        return facts.model_copy(update={"terms": control_terms(policy)})

    @activity.defn(name=api.KNOWN_TARGETS.name, no_thread_cancel_exception=True)
    def known_targets(self, _asked: api.KnownTargets) -> api.KnownTargets:
        """Targets that have an audit log."""
        logs = self.bench.audit.logs(begins="target/")
        return api.KnownTargets(names=tuple(log.removeprefix("target/") for log in logs))

    @activity.defn(name=api.LOG_TARGET.name, no_thread_cancel_exception=True)
    def log_target(self, request: api.TargetLogInput) -> api.LogHead:
        """Append to the target's own audit log and keep its head in the mirror."""
        events = (*self._lost(request.target), *request.events)
        head = self.appended[f"target/{request.target}"] = self.bench.audit.append(
            f"target/{request.target}", events, request.now
        )
        try:
            target = self.bench.policies.effective(request.target).target
            self.bench.repositories(target).anchor(f"target/{request.target}", head)
        except (PolicyError, RepositoryError) as problem:
            # The head is also in the Temporal history; the next append anchors again.
            activity.logger.warning("head of target/%s not anchored in the mirror: %s", request.target, problem)
        self._tell_incidents(request)
        return api.LogHead(head=head)

    def _lost(self, target: str) -> tuple[AuditEvent, ...]:
        """What the log must say first: the head that the mirror keeps is not in it. Kept anew, nobody would know."""
        log, audit = f"target/{target}", self.bench.audit
        try:
            head = audit.head(log)
            if head and head == self.appended.get(log):
                return ()
            kept = self.bench.repositories(self.bench.policies.effective(target).target).anchored(log)
            if not kept or kept in {GENESIS, head} or any(kept == each.hash for each in audit.records(log)):
                return ()
        except (PolicyError, RepositoryError, StoreError):
            # Nothing to compare with, or damaged in its middle, which stays to be seen.
            return ()
        facts = {"audit_head": kept}
        return (AuditEvent(key=f"lost/{kept}", role=Role.AUDIT, event=RECORDS_LOST, facts=facts),)

    def _tell_incidents(self, request: api.TargetLogInput) -> None:
        """What the log says by now reaches the kept report of each incident that it is about, without a reader."""
        for record in request.incidents:
            runs = (*record.runs, record.run_id)
            if not any(event.event in TOLD and concerns(event, record.incident, runs) for event in request.events):
                continue
            try:
                self.bench.control.refresh_incident(request.target, record.incident)
            except ControlUnavailable as problem:
                # The next event, or whoever reads it, brings it up to date.
                activity.logger.warning("%s was not told: %s", record.incident, problem)

    @activity.defn(name=api.CHECK_UP.name, no_thread_cancel_exception=True)
    def check_up(self, request: RunCheckup) -> CheckupResult:
        """Find runs whose workflow is closed, and look at the remote for writes nobody settled."""
        with heartbeating():
            # A slow remote must not look like a dead worker.
            return self._check_up(request)

    @activity.defn(name=api.SYNC_SCHEDULE.name, no_thread_cancel_exception=True)
    def sync_schedule(self, request: api.SyncScheduleInput) -> api.ScheduleSynced:
        """Control's word to the target's Schedule (runbook §7): a second time finds it done."""
        with heartbeating():
            crashpoint("mind_schedule.before_effect")
            done = self.bench.control.sync_schedule(request.target, paused=request.paused, reason=request.reason)
            crashpoint("mind_schedule.after_effect")
        activity.logger.info("schedule of %s: %s", request.target, done)
        return api.ScheduleSynced(done=done)

    @activity.defn(name=api.REPORT_BUDGET.name, no_thread_cancel_exception=True)
    def report_budget(self, report: BudgetAlertReport) -> BudgetReportRef:
        """``budget_alert_report.json`` (runbook §6.4), in its run's folder; the same again is the same artifact."""
        name = f"budget/{report.period}/{report.measure}/budget_alert_report.json"
        crashpoint("report_budget.before_effect")
        kept = self.bench.store.put(report.run_id, name, written(report))
        crashpoint("report_budget.after_effect")
        return BudgetReportRef(
            period=report.period,
            measure=report.measure,
            run_id=report.run_id,
            name=name,
            sha256=kept.sha256,
            address=f"{self.bench.store.address(report.run_id)}/{name}",
        )

    def _check_up(self, request: RunCheckup) -> CheckupResult:
        runs: list[RunFinding] = []
        unknown: list[str] = []
        for run in request.runs:
            try:
                runs.append(self._look(run))
            except StoreError as problem:
                # Its end must be written down, too: looked at again.
                unknown.append(f"{run.run_id}: {problem}")
        settled: list[SettleRequest] = []
        for write in request.writes:
            try:
                settled.append(self._look_at(request.target, write))
            except (PolicyError, ForgeError, RepositoryError) as problem:
                unknown.append(f"{write.key}: {problem}")
        follow_ups = tuple(
            _finding(run_id, self.bench.control.look(workflow_id)) for run_id, workflow_id in request.followed.items()
        )
        return CheckupResult(runs=tuple(runs), settled=tuple(settled), follow_ups=follow_ups, unknown=tuple(unknown))

    def _look(self, run: RunRecord) -> RunFinding:
        """Of a run that is gone without a word: its end is written here, for nobody else does."""
        sight = self.bench.control.look(run.workflow_id)
        found = _finding(run.run_id, sight)
        if found.open:
            return found
        ended = self.end_lost(run, sight, f"its workflow is {found.status} and never said so")
        if ended is None:
            return found
        return found.model_copy(update={"audit_head": ended.audit_head, "report_sha256": ended.report.sha256})

    def _look_at(self, target: str, write: WriteRecord) -> SettleRequest:
        settings = self.bench.policies.effective(target).target
        forge, merged = self.bench.forges(settings), None
        if write.merges is not None:
            merged = merge_found(self.bench.repositories(settings), forge, write.merges)
            result = merged.merge_sha if merged else ""
        else:
            result = found_on_remote(forge, write.clearance.action, write)
        return SettleRequest(
            key=write.key,
            attempt="check-up",
            outcome=WriteOutcome.DONE if result else WriteOutcome.NOT_DONE,
            result=result,
            looked=True,
            merged=merged,
        )

    def _policy(self, target: str) -> EffectivePolicy:
        try:
            return self.bench.policies.effective(target)
        except UnknownTarget as unknown:
            raise ApplicationError(str(unknown), type="UnknownTarget", non_retryable=True) from unknown
        except PolicyError as broken:
            raise ApplicationError(str(broken), type="PolicyBroken", non_retryable=True) from broken

    def _in_quarantine(self, request: RunRequest) -> tuple[str, str]:
        """The commit a granted run would take, or why there is none; both empty for every other run."""
        if not request.grant:
            return "", ""
        try:
            kept = open_quarantine(self.bench.store, self.bench.audit, request.target, request.grant)
        except NotInQuarantine as problem:
            return "", str(problem)
        return kept.change.head_sha, ""

    def _issue(self, request: api.AdmitInput, answer: AdmitAnswer, policy: EffectivePolicy, date: str) -> RunRef:
        run_id = answer.run_id
        body = policy.model_dump_json(indent=2).encode()
        pinned = PinnedPolicy(digest=policy.digest, artifact=self.bench.store.put(run_id, "policy.json", body))
        run = RunRef.model_validate(
            {
                "run_id": run_id,
                "target": request.request.target,
                "kind": request.request.kind,
                "mode": answer.mode,
                "date": date,
                "attempt": answer.attempt,
                "workflow_id": request.workflow_id,
                "started_at": request.now,
                "started_by": request.request.actor,
                "policy": pinned,
                "grant": answer.grant,
                "asked": request.request.asked,
            }
        )
        grant = run.grant
        granted = {"grantedRun": grant.run_id, "grantedBy": grant.actor, "grantReason": grant.reason} if grant else {}
        event = AuditEvent(
            key="admit",
            role=Role.ORCHESTRATOR,
            event="run issued",
            facts={
                "startedBy": request.request.actor,
                "workflowId": request.workflow_id,
                "mode": run.mode,
                # The chains hold each other: a target's log cannot be rewritten without its runs' logs.
                "targetHead": self.bench.audit.head(f"target/{run.target}") or "",
            }
            | granted,
            artifacts=(pinned.artifact.sha256,),
        )
        self.bench.record(run_id, (event,), _started())
        return run


def _finding(run_id: str, sight: RunSight | None) -> RunFinding:
    if sight is None:
        return RunFinding(run_id=run_id, open=False, status="GONE", workflow_run_id="")
    return RunFinding(run_id=run_id, open=sight.open, status=sight.status, workflow_run_id=sight.workflow_run_id)


def found_on_remote(forge: Forge, action: WriteAction, write: WriteRecord) -> str:
    """What the remote shows of a write, or an empty string.

    Raises:
        ForgeError: could not be asked, or nobody here knows how such a write is looked for.
    """
    if action is WriteAction.PUSH_BRANCH:
        head = forge.branch_head(write.clearance.branch)
        return head if head == write.clearance.head_sha else ""
    if action in {WriteAction.MERGE, WriteAction.REVERT}:
        # People may have moved on since: what counts is that the base's history holds our commit.
        return write.clearance.head_sha if forge.base_holds(write.clearance.head_sha) else ""
    if action is WriteAction.OPEN_PULL_REQUEST:
        found = forge.find_pull_request(write.key)
        return str(found.number) if found else ""
    if action is WriteAction.CLOSE_PULL_REQUEST:
        mine = [pull for pull in forge.pull_requests() if pull.branch == write.clearance.branch]
        return str(mine[0].number) if mine and mine[0].state == "closed" else ""
    if action is WriteAction.REMOVE_BRANCH:
        # A branch that is not there may have been removed by anybody: again is harmless, so "not done" is safe.
        return ""
    if action in {WriteAction.UPDATE_PULL_REQUEST, WriteAction.UPDATE_TICKET}:
        # What it should say is not in the books; saying it again is harmless, so "not done" is safe.
        return ""
    if action is WriteAction.COMMENT:
        if (issue := asked_on(write.key)) is not None:
            on_issue = any(comment.run_key == write.key for comment in forge.issue_comments(issue))
            return str(issue) if on_issue else ""
        number = commented_on(write.key)
        on_pull = number is not None and any(comment.run_key == write.key for comment in forge.comments(number))
        return str(number) if on_pull else ""
    if action not in {WriteAction.OPEN_TICKET, WriteAction.CLOSE_TICKET}:
        raise ForgeError(f"how a {action} would show on the remote is not built")
    opened = f"{write.run_id}/{WriteAction.OPEN_TICKET}"
    tickets = [ticket for ticket in forge.tickets() if ticket.run_key == opened]
    done = bool(tickets) and (action is WriteAction.OPEN_TICKET or tickets[0].state == "closed")
    return str(tickets[0].number) if done else ""


def _started() -> datetime:
    return activity.info().started_time
