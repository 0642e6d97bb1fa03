"""The checker's part for rollbacks: each ordered and ended once, one revert on the base, of exactly the tree of P11.

That tree is made here by plain git: the base the revert was put on, with the merge reverted.
"""

from __future__ import annotations

import asyncio
import subprocess
import tempfile
import time
from pathlib import Path

from temporalio.client import WorkflowExecutionStatus
from temporalio.service import RPCError
from world import World, git

from adapters.git.mirror import open_mirror
from adapters.policy_files import PolicyFiles
from adapters.store.chained_log import ChainedLog
from contracts.audit import AuditRecord
from contracts.rollback import RollbackOutcome, RollbackResult
from workflows import api


async def check_rollbacks(world: World, patience: float = 20) -> None:
    """Raise with everything that is still wrong after ``patience`` seconds; a worker must be running."""
    end = time.monotonic() + patience
    while found := await rollbacks_unsound(world):
        if time.monotonic() > end:
            raise AssertionError("\n".join(found))
        await asyncio.sleep(0.5)


async def rollbacks_unsound(world: World) -> list[str]:
    """Everything wrong with every rollback of a world at rest, one sentence each."""
    found: list[str] = []
    log = ChainedLog(world.settings.artifacts)
    for target in PolicyFiles(world.settings.policies).names():
        told = list(log.records(f"target/{target}")) if f"target/{target}" in log.logs() else []
        ordered = [str(record.facts["runId"]) for record in told if record.event == "rollback ordered"]
        found += [f"the rollback of {run} was ordered {ordered.count(run)} times" for run in _repeated(ordered)]
        for run_id in dict.fromkeys(ordered):
            about = [record for record in told if record.facts.get("runId") == run_id]
            found += [f"rollback of {run_id}: {what}" for what in await _unsound(world, log, target, run_id, about)]
    return found


def _repeated(names: list[str]) -> list[str]:
    return [name for name in dict.fromkeys(names) if names.count(name) > 1]


async def _unsound(world: World, log: ChainedLog, target: str, run_id: str, about: list[AuditRecord]) -> list[str]:
    handle = world.client.get_workflow_handle(api.rollback_id(run_id), result_type=RollbackResult)
    try:
        status = (await handle.describe()).status
    except RPCError as absent:
        return [f"it has no workflow: {absent.message}"]
    if status is WorkflowExecutionStatus.RUNNING:
        return ["it has not ended"]
    ended = [record for record in about if record.event == "rollback ended"]
    if len(ended) != 1:
        return [f"the target's log says {len(ended)} times that it ended"]
    if status is not WorkflowExecutionStatus.COMPLETED:
        lost = ended[0].facts["outcome"] == RollbackOutcome.ESCALATED
        return [] if lost else [f"its workflow is {status}, the target's log says {ended[0].facts['outcome']}"]
    result = await handle.result()
    found = _chain(world, log, target, run_id, result)
    if (ended[0].facts["outcome"], ended[0].facts["tree"]) != (result.outcome, result.restored_tree):
        found.append(f"the target's log says {ended[0].facts['outcome']}, its result {result.outcome}")
    found += _reverts(world, target, run_id, result, about)
    return found


def _chain(world: World, log: ChainedLog, target: str, run_id: str, result: RollbackResult) -> list[str]:
    name = f"run/{api.rollback_run_id(run_id)}"
    if name not in log.logs():
        return ["its audit log is gone"]
    mirror = open_mirror(world.settings.mirrors)(PolicyFiles(world.settings.policies).effective(target).target)
    anchors = {"mirror ref": mirror.anchored(name) or "", "temporal": result.audit_head}
    verified = log.verify(name, anchors)
    found = [f"audit log {name}, record {verified.problem.seq}: {verified.problem.problem}"] if verified.problem else []
    ends = [record for record in log.records(name) if record.event == "rollback ended"]
    if len(ends) != 1:
        return [*found, f"its own log says {len(ends)} times that it ended"]
    said = (ends[0].facts["outcome"], ends[0].facts["revert"], ends[0].facts["restoredTree"])
    if said != (result.outcome, result.revert_sha, result.restored_tree):
        found.append("its own log does not say what its result says")
    return found


def _reverts(world: World, target: str, run_id: str, result: RollbackResult, about: list[AuditRecord]) -> list[str]:
    """At most one landed; what landed has the recorded tree, and that is the one plain git makes."""
    remote = world.root / f"{target}.git"
    keys = {f"{api.rollback_run_id(run_id)}/{action}" for action in ("revert", "merge")}
    log = ChainedLog(world.settings.artifacts).records(f"target/{target}")
    begun = {
        str(record.facts["headSha"]) for record in log if record.event == "write begun" and record.facts["key"] in keys
    }
    base = world.refs(target).get("refs/heads/main", "")
    chain = git("rev-list", "--first-parent", base, cwd=remote).split() if base else []
    landed = [commit for commit in chain if commit in begun]
    if len(landed) > 1:
        return [f"{len(landed)} reverts are on the base: {', '.join(landed)}"]
    if result.outcome is not RollbackOutcome.RESTORED or not result.revert_sha:
        return []
    if landed != [result.revert_sha]:
        return [f"the base holds the revert {landed}, not {result.revert_sha}"]
    tree = git("rev-parse", f"{result.revert_sha}^{{tree}}", cwd=remote)
    merges = [str(record.facts["mergeSha"]) for record in about if record.event == "merged"]
    trees = {result.expected_tree, result.restored_tree, tree, *(_by_git(remote, merge, landed[0]) for merge in merges)}
    return [f"the restored tree is not one and the same: {', '.join(sorted(trees))}"] if len(trees) > 1 else []


def _by_git(remote: Path, merge: str, revert: str) -> str:
    """The tree of P11, in a clone of its own."""
    with tempfile.TemporaryDirectory(prefix="judge-") as folder:
        git("clone", "--quiet", "--shared", "--no-checkout", str(remote), folder, cwd=remote)
        git("checkout", "--quiet", "--detach", f"{revert}^1", cwd=Path(folder))
        try:
            git("revert", "--no-commit", "--mainline=1", merge, cwd=Path(folder))
        except subprocess.CalledProcessError as conflict:
            return f"none: {conflict.stderr.strip()}"
        return git("write-tree", cwd=Path(folder))
