"""A worker as one thing: runs' steps and Control's own with slots of their own each, and the Installation kept."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import AbstractContextManager, AsyncExitStack
from types import TracebackType
from typing import Self

from temporalio.client import Client
from temporalio.worker import Worker

from adapters.temporal.installation import claim, claim_by_update, kept_alive
from contracts.home import HomeMark

_ENDING_SECONDS = 120.0
"""Longer than a write's lease: whatever can end has ended by then."""
_LOG = logging.getLogger(__name__)


class Crew:
    """Use it with ``async with``; inside, all of it works.

    Raises:
        AnotherHome: on entering, before any work is taken.
    """

    def __init__(
        self,
        client: Client,
        home: HomeMark,
        make: Callable[[], tuple[Worker, ...]],
        beside: AbstractContextManager[None],
    ) -> None:
        """``make`` is called once the installation is known to be this home's: a worker is registered when made.

        ``beside``: what goes on as long as it works.
        """
        self._client = client
        self._home = home
        self._make = make
        self._beside = beside
        self._working = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Claim the installation for this home, then work."""
        known = await claim(self._client, self._home)
        async with AsyncExitStack() as entering:
            for worker in self._make():
                await entering.enter_async_context(worker)
            if not known:
                await claim_by_update(self._client, self._home)
            await entering.enter_async_context(kept_alive(self._client, self._home))
            entering.enter_context(self._beside)
            self._working = entering.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End in order: what began last ends first.

        Once in a long while a worker of the SDK does not come back from its shutdown, though no step is left in it.
        Nothing is lost by leaving it: to the server it is one that died.
        """
        try:
            async with asyncio.timeout(_ENDING_SECONDS) as limit:
                await self._working.__aexit__(kind, problem, trace)
        except TimeoutError:
            if not limit.expired():
                raise
            _LOG.warning("the worker did not end within %g s, and is left as it is", _ENDING_SECONDS)
