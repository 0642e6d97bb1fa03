"""Past runs by who coded in them, read from what they left; changes nothing."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from pydantic import ValidationError

from activities.governance.past_decisions import NotKept, read_kept
from contracts.later_review import LATER_REVIEW, Fate, LaterReview
from contracts.modes import RunKind
from contracts.report import IndexedRun, RunReport
from policies.agents.compared import Coded, Standing, compared, turned_down, who_coded
from policies.settings.schema import EffectivePolicy
from policies.task.asked import coder
from ports.store import ArtifactStore, RunIndex, StoreError

_ALL = 1_000_000


@dataclass
class ComparedAgents:
    """Which of them is worth its money."""

    store: ArtifactStore
    index: RunIndex
    left_out: dict[str, str] = field(default_factory=dict)
    """Runs whose papers cannot be read, and why."""
    _policies: dict[str, EffectivePolicy] = field(default_factory=dict)
    """By digest: many runs have the same."""

    def standings(self, target: str | None = None) -> tuple[Standing, ...]:
        """A row for each coder.

        Raises:
            StoreError: the list of ended runs cannot be read.
        """
        return compared(self._coded(target))

    def _coded(self, target: str | None) -> Iterator[Coded]:
        runs = [run for run in self.index.latest(_ALL, target) if run.kind is RunKind.DAILY and run.task_id]
        for run in runs:
            try:
                report = read_kept(self.store, run.run_id, "run_report.json", RunReport)
                who = self._coder(report)
            except NotKept as reason:
                self.left_out[run.run_id] = str(reason)
                continue
            yield Coded(
                who=who,
                mode=run.mode,
                status=run.status,
                became=run.became,
                pull_request=run.pull_request is not None,
                closed_by_us=run.closed_by_us,
                reverted=self._reverted(run),
                turned_down=turned_down(report),
                usd=report.review.cost_usd,
            )

    def _coder(self, report: RunReport) -> str:
        pinned = report.run.policy
        if pinned.digest not in self._policies:
            try:
                policy = EffectivePolicy.model_validate_json(self.store.get(pinned.artifact))
            except (StoreError, ValidationError) as damage:
                raise NotKept(f"its policy cannot be read: {damage}") from damage
            self._policies[pinned.digest] = policy
        return who_coded(coder(self._policies[pinned.digest], report.run.asked))

    def _reverted(self, run: IndexedRun) -> bool:
        try:
            later = read_kept(self.store, run.run_id, LATER_REVIEW, LaterReview)
        except NotKept:
            # Most runs have none: nobody has answered yet.
            return False
        return any(moment.fate is Fate.REVERTED for moment in later.moments)
