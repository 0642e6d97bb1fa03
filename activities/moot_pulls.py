"""Open pull requests of ours with nothing left to change: a person made the same change on the base meanwhile."""

from __future__ import annotations

from activities.workbench import Sitting, Workbench
from contracts.change import Change
from contracts.handover import PlannedWrite
from contracts.modes import WriteAction
from contracts.pull_request import PullRequest
from contracts.task import MootPullRequest
from policies.pull_request_text import already_on_base
from ports.repository import Repository, RepositoryError
from ports.store import StoreError


def moot(sitting: Sitting, pull: PullRequest) -> bool:
    """Whether merging it would change nothing. Only of runs that have ended; not knowing is no."""
    if pull.state != "open" or pull.base_branch != sitting.policy.target.base_branch:
        return False
    return sitting.bench.store.find(pull.run_id, "run_report.json") is not None and on_base(sitting, pull)


def on_base(sitting: Sitting, pull: PullRequest) -> bool:
    """Whether the base holds everything that the pull request changes, however it came there."""
    base, repository = sitting.given.base_sha, sitting.repository
    bring(sitting.bench, repository, pull.run_id)
    try:
        merged = repository.merge(base, pull.head_sha)
        return merged.clean and merged.tree == repository.tree_of(base)
    except RepositoryError:
        # A head that is not ours: somebody pushed to the branch.
        return False


def bring(bench: Workbench, repository: Repository, run_id: str) -> Change | None:
    """A run's change, its commits in the mirror; None when nothing of it can be read any more."""
    change, bundle = bench.store.find(run_id, "change.json"), bench.store.find(run_id, "change.bundle")
    if change is None or bundle is None:
        return None
    try:
        made = Change.model_validate_json(bench.store.get(change))
        repository.unbundle(bench.store.get(bundle), made.base_sha, made.head_sha)
    except (StoreError, RepositoryError, ValueError):
        return None
    return made


def moot_of(pull: PullRequest) -> MootPullRequest:
    """What a run must know of a pull request that it closes."""
    return MootPullRequest(
        number=pull.number,
        branch=pull.branch,
        task_id=pull.task_id,
        url=pull.url,
        run_id=pull.run_id,
        head_sha=pull.head_sha,
    )


def closing_text(of_run: str) -> str:
    """Name of the artifact with the closing text of that run's pull request."""
    return f"pull_request_closed-{of_run}.md"


def closing(sitting: Sitting, pull: MootPullRequest, reason: str = "") -> PlannedWrite:
    """Close it; its own text stays, with the reason below: the base holds it, unless another is given."""
    store, base = sitting.bench.store, sitting.given.base_sha
    opened = store.find(pull.run_id, "pull_request.md")
    text = store.get(opened) if opened else b""
    reason = reason or already_on_base(sitting.policy.target.base_branch, base)
    kept = sitting.save(closing_text(pull.run_id), text + reason.encode(), "text/markdown")
    sitting.note("moot pull request", number=pull.number, ofRun=pull.run_id, base=base)
    return PlannedWrite(
        action=WriteAction.CLOSE_PULL_REQUEST,
        task_id=pull.task_id or "",
        branch=pull.branch,
        base_branch=sitting.policy.target.base_branch,
        base_sha=base,
        head_sha=pull.head_sha,
        body_sha256=kept.sha256,
        of_run=pull.run_id,
    )
