"""What a run has produced so far: kept by the workflow, so that it is in the history and not in anybody's memory."""

from collections.abc import Iterable
from datetime import datetime

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.api import AuditOutput
    from contracts.admission import Admission, AdmitAnswer, FinishRequest, RunResult, RunView
    from contracts.artifact import ArtifactRef
    from contracts.ci import CiTerms
    from contracts.handover import HumanDecision, Pins, PlannedWrite, RunRef, StepInput, StepResult
    from contracts.modes import STEPS_OF_A_ROUND, Outcome, RunStatus, StepName, WriteAction
    from contracts.report import ReportInput, StepRecord, WriteResult
    from contracts.rollback import FollowUpInput, Merged
    from policies.counted import in_rounds, shortened


class RunLedger:
    """Artifacts, step records, writes, pins."""

    def __init__(self) -> None:
        self.base_sha = ""
        self.task_id: str | None = None
        self.outcome: Outcome | None = None
        self.pins = Pins()
        self.planned: tuple[PlannedWrite, ...] = ()
        self.writes: list[WriteResult] = []
        self.records: list[StepRecord] = []
        self.merged: Merged | None = None
        self.ci: CiTerms | None = None
        self.refused_by = ""
        self.kept_out = False
        self.round = 1
        self.because = ""
        self._artifacts: dict[str, ArtifactRef] = {}

    @property
    def artifacts(self) -> tuple[ArtifactRef, ...]:
        """The newest artifact of each name."""
        return tuple(self._artifacts.values())

    def step_input(self, run: RunRef, decision: HumanDecision | None) -> StepInput:
        """What the next step is given."""
        return StepInput(
            run=run,
            base_sha=self.base_sha,
            artifacts=self.artifacts,
            decision=decision,
            pins=self.pins,
            round=self.round,
            because=self.because,
        )

    def begin_round(self, because: str) -> None:
        """Coding has another turn."""
        self.round, self.because = self.round + 1, shortened(because, 2000)

    def keep(self, step: StepName, result: StepResult, started: datetime, ended: datetime) -> None:
        """Take over a step's result."""
        self.base_sha = result.base_sha or self.base_sha
        self.task_id = result.task_id or self.task_id
        self.outcome = result.outcome or self.outcome
        self.planned = result.writes or self.planned
        self.ci = result.ci or self.ci
        self.pins = Pins(
            contract_digest=result.pins.contract_digest or self.pins.contract_digest,
            head_sha=result.pins.head_sha or self.pins.head_sha,
        )
        for artifact in result.handover.output_artifacts:
            self._artifacts[artifact.name] = artifact
        self.records.append(StepRecord.of(step, started, ended, result))

    def view(self, run: RunRef | None, status: RunStatus, step: StepName | None, reason: str) -> RunView:
        """The run as it is now; gate and waiting are the run's own to add."""
        return RunView(
            run=run,
            status=status,
            step=step,
            order=None,
            task_id=self.task_id,
            base_sha=self.base_sha,
            waiting_for="",
            subject="",
            verdicts=tuple(record.verdict for record in self.records),
            steps=tuple(record.step for record in self.records),
            reason=reason,
        )

    def report_input(self, run: RunRef, status: RunStatus, reason: str, ended: datetime) -> ReportInput:
        """What the audit step is given."""
        return ReportInput(
            run=run,
            status=status,
            reason=reason,
            base_sha=self.base_sha,
            task_id=self.task_id,
            outcome=self.outcome,
            steps=tuple(self.records),
            writes=tuple(self.writes),
            artifacts=self.artifacts,
            ended_at=ended,
            merged=self.merged,
            refused_by=self.refused_by,
        )

    def finish_request(self, run: RunRef, status: RunStatus, reason: str, audited: AuditOutput) -> FinishRequest:
        """The last word to Control."""
        return FinishRequest(
            run_id=run.run_id,
            status=status,
            outcome=self.outcome or "",
            reason=shortened(reason, 500),
            audit_head=audited.audit_head,
            report_sha256=audited.report.sha256,
            task_id=self.task_id,
            remediation=audited.remediation,
            resolved=audited.resolved,
            follow_up=self._follow_up(run, audited),
            merged=self.merged,
            kept_out=self.kept_out,
        )

    def _follow_up(self, run: RunRef, audited: AuditOutput) -> FollowUpInput | None:
        number = audited.pull_request.number if audited.pull_request else 0
        # However the run ended: a pull request that we did not close is there for a person to merge.
        if self.merged is None and (not number or closed_by_us(self.writes)):
            return None
        return FollowUpInput(run=run, task_id=self.task_id or "", pull_request=number, merged=self.merged)

    def result(self, run: RunRef, status: RunStatus, reason: str, audited: AuditOutput) -> RunResult:
        """What whoever started the run gets."""
        return RunResult(
            run_id=run.run_id,
            target=run.target,
            mode=run.mode,
            status=status,
            outcome=self.outcome or "",
            reason=reason,
            task_id=self.task_id,
            pull_request=audited.pull_request,
            artifacts=audited.address,
            report=f"{audited.address}/{audited.page.name}",
            audit_head=audited.audit_head,
        )

    def details(self, run: RunRef | None, status: RunStatus, step: StepName | None, reason: str) -> list[str]:
        """Markdown lines for the Temporal UI."""
        title = run.run_id if run else "(not admitted)"
        lines = [f"**{status}** · `{title}` · step {step or 'admission'}", "", reason]
        names = in_rounds((kept.step for kept in self.records), STEPS_OF_A_ROUND)
        told = zip(names, (kept.verdict for kept in self.records), strict=True)
        return lines + [f"- {name}: {verdict.decision}, {verdict.reason}" for name, verdict in told]


def closed_by_us(writes: Iterable[WriteResult]) -> bool:
    """Whether the run closed its own pull request: nobody said no to it."""
    closings = (each for each in writes if each.done and each.planned.action is WriteAction.CLOSE_PULL_REQUEST)
    return any(not each.planned.of_run for each in closings)


def not_admitted(target: str, answer: AdmitAnswer) -> RunResult:
    """What a run that never began returns."""
    ran = answer.answer is Admission.ALREADY_RAN
    return RunResult(
        run_id=answer.run_id,
        target=target,
        mode=answer.mode,
        status=RunStatus.ALREADY_RAN if ran else RunStatus.REFUSED,
        outcome=answer.previous.outcome if answer.previous else "",
        reason=answer.verdict.reason,
    )
