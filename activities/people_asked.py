"""Open pull requests of ended runs on which somebody requested changes: acknowledged once, closed after a time."""

from __future__ import annotations

from temporalio import activity

from activities.moot_pulls import closing, run_of
from activities.workbench import Sitting
from contracts.handover import PlannedWrite
from contracts.modes import WriteAction
from contracts.pull_request import PullRequest
from contracts.task import MootPullRequest
from policies.requested_changes import acknowledgement, asking, closed_unanswered, over
from ports.forge import Forge

_ABOUT = "changes"


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
        run_id = run_of(pull)
        if not run_id or sitting.bench.store.find(run_id, "run_report.json") is None:
            continue
        asks = asking(forge.human_acts(pull.number), account)
        if over(asks, days, now):
            expired = MootPullRequest(
                number=pull.number,
                branch=pull.branch,
                task_id=pull.task_id,
                url=pull.url,
                run_id=run_id,
                head_sha=pull.head_sha,
            )
            planned.append(closing(sitting, expired, closed_unanswered(asks, days)))
        elif asks and not _said(forge, pull):
            text = acknowledgement(asks, days).encode()
            sitting.save(acknowledging_text(run_id), text, "text/markdown")
            sitting.note("changes requested", number=pull.number, ofRun=run_id, by=", ".join(a.actor for a in asks))
            planned.append(_comment(sitting, pull))
    return tuple(planned)


def _said(forge: Forge, pull: PullRequest) -> bool:
    """By whichever run: each writes under keys of its own."""
    said = f"/comment-{pull.number}-{_ABOUT}"
    return any(comment.run_key.endswith(said) for comment in forge.comments(pull.number))


def _comment(sitting: Sitting, pull: PullRequest) -> PlannedWrite:
    return PlannedWrite(
        action=WriteAction.COMMENT,
        task_id=pull.task_id or "",
        branch=pull.branch,
        base_branch=pull.base_branch,
        base_sha=sitting.given.base_sha,
        head_sha=pull.head_sha,
        of_run=run_of(pull),
        number=pull.number,
    )
