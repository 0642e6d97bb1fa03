"""What a run's failed checks leave behind: their details for the report, and the remediation (runbook §6.2)."""

from dataclasses import dataclass

from activities.run.reading import Reader
from contracts.artifact import ArtifactRef
from contracts.change import Change
from contracts.ci import CiReport
from contracts.evidence import ChecksReport, FailedCheck
from contracts.release import ReleaseDecision
from contracts.remediation import Remediation
from contracts.report import ReportInput
from contracts.task import CandidateTasks, TaskContract
from policies.release.checks import failed_checks
from policies.release.ci import failed_in_ci
from policies.task.remediation import Papers, queued_by


@dataclass(frozen=True)
class Failure:
    """Empty when nothing failed."""

    checks: tuple[FailedCheck, ...] = ()
    remediation: Remediation | None = None
    resolved: tuple[str, ...] = ()

    @property
    def task_id(self) -> str:
        """Of the remediation, or empty."""
        return self.remediation.remediating_task if self.remediation else ""


@dataclass(frozen=True)
class Failures:
    """Reads the outputs; the same artifacts always give the same answer."""

    reader: Reader

    def of(
        self,
        given: ReportInput,
        artifacts: tuple[ArtifactRef, ...],
        decision: ReleaseDecision | None,
        contract: TaskContract | None,
        change: Change | None,
        checks: ChecksReport | None,
    ) -> Failure:
        """The failure of a run that has ended."""
        shown = failed_checks(
            given.status, checks, self.reader.paper(artifacts, "checks/base.json", ChecksReport), self.reader.body
        )
        ci = self.ci(artifacts)
        shown += failed_in_ci(ci)
        triage = self.reader.paper(artifacts, "candidate_tasks.json", CandidateTasks)
        resolved = triage.resolved if triage else ()
        if decision is None or contract is None or change is None or checks is None:
            return Failure(shown, None, resolved)
        papers = Papers(decision, contract, change, checks, lambda ref: self.reader.body(ref) or b"", ci)
        policy = self.reader.policy(given.run)
        if policy is None:
            return Failure(shown, None, resolved)
        return Failure(shown, queued_by(given.run, given.status, given.ended_at, policy, papers), resolved)

    def ci(self, artifacts: tuple[ArtifactRef, ...]) -> CiReport | None:
        """What the forge's CI said last, if the run waited for it."""
        return self.reader.paper(artifacts, "ci.json", CiReport)
