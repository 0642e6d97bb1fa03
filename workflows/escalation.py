"""What a run says when a verdict escalates (runbook §6.1)."""

from __future__ import annotations

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from contracts.artifact import ArtifactRef
    from contracts.handover import RunRef
    from contracts.incident_work import RespondInput
    from contracts.verdict import Verdict


def escalation(run: RunRef, verdict: Verdict, artifacts: tuple[ArtifactRef, ...]) -> RespondInput:
    """The input of the respond step, which tells by the rules what it is about."""
    return RespondInput(run=run, verdict=verdict, artifacts=artifacts)
