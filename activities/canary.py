"""One round of probes on the exact merge result, before it may land (P4)."""

from __future__ import annotations

from dataclasses import dataclass

from temporalio import activity

from activities.api import PROBE_CANARY
from activities.heartbeat import heartbeating
from activities.probing import ProbeRoom
from activities.workbench import Workbench
from contracts.audit import AuditEvent
from contracts.change import Change
from contracts.merge_work import ProbeInput
from contracts.merging import ProbeRound
from contracts.modes import Role
from contracts.verdict import Fact
from policies.counted import shortened
from policies.health import overall
from ports.crashpoints import crashpoint


@dataclass(frozen=True)
class Canary:
    """Asks; the workflow keeps the time, release judges."""

    bench: Workbench
    probes: ProbeRoom

    @activity.defn(name=PROBE_CANARY.name, no_thread_cancel_exception=True)
    def probe_canary(self, given: ProbeInput) -> ProbeRound:
        """Every probe of the target, once."""
        with heartbeating() as alive:
            policy, wanted = self.bench.pinned_policy(given.run), given.candidate
            refs = {ref.name: ref for ref in given.artifacts}
            change = Change.model_validate_json(self.bench.store.get(refs["change.json"]))
            repository = self.bench.repositories(policy.target)
            # Any worker may ask: it makes the merge result anew, and it is the same commit or none.
            repository.fetch_base()
            repository.unbundle(self.bench.store.get(refs["change.bundle"]), change.base_sha, change.head_sha)
            merge = repository.merge(wanted.base_sha, wanted.head_sha, wanted.commit_message)
            if merge.commit != wanted.merge_sha:
                raise ValueError(f"the merge result is {merge.commit or 'in conflict'}, not {wanted.merge_sha}")
            results = self.probes.probe(policy, wanted.merge_sha, wanted.base_sha, alive)
            health = overall(results)
            facts: dict[str, Fact] = {"mergeSha": wanted.merge_sha, "round": given.round, "health": health}
            facts |= {f"probe {result.name}": f"{result.health}: {shortened(result.detail, 200)}" for result in results}
            info = activity.info()
            event = AuditEvent(key=f"canary/{info.activity_id}", role=Role.CHECKS, event="canary probed", facts=facts)
            crashpoint("canary.before_done")
            head = self.bench.record(given.run.run_id, (event,), info.started_time)
            crashpoint("canary.after_done")
            return ProbeRound(health=health, results=results, audit_head=head)
