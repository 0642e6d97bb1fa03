"""The review of a run after its merge or close (runbook §10): ``post_run_review.json``, filled in as time goes by.

Nothing has to be awake for thirty days: what the base was at a moment stands in its history, and is read there at any
later time. A moment that was read once stays as it was then, also when people replace the history afterwards.
"""

from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from pydantic import ValidationError
from temporalio import activity

from activities.api import REVIEW_LATER
from activities.governance.past_decisions import NotKept, read_kept
from activities.heartbeat import heartbeating
from activities.step_session import recorded_among, written
from activities.work_folder import work_folder
from contracts.later_review import (
    DAYS,
    LATER_REVIEW,
    Fate,
    LaterReview,
    LaterReviewInput,
    Moment,
    Objective,
    Said,
)
from contracts.release import ReleaseDecision
from contracts.report import RunReport
from contracts.rollback import US, Merged
from contracts.task import TaskContract
from policies.after import later_review as rules
from policies.counted import shortened
from policies.settings.schema import EffectivePolicy
from ports.forge import ForgeError, OpenForge
from ports.measures import Look, MeasureError, Measures
from ports.policy_source import PolicyError, PolicySource
from ports.repository import OpenRepository, Repository, RepositoryError
from ports.sandbox import SandboxUnavailable
from ports.store import ArtifactStore, StoreError

_LINE = 20_000
"""Commits of the base that are looked through for who reverted a merge."""
_FINAL = frozenset({Fate.KEPT, Fate.REWRITTEN, Fate.REVERTED})
_LOOKED_AT_LATER = "its mirror, forge or sandbox could not be asked"


@dataclass(frozen=True)
class LaterReviews:
    """Looks at what became of a run's change; moves no ref and writes to no forge."""

    store: ArtifactStore
    policies: PolicySource
    repositories: OpenRepository
    forges: OpenForge
    measures: Measures | None = None
    """None: the objective is not measured here, but by a worker."""
    scratch: Path = Path()
    show: Callable[[LaterReview], None] = lambda _review: None
    """Puts it onto the run's page."""

    @activity.defn(name=REVIEW_LATER.name, no_thread_cancel_exception=True)
    def review(self, request: LaterReviewInput) -> LaterReview:
        """Once a run's follow-up has ended.

        Raises:
            StoreError: it cannot be kept; tried again.
        """
        with heartbeating() as alive:
            found = self.look(request, {}, alive)
            self.keep(found)
            return found

    def keep(self, found: LaterReview) -> None:
        """Beside the run's other artifacts, and on its page.

        Raises:
            StoreError: it cannot be kept.
        """
        self.store.put(found.run_id, LATER_REVIEW, written(found))
        self.show(found)

    def kept(self, run_id: str) -> LaterReview | None:
        """As it was kept; None where it never was, or is damaged: it is made again."""
        try:
            return read_kept(self.store, run_id, LATER_REVIEW, LaterReview)
        except NotKept:
            return None

    def again(self, run_id: str, now: datetime, before: Callable[[], None] = lambda: None) -> LaterReview | None:
        """As it was kept, with the moments that have come since; None: the run was not reviewed yet.

        ``before``: called before the remote is asked.
        """
        known = self.kept(run_id)
        if known is None or known.merged is None:
            return known
        due = any(each.fate not in _FINAL and each.at <= now for each in known.moments)
        request = LaterReviewInput(
            run=known.merged.run,
            ended=known.ended,
            now=now,
            pull_request=known.pull_request,
            merged=known.merged,
            rolled_back=known.rolled_back,
        )
        if not due:
            return known
        before()
        return self.look(request, {})

    def look(
        self, request: LaterReviewInput, heads: MutableMapping[str, str], alive: Callable[[], None] = lambda: None
    ) -> LaterReview:
        """What is known already, and what has become known since.

        Args:
            request: how the run ended, as the target's log or its follow-up says.
            heads: the bases that were fetched already, by target; this one's is added.
            alive: raises once nobody waits for the answer.
        """
        known, run = self.kept(request.run.run_id), request.run
        found = LaterReview(
            run_id=run.run_id,
            target=run.target,
            sentence="",
            pull_request=request.pull_request,
            ended=request.ended,
            merged=request.merged,
            objective=known.objective if known else None,
            moments=known.moments if known and request.merged else (),
            said=known.said if known else (),
            rolled_back=request.rolled_back,
            cost_usd=self._cost(run.run_id),
            looked_at=request.now,
        )
        try:
            policy = self._policy(request)
        except (StoreError, PolicyError, ValidationError) as problem:
            unknown = request.merged and tuple(_unknown(each, str(problem)) for each in _moments(found, request))
            return self._judged(found.model_copy(update={"moments": unknown or found.moments}))
        more: dict[str, object] = {}
        if request.merged:
            more["moments"] = tuple(self._moment(policy, request, each, heads) for each in _moments(found, request))
            if self.measures and (found.objective is None or found.objective.achieved is None):
                more["objective"] = self._objective(policy, request.run.run_id, request.merged, alive)
        if known is None or more.get("moments", ()) != known.moments:
            more["said"] = self._said(policy, request.pull_request) or found.said
        return self._judged(found.model_copy(update=more))

    def _judged(self, found: LaterReview) -> LaterReview:
        try:
            risk = read_kept(self.store, found.run_id, "release_decision.json", ReleaseDecision).risk
        except NotKept:
            risk = None
        return rules.judged(found, risk)

    def _cost(self, run_id: str) -> float | None:
        try:
            return read_kept(self.store, run_id, "run_report.json", RunReport).review.cost_usd
        except NotKept:
            return None

    def _policy(self, request: LaterReviewInput) -> EffectivePolicy:
        """The pinned one; where it was pruned, the target's as it is now: where the repository is, both say."""
        try:
            return EffectivePolicy.model_validate_json(self.store.get(request.run.policy.artifact))
        except (StoreError, ValidationError):
            return self.policies.effective(request.run.target)

    def _moment(
        self, policy: EffectivePolicy, request: LaterReviewInput, moment: Moment, heads: MutableMapping[str, str]
    ) -> Moment:
        merged = request.merged
        if moment.fate in _FINAL or moment.at > request.now or merged is None:
            return moment
        try:
            repository, target = self.repositories(policy.target), request.run.target
            head = heads[target] if target in heads else heads.setdefault(target, repository.fetch_base())
            return _seen(repository, merged, moment, head, rolled_back=request.rolled_back)
        except RepositoryError as problem:
            return _unknown(moment, str(problem))

    def _objective(
        self, policy: EffectivePolicy, run_id: str, merged: Merged, alive: Callable[[], None]
    ) -> Objective | None:
        """Counted on the merge itself: what others did later is no doing of this run."""
        try:
            contract = read_kept(self.store, run_id, "task_contract.json", TaskContract)
        except NotKept:
            return None
        counted = Objective(
            metric=contract.metric,
            before=contract.metric_before,
            expected=contract.metric_before + contract.expected_metric_delta,
            achieved=None,
            commit=merged.merge_sha,
        )
        try:
            with work_folder(self.scratch, "measure") as tree:
                self.repositories(policy.target).checkout(merged.merge_sha, tree)
                look = Look(tree, policy, alive, recorded=self._recorded(run_id))
                return counted.model_copy(update={"achieved": self._measured(contract, look)})
        except (RepositoryError, MeasureError, SandboxUnavailable, StoreError) as problem:
            return counted.model_copy(update={"note": shortened(str(problem), 500)})

    def _measured(self, contract: TaskContract, look: Look) -> int | None:
        return self.measures.count(contract, look).left if self.measures else None

    def _recorded(self, run_id: str) -> Mapping[str, bytes]:
        names = recorded_among(self.store.names(run_id))
        found = {key: self.store.find(run_id, name) for key, name in names.items()}
        return {key: self.store.get(ref) for key, ref in found.items() if ref}

    def _said(self, policy: EffectivePolicy, number: int) -> tuple[Said, ...]:
        """What cannot be asked for now is asked for when the next moment is looked at."""
        try:
            comments = self.forges(policy.target).comments(number) if number else ()
        except ForgeError as problem:
            activity.logger.warning("comments on pull request %s of %s: %s", number, policy.target.name, problem)
            return ()
        return rules.words(comments, policy.target.forge_access.account)


