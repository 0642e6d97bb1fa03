"""Branches of ours whose pull request or canary is over: planned for removal, with the evidence kept first."""

from activities.run.strangers import Seen
from activities.step_session import StepSession
from contracts.handover import PlannedWrite
from contracts.modes import WriteAction
from contracts.pull_request import PullRequest
from policies.after.served_branches import Served, canary_of, served
from policies.counted import shortened
from ports.repository import RepositoryError

_MOST = 20
"""At a time; the next run goes on."""


def removals(
    session: StepSession, pulls: tuple[PullRequest, ...], heads: dict[str, str], seen: Seen
) -> tuple[PlannedWrite, ...]:
    """What may go, each with its commits on the base or in an artifact of this run."""
    store = session.bench.store
    runs = {run for run in map(canary_of, heads) if run}
    ended = {run for run in {*runs, *seen.writers} if store.find(run, "run_report.json") is not None}
    # A rollback has no report of its own; its pull request says that it is over.
    going = {run for run in seen.writers if not run.startswith("RB-")} - ended
    busy = {branch for run in going for branch in seen.writers[run]}
    found = served(pulls, heads, seen.booked.heads, busy, ended)[:_MOST]
    return tuple(_removal(session, one) for one in found if _kept(session, one))


def _kept(session: StepSession, one: Served) -> bool:
    """Whether what stands there is on the base, or a bundle of it is kept now."""
    base, repository = session.given.base_sha, session.repository
    try:
        if not repository.contains(base, one.head_sha):
            name = f"branches/{one.branch.replace('/', '-')}.bundle"
            session.save(name, repository.bundle(base, one.head_sha), "application/x-git-bundle")
    except RepositoryError as problem:
        session.note("branch left", branch=one.branch, head=one.head_sha, reason=shortened(str(problem), 300))
        return False
    session.note("branch served", branch=one.branch, head=one.head_sha, reason=one.why)
    return True


def _removal(session: StepSession, one: Served) -> PlannedWrite:
    return PlannedWrite(
        action=WriteAction.REMOVE_BRANCH,
        task_id="",
        branch=one.branch,
        base_branch=session.policy.target.base_branch,
        base_sha=session.given.base_sha,
        head_sha=one.head_sha,
        expected_old=one.head_sha,
        of_run=one.run_id,
    )
