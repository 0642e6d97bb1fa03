"""One embedded server per home folder: who holds it, and where that server answers."""

from __future__ import annotations

import asyncio
import fcntl
import json
import logging
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from temporalio.client import Client

from commands.exit_statuses import Exit
from commands.failures import CommandFailed
from composition import ServerUnavailable, connect, open_home, prepare_namespace
from settings import Settings

if TYPE_CHECKING:
    from composition import EmbeddedServer

_LOCK = "server.lock"
_STARTING = 80
_TRIES = 10
"""A reader holds the lock for an instant; whoever wants to own it tries again."""


MakeBench = Callable[[Client, Settings], Any]
"""Makes an ``activities.step_session.StepPorts``."""


@dataclass(frozen=True)
class Running:
    """An embedded server with a worker in this process."""

    client: Client
    server: EmbeddedServer


@asynccontextmanager
async def embedded(
    settings: Settings, port: int = 0, ui_port: int = 0, bench: MakeBench | None = None
) -> AsyncIterator[Running]:
    """Server, namespace and worker; ended in order: worker first, so that steps can say how they ended.

    Args:
        settings: where things are.
        port: the server's; 0 takes a free one.
        ui_port: the UI's; 0 takes a free one.
        bench: makes another workbench than the default composition's.

    Raises:
        CommandFailed: this home has a running server already (SQLite's file belongs to one).
        HomeUnusable: see ``open_home``.
    """
    open_home(settings.home)
    with _held(settings.home / _LOCK) as note:
        server = await _started(settings, port, ui_port)
        # Imported by now; no other command pays for them.
        from composition import begin_standing, build_worker  # noqa: PLC0415

        try:
            client = await _connected(server.address)
            await prepare_namespace(client)
            _write(note, {"pid": os.getpid(), "address": server.address, "ui": server.ui})
            with _logged(settings.logs / "worker.log"):
                async with build_worker(client, settings, bench(client, settings) if bench else None):
                    await begin_standing(client, settings)
                    yield Running(client, server)
        finally:
            await server.stop()


async def _started(settings: Settings, port: int, ui_port: int) -> EmbeddedServer:
    """The server, and beside its start the half second of imports that a worker is."""
    from composition import start_embedded_server  # noqa: PLC0415

    starting = start_embedded_server(settings.database, settings.logs / "temporal.log", port, ui_port)
    server, _ = await asyncio.gather(starting, asyncio.to_thread(import_module, "composition.worker"))
    return server


async def client_of(settings: Settings, *, asking: bool = False) -> Client:
    """The server this home's `up` runs, unless TEMPORAL_ADDRESS names another.

    Whoever sets AUTONOMY_SERVER_PORT has a server of their own: what listens on Temporal's usual port is not it.

    Args:
        settings: where things are.
        asking: for a command that only looks; it starts, signals and updates nothing.

    Raises:
        ServerUnavailable: none answers.
    """
    if os.environ.get("TEMPORAL_ADDRESS"):
        return await connect(asking=asking)
    if "server_port" in settings.model_fields_set:
        return await connect(server_of(settings.home), default=None, asking=asking)
    return await connect(server_of(settings.home), asking=asking)


def server_of(home: Path) -> str | None:
    """The address of the embedded server that is running on this home now."""
    try:
        with (home / _LOCK).open("r") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return _read(file).get("address")
    except (FileNotFoundError, NotADirectoryError):
        pass
    return None


async def _connected(address: str) -> Client:
    """A server that has just begun listens before it answers."""
    for _ in range(_STARTING):
        try:
            return await connect(address)
        except ServerUnavailable:
            await asyncio.sleep(0.25)
    return await connect(address)


@contextmanager
def _logged(path: Path) -> Iterator[None]:
    """The worker's own words go to a file; the terminal is the command's."""
    handler = logging.FileHandler(path)
    handler.setFormatter(logging.Formatter("%(asctime)s %(name)s %(levelname)s %(message)s"))
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    try:
        yield
    finally:
        root.removeHandler(handler)
        handler.close()


@contextmanager
def _held(path: Path) -> Iterator[IO[str]]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as file:
        for left in reversed(range(_TRIES)):
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if left:
                    time.sleep(0.05)
                    continue
                held = _read(file)
                where = f" at {held['address']}, UI {held['ui']}" if held else ""
                raise CommandFailed(
                    Exit.REFUSED,
                    f"{path.parent} has a running server already{where} (process {held.get('pid', 'unknown')}): "
                    "use that one, stop it, or set AUTONOMY_HOME to another folder",
                ) from None
        _write(file, {})
        yield file


def _write(file: IO[str], note: dict[str, object]) -> None:
    file.seek(0)
    file.truncate()
    file.write(json.dumps(note))
    file.flush()


def _read(file: IO[str]) -> dict[str, str]:
    file.seek(0)
    try:
        return {key: str(value) for key, value in json.loads(file.read() or "{}").items()}
    except ValueError:
        # Caught while it is being written.
        return {}
