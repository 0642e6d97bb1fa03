"""Epochs are only compared: the highest is the newest, whoever was terminated or reset in between (docs/adr/0005)."""

import asyncio
from collections.abc import Callable
from datetime import datetime

from temporalio import workflow


def epoch_at(moment: datetime) -> int:
    """The epoch that is newer than anything before this moment, in milliseconds since 1970.

    Milliseconds, because epochs are counted up by one for each pause: counted in seconds, several pauses within one
    second would put an old epoch ahead of a newborn's clock.
    """
    return int(moment.timestamp() * 1000)


_AHEAD = 24 * 3600 * 1000


def is_newer(told: int, known: int, now: datetime) -> bool:
    """Whether what is told under one epoch (or revision) comes after what is known under another.

    Higher is newer. But one that is to come was typed by hand, or is of a clock that jumped: it must not hide what is
    said from now on, or a pause would not arrive (P1).
    """
    return told > known or told <= epoch_at(now) + _AHEAD < known


# Noticing that somebody reset this workflow by hand.


def when_reset(do: Callable[[], None]) -> None:
    """Call ``do`` after a reset rewound this workflow, behind the messages the server applies again.

    A reset changes the random seed. The SDK (1.35) says so outside the workflow's event loop, where nothing of
    ``workflow`` works, and swallows what is raised there: hence the loop's next turn.
    """
    loop = asyncio.get_running_loop()

    def seeded(_seed: int) -> None:
        loop.call_soon(do)

    workflow.register_random_seed_callback(seeded)