def _moments(found: LaterReview, request: LaterReviewInput) -> tuple[Moment, ...]:
    """Those that are known, and the others yet to be looked at."""
    if request.merged is None:
        return ()
    begun, known = request.merged.merged_at, {each.days: each for each in found.moments if each.fate in _FINAL}
    return tuple(
        known.get(days) or Moment(days=days, at=begun + timedelta(days=days), fate=Fate.NOT_YET) for days in DAYS
    )


def _unknown(moment: Moment, reason: str) -> Moment:
    return moment.model_copy(update={"fate": Fate.UNKNOWN, "note": f"{_LOOKED_AT_LATER}: {shortened(reason, 300)}"})


def _seen(repository: Repository, merged: Merged, moment: Moment, head: str, *, rolled_back: bool) -> Moment:
    """A merge on the base as it was at that moment.

    Raises:
        RepositoryError: it cannot be found out.
    """
    at, replaced = repository.commit_at(head, moment.at), not repository.contains(head, merged.merge_sha)
    if not at or (not replaced and repository.contains(merged.merge_sha, at)):
        # Clocks differ: whoever committed it did so before the merge says that it was made.
        at = head if replaced else merged.merge_sha
    parent, merge = merged.parent_sha, merged.merge_sha
    lines = repository.survival(parent, merge, at)
    undone: frozenset[str] = frozenset()
    changed = frozenset(each.path for each in repository.changed_paths(parent, merge))
    if lines.standing < lines.added or not lines.added:
        undone = repository.taken_out(merge, parent, at)
    note = "the base's history was replaced: looked for by its lines" if replaced else ""
    seen = {
        "commit": at,
        "added": lines.added,
        "standing": lines.standing,
        "fate": rules.fate(lines.added, lines.standing, undone, changed),
        "note": note,
    }
    if seen["fate"] is Fate.REVERTED and not replaced:
        seen |= _reverted_by(repository, merged, at, changed, rolled_back=rolled_back)
    return moment.model_copy(update=seen)


def _reverted_by(
    repository: Repository, merged: Merged, at: str, changed: frozenset[str], *, rolled_back: bool
) -> dict[str, str]:
    """The first commit of the base's own line that holds nothing of the merge, and who wrote it."""
    line = repository.line(at, _LINE)
    after = line[: line.index(merged.merge_sha)] if merged.merge_sha in line else line[:1]
    low, high = 0, len(after) - 1
    # Newest first; it is undone in the newest, and not in the merge.
    while low < high:
        middle = (low + high + 1) // 2
        if changed <= repository.taken_out(merged.merge_sha, merged.parent_sha, after[middle]):
            low = middle
        else:
            high = middle - 1
    landing = repository.landing(after[low], at)
    who = landing.author or landing.who if landing else ""
    return {"by": US if rolled_back else who, "note": f"by {after[low]}"}
