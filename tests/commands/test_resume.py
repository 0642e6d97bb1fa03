"""``resume`` as typed, while a write is still on its way (P2)."""

from __future__ import annotations

import asyncio

from shell import shell_of
from world import World

from tests.workflows.conversation import pause
from tests.workflows.quick import Turnstile, add_target, stopping

RESUME = "resume", "quick", "--cause", "a drill", "--evidence", "it is over"


async def test_waiting_is_waiting_for_the_write_too(world: World) -> None:
    """Refused while a write is in flight; with ``--wait`` asked for once that is settled, and not before."""
    add_target(world, "quick")
    shell, turnstile = shell_of(world), Turnstile({"writer": "effect"})
    async with world.worker(stopping(world, turnstile)):
        await world.start("quick", "writer")
        await world.until(turnstile.all_reached())
        await pause(world, "quick")
        refused = await shell.typed(*RESUME)
        waiting = asyncio.create_task(shell.typed(*RESUME, "--wait", "--timeout", "60"))
        _, open_still = await asyncio.wait({waiting}, timeout=1)
        turnstile.open()
        resumed = await waiting
    assert (11, True) == (refused.status, "in flight" in refused.err), refused.err
    assert {waiting} == open_still
    assert 0 == resumed.status, resumed.err
