"""A gateway before a scripted model, with a purse of a test's own, and what an agent would say to it."""

from __future__ import annotations

import functools
import http.client
import json
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from adapters.models.gateway import Gateway, open_gateway
from contracts.budget import Amounts
from contracts.exchange import Ending
from contracts.modes import Role
from demo.scripted_model import Move, ScriptedModel
from policies.settings.charter import Charter
from ports.models import NotReserved, Reserved
from tests.policies.sample_policy import policy

KEY = "key-of-the-worker/never+inside=="
PRICE = {"input": 3.0, "output": 15.0}
PATHS = {"chat": "/v1/chat/completions", "responses": "/v1/responses", "messages": "/v1/messages"}
DIALECTS = tuple(PATHS)
BASH = {"command": {"type": "string"}}
TOOLS = {
    "chat": {"type": "function", "function": {"name": "bash", "parameters": {"properties": BASH}}},
    "responses": {"type": "function", "name": "bash", "parameters": {"properties": BASH}},
    "messages": {"name": "bash", "input_schema": {"properties": BASH}},
}
NOTHING = Amounts()
TRUE = Amounts(usd=0.00375, tokens=1050)
"""1000 tokens in and 50 out."""


@dataclass
class Wallet:
    """ports.models.Purse, remembered."""

    refuses: NotReserved | None = None
    most: int = 10**6
    """Reservations until it refuses."""
    reserved: list[Amounts] = field(default_factory=list)
    settled: dict[str, Amounts | None] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def reserve(self, worst: Amounts) -> Reserved | NotReserved:
        with self.lock:
            if self.refuses and len(self.reserved) >= self.most:
                return self.refuses
            self.reserved.append(worst)
            return Reserved(str(len(self.reserved)))

    def settle(self, reserved: Reserved, cost: Amounts | None, note: str = "") -> None:
        with self.lock:
            assert reserved.key not in self.settled
            self.settled[reserved.key] = cost
            self.notes.append(note)


def refusing(ending: Ending, reason: str, most: int = 0) -> Wallet:
    return Wallet(NotReserved(ending, reason), most)


_policy = functools.cache(policy)


@contextmanager
def gateway(
    folder: Path, url: str, purse: Any = None, *, prices: Any = None, **said: Any
) -> Iterator[tuple[Gateway, Wallet]]:
    """``said``: of the role, or of the provider."""
    of_provider = {name: said.pop(name) for name in ("seconds", "retries") if name in said}
    provider = {"url": url, "key_variable": "TEST_MODEL_KEY", **of_provider}
    role = {"backend": "model", "provider": "scripted", "models": ["small", "large"], "usd": 1.0, **said}
    charter = Charter.model_validate(
        {
            "roles": {"coding": role},
            "providers": {"scripted": provider},
            "prices": {"small": PRICE, "large": PRICE} if prices is None else prices,
        }
    )
    os.environ.setdefault("TEST_MODEL_KEY", KEY)
    wallet = purse or Wallet()
    with open_gateway(_policy().model_copy(update={"charter": charter}), Role.CODING, wallet, folder) as opened:
        assert isinstance(opened, Gateway)
        yield opened, wallet


def scripted(*moves: Move, before: tuple[Move, ...] = ()) -> ScriptedModel:
    """Also of requests that offer no tool; ``before``: once each, at first."""
    return ScriptedModel(moves or (Move(say="Done."),), {0: before}, side=None)


class Unix(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("model", timeout=30)
        self.path = path

    def connect(self) -> None:
        folder = os.open(self.path.parent, os.O_PATH)
        try:
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.settimeout(30)
            self.sock.connect(f"/proc/self/fd/{folder}/{self.path.name}")
        finally:
            os.close(folder)


@dataclass
class Said:
    """What an agent gets back."""

    status: int
    headers: dict[str, str]
    body: bytes
    whole: bool = True


def body_of(dialect: str, *, stream: bool = False, model: str = "small", text: str = "Mend it.", **more: Any) -> Any:
    said = {"input": text} if dialect == "responses" else {"messages": [{"role": "user", "content": text}]}
    return {"model": model, **said, **({"stream": True} if stream else {}), **more}


def raw_ask(
    path: Path,
    where: str,
    body: bytes,
    *,
    method: str = "POST",
    headers: dict[str, str] | None = None,
    chunked: bool = False,
) -> Said:
    link = Unix(path)
    try:
        sent = iter([body[:10], body[10:]]) if chunked else body
        link.request(method, where, sent, headers or {}, encode_chunked=chunked)
        got = link.getresponse()
        try:
            told, whole = got.read(), True
        except http.client.IncompleteRead as problem:
            told, whole = problem.partial, False
        return Said(got.status, {k.lower(): v for k, v in got.headers.items()}, told, whole)
    finally:
        link.close()


def ask(path: Path, dialect: str, **more: Any) -> Said:
    return raw_ask(path, PATHS[dialect], json.dumps(body_of(dialect, **more)).encode())
