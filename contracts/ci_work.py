"""What one look at a commit's CI is given and returns."""

from __future__ import annotations

from pydantic import AwareDatetime

from contracts.artifact import Contract
from contracts.ci import CiState, CiTerms
from contracts.handover import StepInput, StepResult


class CiInput(Contract):
    """Which commit, which pull request, and for how long already."""

    step: StepInput
    terms: CiTerms
    commit_sha: str
    pull_request: int
    """Number of the one that was opened; 0: look for this run's mark."""
    began_at: AwareDatetime
    deadline: AwareDatetime
    looks: int
    """Counted from 1."""
    over: bool
    """The deadline has passed: what is not green now is never going to be."""


class CiLook(Contract):
    """A step's result, and how the checks stand.

    Its verdict: ALLOW goes on · HOLD looks again · ASK: a person took the pull request over · DENY: rejected, and the
    result's ``writes`` close the pull request if the change is to blame.
    """

    result: StepResult
    state: CiState
    cause: str = ""
    """While it waits: what most likely keeps the checks, for a person."""
    again_seconds: float | None = None
    """Look again so soon, where the terms' own rhythm would be too late."""
