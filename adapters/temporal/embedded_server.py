"""The embedded Temporal server with its UI: one process, one SQLite file, dies with its parent."""

import asyncio
import contextlib
import json
import os
import secrets
import shutil
import socket
import sys
from dataclasses import dataclass
from pathlib import Path

from temporalio.client import Client
from temporalio.service import RPCError

from adapters.temporal.connection import quiet_runtime
from adapters.temporal.ui_front import Front, hidden_place
from ports.full_disk import is_full_disk
from ports.server import ServerUnavailable
from workflows.api import EPOCH_ATTRIBUTE, SEARCH_ATTRIBUTES

# Measured: nine durable steps take 0.12 s with this profile, 0.95 s with the server's defaults.
_PROFILE = {
    "history.transferProcessorMaxPollRPS": "10000",
    "history.timerProcessorMaxPollRPS": "10000",
    "history.visibilityProcessorMaxPollRPS": "10000",
    "matching.numTaskqueueReadPartitions": "1",
    "matching.numTaskqueueWritePartitions": "1",
    "system.enableActivityEagerExecution": "true",
    "system.forceSearchAttributesCacheRefreshOnRead": "true",
}
# Its goroutines begin with the stack that they grow to: a twelfth of its time went into growing them one by one.
_GO = {"GODEBUG": "adaptivestackstart=1"}
# A server whose parent was killed would keep the database file locked.
_DIE_WITH_PARENT = (
    "import ctypes,os,signal,sys;"
    "ctypes.CDLL(None).prctl(1,signal.SIGTERM);"
    "os.getppid()==int(sys.argv[1]) or sys.exit(1);"
    "os.execv(sys.argv[2],sys.argv[2:])"
)


def find_server() -> Path:
    """The `temporal` binary: of our own environment, else on PATH.

    Raises:
        ServerUnavailable: there is none.
    """
    beside = Path(sys.executable).parent / "temporal"
    found = str(beside) if beside.exists() else shutil.which("temporal")
    if found is None:
        raise ServerUnavailable("no `temporal` binary: run `make setup`, or put Temporal's command line on PATH")
    return Path(found)


def free_port() -> int:
    """A loopback port nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


_TRIES = 3
_LAST_WORDS = 4096


def _cause(log: Path) -> str:
    last = log.read_bytes()[-_LAST_WORDS:].decode(errors="replace")
    return "the disk is full; its log" if is_full_disk(last) else "its log says why"


@dataclass
class EmbeddedServer:
    """Started by ``start``; ``stop`` ends it in order, so that the file is whole."""

    process: asyncio.subprocess.Process
    address: str
    ui: str
    log: Path
    front: Front

    async def stop(self) -> None:
        """SIGTERM, then SIGKILL after ten seconds."""
        self.front.close()
        if self.process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            self.process.terminate()
        try:
            await asyncio.wait_for(self.process.wait(), 10)
        except TimeoutError:
            self.process.kill()
            await self.process.wait()


class _EndedAtOnce(ServerUnavailable):
    """Before it served: for one, because somebody took a port between its choice and its use."""


async def start_embedded_server(
    database: Path | None, log: Path, port: int = 0, ui_port: int = 0, settings: dict[str, str] | None = None
) -> EmbeddedServer:
    """Start a server on loopback and wait until it accepts connections.

    It picks ports of its own besides ours, and any other process may be faster: one that ends at once is tried again.

    Args:
        database: SQLite file; None keeps everything in memory.
        log: where its output goes.
        port: 0 picks a free one.
        ui_port: 0 picks a free one.
        settings: more dynamic configuration, for example a lower continue-as-new suggestion in tests.

    Raises:
        ServerUnavailable: it does not serve; the message names its log.
    """
    for _ in range(_TRIES - 1):
        with contextlib.suppress(_EndedAtOnce):
            return await _start(database, log, port, ui_port, settings or {})
    return await _start(database, log, port, ui_port, settings or {})


async def _start(database: Path | None, log: Path, port: int, ui_port: int, settings: dict[str, str]) -> EmbeddedServer:
    port, hidden = port or free_port(), hidden_place()
    if database is not None:
        database.parent.mkdir(parents=True, exist_ok=True)
    log.parent.mkdir(parents=True, exist_ok=True)
    front = Front(hidden)
    await front.open(ui_port)
    with log.open("ab") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-I",
            "-S",
            "-c",
            _DIE_WITH_PARENT,
            str(os.getpid()),
            str(find_server().absolute()),
            *_arguments(database, port, hidden, settings),
            cwd=None if database is None else database.parent,
            stdin=asyncio.subprocess.DEVNULL,
            env=_GO | os.environ,
            stdout=output,
            stderr=output,
            # A signal typed at the terminal is ours to handle: worker first, then server.
            start_new_session=True,
        )
    server = EmbeddedServer(process, f"127.0.0.1:{port}", f"http://127.0.0.1:{front.port}", log, front)
    for _ in range(300):
        if process.returncode is not None:
            front.close()
            raise _EndedAtOnce(f"the embedded server ended at once; {_cause(log)}: {log}")
        # The port opens before the server serves: only an answer counts.
        with contextlib.suppress(RuntimeError, RPCError):
            await Client.connect(server.address, runtime=quiet_runtime())
            return server
        await asyncio.sleep(0.1)
    await server.stop()
    raise ServerUnavailable(f"the embedded server did not answer within 30 s (log: {log})")


def _arguments(database: Path | None, port: int, hidden: tuple[str, int], settings: dict[str, str]) -> list[str]:
    argv = ["server", "start-dev", "--ip", "127.0.0.1", "--port", str(port)]
    argv += ["--ui-ip", hidden[0], "--ui-port", str(hidden[1]), "--ui-disable-news-fetch"]
    argv += ["--log-level", "warn", "--log-format", "json"]
    if database is not None:
        # By its name alone: of a path the server makes a URL, in which #, ? and % lead to another file.
        argv += ["--db-filename", database.name, "--sqlite-pragma", "journal_mode=WAL"]
    # Its HTTP API takes posts of any page, and nothing of ours uses it: no page has a host of this name.
    closed = {"frontend.httpAllowedHosts": json.dumps([secrets.token_hex(16)])}
    for key, value in (_PROFILE | closed | settings).items():
        argv += ["--dynamic-config-value", f"{key}={value}"]
    for attribute in SEARCH_ATTRIBUTES:
        argv += ["--search-attribute", f"{attribute.name}={'Int' if attribute is EPOCH_ATTRIBUTE else 'Keyword'}"]
    return argv
