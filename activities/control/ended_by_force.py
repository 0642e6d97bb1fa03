"""What a run that was ended by force had done: read from its history, as its own audit step would know it."""

import base64
import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from activities.api import ADMIT, LOOK_AT_CI, MERGE_CHECK, MERGE_RELEASE, WRITE
from contracts.admission import Admitted
from contracts.artifact import ArtifactRef
from contracts.handover import CiLook, MergeResult, RunRef, StepResult
from contracts.modes import MERGE_STEPS, SOURCE_STEPS, RunStatus, StepName
from contracts.report import ReportInput, StepRecord, WriteResult
from contracts.trial import TrialLook
from contracts.verdict import Decision

_STEPS = frozenset(StepName) - MERGE_STEPS - set(SOURCE_STEPS) - {StepName.CI, StepName.AUDIT}
_WRAPPED: dict[str, type[CiLook | MergeResult | TrialLook]] = {
    LOOK_AT_CI.name: CiLook,
    MERGE_CHECK.name: MergeResult,
    MERGE_RELEASE.name: MergeResult,
    **dict.fromkeys(SOURCE_STEPS, TrialLook),
}
_NAMES = {LOOK_AT_CI.name: StepName.CI}


class Ended:
    """Steps, writes and artifacts, as far as the history tells; what it holds of another version is passed over."""

    def __init__(self, history: bytes) -> None:
        self.run: RunRef | None = None
        self.records: list[StepRecord] = []
        self.writes: list[WriteResult] = []
        self._artifacts: dict[str, ArtifactRef] = {}
        self._results: list[StepResult] = []
        for name, result, began, ended in _completed(history):
            try:
                self._take(name, result, began, ended)
            except ValidationError:
                continue

    def report_input(self, run: RunRef, reason: str, ended_at: datetime) -> ReportInput:
        """What the audit step is given of any run, of one that is LOST."""
        outcomes = [result.outcome for result in self._results if result.outcome]
        tasks = [result.task_id for result in self._results if result.task_id]
        bases = [result.base_sha for result in self._results if result.base_sha]
        return ReportInput(
            run=run,
            status=RunStatus.LOST,
            reason=reason,
            base_sha=bases[-1] if bases else "",
            task_id=tasks[-1] if tasks else None,
            outcome=outcomes[-1] if outcomes else None,
            steps=tuple(self.records),
            writes=tuple(self.writes),
            artifacts=tuple(self._artifacts.values()),
            ended_at=ended_at,
        )

    def _take(self, name: str, result: str, began: datetime, ended: datetime) -> None:
        if name == ADMIT.name:
            self.run = Admitted.model_validate_json(result).run or self.run
        elif name == WRITE.name:
            written = WriteResult.model_validate_json(result)
            if written.verdict.decision is not Decision.HOLD:
                self.writes.append(written)
        elif name in _STEPS:
            self._keep(StepName(name), StepResult.model_validate_json(result), began, ended)
        elif name in _WRAPPED:
            step = _NAMES.get(name) or StepName(name)
            self._keep(step, _WRAPPED[name].model_validate_json(result).result, began, ended)

    def _keep(self, step: StepName, result: StepResult, began: datetime, ended: datetime) -> None:
        if result.verdict.decision is Decision.HOLD:
            return
        self._results.append(result)
        for artifact in result.handover.output_artifacts:
            self._artifacts[artifact.name] = artifact
        self.records.append(StepRecord.of(step, began, ended, result))


def _completed(history: bytes) -> Iterator[tuple[str, str, datetime, datetime]]:
    """Each activity that ended well, in order: its name, its result as JSON, when it was scheduled, when it ended."""
    scheduled: dict[str, tuple[str, datetime]] = {}
    for event in json.loads(history).get("events", ()):
        at = datetime.fromisoformat(event["eventTime"])
        if (begun := event.get("activityTaskScheduledEventAttributes")) is not None:
            scheduled[event["eventId"]] = (begun["activityType"]["name"], at)
        elif (done := event.get("activityTaskCompletedEventAttributes")) is not None:
            name, began = scheduled[done["scheduledEventId"]]
            yield name, _plain(done), began, at


def _plain(done: dict[str, Any]) -> str:
    payloads = done.get("result", {}).get("payloads") or [{}]
    return base64.b64decode(payloads[0].get("data", "")).decode(errors="replace")
