"""Waiting by a durable timer, and looking again until a look says enough: CI, a canary, what becomes of a merge."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

from temporalio import workflow

Found = TypeVar("Found")


def _never() -> bool:
    return False


@dataclass(frozen=True)
class Again:
    """Nothing final was seen: look again after a while, or as soon as something else happened."""

    wait: timedelta
    summary: str
    sooner: Callable[[], bool] = _never


async def polled(look: Callable[[], Awaitable[Found | Again]]) -> Found:
    """Look, and look again, until there is an answer."""
    while isinstance(found := await look(), Again):
        await waited(found.sooner, found.wait, found.summary)
    return found


async def waited(condition: Callable[[], bool], wait: timedelta, summary: str) -> bool:
    """Wait for a condition; False when the time ran out first."""
    try:
        await workflow.wait_condition(condition, timeout=wait, timeout_summary=summary)
    except TimeoutError:
        return False
    return True
