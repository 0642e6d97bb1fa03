"""A script in place of a coding agent, run by the real backend in the real sandbox, beside a played gateway."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from adapters.agents.command_backend import CommandBackend
from adapters.sandbox.bubblewrap import BubblewrapSandbox
from contracts.exchange import AgentRecord, Ending, Exchange
from contracts.handover import PinnedPolicy, RunRef
from contracts.modes import Mode, Role, RunKind
from contracts.task import AskedTask, Scope, TaskContract
from policies.run.known_bad import contract
from policies.settings.charter import RolePolicy
from ports.agents import AgentStopped, Brief
from tests.policies.sample_policy import policy


@dataclass
class PlayedGateway:
    """Whoever connects is heard, and gets the next ending into the record."""

    folder: Path
    endings: list[Ending]
    exchanges: list[Exchange] = field(default_factory=list)
    under_way: int = 0
    transcript: bytes = b'{"number": 1}\n'

    @property
    def socket(self) -> Path:
        """As of the port."""
        return self.folder / "model.sock"

    def __enter__(self) -> Self:
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self.socket))
        self.socket.chmod(0o666)
        self._listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            with near:
                near.recv(1 << 16)
                self.exchanges.append(exchange(len(self.exchanges) + 1, self.endings.pop(0)))
                near.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


def exchange(number: int, ending: Ending, **more: Any) -> Exchange:
    """One of the record."""
    facts = {"tokens_in": 10, "tokens_out": 5, "usd": 0.01, "tools": ("bash",)} | more
    return Exchange(number=number, at=datetime.now(UTC), model="m", dialect="chat", ending=ending, **facts)


@dataclass
class Played:
    """What came of it."""

    tree: Path
    answer: str = ""
    stopped: AgentStopped | None = None
    kept: dict[str, bytes] = field(default_factory=dict)
    told: list[dict[str, Any]] = field(default_factory=list)
    seconds: float = 0

    @property
    def record(self) -> AgentRecord:
        """The backend's own."""
        return AgentRecord.model_validate_json(self.kept["json"])

    @property
    def output(self) -> str:
        """What it wrote."""
        return self.kept["output.txt"].decode()


def asked(
    tree: Path, said: RolePolicy, paths: tuple[str, ...] = ("**",), task_of: AskedTask | None = None, **more: Any
) -> Brief:
    """A brief to code, everything in scope."""
    terms = contract(policy()).model_copy(update={"asked": task_of})
    scope = Scope(allowed_paths=paths, max_files=9, max_lines=99)
    task: TaskContract = terms.model_copy(update={"scope": scope, "title": "Mend it"})
    pinned = PinnedPolicy.model_construct(digest="0" * 64)
    run = RunRef.model_construct(run_id="demo-1", target="demo", mode=Mode.DRY_RUN, kind=RunKind.DAILY, policy=pinned)
    known = policy()
    roles = {**known.charter.roles, Role.CODING: said}
    effective = known.model_copy(update={"charter": known.charter.model_copy(update={"roles": roles})})
    return Brief(Role.CODING, run, effective, "0" * 40, tree=tree, contract=task, purse=object(), **more)  # type: ignore[arg-type]


def play(
    tree: Path,
    script: str,
    *,
    endings: tuple[Ending, ...] = (),
    alive: Callable[[], None] = lambda: None,
    said: Mapping[str, Any] | None = None,
    change: Callable[[PlayedGateway], None] = lambda _gateway: None,
    played: Played | None = None,
    **more: Any,
) -> Played:
    """Let a shell script be the agent of a tree."""
    terms = {"minutes": 1, "usd": 1.5, "tokens": 9000, "models": ("m",), "argv": ("/bin/sh", "-c", script)}
    role = RolePolicy(backend="command", provider="local", **(terms | dict(said or {})))
    played = played or Played(tree)

    def opened(_policy: Any, _role: Any, _purse: Any, folder: Path) -> PlayedGateway:
        gateway = PlayedGateway(folder, list(endings))
        change(gateway)
        return gateway

    def keep(name: str, body: bytes, _kind: str) -> None:
        played.kept[name.partition(".")[2]] = body

    backend = CommandBackend(role, BubblewrapSandbox(), opened, tree.parent / "agents")
    brief = asked(tree, role, alive=alive, keep=keep, tell=lambda **said: played.told.append(said), **more)
    began = time.monotonic()
    try:
        played.answer = backend.answer(brief)
    except AgentStopped as stopped:
        played.stopped = stopped
    played.seconds = time.monotonic() - began
    return played


def made(root: Path, files: Mapping[str, str]) -> Path:
    """A checkout with these files."""
    tree = root / "tree"
    for name, text in files.items():
        place = tree / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    return tree
