"""Merges of ours that go wrong, for whole-flow tests: real git, real checks, real Control; the merge made by hand.

A run opens a pull request; then a commit of ours with whatever harm the test wants lands as a merge commit, and Control
is told of it, as the merging step tells it.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from temporalio.client import WorkflowHandle
from world import World, git

from adapters.store.chained_log import ChainedLog
from contracts.audit import AuditRecord
from contracts.control import Answer, ResumeRequest
from contracts.handover import RunRef
from contracts.rollback import FollowUpEnd, FollowUpInput, Merged, RollbackRequest, RollbackResult
from workflows import api

CHECK = """
[[checks]]
name = "names"
kind = "tests"
argv = ["python", "-c", "import pkg, sys; sys.exit(pkg.names() != ['a', 'b'])"]
"""
BROKEN = {"pkg/__init__.py": 'def names():\n    return ["a"]\n'}


def hasten(world: World, **more: float) -> None:
    """Observation windows of seconds instead of hours."""
    place = world.settings.policies / "autopilot.toml"
    # The dashboard's own `every_minutes` stays.
    before, dashboard, after = re.split(r"(?ms)(^\[dashboard\]$.*?(?=^\[))", place.read_text())
    quick = {
        "observation_minutes": 0.02,
        "every_minutes": 0.01,
        "confirmations": 2,
        "poll_first_minutes": 0.005,
        "poll_most_minutes": 0.02,
        "healthy_in_a_row": 2,
        "health_every_seconds": 1,
        "write_seconds": 5,
        "reap_seconds": 2,
    }
    for key, value in (quick | more).items():
        before, one = re.subn(rf"(?m)^{key} = \S+", f"{key} = {value}", before)
        after, other = re.subn(rf"(?m)^{key} = \S+", f"{key} = {value}", after)
        assert one + other == 1, key
    place.write_text(before + dashboard + after)


@dataclass
class Aftermath:
    """One world's target ``demo`` after a run."""

    world: World
    run: RunRef
    task_id: str

    @property
    def work(self) -> Path:
        """A person's clone; its origin is the remote."""
        return self.world.root / "demo-work"

    def commit(self, files: dict[str, str], message: str = "A person's") -> str:
        """A person commits to the base and pushes it."""
        self._write(files, message)
        return self.push()

    def push(self, *force: str) -> str:
        """Push the base; its commit."""
        git("push", "--quiet", *force, str(self.world.remote), "HEAD:refs/heads/main", cwd=self.work)
        return git("rev-parse", "HEAD", cwd=self.work)

    async def merge(self, files: dict[str, str], hours_ago: float = 0) -> Merged:
        """Our merge lands with these files, and Control knows it."""
        parent = git("rev-parse", "HEAD", cwd=self.work)
        git("checkout", "--quiet", "-B", "change", cwd=self.work)
        self._write(files, "Ours")
        git("checkout", "--quiet", "main", cwd=self.work)
        git("merge", "--quiet", "--no-ff", "--message=Merge", "change", cwd=self.work)
        merge = self.push()
        branches = [ref.removeprefix("refs/heads/") for ref in self.world.autonomy_branches()]
        # Nothing waits for a person any more.
        if branches:
            git("push", "--quiet", "--delete", str(self.world.remote), *branches, cwd=self.work)
        head = git("rev-parse", "change", cwd=self.work)
        merged = Merged(
            run=self.run,
            merge_sha=merge,
            parent_sha=parent,
            head_sha=head,
            task_id=self.task_id,
            pull_request=1,
            merged_at=datetime.now(UTC) - timedelta(hours=hours_ago),
        )
        answer = await self.world.control().execute_update(api.MERGED, merged, result_type=Answer)
        assert answer.accepted
        return merged

    async def follow(self, merged: Merged) -> FollowUpEnd:
        """``FollowUp`` of this merge, until it has ended."""
        return await asyncio.wait_for((await self.following(merged)).result(), 120)

    async def following(self, merged: Merged) -> WorkflowHandle[Any, FollowUpEnd]:
        """``FollowUp`` of this merge, started."""
        given = FollowUpInput(run=self.run, task_id=merged.task_id, pull_request=1, merged=merged)
        return await self.world.client.start_workflow(
            api.FOLLOW_UP,
            given,
            id=f"follow-up/merged/{self.run.run_id}",
            task_queue=api.TASK_QUEUE,
            result_type=FollowUpEnd,
        )

    async def order(self, run_id: str = "", actor: str = "ann") -> Answer:
        """A person orders the rollback."""
        asked = RollbackRequest(run_id=run_id or self.run.run_id, reason="it hurts", actor=actor)
        return await self.world.control().execute_update(api.ROLL_BACK, asked, result_type=Answer)

    def rollback(self) -> WorkflowHandle[Any, RollbackResult]:
        """The ``Rollback`` that Control started."""
        workflow_id = api.rollback_id(self.run.run_id)
        return self.world.client.get_workflow_handle(workflow_id, result_type=RollbackResult)

    async def rolled_back(self, seconds: float = 90) -> RollbackResult:
        """Its result."""

        async def started() -> Any:
            return await self.rollback().describe()

        await self.world.until(started)
        return await asyncio.wait_for(self.rollback().result(), seconds)

    async def resume(self) -> Answer:
        """A person states cause and evidence."""
        view = await self.world.status()
        asked = ResumeRequest(
            expected_epoch=view.epoch, cause="a missing test", evidence="it is there now", actor="bob"
        )
        return await self.world.control().execute_update(api.RESUME, asked, result_type=Answer)

    def head(self) -> str:
        """The remote's base."""
        return git("rev-parse", "refs/heads/main", cwd=self.world.remote)

    def without_ours(self, merged: Merged) -> str:
        """The tree P11 asks for, made by plain git in a clone of its own: everybody's commits but ours."""
        clone = self.world.root / "judge"
        git("clone", "--quiet", str(self.world.remote), str(clone), cwd=self.world.root)
        # The person's clone still stands at the last commit people made.
        people = git("rev-parse", "HEAD", cwd=self.work)
        git("checkout", "--quiet", people, cwd=clone)
        git("revert", "--no-edit", "--mainline=1", merged.merge_sha, cwd=clone)
        return git("rev-parse", "HEAD^{tree}", cwd=clone)

    def tree(self, commit: str = "refs/heads/main") -> str:
        """A tree of the remote."""
        return git("rev-parse", f"{commit}^{{tree}}", cwd=self.world.remote)

    def log(self, name: str = "target/demo") -> list[AuditRecord]:
        """An audit log."""
        return list(ChainedLog(self.world.settings.artifacts).records(name))

    async def logged(self, event: str, name: str = "target/demo") -> AuditRecord:
        """The record of an event, once it is there."""

        async def there() -> AuditRecord | None:
            return next((record for record in self.log(name) if record.event == event), None)

        found: AuditRecord = await self.world.until(there)
        return found

    def _write(self, files: dict[str, str], message: str) -> None:
        for path, body in files.items():
            (self.work / path).parent.mkdir(parents=True, exist_ok=True)
            (self.work / path).write_text(body)
        git("add", "--all", cwd=self.work)
        git("commit", "--quiet", f"--message={message}", cwd=self.work)


async def after_a_run(world: World) -> Aftermath:
    """A run has ended with a pull request; a worker must be running."""
    result = await world.run()
    assert result.status == "PR_OPENED", result.reason
    # A merge that Control hears of earlier would be this follow-up's to observe, and each look asks the probes.
    await world.until(world.client.get_workflow_handle(api.follow_up_id(result.run_id)).describe)
    report = world.artifact(result.run_id, "run_report.json")
    return Aftermath(world, RunRef.model_validate(report["run"]), report["taskId"])
