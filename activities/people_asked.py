"""Open pull requests of ended runs on which somebody requested changes: acknowledged once, closed after a time."""

from __future__ import annotations

from temporalio import activity

from activities.moot_pulls import closing, moot_of
from activities.workbench import Sitting
from contracts.forge_facts import ABOUT_CHANGES, commented
from contracts.handover import PlannedWrite
from contracts.modes import WriteAction
from contracts.pull_request import PullRequest
from policies.requested_changes import acknowledgement, asking, closed_unanswered, over


def acknowledging_text(of_run: str) -> str:
    """Name of the artifact with what is said on that run's pull request."""
    return f"pull_request_changes-{of_run}.md"


def answers(sitting: Sitting, opened: list[PullRequest]) -> tuple[PlannedWrite, ...]:
    """What is to be said or closed.

    Raises:
        ForgeError: could not be asked; the step is tried again.
    """
    forge, account = sitting.bench.forges(sitting.policy.target), sitting.policy.target.forge_access.account
    days, now = sitting.policy.autopilot.follow_up.changes_days, activity.info().started_time
    planned = []
    for pull in opened:
        if not pull.run_id or sitting.bench.store.find(pull.run_id, "run_report.json") is None:
            continue
        asks = asking(forge.human_acts(pull.number), account)
        if over(asks, days, now):
            planned.append(closing(sitting, moot_of(pull), closed_unanswered(asks, days)))
        elif asks and not commented(forge.comments(pull.number), pull.number, ABOUT_CHANGES):
            # By whichever run: each writes under keys of its own.
            text, by = acknowledgement(asks, days).encode(), ", ".join(act.actor for act in asks)
            sitting.save(acknowledging_text(pull.run_id), text, "text/markdown")
            sitting.note("changes requested", number=pull.number, ofRun=pull.run_id, by=by)
            planned.append(_comment(sitting, pull))
    return tuple(planned)


def _comment(sitting: Sitting, pull: PullRequest) -> PlannedWrite:
    return PlannedWrite(
        action=WriteAction.COMMENT,
        task_id=pull.task_id or "",
        branch=pull.branch,
        base_branch=pull.base_branch,
        base_sha=sitting.given.base_sha,
        head_sha=pull.head_sha,
        of_run=pull.run_id,
        number=pull.number,
    )
