"""Step 9: the final run report, the archived history, the chain's head in the mirror."""

import gzip
from collections.abc import Callable
from dataclasses import dataclass

from pydantic import ValidationError
from temporalio import activity

from activities.api import AUDIT, AuditOutput
from activities.control.ended_by_force import Ended
from activities.heartbeat import heartbeating
from activities.run.agent_records import agents_of, left_behind
from activities.run.reading import Failures, Reader
from activities.step_session import HISTORY, StepPorts, written
from contracts import messages
from contracts.admission import RunRecord
from contracts.artifact import ArtifactRef
from contracts.audit import AuditEvent
from contracts.budget import BudgetView
from contracts.change import Change
from contracts.evidence import ChecksReport
from contracts.exchange import AgentRecord
from contracts.handover import PinnedPolicy, RunRef
from contracts.later_review import LaterReview
from contracts.modes import Role, RunStatus
from contracts.release import ReleaseDecision
from contracts.report import ReportInput, RunReport
from contracts.task import StateSnapshot, TaskContract
from policies.counted import shortened
from policies.release.checks import unseen
from policies.run.alerts import alerts_of
from policies.settings.schema import EffectivePolicy
from policies.texts.run_report import build_report
from ports.control_desk import ControlUnavailable, RunSight
from ports.crashpoints import crashpoint
from ports.repository import RepositoryError
from ports.store import RunIndex, StoreError

RenderPage = Callable[
    [
        RunReport,
        ReleaseDecision | None,
        TaskContract | None,
        Change | None,
        ChecksReport | None,
        bytes,
        LaterReview | None,
        tuple[AgentRecord, ...],
    ],
    str,
]
"""The last: the change's diff (empty: none, or lost), what became of the change, if known, and what agents did."""


