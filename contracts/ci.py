"""``ci.json``: what the forge's own CI said of the commit that a run stands for (runbook §3, §6.2)."""

from enum import StrEnum
from typing import Literal

from pydantic import AwareDatetime, Field

from contracts.artifact import Contract
from contracts.forge_facts import CommitCheck
from contracts.verdict import Verdict

LOOK_AGAIN = "lookAgainSeconds"
"""A fact of a HOLD: after how long at most its cause is looked at again; without it the run backs off."""


class CiTerms(Contract):
    """How a run waits for CI. Release states it, so that whether there is anything to wait for is in the history."""

    named: tuple[str, ...] = ()
    """Checks that policy requires, beside those of the forge."""
    minutes: float = Field(gt=0)
    every_seconds: float = Field(gt=0)
    ignored: tuple[str, ...] = ()
    """Names or glob patterns that do not count."""
    first_seconds: float = Field(default=0, ge=0)
    """So long a forge that says nothing may still say its first word."""


class RedInCi(Contract):
    """``checks/base_ci.json``: what is red on the base in the forge's CI, where an agent may mend it."""

    schema_version: Literal[1] = 1
    base_sha: str
    checks: tuple[CommitCheck, ...]


class CiState(StrEnum):
    """How the required checks of a commit stand together."""

    GREEN = "GREEN"
    RED = "RED"
    """One at least failed, and none is still running (or the deadline has passed)."""
    PENDING = "PENDING"
    """One at least is running or was never reported."""
    NONE = "NONE"
    """There is no CI, and nobody named a check."""


class CiReport(Contract):
    """One look; the last one of a wait is kept."""

    schema_version: Literal[1] = 1
    run_id: str
    commit_sha: str
    pull_request: int
    """Its number; 0 when the forge does not show it."""
    state: CiState
    checks: tuple[CommitCheck, ...]
    began_at: AwareDatetime
    looked_at: AwareDatetime
    deadline: AwareDatetime
    """Moved on by as long as the run was held."""
    looks: int = Field(ge=1)
    verdict: Verdict
