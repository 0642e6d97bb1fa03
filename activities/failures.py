"""What a run's failed checks leave behind: their details for the report, and the remediation (runbook §6.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from activities.workbench import Workbench
from contracts.artifact import ArtifactRef, Contract
from contracts.change import Change
from contracts.ci import CiReport
from contracts.evidence import ChecksReport, FailedCheck
from contracts.release import ReleaseDecision
from contracts.remediation import Remediation
from contracts.report import ReportInput
from contracts.task import CandidateTasks, TaskContract
from policies.failed_checks import failed_checks
from policies.failed_in_ci import failed_in_ci
from policies.remediation import Papers, queued_by
from ports.store import StoreError

Model = TypeVar("Model", bound=Contract)


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

    bench: Workbench

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
        shown = failed_checks(given.status, checks, self._read(artifacts, "checks/base.json", ChecksReport), self._body)
        ci = self.ci(artifacts)
        shown += failed_in_ci(ci)
        triage = self._read(artifacts, "candidate_tasks.json", CandidateTasks)
        resolved = triage.resolved if triage else ()
        if decision is None or contract is None or change is None or checks is None:
            return Failure(shown, None, resolved)
        papers = Papers(decision, contract, change, checks, lambda ref: self._body(ref) or b"", ci)
        policy = self.bench.pinned_policy(given.run)
        return Failure(shown, queued_by(given.run, given.status, given.ended_at, policy, papers), resolved)

    def ci(self, artifacts: tuple[ArtifactRef, ...]) -> CiReport | None:
        """What the forge's CI said last, if the run waited for it."""
        return self._read(artifacts, "ci.json", CiReport)

    def _body(self, ref: ArtifactRef) -> bytes | None:
        try:
            return self.bench.store.get(ref)
        except StoreError:
            # The report must be written, whatever became of an output.
            return None

    def _read(self, artifacts: tuple[ArtifactRef, ...], name: str, model: type[Model]) -> Model | None:
        ref = next((ref for ref in artifacts if ref.name == name), None)
        return None if ref is None else model.model_validate_json(self.bench.store.get(ref))