@dataclass(frozen=True)
class Auditing:
    """Writes down how it ended; whatever happened before, this happens."""

    bench: StepPorts
    index: RunIndex
    render: RenderPage

    @activity.defn(name=AUDIT.name, no_thread_cancel_exception=True)
    def audit(self, request: ReportInput) -> AuditOutput:
        """Everything here may run twice: same artifacts, same log keys, same index entry."""
        with heartbeating():
            return self._audit(request)

    def end_lost(self, run: RunRecord, sight: RunSight | None, reason: str) -> AuditOutput | None:
        """The end of a run that was ended by force: in its log, its report and the index, as of any other run.

        None: it never got so far as to have anything to report of.

        Raises:
            StoreError: its end cannot be written down; to be tried again.
        """
        earlier = self._earlier(run.run_id)
        if earlier is not None and earlier.status is not RunStatus.LOST:
            # It ended, and said so, while it was looked for.
            return None
        history = self._history(run.workflow_id, sight.workflow_run_id if sight else run.workflow_run_id)
        ended = Ended(history)
        ref = ended.run or self._reference(run)
        if ref is None:
            return None
        at = (sight.closed_at if sight else None) or activity.info().started_time
        return self._written(ended.report_input(ref, reason, at), history)

    def show_later(self, later: LaterReview) -> None:
        """The run's page once more, with what became of its change; a run that has none gets none."""
        report = self._earlier(later.run_id)
        if report is None:
            return
        reader = Reader(self.bench)
        papers = _papers(reader, report.artifacts)
        diff = reader.body(papers[2].diff) if papers[2] else None
        page = self.render(report, *papers, diff or b"", later, agents_of(reader, report.artifacts))
        self.bench.store.put(later.run_id, "run_report.html", page.encode(), "text/html")

    def _history(self, workflow_id: str, workflow_run_id: str) -> bytes:
        try:
            return self.bench.control.history(workflow_id, workflow_run_id)
        except ControlUnavailable as problem:
            activity.logger.warning("the history of %s could not be read: %s", workflow_id, problem)
            return b"{}"

    def _reference(self, run: RunRecord) -> RunRef | None:
        """Of a run whose history does not name it: as it was issued."""
        policy = self.bench.store.find(run.run_id, "policy.json")
        if policy is None:
            return None
        return RunRef.model_validate(
            {
                **{name: getattr(run, name) for name in ("run_id", "kind", "mode", "date", "attempt", "workflow_id")},
                "target": run.run_id.removesuffix(run.run_id[run.run_id.rindex(f"-{run.date}-") :]),
                "started_at": run.admitted_at,
                "started_by": run.actor,
                "policy": PinnedPolicy(digest=run.policy_digest, artifact=policy),
                "grant": run.grant,
            }
        )

    def _audit(self, request: ReportInput) -> AuditOutput:
        crashpoint("audit.before_effect")
        history = self.bench.control.history(request.run.workflow_id, activity.info().workflow_run_id or "")
        return self._written(request, history)

    def _written(self, request: ReportInput, history: bytes) -> AuditOutput:
        run_id = request.run.run_id
        archived = self.bench.store.put(run_id, HISTORY, gzip.compress(history, mtime=0), "application/gzip")
        facts = {"status": request.status, "reason": shortened(request.reason, 500), "outcome": request.outcome}
        end = AuditEvent(
            key="audit/ended", role=Role.AUDIT, event="run ended", facts=facts, artifacts=(archived.sha256,)
        )
        reader = Reader(self.bench)
        policy, earlier, view = reader.policy(request.run), self._earlier(run_id), self._costs(request)
        left, told = left_behind(self.bench, reader, request, view) if earlier is None else ((), ())
        head = self.bench.record(run_id, (*told, end), request.ended_at)
        artifacts = earlier.artifacts if earlier else (*request.artifacts, *left)
        request = request.model_copy(update={"artifacts": artifacts})
        papers = _papers(reader, artifacts)
        diff = reader.body(papers[2].diff) if papers[2] else None
        snapshot = reader.paper(artifacts, "state_snapshot.json", StateSnapshot)
        failures = Failures(reader)
        failure, ci = failures.of(request, artifacts, *papers), failures.ci(artifacts)
        report = earlier or build_report(
            request,
            *papers,
            audit_head=head,
            failed_checks=failure.checks,
            remediation=failure.task_id,
            cost=next((run for run in view.runs if run.run_id == run_id), None) if view else None,
            ci=ci,
            missing=reader.missing,
            unseen=unseen(snapshot) if snapshot else (),
        )
        kept = self.bench.store.put(run_id, "run_report.json", written(report))
        agents = agents_of(reader, artifacts)
        page_text = self.render(report, *papers, diff or b"", None, agents).encode()
        page = self.bench.store.put(run_id, "run_report.html", page_text, "text/html")
        crashpoint("audit.after_report")
        self._anchor(run_id, policy, head)
        self.index.add(report)
        for alert in alerts_of(request, papers[3], ci, agents):
            self.bench.alerts.send(alert)
        crashpoint("audit.after_effect")
        return AuditOutput(
            report=kept,
            page=page,
            address=self.bench.store.address(run_id),
            audit_head=head,
            pull_request=report.pull_request,
            remediation=failure.remediation,
            resolved=failure.resolved,
        )

    def _earlier(self, run_id: str) -> RunReport | None:
        """A run has one report: of an attempt that died after writing it, or from before a reset by hand."""
        try:
            ref = self.bench.store.find(run_id, "run_report.json")
            return None if ref is None else RunReport.model_validate_json(self.bench.store.get(ref))
        except (StoreError, ValidationError) as damage:
            activity.logger.warning("run_report.json of %s is made anew: %s", run_id, damage)
            return None

    def _costs(self, request: ReportInput) -> BudgetView | None:
        """As Control has booked it; None, which is not zero, when it does not say."""
        try:
            # Asked of the run itself: without one, the view lists the dearest only.
            return self.bench.control.query(request.run.target, messages.BUDGET, request.run.run_id)
        except ControlUnavailable as problem:
            # A report that says "unknown" is worth more than a run that can not end.
            activity.logger.warning("the cost of %s could not be asked: %s", request.run.run_id, problem)
            return None

    def _anchor(self, run_id: str, policy: EffectivePolicy | None, head: str) -> None:
        """The head also stands in a ref of the mirror, so that a cut tail is found (P10)."""
        if policy is None:
            return
        try:
            self.bench.repositories(policy.target).anchor(f"run/{run_id}", head)
        except RepositoryError as problem:
            # The head is in the Temporal history too; a broken mirror must not keep the run from ending.
            activity.logger.warning("head of run/%s not anchored in the mirror: %s", run_id, problem)


def _papers(
    reader: Reader, artifacts: tuple[ArtifactRef, ...]
) -> tuple[ReleaseDecision | None, TaskContract | None, Change | None, ChecksReport | None]:
    return (
        reader.paper(artifacts, "release_decision.json", ReleaseDecision),
        reader.paper(artifacts, "task_contract.json", TaskContract),
        reader.paper(artifacts, "change.json", Change),
        reader.paper(artifacts, "checks/checks.json", ChecksReport),
    )
