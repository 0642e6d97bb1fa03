"""A person squashes our pull request in the last moment: the base gets the checked tree under another commit.

One record, filled by what git found, is used by run, Control's books, follow-up and rollback (P4, P11).
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import pytest
from aftermath import hasten
from world import World, git

from contracts.control import Answer
from contracts.effect import Effect
from contracts.modes import RunStatus
from contracts.rollback import FollowUpEnd, RollbackOutcome, RollbackRequest, RollbackResult, TargetMemory
from tests.workflows import auto
from tests.workflows.test_not_what_was_checked import OwnCommits
from workflows import api


@dataclass
class Squashing(OwnCommits):
    """The forge's answer to our merge: somebody squashed it a moment ago; same tree, another commit."""

    def _merged(self, effect: Effect) -> str:
        clone = self.world.root / f"forge-work-{len(self.given)}"
        git("clone", "--quiet", str(self.world.root / "auto.git"), str(clone), cwd=self.world.root)
        [mirror] = self.world.settings.mirrors.glob("auto-*.git")
        (clone / ".git/objects/info/alternates").write_text(f"{mirror / 'objects'}\n")
        git("merge", "--quiet", "--squash", effect.head_sha, cwd=clone)
        git("commit", "--quiet", "--message=Squashed", cwd=clone)
        git("push", "--quiet", "origin", "HEAD:refs/heads/main", cwd=clone)
        return git("rev-parse", "HEAD", cwd=clone)


@pytest.mark.timeout(600)
async def test_the_books_and_the_follow_up_know_the_commit_that_landed(world: World) -> None:
    """P11: what is observed, and would be undone, is what the base holds."""
    auto.permit(world)
    hasten(world, write_seconds=30)
    auto.add_target(world)
    forge = Squashing(world.bench().effects, world, faster=False)
    async with world.worker(auto.quick(world, effects=forge)):
        await auto.opened(world)
        before = auto.tree(world, "main")
        result = await world.run("auto")
        assert RunStatus.MERGED is result.status, result.reason
        landed = auto.base(world)
        handle = world.client.get_workflow_handle(api.follow_up_id(result.run_id), result_type=FollowUpEnd)
        await world.until(handle.describe)
        end = await asyncio.wait_for(handle.result(), 120)
        assert "healthy" == end.outcome, end.reason
        [record] = (await world.control("auto").query(api.AFTERCARE, result_type=TargetMemory)).merges
        said = world.artifact(result.run_id, "run_report.json")["merged"]
        assert (landed, landed) == (record.merged.merge_sha, said["mergeSha"])

        asked = RollbackRequest(run_id=result.run_id, reason="not wanted", actor="ann")
        answer = await world.control("auto").execute_update(api.ROLL_BACK, asked, result_type=Answer)
        assert answer.accepted, answer.verdict.reason
        rollback = world.client.get_workflow_handle(api.rollback_id(result.run_id), result_type=RollbackResult)
        await world.until(rollback.describe)
        back = await asyncio.wait_for(rollback.result(), 120)
        assert RollbackOutcome.RESTORED is back.outcome, back.reason
        # The revert is squashed, too: its commit is the base's, and not the one that was planned.
        assert (before, auto.base(world)) == (auto.tree(world, "main"), back.revert_sha)
