"""The weekly governance review: gathered, judged, kept as ``governance_review.json`` and as a page (runbook §11)."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from temporalio import activity

from activities.after.later_reviews import LaterReviews
from activities.api import REVIEW_GOVERNANCE
from activities.governance.gathering import Gathering
from activities.governance.kept_proposals import KeptProposals
from activities.governance.past_decisions import NotKept, PastDecisions, read_kept
from activities.heartbeat import heartbeating
from activities.step_session import written
from contracts.governance import GovernanceReport, ReviewInput, ReviewKept, review_place
from contracts.later_review import LaterReview, LaterReviewInput
from policies.governance.edits import applied, patch
from policies.governance.proposals import FILE, propose
from policies.governance.review import governance_review
from ports.crashpoints import crashpoint
from ports.policy_source import PolicyError, PolicySource
from ports.store import ArtifactStore, AuditLog, RunIndex

_REPORT = "governance_review.json"
_REMEMBERED = 52
"""Weeks whose proposals are never taken back."""


@dataclass(frozen=True)
class GovernanceReviewing:
    """Reads what runs left; moves no ref, changes no policy."""

    store: ArtifactStore
    audit: AuditLog
    index: RunIndex
    policies: PolicySource
    render: Callable[[GovernanceReport], str]
    later: LaterReviews | None = None
    """Looks at what became of merges; None: nobody does."""

    @activity.defn(name=REVIEW_GOVERNANCE.name, no_thread_cancel_exception=True)
    def review(self, request: ReviewInput) -> ReviewKept:
        """Of the given window.

        Raises:
            StoreError: the logs cannot be listed, or the review cannot be kept; tried again.
        """
        with heartbeating() as alive:
            found, place = self.report(request.since, request.until, alive), review_place(request.until)
            if found.proposal:
                KeptProposals(self.store).keep(found.proposal)
            report = self.store.put(place, _REPORT, written(found))
            crashpoint("review_governance.after_report")
            page = self.store.put(place, "governance_review.html", self.render(found).encode(), "text/html")
            crashpoint("review_governance.after_effect")
            return ReviewKept(sentence=found.sentence, report=report, page=page, address=self.store.address(place))

    def report(self, since: datetime, until: datetime, alive: Callable[[], None] | None = None) -> GovernanceReport:
        """The review with its proposal.

        ``alive``: of a worker's step, which keeps what has become of runs since; without it nothing is kept.
        """
        gathering = Gathering(self.store, self.audit, self.policies, self._looking(alive))
        found = governance_review(gathering.facts(since, until))
        try:
            text = self.policies.text(FILE)
            proposal = propose(found, text, self._earlier(until), KeptProposals(self.store).withdrawn())
            if isinstance(proposal, str):
                return found.model_copy(update={"no_proposal": proposal})
            changed = applied(text, proposal)
            if changed.problem:
                return found.model_copy(update={"no_proposal": changed.problem})
            other = self.policies.instead({FILE: changed.text.encode()})
            replayed = PastDecisions(self.store, self.index).under(other.effective)
        except PolicyError as problem:
            return found.model_copy(update={"no_proposal": f"the policy cannot be read: {problem}"})
        proposal = proposal.model_copy(update={"what_if": replayed})
        return found.model_copy(update={"proposal": proposal, "patch": patch(text, proposal)})

    def _looking(self, alive: Callable[[], None] | None) -> Callable[[LaterReviewInput], LaterReview | None]:
        """One fetch of each target's base, whatever merged there."""
        later, heads = self.later, dict[str, str]()

        def look(request: LaterReviewInput) -> LaterReview | None:
            if later is None:
                return None
            if alive is None:
                return later.look(request, heads)
            known, found = later.kept(request.run.run_id), later.look(request, heads, alive)
            if known is None or found != known.model_copy(update={"looked_at": found.looked_at}):
                later.keep(found)
            return found

        return look

    def _earlier(self, until: datetime) -> list[GovernanceReport]:
        """Reviews of the weeks before, newest first; one that is lost or damaged says nothing."""
        found = []
        for week in range(1, _REMEMBERED + 1):
            try:
                found.append(
                    read_kept(self.store, review_place(until - timedelta(weeks=week)), _REPORT, GovernanceReport)
                )
            except NotKept:
                continue
        return found
