"""Ends of a follow-up that roll nothing back: a base that was replaced, a person's merge that broke it (6.3)."""

from __future__ import annotations

import asyncio

from aftermath import BROKEN, CHECK, after_a_run, hasten
from shell import shell_of
from world import World, git

from contracts.modes import Mode
from contracts.rollback import FollowUpEnd
from tests.workflows.quick import quick
from workflows import api


def prepared(world: World) -> None:
    """The target ``demo``, with windows of seconds."""
    hasten(world, observation_minutes=2)
    world.write_target("demo", "\n[environment]\nbuild = false\n" + CHECK)


async def untouched(world: World, head: str) -> None:
    """No rollback, no change of mode, no write."""
    view = await world.status()
    assert ((), (), Mode.PR_ONLY) == (view.rollbacks, view.incidents, view.mode)
    assert head == git("rev-parse", "main", cwd=world.remote)


async def test_a_merge_that_people_forced_away_is_gone(world: World) -> None:
    """Force-pushed: whatever the base is now, it is no doing of ours, and not ours to undo."""
    prepared(world)
    async with world.worker(quick(world)):
        after = await after_a_run(world)
        merged = await after.merge({"docs/one.md": "1\n"})
        following = await after.following(merged)
        git("reset", "--quiet", "--hard", merged.parent_sha, cwd=after.work)
        (after.work / "pkg" / "__init__.py").write_text(BROKEN["pkg/__init__.py"])
        git("commit", "--quiet", "--all", "--message=Another history", cwd=after.work)
        head = after.push("--force")
        end = await asyncio.wait_for(following.result(), 120)
        assert ("gone", True) == (end.outcome, merged.merge_sha in end.reason), end
        await untouched(world, head)


async def test_10_after_a_persons_merge_people_hear_of_it_and_nothing_is_undone(world: World) -> None:
    """Red since that merge, green before it: an alert, and a person decides."""
    prepared(world)
    async with world.worker(quick(world)):
        after = await after_a_run(world)
        (branch,) = (ref.removeprefix("refs/heads/") for ref in world.autonomy_branches())
        git("fetch", "--quiet", str(world.remote), branch, cwd=after.work)
        git("merge", "--quiet", "--no-ff", "--no-commit", "FETCH_HEAD", cwd=after.work)
        head = after.commit(dict(BROKEN), "Yes, and a bit more")
        handle = world.client.get_workflow_handle(api.follow_up_id(after.run.run_id), result_type=FollowUpEnd)
        await world.until(handle.describe)
        end = await asyncio.wait_for(handle.result(), 120)
        assert end.outcome.startswith("merged by "), end
        assert end.outcome.endswith("regression, not rolled back by itself"), end
        await untouched(world, head)

        async def told() -> bool:
            place = world.settings.home / "alerts.jsonl"
            return place.exists() and "the base broke with pull request 1" in place.read_text()

        await world.until(told)
    later = world.artifact(after.run.run_id, "post_run_review.json")
    objective = later["objective"]
    assert (1, 0, 0, end.outcome) == (objective["before"], objective["expected"], objective["achieved"], later["ended"])
    assert ["not yet"] * 3 == [moment["fate"] for moment in later["moments"]]
    page = (world.settings.artifacts / "runs" / after.run.run_id / "run_report.html").read_text()
    assert later["sentence"] in page
    why = shell_of(world)
    assert later["sentence"] in (await why.typed("why", after.run.run_id)).out.replace("\n", " ")
    told_again = (await why.typed("why", after.run.run_id, "--json")).json["since then"]
    assert ("deny", later["sentence"]) == (told_again["decision"], told_again["reason"])
