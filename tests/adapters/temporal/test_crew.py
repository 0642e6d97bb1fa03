"""A worker as one thing: how it ends."""

from __future__ import annotations

import asyncio
import contextlib
from types import SimpleNamespace
from typing import Any

import pytest

from adapters.temporal import crew


class Stuck:
    """A worker whose shutdown does not come back."""

    async def __aenter__(self) -> None:
        pass

    async def __aexit__(self, *_: object) -> None:
        await asyncio.Event().wait()


async def nothing(*_: Any) -> bool:
    return True


def of(worker: Any) -> crew.Crew:
    client: Any = SimpleNamespace()
    return crew.Crew(client, client, lambda: (worker,), contextlib.nullcontext())


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crew, "claim", nothing)
    monkeypatch.setattr(crew, "kept_alive", lambda *_: contextlib.nullcontext())
    monkeypatch.setattr(crew, "_ENDING_SECONDS", 0.05)


async def test_a_worker_that_does_not_end_keeps_nobody(caplog: pytest.LogCaptureFixture) -> None:
    """Who told it to stop gets its prompt back; the log says what was left."""
    async with asyncio.timeout(10), of(Stuck()):
        pass
    assert "did not end within 0.05 s" in caplog.text


async def test_a_step_that_ran_out_of_time_is_not_taken_for_it() -> None:
    """Only the end of the worker has this limit."""
    with pytest.raises(TimeoutError, match="a step's"):
        async with asyncio.timeout(10), of(contextlib.AsyncExitStack()):
            raise TimeoutError("a step's")
