"""What the artifact store keeps of a run."""

from dataclasses import dataclass
from typing import TypeVar

from pydantic import ValidationError

from composition import Adapters
from contracts.artifact import Contract
from contracts.change import Change
from contracts.evidence import ChecksReport
from contracts.modes import RunStatus, StepName
from contracts.release import ReleaseDecision
from contracts.report import RunReport
from contracts.task import TaskContract
from contracts.verdict import Decision, Verdict
from ports.store import StoreError
from reporting.wording import in_one_sentence

Model = TypeVar("Model", bound=Contract)

ENDED = "end"
"""Of a run that no verdict of a step ended: what did."""
_NOT_BY_A_VERDICT = frozenset({RunStatus.LOST, RunStatus.CANCELLED, RunStatus.PAUSED, RunStatus.FAILED})


@dataclass(frozen=True)
class KeptRun:
    """A run's report and what it speaks of; None: the run ended before it was made."""

    report: RunReport
    decision: ReleaseDecision | None
    contract: TaskContract | None
    change: Change | None
    checks: ChecksReport | None
    page: str


def kept_run(adapters: Adapters, run_id: str) -> KeptRun | None:
    """A run that has ended, or None; what was lost since is None, and the report says so.

    Raises:
        StoreError: the report itself is lost.
    """
    ref = adapters.store.find(run_id, "run_report.json")
    if ref is None:
        return None
    report, lost = RunReport.model_validate_json(adapters.store.get(ref)), {}

    def read(name: str, model: type[Model]) -> Model | None:
        try:
            kept = adapters.store.find(run_id, name)
            return None if kept is None else model.model_validate_json(adapters.store.get(kept))
        except (StoreError, ValidationError) as problem:
            lost[name] = f"{name}: {problem}"
            return None

    decision, contract = read("release_decision.json", ReleaseDecision), read("task_contract.json", TaskContract)
    change, checks = read("change.json", Change), read("checks/checks.json", ChecksReport)
    known = {line.partition(":")[0] for line in report.missing}
    missing = (*report.missing, *(line for name, line in lost.items() if name not in known))
    return KeptRun(
        report=report.model_copy(update={"missing": missing}),
        decision=decision,
        contract=contract,
        change=change,
        checks=checks,
        page=f"{adapters.store.address(run_id)}/run_report.html",
    )


def kept_verdicts(adapters: Adapters, run_id: str) -> dict[str, Verdict]:
    """Each step's verdict by its name, Release's with its whole tree; empty for a run that has not ended."""
    kept = kept_run(adapters, run_id)
    if kept is None:
        return {}
    report = kept.report
    verdicts = {record.step.value: record.verdict for record in report.steps}
    if report.status in _NOT_BY_A_VERDICT:
        verdicts = {ENDED: said_so(f"{report.status}: {report.reason}")} | verdicts
    release = verdicts.get(StepName.RELEASE.value)
    if kept.decision and release:
        verdicts[StepName.RELEASE.value] = release.model_copy(update={"children": (kept.decision.verdict,)})
    return verdicts | {f"write {write.planned.action}": write.verdict for write in report.writes}


def sentence_of(adapters: Adapters, run_id: str) -> str:
    """What a person would say of an ended run; empty of one that has left no report."""
    kept = kept_run(adapters, run_id) if run_id else None
    if kept is None:
        return ""
    report, title = kept.report, kept.contract.title if kept.contract else ""
    number = report.pull_request.number if report.pull_request else 0
    became = adapters.index.outcomes().get(run_id, "")
    return in_one_sentence(report.status, title, report.reason, number, became)


def said_so(reason: str) -> Verdict:
    """How a run ended that did not come to its own end."""
    return Verdict(rule="the run came to its own end", decision=Decision.DENY, reason=reason)
