"""What a run says when a verdict escalates (runbook §6.1)."""

from __future__ import annotations

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from contracts.artifact import ArtifactRef
    from contracts.handover import RunRef
    from contracts.incident import IncidentReport, incident_id
    from contracts.incident_work import RespondInput
    from contracts.verdict import Verdict
    from policies.incident_matrix import trigger_of


def escalation(run: RunRef, verdict: Verdict, artifacts: tuple[ArtifactRef, ...]) -> RespondInput:
    """The input of the respond step; the incident's id follows from run and trigger, so a retry opens the same one."""
    trigger = trigger_of(verdict)
    report = IncidentReport(
        incident=incident_id(run.run_id, trigger), run_id=run.run_id, trigger=trigger, reason=verdict.reason
    )
    return RespondInput(run=run, report=report, verdict=verdict, artifacts=artifacts)
