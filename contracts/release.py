"""``release_decision.json``."""

from typing import Literal

from contracts.artifact import Contract
from contracts.modes import Mode, Outcome, RiskLevel
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
