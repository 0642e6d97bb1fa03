"""What Review and the deterministic checks leave behind."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Literal

from pydantic import Field

from contracts.artifact import ArtifactRef, Contract
from contracts.verdict import Verdict


class Severity(StrEnum):
    """How much a review remark weighs."""

    INFO = "info"
    MINOR = "minor"
    MAJOR = "major"
    BLOCKING = "blocking"


class ReviewRemark(Contract):
    """One remark of the reviewer."""

    severity: Severity
    path: str | None
    line: int | None = None
    message: str
    crosses: bool = False
    """No honest work needs it: where an agent did it, a person is alerted. Only our own reviewer's word counts."""


class ReviewProposal(Contract):
    """What a reviewing backend may say."""

    approve: bool
    confidence: float = Field(ge=0, le=1)
    summary: str
    remarks: tuple[ReviewRemark, ...] = ()


class ReviewReport(Contract):
    """``review_report.json``: the proposal plus what only we may state."""

    schema_version: Literal[1] = 1
    run_id: str
    task_id: str
    head_sha: str
    reviewer: str
    """Backend name; differs from the coder's when a model codes."""
    approve: bool
    confidence: float
    summary: str
    remarks: tuple[ReviewRemark, ...] = ()
    proved: tuple[str, ...] = ()
    """Changed paths that we, not the reviewer, showed to be equal: nothing that runs can tell the difference."""
    unproved: Mapping[str, str] = {}
    """The others, and why each is not."""


class CheckStatus(StrEnum):
    """Result is not timeout is not infrastructure trouble."""

    GREEN = "green"
    RED = "red"
    FLAKY = "flaky"
    """Red, then green, on the same commit: never auto-merges."""
    TIMEOUT = "timeout"
    INFRASTRUCTURE = "infrastructure"
    """Could not be run; says nothing about the commit, and never yes."""


class CheckAttempt(Contract):
    """One execution of one check on one tree."""

    status: CheckStatus
    exit_code: int | None
    """None when it was killed or never ran."""
    seconds: float
    output: ArtifactRef | None
    """Capped, head and tail kept."""
    detail: str = ""
    count: int | None = None
    """Findings, for checks judged by "not worse than the base"."""
    ran_nothing: bool = False
    """A test runner was content, and said that it had no test to run."""
    coverage: ArtifactRef | None = None
    """The report on which lines it ran, where it was green and left one."""


class CheckResult(Contract):
    """One required check on one exact tree."""

    name: str
    kind: str
    argv: tuple[str, ...]
    required: bool
    status: CheckStatus
    attempts: tuple[CheckAttempt, ...]
    base_count: int | None = None


class ChecksReport(Contract):
    """``checks/checks.json``: every check on the exact merge result (P4)."""

    schema_version: Literal[1] = 1
    commit_sha: str
    """The commit that was tested: the merge result of base and change, or the base itself."""
    tree_sha: str
    base_sha: str
    head_sha: str
    environment: str
    """Digest of the check environment."""
    sandbox: str
    """Which sandbox ran them, for example ``bubblewrap 0.11.0``."""
    results: tuple[CheckResult, ...]
    prepared_again: tuple[str, ...] = ()
    """Files of the change that decide the environment: it was prepared from the merge result, not from the base."""


class FailedCheck(Contract):
    """A check that is not green, as reports show it (runbook §6.2)."""

    name: str
    kind: str
    tree: Literal["merge", "base", "ci"]
    """Whether it failed on the merge result, on the base already, or in the forge's own CI."""
    required: bool
    status: CheckStatus
    exit_code: int | None
    """Of the last attempt, as the next fields; None when it was killed or never ran."""
    seconds: float
    attempts: int
    detail: str
    first_lines: tuple[str, ...]
    last_lines: tuple[str, ...]
    """What the first lines do not show already."""
    output: str
    """Name of the artifact with all of the output, or empty."""
    link: str = ""
    """Where the forge's CI shows it."""


class Receipt(Contract):
    """Proof that one preflight check was really made (runbook §3)."""

    name: str
    verdict: Verdict
    artifacts: tuple[ArtifactRef, ...] = ()


class PreflightReport(Contract):
    """``preflight.json``: six receipts, bound to a run."""

    schema_version: Literal[1] = 1
    run_id: str
    base_sha: str
    policy_digest: str
    receipts: tuple[Receipt, ...]
