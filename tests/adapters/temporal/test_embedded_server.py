"""The embedded server starts where a port that it chose is taken before it is used, and says so where it cannot."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from adapters.temporal import embedded_server
from adapters.temporal.connection import connect
from adapters.temporal.embedded_server import start_embedded_server
from ports.server import ServerUnavailable


def _taken() -> socket.socket:
    """Bound, and refusing whoever asks it."""
    held = socket.socket()
    held.bind(("127.0.0.1", 0))
    return held


async def test_a_port_that_somebody_was_faster_to_take_is_not_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Chosen free, taken by another process, and only then used: on a busy machine that happens."""
    with _taken() as held:
        ports = [held.getsockname()[1]]
        choose = embedded_server.free_port
        monkeypatch.setattr(embedded_server, "free_port", lambda: ports.pop() if ports else choose())
        server = await start_embedded_server(None, tmp_path / "log")
    try:
        assert await connect(server.address)
        assert not ports
    finally:
        await server.stop()


async def test_a_port_that_stays_taken_is_said(tmp_path: Path) -> None:
    """A person's own choice: tried again, and then told where to look."""
    with _taken() as held, pytest.raises(ServerUnavailable, match=r"ended at once.*log"):
        await start_embedded_server(None, tmp_path / "log", held.getsockname()[1])


@pytest.mark.parametrize("name", ["one#two", "one?mode=memory", "one%41"])
async def test_the_database_lies_where_its_home_is(tmp_path: Path, name: str) -> None:
    """The server makes a URL of the path that it is given, and these would lead elsewhere in one."""
    database = tmp_path / name / "temporal.db"
    server = await start_embedded_server(database, tmp_path / "log")
    await server.stop()
    assert database.stat().st_size
    assert not (tmp_path / name[: len("one")]).exists()
