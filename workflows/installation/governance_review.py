"""``GovernanceReview``: the weekly review over all targets (runbook §11), started by a Schedule, a person or the UI."""

from datetime import timedelta

from temporalio import workflow
from temporalio.common import RawValue

with workflow.unsafe.imports_passed_through():
    from activities.api import REVIEW_GOVERNANCE
    from contracts.governance import ReviewInput, ReviewKept
    from workflows import api
    from workflows.messages.starts import read_review


@workflow.defn(name=api.GOVERNANCE_REVIEW)
class GovernanceReview:
    """One step: everything it reads is on disk, and what it writes is the same when it is written again."""

    @workflow.run
    async def run(self, spec: RawValue = None) -> ReviewKept:  # type: ignore[assignment]
        """Of the days before now; one week's later reviews take the place of its earlier ones."""
        request, until = read_review(spec), workflow.now()
        start = ReviewInput(since=until - timedelta(days=request.days), until=until)
        kept = await REVIEW_GOVERNANCE(start, f"the review of {request.days} days")
        workflow.set_current_details(f"{kept.sentence}\n\n{kept.address}")
        return kept
