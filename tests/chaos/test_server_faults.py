"""The Temporal server dies under a run, and comes back with its file or without it."""

from __future__ import annotations

import asyncio
from pathlib import Path

from checker import check_world
from faulty import hook, seen, step_done
from google.protobuf.duration_pb2 import Duration
from mortal import mortal
from supervisor import Supervisor
from temporalio.api.workflowservice.v1 import RegisterNamespaceRequest
from world import World

import composition
from contracts.modes import RunStatus, TargetStatus


async def test_a_killed_server_comes_back_on_its_file_and_the_run_goes_on(tmp_path: Path, environments: Path) -> None:
    """SIGKILL at three instants of one run: in preflight's wake, in review's, and in the middle of the push."""
    async with mortal(tmp_path, environments) as (world, server), Supervisor(world):
        entered = hook(world, "post-receive", seconds=3)
        handle = await world.start()
        for instant in (
            step_done(world, "preflight.json"),
            step_done(world, "review_report.json"),
            seen(entered.exists),
        ):
            await instant
            await server.kill()
            await server.start()
        result = await asyncio.wait_for(handle.result(), 120)
        assert RunStatus.PR_OPENED is result.status, result.reason
        assert [1] == [pull["number"] for pull in world.pulls()]
        await check_world(world, started=[handle.id])


async def test_a_lost_database_does_not_make_a_second_pull_request(tmp_path: Path, environments: Path) -> None:
    """The day's run is known from its audit log; the targets are known too, so everything wakes up paused."""
    async with mortal(tmp_path, environments) as (world, server):
        entered = hook(world, "post-receive", seconds=1)
        async with Supervisor(world) as supervisor:
            lost = await world.start()
            await seen(entered.exists)
            run_id = (await world.state(lost)).run.run_id
            await server.kill()
            await supervisor.kill(restart=False)
            for file in server.database.parent.glob(f"{server.database.name}*"):
                file.unlink()
            await server.start()
            await _register(world)
            supervisor.restart()
            repeated = await world.run()
            assert RunStatus.ALREADY_RAN is repeated.status, repeated.reason

            async def opened() -> bool:
                return TargetStatus.PAUSED is (await world.installation()).status

            await world.until(opened)
            stopped = await world.run(again=True)
            assert stopped.status in {RunStatus.REFUSED, RunStatus.CANCELLED}, stopped.reason
            assert 1 >= len(world.pulls())
            assert 1 == len(world.autonomy_branches())
            await check_world(world, at_least=0, abandoned=[run_id])


async def _register(world: World) -> None:
    """The fresh server knows no namespace."""
    await world.client.workflow_service.register_namespace(
        RegisterNamespaceRequest(
            namespace=world.namespace, workflow_execution_retention_period=Duration(seconds=90 * 24 * 3600)
        )
    )
    for _ in range(100):
        if not await composition.prepare_namespace(world.client):
            return
        await asyncio.sleep(0.2)
