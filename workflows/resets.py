"""Noticing that somebody reset this workflow by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from temporalio import workflow


def when_reset(do: Callable[[], None]) -> None:
    """Call ``do`` after a reset rewound this workflow, behind the messages the server applies again.

    A reset changes the random seed. The SDK (1.35) says so outside the workflow's event loop, where nothing of
    ``workflow`` works, and swallows what is raised there: hence the loop's next turn.
    """
    loop = asyncio.get_running_loop()

    def seeded(_seed: int) -> None:
        loop.call_soon(do)

    workflow.register_random_seed_callback(seeded)
