"""Agents as their vendors ship them, in the sandbox, through the gateway, against the scripted model."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from adapters.agents.command_backend import CommandBackend
from adapters.models.gateway import open_gateway
from adapters.sandbox.bubblewrap import BubblewrapSandbox
from contracts.budget import Amounts
from demo.scripted_model import Move, ScriptedModel
from policies.settings.charter import Price, Provider, RolePolicy
from ports.agents import AgentStopped
from ports.models import NotReserved, Reserved
from settings import ROOT
from tests.adapters.agents.played_program import Played, asked

INSTALLED = ROOT / ".cache" / "agents"
FAILING = {
    "shop/__init__.py": "",
    "shop/basket.py": '''"""A basket."""


def total(prices, discount=0.0):
    """Sum of the prices, less the discount (0.1 is ten percent)."""
    return sum(prices) * (1 + discount)
''',
    "tests/__init__.py": "",
    "tests/test_basket.py": """import unittest

from shop.basket import total


class Basket(unittest.TestCase):
    def test_discount(self):
        self.assertEqual(total([10, 20], 0.5), 15)
""",
}
"""A repository with one failing test."""
TEST = "python3 -m unittest -q tests.test_basket"
_LOOK = Move(run=f"cat shop/basket.py; {TEST} 2>&1 | tail -5", say="I run the failing test.")
_MEND = Move(run="sed -i 's/1 + discount/1 - discount/' shop/basket.py")
_DONE = Move(say="total() added the discount; it now subtracts it.")
MENDING = {
    "": (_LOOK, _MEND, Move(run=f"{TEST} 2>&1 | tail -5"), _DONE),
    # Each ends in its own way.
    "mini-swe-agent": (_LOOK, _MEND, Move(run="echo COMPLETE_TASK_AND_SUBMIT_FINAL_OUTPUT"), _DONE),
    "aider": (
        Move(
            say="The discount is added.\n\nshop/basket.py\n```python\n<<<<<<< SEARCH\n"
            "    return sum(prices) * (1 + discount)\n=======\n"
            "    return sum(prices) * (1 - discount)\n>>>>>>> REPLACE\n```\n"
        ),
    ),
}


@dataclass
class FullPurse:
    """Says yes, and keeps the books."""

    numbers: Iterable[int] = field(default_factory=lambda: itertools.count(1))
    settled: dict[str, Amounts | None] = field(default_factory=dict)

    def reserve(self, worst: Amounts) -> Reserved | NotReserved:
        """As of the port."""
        assert worst.usd > 0
        return Reserved(f"demo-1/code-{next(iter(self.numbers))}")

    def settle(self, reserved: Reserved, cost: Amounts | None, note: str = "") -> None:
        """As of the port."""
        self.settled[reserved.key] = cost


@dataclass
class Mended(Played):
    """What came of it, and of the money."""

    purse: FullPurse = field(default_factory=FullPurse)


def mend(
    tree: Path, name: str, model: ScriptedModel, said: Mapping[str, Any] | None = None, retries: int = 4
) -> Mended:
    """Let an agent mend the tree."""
    terms = {"minutes": 3, "usd": 5.0, "tokens": 900_000, "models": ("scripted",), "agent": name} | dict(said or {})
    role = RolePolicy(backend="command", provider="local", **terms)
    played = Mended(tree)

    def keep(kept: str, body: bytes, _kind: str) -> None:
        played.kept[kept.partition(".")[2]] = body

    brief = asked(tree, role, keep=keep)
    providers = {"local": Provider(url=model.url, retries=retries)}
    priced = {"providers": providers, "prices": {"scripted": Price(input=3, output=15)}}
    policy = brief.policy.model_copy(update={"charter": brief.policy.charter.model_copy(update=priced)})
    brief = replace(brief, policy=policy, purse=played.purse)
    try:
        played.answer = CommandBackend(role, BubblewrapSandbox(), open_gateway, INSTALLED).answer(brief)
    except AgentStopped as stopped:
        played.stopped = stopped
    return played
