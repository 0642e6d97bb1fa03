"""A remediation (runbook §6.2): a change was rejected by its checks, and what is sound in it shall get through."""

from enum import StrEnum

from pydantic import AwareDatetime, Field

from contracts.artifact import Contract
from contracts.evidence import CheckStatus

TASK_PREFIX = "remediate-"


class FailureNote(Contract):
    """One required check that failed, in one line."""

    check: str = Field(max_length=200)
    status: CheckStatus
    detail: str = Field(max_length=400)
    """How it ended and the first thing it complained about."""


class RemediationEnd(StrEnum):
    """Why a remediation is not tried any more."""

    PULL_REQUEST = "pull_request"
    """A remediating run opened one; what still fails comes back as a failure of its own."""
    ATTEMPTS = "attempts"
    RESOLVED = "resolved"
    """Its findings are gone from the base."""


class Remediation(Contract):
    """What Control keeps of a failure: one for each fingerprint."""

    fingerprint: str = Field(pattern=r"^[0-9a-f]{64}$")
    """Digest of target, idea and the failing checks with what they said, times and places left out."""
    task_id: str = Field(max_length=200)
    """The rejected task."""
    tool: str = Field(max_length=200)
    rule: str = Field(max_length=200)
    paths: tuple[str, ...] = Field(min_length=1, max_length=200)
    """The suspects: files that the rejected change touched, sorted."""
    failed: tuple[FailureNote, ...]
    run_id: str = Field(max_length=200)
    """The latest run that failed so."""
    at: AwareDatetime
    most_attempts: int = Field(ge=1)
    """``caps.attempts_per_task`` of that run's policy."""
    attempts: int = Field(default=0, ge=0)
    """Remediating runs that did not get through."""
    seen: int = Field(default=1, ge=1)
    """Runs that failed so."""
    ended: RemediationEnd | None = None
    ended_by: str = ""
    """The run that ended it."""

    @property
    def remediating_task(self) -> str:
        """Task id of the candidate; the same for every attempt."""
        return f"{TASK_PREFIX}{self.fingerprint[:8]}"
