"""Past release decisions under another policy (``starter.py policy what-if``, and before a proposal is made)."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from pydantic import ValidationError

from contracts.artifact import Contract
from contracts.release import KeptFacts, ReleaseDecision, WhatIf
from contracts.report import IndexedRun, RunReport
from policies.release.what_if import compared
from policies.settings.schema import EffectivePolicy
from ports.policy_source import UnknownTarget
from ports.store import ArtifactStore, RunIndex, StoreError

Model = TypeVar("Model", bound=Contract)
_ALL = 1_000_000


class NotKept(Exception):
    """What a run left is not there any more, or cannot be read."""


class NeverKept(NotKept):
    """It was never there, or is gone without a trace."""


def read_kept(store: ArtifactStore, run_id: str, name: str, model: type[Model]) -> Model:
    """An artifact of a run.

    Raises:
        NeverKept: it is not there.
        NotKept: it is damaged.
    """
    try:
        ref = store.find(run_id, name)
        if ref is None:
            raise NeverKept(f"{name} is not kept")
        return model.model_validate_json(store.get(ref))
    except (StoreError, ValidationError) as damage:
        raise NotKept(f"{name} cannot be read: {damage}") from damage


@dataclass(frozen=True)
class PastDecisions:
    """What ended runs decided and from which facts; changes nothing."""

    store: ArtifactStore
    index: RunIndex

    def under(
        self, other: Callable[[str], EffectivePolicy], target: str | None = None, since: datetime | None = None
    ) -> WhatIf:
        """Make every decision again.

        Args:
            other: a target's policy, as it would be.
            target: only its decisions; None: all targets'.
            since: only of runs that ended from then on; None: all there are.

        Raises:
            PolicyError: the other policy cannot be read. One that lacks a target says nothing of that target's runs.
            StoreError: the list of ended runs cannot be read.
        """
        made, others, left_out = 0, [], {}
        for run in self.runs(target, since):
            try:
                recorded, facts, then = self.facts(run.run_id)
                found = compared(recorded, facts, then, other(run.target), run.became)
            except (NotKept, UnknownTarget) as reason:
                left_out[run.run_id] = str(reason)
                continue
            if isinstance(found, str):
                left_out[run.run_id] = found
                continue
            made += 1
            others += [found] if found else []
        return WhatIf(decisions=made, others=tuple(others), left_out=left_out)

    def runs(self, target: str | None, since: datetime | None) -> Iterator[IndexedRun]:
        """Ended runs that came to a release decision, newest first."""
        for run in self.index.latest(_ALL, target):
            if run.outcome is not None and (since is None or run.ended_at >= since):
                yield run

    def facts(self, run_id: str) -> tuple[ReleaseDecision, KeptFacts, EffectivePolicy]:
        """A run's last decision, its facts, and the policy it was pinned to.

        Raises:
            NotKept: one of them is not kept or cannot be read.
        """
        report = read_kept(self.store, run_id, "run_report.json", RunReport)
        facts = read_kept(self.store, run_id, "release_facts.json", KeptFacts)
        recorded = read_kept(self.store, run_id, "release_decision.json", ReleaseDecision)
        try:
            policy = EffectivePolicy.model_validate_json(self.store.get(report.run.policy.artifact))
        except (StoreError, ValidationError) as damage:
            raise NotKept(f"its policy cannot be read: {damage}") from damage
        return recorded, facts, policy
