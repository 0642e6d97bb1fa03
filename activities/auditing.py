"""Step 9: the final run report, the archived history, the chain's head in the mirror."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from temporalio import activity

from activities.api import AUDIT, AuditOutput
from activities.failures import Failures
from activities.heartbeat import heartbeating
from activities.workbench import Workbench, written
from contracts.artifact import ArtifactRef, Contract
from contracts.audit import AuditEvent
from contracts.budget import RunCost
from contracts.change import Change
from contracts.evidence import ChecksReport
from contracts.modes import Role
from contracts.release import ReleaseDecision
from contracts.report import ReportInput, RunReport
from contracts.task import TaskContract
from policies.alerting import alerts_of
from policies.report import build_report
from ports.control_desk import ControlUnavailable
from ports.crashpoints import crashpoint
from ports.repository import RepositoryError
from ports.run_index import RunIndex

Model = TypeVar("Model", bound=Contract)

RenderPage = Callable[[RunReport, ReleaseDecision | None, TaskContract | None, Change | None, ChecksReport | None], str]


@dataclass(frozen=True)
class Auditing:
    """Writes down how it ended; whatever happened before, this happens."""

    bench: Workbench
    index: RunIndex
    render: RenderPage

    @activity.defn(name=AUDIT.name, no_thread_cancel_exception=True)
    def audit(self, given: ReportInput) -> AuditOutput:
        """Everything here may run twice: same artifacts, same log keys, same index entry."""
        with heartbeating():
            return self._audit(given)

    def _audit(self, given: ReportInput) -> AuditOutput:
        run_id = given.run.run_id
        crashpoint("audit.before_effect")
        history = self.bench.control.history(given.run.workflow_id, activity.info().workflow_run_id or "")
        archived = self.bench.store.put(run_id, "history.json", history)
        ended = AuditEvent(
            key="audit/ended",
            role=Role.AUDIT,
            event="run ended",
            facts={"status": given.status, "reason": given.reason[:500], "outcome": given.outcome},
            artifacts=(archived.sha256,),
        )
        head = self.bench.record(run_id, (ended,), given.ended_at)
        earlier = self._earlier(run_id)
        artifacts = earlier.artifacts if earlier else given.artifacts
        papers = self._papers(artifacts)
        failures = Failures(self.bench)
        failure, ci = failures.of(given, artifacts, *papers), failures.ci(artifacts)
        report = earlier or build_report(given, *papers, head, failure.checks, failure.task_id, self._cost(given), ci)
        kept = self.bench.store.put(run_id, "run_report.json", written(report))
        page_text = self.render(report, *papers)
        page = self.bench.store.put(run_id, "run_report.html", page_text.encode(), "text/html")
        crashpoint("audit.after_report")
        self._anchor(given, head)
        self.index.add(report)
        for alert in alerts_of(given, papers[3], ci):
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
        ref = self.bench.store.find(run_id, "run_report.json")
        return None if ref is None else RunReport.model_validate_json(self.bench.store.get(ref))

    def _cost(self, given: ReportInput) -> RunCost | None:
        """As Control has booked it; None, which is not zero, when it does not know."""
        try:
            return self.bench.control.run_cost(given.run.target, given.run.run_id)
        except ControlUnavailable as problem:
            # A report that says "unknown" is worth more than a run that can not end.
            activity.logger.warning("the cost of %s could not be asked: %s", given.run.run_id, problem)
            return None

    def _papers(
        self, artifacts: tuple[ArtifactRef, ...]
    ) -> tuple[ReleaseDecision | None, TaskContract | None, Change | None, ChecksReport | None]:
        refs = {ref.name: ref for ref in artifacts}
        return (
            self._read(refs, "release_decision.json", ReleaseDecision),
            self._read(refs, "task_contract.json", TaskContract),
            self._read(refs, "change.json", Change),
            self._read(refs, "checks/checks.json", ChecksReport),
        )

    def _read(self, refs: dict[str, ArtifactRef], name: str, model: type[Model]) -> Model | None:
        ref = refs.get(name)
        return None if ref is None else model.model_validate_json(self.bench.store.get(ref))

    def _anchor(self, given: ReportInput, head: str) -> None:
        """The head also stands in a ref of the mirror, so that a cut tail is found (P10)."""
        policy = self.bench.pinned_policy(given.run)
        try:
            self.bench.repositories(policy.target).anchor(f"run/{given.run.run_id}", head)
        except RepositoryError as problem:
            # The head is in the Temporal history too; a broken mirror must not keep the run from ending.
            activity.logger.warning("head of run/%s not anchored in the mirror: %s", given.run.run_id, problem)
