"""``release_decision.json``, and what it was made from: ``release_facts.json``."""

from datetime import date
from typing import Literal

from contracts.artifact import Contract
from contracts.change import Change, ChangedPath
from contracts.evidence import ChecksReport, ReviewReport
from contracts.modes import Mode, Outcome, RiskLevel
from contracts.task import TaskContract
from contracts.verdict import Verdict


class RiskScore(Contract):
    """The five inputs of the risk score (task contracts), each 0.0 to 1.0, and what they add up to."""

    files_touched: float
    sensitive_paths: float
    runtime_impact: float
    test_coverage: float
    past_failures: float
    total: float
    level: RiskLevel


class Rejection(Contract):
    """What a rejection states (task contracts)."""

    reason_code: str
    failed_gate: str
    recommended_remediation: str
    can_retry: bool
    retry_after: str | None = None
    """ISO date, or None when retrying at once is fine or pointless."""


class ReleaseDecision(Contract):
    """The outcome policy allows, and the whole verdict tree that led there."""

    schema_version: Literal[1] = 1
    run_id: str
    task_id: str
    mode: Mode
    head_sha: str
    base_sha: str
    merge_tree_sha: str
    policy_digest: str
    contract_digest: str
    """Digest of the contract's terms (without its run id and state)."""
    outcome: Outcome
    risk: RiskScore
    verdict: Verdict
    rejection: Rejection | None = None


class KeptFacts(Contract):
    """``release_facts.json``: all that a release decision was made from but the policy, which its run keeps.

    The same facts under the same policy and rules give the same decision, at any later time (P12).
    """

    schema_version: Literal[1] = 1
    run_id: str
    today: date
    mode: Mode
    contract: TaskContract
    change: Change
    base_paths: tuple[str, ...]
    """Of the base only those, files and folders, that an added path could be taken for."""
    review: ReviewReport
    checks: ChecksReport
    pinned_contract: str
    """Digest of the contract's terms, when it was approved."""
    pinned_policy: str
    pinned_base: str
    pinned_head: str
    policy_digest_now: str
    base_now: str
    merge_tree_sha: str
    merge_conflicts: tuple[str, ...]
    past_failures: int
    approved_by: str
    canary_passed: bool
    not_earned: str = ""
    granted: tuple[ChangedPath, ...] = ()
    from_quarantine: str = ""
    unproved: tuple[str, ...] = ()


class OtherDecision(Contract):
    """A past release decision that another policy would have made otherwise."""

    run_id: str
    target: str
    decided: Outcome
    would_be: Outcome
    because: str
    """What would have decided."""
    became: str = ""
    """What a person made of its pull request since: ``MERGED by ann``; empty: nothing is known."""


class WhatIf(Contract):
    """All past release decisions, made again under another policy (runbook §11: thresholds adjusted cautiously)."""

    decisions: int
    """How many were made again."""
    others: tuple[OtherDecision, ...]
    """Those that would have come out otherwise, newest first."""
    left_out: dict[str, str] = {}
    """Run id to why its decision could not be made again: it says nothing of this policy."""
