"""Run a worker: ``python -m worker``. It registers every workflow and activity and works until SIGINT or SIGTERM."""

import asyncio
import logging
import signal
import sys

from commands.exit_statuses import Exit
from commands.home import client_of
from commands.leaving import leave
from composition import (
    AnotherHome,
    HomeUnusable,
    ServerUnavailable,
    begin_standing,
    build_worker,
    open_home,
    prepare_namespace,
)
from settings import Settings


async def work(settings: Settings) -> int:
    """Connect, prepare the namespace, work until told to stop; returns the exit status."""
    try:
        open_home(settings.home)
        client = await client_of(settings)
    except HomeUnusable as unusable:
        print(unusable, file=sys.stderr)  # noqa: T201  # the operator's terminal
        return Exit.REFUSED
    except ServerUnavailable as absent:
        print(absent, file=sys.stderr)  # noqa: T201  # the operator's terminal
        return 20
    for undone in await prepare_namespace(client):
        logging.getLogger("worker").warning("could not prepare: %s", undone)
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    try:
        async with build_worker(client, settings):
            await begin_standing(client, settings)
            logging.getLogger("worker").info("working on task queue, artifacts in %s", settings.artifacts)
            await stop.wait()
    except (AnotherHome, HomeUnusable) as other:
        print(other, file=sys.stderr)  # noqa: T201  # the operator's terminal
        return Exit.REFUSED
    return 0


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    leave(asyncio.run(work(Settings())))
