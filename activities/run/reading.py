"""Reading what a run left, its failed checks too, for a report that must be made whatever became of it (P12, P18)."""

from dataclasses import dataclass
from typing import TypeVar

from pydantic import ValidationError

from activities.step_session import StepPorts
from contracts.artifact import ArtifactRef, Contract
from contracts.change import Change
from contracts.ci import CiReport
from contracts.evidence import ChecksReport, FailedCheck
from contracts.handover import RunRef
from contracts.release import ReleaseDecision
from contracts.remediation import Remediation
from contracts.report import ReportInput
from contracts.task import CandidateTasks, TaskContract
from policies.counted import counted
from policies.release.checks import failed_checks
from policies.release.ci import failed_in_ci
from policies.settings.schema import EffectivePolicy
from policies.task.remediation import Papers, queued_by
from ports.policy_source import PolicyError
from ports.store import StoreError

Model = TypeVar("Model", bound=Contract)


class Reader:
    """Gives what is there; what is not, or is damaged, is None, and stands in ``missing`` with the reason."""

    def __init__(self, bench: StepPorts) -> None:
        self._bench = bench
        self._missing: dict[str, str] = {}

    @property
    def missing(self) -> tuple[str, ...]:
        """A line for each."""
        return tuple(f"{name}: {why}" for name, why in self._missing.items())

    def paper(self, artifacts: tuple[ArtifactRef, ...], name: str, model: type[Model]) -> Model | None:
        """An artifact that the run made; None, and not missing, when it made none."""
        ref = next((ref for ref in artifacts if ref.name == name), None)
        body = None if ref is None else self.body(ref)
        if body is None:
            return None
        try:
            return model.model_validate_json(body)
        except ValidationError as damage:
            self._missing[name] = f"{counted(damage.error_count(), 'field is wrong', 'fields are wrong')}"
            return None

    def body(self, ref: ArtifactRef) -> bytes | None:
        """Its bytes."""
        try:
            return self._bench.store.get(ref)
        except StoreError as problem:
            self._missing[ref.name] = str(problem)
            return None

    def policy(self, run: RunRef) -> EffectivePolicy | None:
        """The policy the run started under."""
        try:
            return self._bench.pinned_policy(run)
        except (StoreError, PolicyError, ValidationError) as problem:
            self._missing["policy.json"] = str(problem)
            return None


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
        request: ReportInput,
        artifacts: tuple[ArtifactRef, ...],
        decision: ReleaseDecision | None,
        contract: TaskContract | None,
        change: Change | None,
        checks: ChecksReport | None,
    ) -> Failure:
        """The failure of a run that has ended."""
        shown = failed_checks(
            request.status, checks, self.reader.paper(artifacts, "checks/base.json", ChecksReport), self.reader.body
        )
        ci = self.ci(artifacts)
        shown += failed_in_ci(ci)
        triage = self.reader.paper(artifacts, "candidate_tasks.json", CandidateTasks)
        resolved = triage.resolved if triage else ()
        if decision is None or contract is None or change is None or checks is None:
            return Failure(shown, None, resolved)
        papers = Papers(decision, contract, change, checks, lambda ref: self.reader.body(ref) or b"", ci)
        policy = self.reader.policy(request.run)
        if policy is None:
            return Failure(shown, None, resolved)
        return Failure(shown, queued_by(request.run, request.status, request.ended_at, policy, papers), resolved)

    def ci(self, artifacts: tuple[ArtifactRef, ...]) -> CiReport | None:
        """What the forge's CI said last, if the run waited for it."""
        return self.reader.paper(artifacts, "ci.json", CiReport)
