"""The weekly governance review: gathered, judged, kept as ``governance_review.json`` and as a page (runbook §11)."""

from collections.abc import Callable
from dataclasses import dataclass

from temporalio import activity

from activities.api import REVIEW_GOVERNANCE
from activities.governance.gathering import Gathering
from activities.heartbeat import heartbeating
from activities.step_session import StepPorts, written
from contracts.governance import GovernanceReport, ReviewInput, ReviewKept
from policies.governance.review import governance_review


@dataclass(frozen=True)
class GovernanceReviewing:
    """Reads what runs left; moves no ref, changes no policy."""

    bench: StepPorts
    render: Callable[[GovernanceReport], str]

    @activity.defn(name=REVIEW_GOVERNANCE.name, no_thread_cancel_exception=True)
    def review(self, given: ReviewInput) -> ReviewKept:
        """Of the given window.

        Raises:
            StoreError: the logs cannot be listed, or the review cannot be kept; tried again.
        """
        with heartbeating():
            store = self.bench.store
            found = governance_review(Gathering(store, self.bench.audit).facts(given.since, given.until))
            report = store.put(given.place, "governance_review.json", written(found))
            page = store.put(given.place, "governance_review.html", self.render(found).encode(), "text/html")
            return ReviewKept(sentence=found.sentence, report=report, page=page, address=store.address(given.place))
