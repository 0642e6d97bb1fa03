"""A run from preflight to an audited pull request, and every way it may end without one."""

from __future__ import annotations

import asyncio

from contracts.modes import RunStatus
from world import World


async def test_dry_run_refuses_exactly_the_writes_that_pr_only_makes(world: World) -> None:
    """P3: same base, same plan, step for step; DRY_RUN moves no ref and leaves no pull request."""
    before = world.refs()
    async with world.worker():
        dry = await world.run(mode="DRY_RUN")
        after_dry = world.refs()
        pulls_after_dry = world.pulls()
        real = await world.run(mode="PR_ONLY")

    assert RunStatus.DRY_RUN_COMPLETE is dry.status
    assert before == after_dry
    assert [] == pulls_after_dry
    assert RunStatus.PR_OPENED is real.status
    refused = world.artifact(dry.run_id, "run_report.json")["refusedWrites"]
    done = [write["planned"] for write in world.artifact(real.run_id, "run_report.json")["writes"]]
    assert 2 == len(refused)
    assert refused == done


async def test_a_run_opens_one_pull_request_whose_head_is_the_pushed_branch(world: World) -> None:
    """P7: one branch, one pull request, both as the result says."""
    async with world.worker():
        result = await world.run()

    assert result.pull_request is not None
    pulls = world.pulls()
    assert [result.pull_request.number] == [pull["number"] for pull in pulls]
    assert result.pull_request.head_sha == world.refs()[f"refs/heads/{result.pull_request.branch}"]
    assert 1 == len(world.autonomy_branches())


async def test_three_starts_for_one_day_make_one_run(world: World) -> None:
    """Admission is by (target, kind, mode, date, attempt), whatever the workflow ids are."""
    async with world.worker():
        results = await asyncio.gather(*(world.run() for _ in range(3)))
        again = await world.run(again=True)

    statuses = sorted(result.status for result in results)
    assert [RunStatus.ALREADY_RAN, RunStatus.ALREADY_RAN, RunStatus.PR_OPENED] == statuses
    assert 1 == len({result.run_id for result in results})
    assert again.run_id not in {result.run_id for result in results}
