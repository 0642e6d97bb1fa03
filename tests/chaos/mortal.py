"""A server of a test's own, which may be killed and comes back on its file."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from faulty import prepare
from world import World, make_world

import composition

if TYPE_CHECKING:
    from composition import EmbeddedServer


class MortalServer:
    """An embedded server of this test's own."""

    def __init__(self, folder: Path) -> None:
        self.database = folder / "temporal.db"
        self._log = folder / "server.log"
        self._running: EmbeddedServer | None = None
        self._port = 0

    async def start(self) -> str:
        """Start on the same port and file as before; its address."""
        self._running = await composition.start_embedded_server(self.database, self._log, port=self._port)
        self._port = int(self._running.address.rsplit(":", 1)[1])
        return self._running.address

    async def kill(self) -> None:
        """SIGKILL."""
        assert self._running is not None
        self._running.front.close()
        self._running.process.kill()
        await self._running.process.wait()


@asynccontextmanager
async def mortal(tmp_path: Path, environments: Path) -> AsyncIterator[tuple[World, MortalServer]]:
    """A world on a server of its own."""
    server = MortalServer(tmp_path / "server")
    try:
        address = await server.start()
        yield prepare(await make_world(tmp_path / "world", address, environments)), server
    finally:
        await server.kill()
