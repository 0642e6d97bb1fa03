"""A worker of another home, and runs that take every slot: neither may get in the way of Control (P16)."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from world import World, git

import composition
from adapters.store.private_home import home_mark
from commands.alerts import alerts_view
from contracts.alert import AlertKind
from contracts.modes import RunStatus, TargetStatus
from tests.workflows.conversation import open_target, pause, pause_all
from tests.workflows.quick import Turnstile, add_target, quick, stopping
from workflows import api


async def refused(world: World, home: Path) -> str:
    """The reason why a worker of that home does not start."""
    stranger = world.settings.model_copy(update={"home": home})
    client = await composition.connect(world.address, world.namespace)
    with pytest.raises(composition.AnotherHome) as reason:
        async with composition.build_worker(client, stranger):
            raise AssertionError("it works")
    return str(reason.value)


async def test_a_worker_of_another_home_does_not_start(world: World, tmp_path: Path) -> None:
    """Whether the first one works or has gone home, and after continue-as-new; the same home on another path may."""
    mine, other = home_mark(world.settings.home), home_mark(tmp_path / "other")
    async with world.worker(quick(world)):
        await open_target(world, "demo")
        beside = await refused(world, tmp_path / "other")
        handle = world.client.get_workflow_handle(api.INSTALLATION_ID)
        first = (await handle.describe()).run_id
        for _ in range(60):
            # Each is a workflow task of its own, so that the history gets long.
            await world.installation()
            await handle.signal("nothing")

        async def next_run() -> bool:
            if (await handle.describe()).run_id == first:
                for _ in range(20):
                    await handle.signal("nothing")
            return (await handle.describe()).run_id != first

        await world.until(next_run)
    later = await refused(world, tmp_path / "other")
    (tmp_path / "copy").mkdir()
    shutil.copy(world.settings.home / "home_id", tmp_path / "copy")
    copied = await refused(world, tmp_path / "copy")
    (tmp_path / "elsewhere").symlink_to(world.settings.home)
    world.settings = world.settings.model_copy(update={"home": tmp_path / "elsewhere"})
    async with world.worker(quick(world)):
        assert TargetStatus.ACTIVE is (await world.status()).status

    for reason in (beside, later):
        assert f"({mine.path}, id {mine.id}) than this worker's ({other.path}, id {other.id})" in reason
        assert "Set AUTONOMY_HOME to that one" in reason
    assert f"({mine.path}), of which this worker's is a copy ({tmp_path / 'copy'})" in copied
    assert f"in this copy, move {mine.path} away" in copied


async def test_an_installation_without_a_home_is_claimed_once(world: World, tmp_path: Path) -> None:
    """One that a pause started, before any worker: the first worker's home it is, and that is kept."""
    await pause_all(world)
    async with world.worker(quick(world)):
        assert "id " in await refused(world, tmp_path / "other")


async def test_controls_own_steps_never_queue_behind_runs(world: World) -> None:
    """Every slot is taken by a run that stands: another Control registers, logs and is quiescent all the same."""
    add_target(world, "one")
    add_target(world, "two")
    world.settings = world.settings.model_copy(update={"concurrent_steps": 1})
    turnstile = Turnstile({"stands": "preflight"})
    async with world.worker(stopping(world, turnstile)):
        run = await world.start("one", "stands")
        await world.until(turnstile.all_reached())
        await pause(world, "two")

        async def quiescent() -> bool:
            view = await world.status("two")
            return view.registered and view.quiescent and bool(view.log_head)

        await world.until(quiescent, 20)
        turnstile.open()
        await run.result()


async def test_a_second_installation_on_the_remote_is_told_by_its_marks(world: World) -> None:
    """Our own branch and pull request are nothing new; a branch under our prefix that nobody booked is an alert."""
    add_target(world, "quick")

    async def strangers() -> list[str]:
        view = await alerts_view(world.client)
        return [each.alert.summary for each in view.recent if each.alert.kind is AlertKind.STRANGER] if view else []

    async with world.worker(quick(world)):
        first = await world.run("quick")
        again = await world.run("quick", again=True)
        ours = await strangers()
        remote = world.root / "quick.git"
        head = git("rev-parse", "main", cwd=remote)
        git("update-ref", "refs/heads/autonomy/theirs-12345678", head, cwd=remote)
        await world.run("quick", again=True)
        (told,) = await strangers()

    assert (RunStatus.PR_OPENED, RunStatus.NOTHING_TO_DO, []) == (first.status, again.status, ours)
    assert f"branch autonomy/theirs-12345678 at {head[:12]}" in told
