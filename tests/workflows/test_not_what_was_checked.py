"""A forge that cannot promise P4 merged something else: merged, told to Control at once, undone (issue 6, line 3)."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest
from aftermath import hasten
from world import World, git

from contracts.clearance import Clearance
from contracts.effect import Effect, EffectResult
from contracts.modes import Mode, RunStatus, WriteAction
from contracts.rollback import RollbackOutcome, RollbackResult
from policies.settings.schema import Target
from tests.workflows import auto
from workflows import api


@dataclass
class OwnCommits:
    """The real effects, but a merge makes the base a commit of the forge's own, onto wherever the base is by then."""

    real: Any
    world: World
    faster: bool
    """A person commits to the base in the last moment, and the forge does not mind."""
    given: dict[str, str] = field(default_factory=dict)
    """What the base got for each head."""

    @property
    def first(self) -> str:
        """For the run's own merge; a rollback's follows."""
        return next(iter(self.given.values()))

    def perform(
        self, target: Target, effect: Effect, clearance: Clearance, kill_at: float, look_only: bool
    ) -> EffectResult:
        """As a merge button does it."""
        if effect.action is not WriteAction.MERGE:
            return self.real.perform(target, effect, clearance, kill_at, look_only)
        adopted = effect.head_sha in self.given
        if not adopted:
            if self.faster and not self.given:
                auto.person_commits(self.world, "notes.txt", "a note\n")
            self.given[effect.head_sha] = self._merged(effect)
        landed = self.given[effect.head_sha]
        return EffectResult(done=True, adopted=adopted, result=landed, tree_sha=auto.tree(self.world, landed))

    def _merged(self, effect: Effect) -> str:
        clone = self.world.root / f"forge-work-{len(self.given)}"
        remote = str(self.world.root / "auto.git")
        git("clone", "--quiet", remote, str(clone), cwd=self.world.root)
        # A rollback's landing commit is on no branch of a local forge: it is taken from our mirror.
        [mirror] = self.world.settings.mirrors.glob("auto-*.git")
        (clone / ".git/objects/info/alternates").write_text(f"{mirror / 'objects'}\n")
        git("merge", "--quiet", "--no-ff", "--message=Merge pull request", effect.head_sha, cwd=clone)
        git("push", "--quiet", "origin", "HEAD:refs/heads/main", cwd=clone)
        return git("rev-parse", "HEAD", cwd=clone)


async def merged(world: World, faster: bool) -> tuple[OwnCommits, Any]:
    """A run on such a forge."""
    auto.permit(world)
    hasten(world, write_seconds=30)
    auto.add_target(world)
    forge = OwnCommits(world.bench().effects, world, faster)
    async with world.worker(auto.quick(world, effects=forge)):
        await auto.opened(world)
        result = await world.run("auto")
        if faster:
            handle = world.client.get_workflow_handle(api.rollback_id(result.run_id), result_type=RollbackResult)
            await world.until(handle.describe)
            back = await asyncio.wait_for(handle.result(), 120)
            assert RollbackOutcome.RESTORED is back.outcome, back.reason
            assert Mode.DRY_RUN is (await world.status("auto")).mode
    return forge, result


async def test_a_commit_of_the_forges_own_with_the_checked_tree_is_merged(world: World) -> None:
    """The books know the base's commit, not ours: that is what a rollback would undo."""
    forge, result = await merged(world, faster=False)
    assert RunStatus.MERGED is result.status, result.reason
    kept = world.artifact(result.run_id, "run_report.json")["merged"]
    before = git("rev-parse", f"{forge.first}^1", cwd=world.root / "auto.git")
    assert (forge.first, before, auto.tree(world, forge.first)) == (
        kept["mergeSha"], kept["parentSha"], kept["treeSha"],
    )  # fmt: skip


@pytest.mark.timeout(600)
async def test_another_tree_than_the_checked_one_is_a_regression_at_once(world: World) -> None:
    """P4, P11: MERGED, and why that is wrong; DRY_RUN, incident, exact rollback; the person's commit stays."""
    forge, result = await merged(world, faster=True)
    assert RunStatus.MERGED is result.status, result.reason
    assert "merged, but not what was checked" in result.reason
    parent = git("rev-parse", f"{forge.first}^1", cwd=world.root / "auto.git")
    kept = world.artifact(result.run_id, "run_report.json")["merged"]
    assert (forge.first, parent) == (kept["mergeSha"], kept["parentSha"])
    assert auto.tree(world, "main") == auto.tree(world, parent)
    assert 2 == len(forge.given)
    assert "a note" == git("show", "main:notes.txt", cwd=world.root / "auto.git")
