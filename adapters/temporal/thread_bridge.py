"""Asking the worker's event loop from an activity's thread."""

import asyncio
from collections.abc import Coroutine
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import Any, TypeVar

Value = TypeVar("Value")


def ask(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, Value]) -> Value:
    """Run on the loop while this thread stays open to cancellation."""
    future = asyncio.run_coroutine_threadsafe(work, loop)
    try:
        while True:
            try:
                return future.result(timeout=0.5)
            except FutureTimeoutError:
                # A coroutine's own TimeoutError has the same class: only ours leaves the future running.
                if future.done():
                    raise
    finally:
        future.cancel()
