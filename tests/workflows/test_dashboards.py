"""One ticket per target says how it stands; it is edited where it is wrong, and left alone where it is right."""

from __future__ import annotations

import asyncio
import json

from temporalio.worker import Replayer
from world import World, git

import composition
from adapters.temporal.plugin import project_plugins
from contracts.dashboard import ShownOutcome
from contracts.modes import RunStatus
from tests.workflows.conversation import edit, open_target, pause
from tests.workflows.dashboard_desk import handle, looked, outcome, place, ticket, tickets, view, writes
from tests.workflows.quick import add_target, quick
from workflows import api

WRITTEN, UNCHANGED = ShownOutcome.WRITTEN, ShownOutcome.UNCHANGED


async def until_logged(world: World, count: int) -> list[str]:
    """Control writes its log behind its answers."""

    async def enough() -> list[str]:
        found = writes(world)
        return found if len(found) >= count else []

    found: list[str] = await world.until(enough)
    return found


async def test_the_ticket_follows_what_happens_and_is_left_alone_otherwise(world: World) -> None:
    """Issue 6, line 6: mode, status, queue, budget, pull requests, last and next run; kept by edit."""
    add_target(world, "quick")
    async with world.worker(quick(world)):
        assert ShownOutcome.NOT_STARTED is await outcome(world)
        run = await world.run("quick")
        assert RunStatus.PR_OPENED is run.status, run.reason
        assert WRITTEN is await outcome(world)
        first = ticket(world)
        before = {path: path.stat().st_mtime_ns for path in place(world).iterdir()}
        assert [UNCHANGED] * 3 == [await outcome(world) for _ in range(3)]
        assert before == {path: path.stat().st_mtime_ns for path in place(world).iterdir()}
        assert 1 == len(await until_logged(world, 1))
        await pause(world, "quick")
        # P1 is about what moves: a record is written in every state, and a pause need not wait for it.
        assert WRITTEN is await outcome(world)
        view_of_control = await world.status("quick")
        paused = ticket(world)

    assert "Dashboard of quick: ACTIVE in mode PR_ONLY" == first["title"]
    assert run.pull_request is not None
    for part in (run.run_id, "PR_OPENED", "| Pull requests | 1 open |", run.pull_request.branch, "runs", "no schedule"):
        assert part in first["body"], part
    assert view_of_control.quiescent
    assert (first["number"], "Dashboard of quick: PAUSED in mode PR_ONLY") == (paused["number"], paused["title"])
    assert "`ann`: `drill`" in paused["body"]
    assert "**Why not?**" in paused["body"]


async def test_what_a_person_does_to_the_ticket(world: World) -> None:
    """Edited: written over. Closed: kept up to date, and closed. Deleted: opened anew."""
    add_target(world, "quick")
    async with world.worker(quick(world)):
        await open_target(world, "quick")
        await looked(world)
        path = place(world) / f"{ticket(world)['number']}.json"
        kept = json.loads(path.read_text())
        path.write_text(json.dumps(kept | {"body": kept["body"] + "\n@everybody look", "state": "closed"}))
        assert WRITTEN is await outcome(world)
        assert kept | {"state": "closed"} == ticket(world)
        assert UNCHANGED is await outcome(world)
        path.unlink()
        assert WRITTEN is await outcome(world)
        assert kept["body"] == ticket(world)["body"]
        assert "open" == ticket(world)["state"]


async def test_a_look_starts_no_control(world: World) -> None:
    """A target that nothing ever ran in stays unknown."""
    add_target(world, "quick")
    async with world.worker(quick(world)):
        assert ShownOutcome.NOT_STARTED is await outcome(world)
        open_ones = [seen.id async for seen in world.client.list_workflows('WorkflowType = "Control"')]
    assert [] == open_ones
    assert [] == tickets(world)


async def test_a_target_may_switch_it_off(world: World) -> None:
    """``dashboard = false``."""
    add_target(world, "quick")
    add_target(world, "silent", head="")
    path = world.settings.policies / "targets" / "silent.toml"
    path.write_text("dashboard = false\n" + path.read_text())
    async with world.worker(quick(world)):
        await open_target(world, "silent")
        await open_target(world, "quick")
        await looked(world)
        assert ("demo", "quick") == (await view(world)).terms.targets
    assert [] == tickets(world, "silent")


async def test_one_broken_forge_keeps_no_other_waiting(world: World) -> None:
    """Its own look fails, with the reason; the others are up to date."""
    for name in ("broken", "quick", "other"):
        add_target(world, name)
    async with world.worker(quick(world)):
        for name in ("broken", "quick", "other"):
            await open_target(world, name)
        (world.root / "broken.git").rename(world.root / "away.git")
        # A damaged record is a forge that cannot be read, too.
        place(world, "broken").mkdir(parents=True)
        (place(world, "broken") / "1.json").write_text("{")
        (place(world, "broken").parent / "pulls").mkdir()
        (place(world, "broken").parent / "pulls" / "1.json").write_text("{")
        broken = await looked(world, "broken")
        assert (ShownOutcome.FAILED, True) == (broken.shown.outcome, "cannot be read" in broken.shown.reason)
        assert {"other", "quick"} == {name for name in ("other", "quick") if tickets(world, name)}


async def test_an_unreadable_policy_leaves_the_last_known_terms(world: World) -> None:
    """Its minutes and targets hold; the look says what is wrong."""
    add_target(world, "quick")
    edit(world, "every_minutes = 5.0", "every_minutes = 7.0")
    async with world.worker(quick(world)):
        await open_target(world, "quick")
        await looked(world)
        edit(world, "every_minutes = 7.0", "every_minutes = nonsense")
        failed = await looked(world)
        said = await view(world)
    assert ShownOutcome.FAILED is failed.shown.outcome
    assert "autopilot.toml:" in failed.shown.reason
    assert "autopilot.toml:" in said.terms.problem
    assert (("demo", "quick"), 7.0) == (said.terms.targets, said.terms.every_minutes)


ODD: tuple[tuple[object, ...], ...] = ((), (None,), ({"target": 7},), ("nobody",), (b"\xff\xfe",), ([[[1]]],))


async def test_any_refresh_is_survived_and_looks_at_everything(world: World) -> None:
    """A person types it in the UI; so they may cancel it, and it goes on."""
    add_target(world, "quick")
    async with world.worker(quick(world)):
        await open_target(world, "quick")
        for payload in ODD:
            at = (await looked(world)).at
            await handle(world).cancel()
            await handle(world).signal("nonsense", *payload)
            await handle(world).signal(api.REFRESH, *payload)

            async def again(at: object = at) -> bool:
                return any(look.at > at for look in (await view(world)).looks)

            await world.until(again)


async def test_every_minute_counts_without_being_asked(world: World) -> None:
    """The timer; with no workflow cached, each task is a replay of the whole history."""
    add_target(world, "quick")
    edit(world, "every_minutes = 5.0", "every_minutes = 0.01")
    async with world.worker(quick(world), max_cached_workflows=0, max_concurrent_workflow_task_polls=1):
        await open_target(world, "quick")
        await composition.start_dashboards(world.client)
        await world.until(lambda: asyncio.sleep(0, result=tickets(world)))
        history = await handle(world).fetch_history()
    await Replayer(workflows=composition.WORKFLOWS, plugins=project_plugins()).replay_workflow(history)
    assert {"refs/heads/main"} == set(world.refs("quick"))
    assert "1" == git("rev-list", "--count", "main", cwd=world.root / "quick.git")
