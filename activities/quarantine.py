"""What an escalated run left behind, believed only as far as its own audit log vouches for it (P6, P10)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from pydantic import ValidationError

from contracts.artifact import ArtifactRef, Contract
from contracts.audit import AuditRecord
from contracts.change import Change
from contracts.modes import RunStatus, StepName
from contracts.task import Candidate, CandidateTasks, TaskContract
from ports.store import ArtifactStore, AuditLog, StoreError

Model = TypeVar("Model", bound=Contract)


class NotInQuarantine(Exception):
    """There is no quarantined change of this run that can be trusted; the message says why."""


@dataclass(frozen=True)
class Quarantined:
    """The change of an escalated run, with the task it was made for."""

    run_id: str
    contract: TaskContract
    candidate: Candidate
    change: Change
    bundle: bytes
    diff: bytes
    escalated_record: str
    """Hash of the audit record that says how the run ended."""


def open_quarantine(store: ArtifactStore, audit: AuditLog, target: str, run_id: str) -> Quarantined:
    """Read a quarantined change back. Every artifact must be one that the run's steps recorded when they ended.

    Raises:
        NotInQuarantine: another target's run, no log or a damaged one, not ESCALATED, an artifact missing or replaced.
    """
    log = f"run/{run_id}"
    try:
        if not run_id.startswith(f"{target}-") or audit.head(log) is None:
            raise NotInQuarantine(f"{target} has no audit log of a run {run_id}")
        verified = audit.verify(log, {})
        if verified.problem is not None:
            raise NotInQuarantine(f"its audit log is damaged: {verified.problem.problem}")
        records = {record.key: record for record in audit.records(log)}
        ended = records.get("audit/ended")
        if ended is None or ended.facts.get("status") != RunStatus.ESCALATED:
            status = ended.facts.get("status") if ended else "still open"
            raise NotInQuarantine(f"the run is {status}, by its own audit log, not ESCALATED")
        return _read(store, run_id, records, ended.hash)
    except (StoreError, ValidationError) as problem:
        raise NotInQuarantine(f"it cannot be read back: {problem}") from problem


def _read(store: ArtifactStore, run_id: str, records: dict[str, AuditRecord], ended: str) -> Quarantined:
    def load(name: str, step: StepName, model: type[Model]) -> Model:
        return model.model_validate_json(
            store.get(_vouched(store.find(run_id, name), name, records.get(f"{step}/done")))
        )

    change = load("change.json", StepName.CODE, Change)
    contract = load("task_contract.json", StepName.PLAN, TaskContract)
    candidates = load("candidate_tasks.json", StepName.TRIAGE, CandidateTasks)
    chosen = [each for each in candidates.candidates if each.task_id == contract.task_id]
    if not chosen:
        raise NotInQuarantine(f"its candidates do not list {contract.task_id}")
    # By the digests in change.json, whatever is shown under the run's names now.
    return Quarantined(
        run_id=run_id,
        contract=contract,
        candidate=chosen[0],
        change=change,
        bundle=store.get(change.bundle),
        diff=store.get(change.diff),
        escalated_record=ended,
    )


def _vouched(ref: ArtifactRef | None, name: str, record: AuditRecord | None) -> ArtifactRef:
    if ref is None:
        raise NotInQuarantine(f"it left no {name}")
    if record is None or ref.sha256 not in record.artifacts:
        raise NotInQuarantine(f"{name} is not the one its audit log names")
    return ref
