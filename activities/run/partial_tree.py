"""What an interrupted agent left: kept, and gone on from by the same step, of the same base and contract."""

from pathlib import Path

from temporalio import activity

from activities.step_session import StepSession
from contracts.exchange import PartialTree
from contracts.task import TaskContract
from policies.counted import shortened
from policies.digests import digest
from policies.texts.pull_request import commit_message
from ports.repository import RepositoryError
from ports.store import StoreError

_TOLD = "agent/partial.json"
_BUNDLE = "agent/partial.bundle"


def keep_tree(session: StepSession, contract: TaskContract, tree: Path) -> None:
    """Keep it where it differs from the base; nothing of it is judged before a step hands it over as its change."""
    base, repository = session.given.base_sha, session.repository
    head = repository.commit_tree(base, tree, commit_message(contract))
    if repository.tree_of(head) == repository.tree_of(base):
        return
    bundle = session.save(_BUNDLE, repository.bundle(base, head), "application/x-git-bundle")
    told = PartialTree(base_sha=base, head_sha=head, contract=digest(contract), bundle=bundle)
    session.save(_TOLD, told)
    session.note("partial tree kept", headSha=head)


def kept_tree(session: StepSession, contract: TaskContract) -> PartialTree | None:
    """The one to go on from, in the mirror; believed as far as the run's own audit log vouches for it (P6, P10).

    None: there is none of this base and contract, or it cannot be read: the agent begins from the base.
    """
    store, run_id = session.bench.store, session.run.run_id
    try:
        told = store.find(run_id, _TOLD)
        if told is None:
            return None
        vouched = {each for record in session.bench.audit.records(f"run/{run_id}") for each in record.artifacts}
        if told.sha256 not in vouched:
            session.note("partial tree lost", problem=f"{_TOLD} is not one that the run's audit log names")
            return None
        kept = PartialTree.model_validate_json(store.get(told))
        if (kept.base_sha, kept.contract) != (session.given.base_sha, digest(contract)):
            return None
        session.repository.unbundle(store.get(kept.bundle), kept.base_sha, kept.head_sha)
    except (StoreError, RepositoryError, ValueError) as problem:
        activity.logger.warning("what the agent left is not gone on from: %s", problem)
        session.note("partial tree lost", problem=shortened(str(problem), 300))
        return None
    session.note("gone on from the partial tree", headSha=kept.head_sha)
    return kept
