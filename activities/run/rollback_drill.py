"""The rollback drill: merge and revert for real in a scratch clone, with the code real rollbacks use (runbook §3)."""

from datetime import datetime, timedelta

from pydantic import AwareDatetime, ValidationError

from activities.step_session import StepPorts, StepSession
from contracts.artifact import Contract
from contracts.verdict import Verdict
from policies.verdicts import allow, deny
from ports.repository import MirrorRenewed, Repository, RepositoryError

_RULE = "the rollback drill restored the tree"
_DRILL_BRANCH = "drill"
_RECEIPTS = "receipts"


class DrillReceipt(Contract):
    """A drill that passed, for later runs on the same base and policy, until it expires."""

    made_at: AwareDatetime
    verdict: Verdict


def drilled(session: StepSession, base: str, now: datetime) -> Verdict:
    """A drill that passed on this base and policy at most ``preflight.drill_hours`` ago, or one made now.

    A failed drill leaves no receipt, and an expired one is worth nothing: when no new one can be made, that is a no.
    """
    lasts = timedelta(hours=session.policy.autopilot.preflight.drill_hours)
    name = f"drill-{base}-{session.policy.digest}.json"
    known = _known(session, name)
    if known is not None and known.verdict.allowed and timedelta() <= now - known.made_at < lasts:
        expires = known.made_at + lasts
        session.note("rollback drill reused", madeAt=known.made_at.isoformat(), expiresAt=expires.isoformat())
        return known.verdict
    try:
        verdict = _drilled_whole(session, base)
    except RepositoryError as problem:
        return deny(_RULE, str(problem))
    if verdict.allowed and lasts:
        kept = DrillReceipt(made_at=now, verdict=verdict)
        session.bench.store.put(_RECEIPTS, name, kept.model_dump_json(indent=2).encode())
    return verdict


def _drilled_whole(session: StepSession, base: str) -> Verdict:
    try:
        return drill(session.repository, base, session.bench)
    except MirrorRenewed:
        return drill(session.repository, base, session.bench)


def _known(session: StepSession, name: str) -> DrillReceipt | None:
    ref = session.bench.store.find(_RECEIPTS, name)
    if ref is None:
        return None
    try:
        return DrillReceipt.model_validate_json(session.bench.store.get(ref))
    except ValidationError:
        # Of an older version of this program: drilled again.
        return None


def drill(repository: Repository, base: str, bench: StepPorts) -> Verdict:
    """Commit, merge and revert a change that takes everything out; the restored tree must equal the base's.

    Everything, as the revert has to bring back whatever the base holds, and as no work tree is needed for it.
    """
    with repository.scratch() as scratch, bench.folder("drill") as tree:
        # No commit can hold a file with its own id in the name.
        with (tree / f"autonomy-rollback-drill-{base}.txt").open("x") as file:
            file.write("This commit exists only to be reverted.\n")
        change = scratch.commit_tree(base, tree, "Rollback drill")
        merged = scratch.merge(base, change)
        if not merged.clean or merged.tree == scratch.tree_of(base):
            return deny(_RULE, "the drill's change could not be merged")
        if not (scratch.move(_DRILL_BRANCH, base, "") and scratch.move(_DRILL_BRANCH, merged.commit, base)):
            return deny(_RULE, "the scratch branch could not be moved to the merge")
        reverted = scratch.revert(merged.commit, merged.commit)
        if not reverted.clean:
            return deny(_RULE, f"the revert conflicts in {', '.join(reverted.conflicts)}")
        if not scratch.move(_DRILL_BRANCH, reverted.commit, merged.commit):
            return deny(_RULE, "the scratch branch could not be moved to the revert")
        restored, wanted = scratch.tree_of(reverted.commit), scratch.tree_of(base)
        if restored != wanted:
            return deny(_RULE, "the restored tree differs", restored=restored, wanted=wanted)
        return allow(_RULE, "merged and reverted; the trees are equal", tree=wanted, revert=reverted.commit)
