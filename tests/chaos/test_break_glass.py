"""Terminate, Cancel and Reset, as anybody can click them in the Temporal UI: documented, and survived."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from checker import check_world
from faulty import hook, quiescent, reset, seen, step_done, unchanged
from supervisor import Supervisor
from temporalio.client import WorkflowFailureError

from contracts.admission import RunResult
from contracts.control import PauseRequest
from contracts.modes import PauseStyle, RunStatus, TargetStatus
from workflows import api

if TYPE_CHECKING:
    from typing import Any

    from world import World

    from contracts.control import StatusView


async def paused(world: World, *, runs: int | None = None) -> StatusView:
    """Wait until Control says PAUSED (and keeps so many runs)."""

    async def asked() -> StatusView | None:
        view = await world.status()
        enough = runs is None or runs == len(view.active)
        return view if view.status is TargetStatus.PAUSED and enough else None

    view: StatusView = await world.until(asked, 60)
    return view


async def idle(world: World) -> StatusView:
    """The status once no run is active."""

    async def asked() -> StatusView | None:
        view = await world.status()
        return None if view.active else view

    view: StatusView = await world.until(asked)
    return view


async def ended(handle: Any) -> None:
    """Wait for a workflow that does not end with a result."""
    with pytest.raises(WorkflowFailureError):
        await asyncio.wait_for(handle.result(), 60)


async def test_a_terminated_run_is_reaped_and_its_open_write_settled(world: World) -> None:
    """Control finds the run gone and looks at the remote for the write nobody settled."""
    entered = hook(world, "pre-receive", seconds=30)
    async with Supervisor(world):
        handle = await world.start()
        await seen(entered.exists)
        assert 1 == (await world.status()).writes_in_flight
        await handle.terminate("an operator tries")

        async def reaped() -> StatusView | None:
            view = await world.status()
            return view if view.recent and not view.writes_in_flight else None

        view = await world.until(reaped)
        assert [RunStatus.LOST] == [run.status for run in view.recent]
        await unchanged(world, seconds=3)
        again = await world.run(again=True)
        assert RunStatus.PR_OPENED is again.status, again.reason
        await check_world(world, started=[handle.id])


async def test_a_cancelled_run_ends_with_a_report(world: World) -> None:
    """Cancelled by hand is an end like any other."""
    async with Supervisor(world):
        handle = await world.start()
        await step_done(world, "preflight.json")
        await handle.cancel()
        await ended(handle)
        assert [RunStatus.CANCELLED] == [run.status for run in (await idle(world)).recent]
        await check_world(world, at_least=0, started=[handle.id])


async def test_a_cancel_during_the_audit_does_not_lose_the_report(world: World) -> None:
    """The audit happens, whatever happens: the run had opened its pull request, and says so."""
    async with Supervisor(world, ["audit.before_effect"]) as supervisor:
        handle = await world.start()
        await seen(lambda: not supervisor.missed)
        await handle.cancel()
        result = await asyncio.wait_for(handle.result(), 60)
        assert RunStatus.PR_OPENED is result.status, result.reason
        assert [RunStatus.PR_OPENED] == [run.status for run in (await idle(world)).recent]
        await check_world(world, started=[handle.id])


async def test_a_control_terminated_while_paused_wakes_up_paused(world: World) -> None:
    """P1: terminating the brake does not release it; the run it knew cannot write any more."""
    async with Supervisor(world):
        handle = await world.start()
        await step_done(world, "preflight.json")
        await world.control().signal(api.PAUSE, PauseRequest(reason="test", actor="tester"))
        await quiescent(world)
        await world.control().terminate("an operator tries")
        stopped = await world.run(again=True)
        assert stopped.status in {RunStatus.REFUSED, RunStatus.CANCELLED}
        view = await paused(world, runs=0)
        assert ["start"] == [pause.scope for pause in view.pauses]
        await unchanged(world, seconds=3)
        await handle.cancel()
        await ended(handle)
        assert [] == world.autonomy_branches()
        await check_world(world, at_least=0, started=[handle.id])


async def test_a_control_terminated_under_a_working_run_lets_it_write_nothing(world: World) -> None:
    """The new Control does not know the run: its writes are refused, and the run ends with a report."""
    async with Supervisor(world):
        handle = await world.start()
        await step_done(world, "preflight.json")
        await world.control().terminate("an operator tries")
        result = await asyncio.wait_for(handle.result(), 60)
        assert RunStatus.REJECTED is result.status
        assert [] == world.autonomy_branches()
        assert TargetStatus.PAUSED is (await paused(world)).status
        await check_world(world, at_least=0, started=[handle.id])


async def test_a_reset_control_wakes_up_paused_and_newer_than_before(world: World) -> None:
    """A reset rewinds the books: nothing said before it may loosen anything, and its orders still count."""
    async with Supervisor(world):
        handle = await world.start()
        await asyncio.wait_for(handle.result(), 60)
        for _ in range(3):
            await world.control().signal(api.PAUSE, PauseRequest(style=PauseStyle.DRAIN, reason="test", actor="tester"))
        before = await paused(world)
        await reset(world, world.control(), after=2)

        async def woken() -> StatusView | None:
            view = await world.status()
            return view if any(pause.scope == "start" for pause in view.pauses) else None

        view = await world.until(woken)
        assert TargetStatus.PAUSED is view.status
        assert view.epoch > before.epoch
        assert RunStatus.REFUSED is (await world.run(again=True)).status
        await check_world(world, started=[handle.id])


async def test_a_reset_installation_pauses_every_target(world: World) -> None:
    """Its pause is newer than anything the Controls heard before, so that they follow it."""
    installation = world.client.get_workflow_handle(api.INSTALLATION_ID)
    async with Supervisor(world):
        result = await world.run()
        for _ in range(3):
            await installation.signal(api.PAUSE, PauseRequest(reason="test", actor="tester"))
        heard = await paused(world)
        await reset(world, installation, after=2)

        async def followed() -> StatusView | None:
            view = await world.status()
            return view if view.installation_epoch > heard.installation_epoch else None

        view = await world.until(followed)
        assert TargetStatus.PAUSED is view.status
        assert RunStatus.PR_OPENED is result.status
        await check_world(world)


@pytest.mark.parametrize("after", [1, pytest.param(4, marks=pytest.mark.sweep)])
async def test_a_reset_run_goes_on_and_opens_one_pull_request(world: World, after: int) -> None:
    """P7: before or after its admission, it is the same run; what it did already is adopted."""
    entered = hook(world, "post-receive", seconds=4)
    async with Supervisor(world):
        handle = await world.start()
        await seen(entered.exists)
        await reset(world, handle, after)
        result = await asyncio.wait_for(_latest(world, handle).result(), 90)
        assert RunStatus.PR_OPENED is result.status, result.reason
        assert [1] == [pull["number"] for pull in world.pulls()]
        assert 1 == len(world.autonomy_branches())
        await check_world(world, started=[handle.id])


@pytest.mark.parametrize("after", [pytest.param(1, marks=pytest.mark.sweep), 4])
async def test_a_run_reset_after_its_end_does_nothing_again(world: World, after: int) -> None:
    """Its one report stays its report."""
    async with Supervisor(world):
        handle = await world.start()
        first = await asyncio.wait_for(handle.result(), 60)
        report = world.artifact(first.run_id, "run_report.json")
        await reset(world, handle, after)
        await asyncio.wait_for(_latest(world, handle).result(), 60)
        assert report == world.artifact(first.run_id, "run_report.json")
        assert [1] == [pull["number"] for pull in world.pulls()]
        await check_world(world, started=[handle.id])


def _latest(world: World, handle: Any) -> Any:
    """The execution that a reset started."""
    return world.client.get_workflow_handle(handle.id, result_type=RunResult)
