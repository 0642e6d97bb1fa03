"""Which policy an incident is kept under, and its log's head in the mirror."""

from __future__ import annotations

from temporalio import activity

from activities.workbench import Workbench
from policies.schema import EffectivePolicy
from ports.policy_source import PolicyError
from ports.repository import RepositoryError


def incident_policy(bench: Workbench, target: str, run_id: str) -> EffectivePolicy:
    """The one its run started under; the current one when the run has none.

    Raises:
        PolicyError: there is none pinned, and the files cannot be used.
    """
    pinned = bench.store.find(run_id, "policy.json")
    if pinned is None:
        return bench.policies.effective(target)
    return EffectivePolicy.model_validate_json(bench.store.get(pinned))


def anchor_log(bench: Workbench, target: str, incident: str, head: str) -> None:
    """Keep the head of ``run/<incident>`` in the mirror (P10)."""
    try:
        bench.repositories(bench.policies.effective(target).target).anchor(f"run/{incident}", head)
    except (PolicyError, RepositoryError) as problem:
        # The head is in the Temporal history, too; the next record anchors again.
        activity.logger.warning("head of run/%s not anchored in the mirror: %s", incident, problem)
