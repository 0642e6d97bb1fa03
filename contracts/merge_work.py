"""What the steps before a merge are given and return."""

from __future__ import annotations

from contracts.artifact import ArtifactRef, Contract
from contracts.handover import RunRef, StepInput, StepResult
from contracts.merging import CanaryReport, MergeCandidate


class MergeInput(Contract):
    """The steps before a merge: which merge result, and what its canary said."""

    step: StepInput
    candidate: MergeCandidate | None = None
    """None: the merge result of the run's own check."""
    canary: CanaryReport | None = None

    @property
    def turn(self) -> str:
        """Each merge result is a turn of its own in the audit log; empty: the run's own."""
        return self.candidate.merge_sha if self.candidate else ""


class MergeResult(Contract):
    """A step's result, and the merge result it stands for."""

    result: StepResult
    candidate: MergeCandidate | None = None


class ProbeInput(Contract):
    """One round of probes on a canary."""

    run: RunRef
    candidate: MergeCandidate
    artifacts: tuple[ArtifactRef, ...]
    round: int
