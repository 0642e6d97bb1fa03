"""What an agent left in Coding: kept, and gone on from in its round and the next, of the same base and contract."""

from pathlib import Path

from temporalio import activity

from activities.step_session import StepSession, written
from contracts.artifact import ArtifactRef
from contracts.exchange import PartialTree
from contracts.task import TaskContract
from policies.counted import shortened
from policies.digests import digest, sha256_hex
from policies.texts.pull_request import commit_message
from ports.repository import RepositoryError
from ports.store import StoreError

_TOLD = "agent/partial.json"
_BUNDLE = "agent/partial.bundle"


def keep_tree(
    session: StepSession, contract: TaskContract, tree: Path, began: PartialTree | None, *, done: bool
) -> None:
    """Keep it where it is done, or differs from where it began; it is judged when a step hands it over as its change.

    The audit log has it before its name shows it: an attempt that dies in between leaves the one before.
    """
    base, repository = session.input.base_sha, session.repository
    head = repository.commit_tree(base, tree, commit_message(contract))
    if not done and repository.tree_of(head) == repository.tree_of(began.head_sha if began else base):
        return
    bundle = session.save(_BUNDLE, repository.bundle(base, head), "application/x-git-bundle")
    told = PartialTree(
        base_sha=base,
        head_sha=head,
        contract=digest(contract),
        round=session.input.round,
        done=done,
        bundle=bundle,
    )
    session.vouch("partial tree kept", _TOLD, sha256_hex(written(told)), {"headSha": head, "done": done})
    session.save(_TOLD, told)


def kept_tree(session: StepSession, contract: TaskContract) -> PartialTree | None:
    """The one to go on from, in the mirror: what this round has left so far, else what the round before handed on.

    None: there is none of this base and contract, or it cannot be read: the agent begins from the base.
    """
    handed = next((ref for ref in session.input.artifacts if ref.name == _TOLD), None)
    left = _left(session)
    kept = _usable(session, contract, left) if left else None
    if left is None or kept is None or kept.round != session.input.round:
        # Another round's: of one that a reset took back, say.
        kept = _usable(session, contract, handed) if handed else None
    else:
        # Of an attempt whose result nobody has: this one's hands it on.
        session.outputs += [kept.bundle, left]
    if kept is not None:
        session.note("gone on from the partial tree", headSha=kept.head_sha, round=kept.round, done=kept.done)
    return kept


def _left(session: StepSession) -> ArtifactRef | None:
    """The latest one of the run, believed as far as the run's own audit log vouches for it (P6, P10)."""
    run_id = session.run.run_id
    try:
        told = session.bench.store.find(run_id, _TOLD)
        if told is None:
            return None
        vouched = {each for record in session.bench.audit.records(f"run/{run_id}") for each in record.artifacts}
    except StoreError as problem:
        _lost(session, str(problem))
        return None
    if told.sha256 not in vouched:
        _lost(session, f"{_TOLD} is not one that the run's audit log names")
        return None
    return told


def _usable(session: StepSession, contract: TaskContract, told: ArtifactRef) -> PartialTree | None:
    try:
        kept = PartialTree.model_validate_json(session.bench.store.get(told))
        if (kept.base_sha, kept.contract) != (session.input.base_sha, digest(contract)):
            return None
        session.repository.unbundle(session.bench.store.get(kept.bundle), kept.base_sha, kept.head_sha)
    except (StoreError, RepositoryError, ValueError) as problem:
        _lost(session, str(problem))
        return None
    return kept


def _lost(session: StepSession, problem: str) -> None:
    activity.logger.warning("what the agent left is not gone on from: %s", problem)
    session.note("partial tree lost", problem=shortened(problem, 300))
