"""Queries that waited for a worker find events that no workflow task has taken yet (P1, P16)."""

from __future__ import annotations

import asyncio

from replaying import replay
from world import World

from contracts.control import PauseRequest, StatusView
from contracts.modes import TargetStatus
from tests.workflows.conversation import asked, open_target
from tests.workflows.quick import add_target, quick
from workflows import api

QUERIES = 12
TARGETS = ("one", "two", "three", "four")


async def test_what_a_fresh_worker_plays_to_answer_a_query_is_not_kept(world: World) -> None:
    """A pause and a resume come after the queries, and before the worker: Control goes on, and any replay agrees.

    Which of them the server hands out first is its own affair: several targets, so that one query at least is first.
    """
    for target in TARGETS:
        add_target(world, target)
    async with world.worker(quick(world)):
        for target in TARGETS:
            await open_target(world, target)
    looks = [
        asyncio.create_task(world.control(target).query(api.STATUS, result_type=StatusView))
        for target in TARGETS
        for _ in range(QUERIES)
    ]
    # The server takes them as coming without a task only while no event waits for one.
    await asyncio.sleep(1)
    late = []
    for target in TARGETS:
        await world.control(target).signal(api.PAUSE, PauseRequest(reason="while nobody works", actor="ann"))
        late.append(asyncio.create_task(world.control(target).execute_update(api.RESUME, asked(0))))
    async with world.worker(quick(world)):
        await asyncio.gather(*looks)
        assert [False] * len(TARGETS) == [answer["accepted"] for answer in await asyncio.gather(*late)]
        assert {TargetStatus.PAUSED} == {(await world.status(target)).status for target in TARGETS}
    await replay([await world.control(target).fetch_history() for target in TARGETS])
