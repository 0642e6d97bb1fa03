"""``up``: the embedded server, its UI and a worker, until Ctrl-C."""

import asyncio
import contextlib
import signal
import socket
from typing import Annotated

import typer

from commands.exit_statuses import Exit
from commands.failures import CommandFailed
from commands.home import embedded
from commands.terminal import guarded, say, show
from composition import retention
from settings import Settings


@guarded
async def up(
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="The server's port; default: AUTONOMY_SERVER_PORT, else 7233.")
    ] = None,
    ui_port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="The UI's port; default: AUTONOMY_UI_PORT, else 8233.")
    ] = None,
) -> int:
    """Run the embedded Temporal server with its UI and a worker, until Ctrl-C.

    Everything is kept in AUTONOMY_HOME; a run that was interrupted goes on at the next `up`. For development and
    one machine; docker-compose.yml is the production profile.
    """
    settings = Settings()
    port, ui_port = port or settings.server_port, ui_port or settings.ui_port
    if port == ui_port != 0:
        raise CommandFailed(
            Exit.USAGE, f"server and UI cannot share port {port}: choose another with --port or --ui-port"
        )
    for number, option in ((port, "--port"), (ui_port, "--ui-port")):
        _demand_free(number, option)
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with embedded(settings, port, ui_port) as running:
        show(f"server  {running.server.address}", "bold")
        show(f"UI      {running.server.ui}", "bold")
        show(f"home    {settings.home}")
        show(f"policy  {settings.policies}")
        show(f"logs    {settings.logs}; closed runs kept {(await retention(running.client)).days} days")
        say("a worker runs; Ctrl-C ends both in order")
        died = asyncio.create_task(running.server.process.wait())
        stopped = asyncio.create_task(stop.wait())
        await asyncio.wait({died, stopped}, return_when=asyncio.FIRST_COMPLETED)
        lost = died.done()
        for task in (died, stopped):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        if lost:
            raise CommandFailed(
                Exit.TROUBLE, f"the server stopped unexpectedly; its log says why: {running.server.log}"
            )
        say("stopping: steps in progress are handed back and continue at the next `up`")
    return Exit.OK


def _demand_free(port: int, option: str) -> None:
    # Asked first: the new server would end at once, and we would talk to whoever listens there.
    with socket.socket() as probe:
        # As the server does: a port whose last connections linger is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            raise CommandFailed(
                Exit.REFUSED,
                f"port {port} is taken, perhaps by a server that is running already: choose another with {option}",
            ) from None
