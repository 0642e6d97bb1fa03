"""The rollback drill: merge and revert for real in a scratch clone, with the code real rollbacks use (runbook §3)."""

from __future__ import annotations

from activities.workbench import Workbench
from contracts.verdict import Verdict
from policies.verdicts import allow, deny
from ports.repository import Repository

_RULE = "the rollback drill restored the tree"
_DRILL_BRANCH = "drill"


def drill(repository: Repository, base: str, bench: Workbench) -> Verdict:
    """Commit, merge and revert a harmless change on top of ``base``; the restored tree must equal the base's."""
    with repository.scratch() as scratch, bench.folder("drill") as tree:
        scratch.checkout(base, tree)
        # No commit can hold a file with its own id in the name, nor a link of that name for us to write through.
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
