"""The worker dies at every point of a rollback: one revert, the exact tree, nothing lost (P7, P11)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from aftermath import BROKEN, CHECK, after_a_run, hasten
from rollback_checker import check_rollbacks
from supervisor import Supervisor
from test_crash_points import MERGE, PULL, PUSH, ROLLBACK, UNDONE, UNDONE_BY_PULL
from world import git

from contracts.rollback import RollbackOutcome

if TYPE_CHECKING:
    from conftest import MakeWorld
    from world import World


BY_PULL_REQUEST = (*PUSH, *PULL, *MERGE)
"""The writes of `revert_pr`, which runs make, too."""


async def rolls_back_once(world: World, *points: str, strategy: str = "revert_commit") -> None:
    """A merge that breaks a check, and a worker that dies at each of the points on the way back."""
    hasten(world, write_seconds=8, reap_seconds=600)
    world.write_target("demo", "\n[environment]\nbuild = false\n" + CHECK, rollback_strategy=strategy)
    async with Supervisor(world):
        after = await after_a_run(world)
        before = after.tree()
        merged = await after.merge(dict(BROKEN))
    async with Supervisor(world, points) as supervisor:
        end = await asyncio.wait_for((await after.following(merged)).result(), 120 + 25 * len(points))
        assert "regression" == end.outcome, end
        result = await after.rolled_back(120 + 25 * len(points))
        assert RollbackOutcome.RESTORED is result.outcome, result
        assert before == after.tree() == result.expected_tree
        assert "1" == git("rev-list", "--first-parent", "--count", f"{merged.merge_sha}..main", cwd=world.remote)
        assert [] == supervisor.missed
        assert [-9] * len(points) == supervisor.deaths
        told = [record.event for record in after.log()]
        assert (1, 1) == (told.count("rollback ordered"), told.count("incident opened"))
        await check_rollbacks(world)


async def test_a_rollback_happens_once_whenever_the_worker_dies(make: MakeWorld) -> None:
    """P7: several deaths of one rollback, after each of its effects."""
    await rolls_back_once(await make("world"), *UNDONE)


async def test_a_rollback_by_pull_request_happens_once_whenever_the_worker_dies(make: MakeWorld) -> None:
    """P7: after each of its three effects; one branch, one pull request, one merge."""
    await rolls_back_once(await make("world"), *UNDONE_BY_PULL, strategy="revert_pr")


@pytest.mark.sweep
@pytest.mark.parametrize(
    ("strategy", "point"),
    [*(("revert_commit", point) for point in ROLLBACK), *(("revert_pr", point) for point in BY_PULL_REQUEST)],
)
async def test_sweep(make: MakeWorld, strategy: str, point: str) -> None:
    """Every point alone."""
    await rolls_back_once(await make("world"), point, strategy=strategy)
