"""Trying what a charter says of a role: one short question through the gateway, for a cent at most.

No run asks it, so Control is not asked either: a person does, at a terminal, and is told what it cost. The purse lets
no request through whose worst case does not fit into the cent.
"""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from adapters.models.gateway import open_gateway
from contracts.budget import Amounts
from contracts.exchange import Ending
from contracts.modes import Role
from policies.settings.charter import RolePolicy
from policies.settings.schema import EffectivePolicy
from ports.models import NotReserved, Reserved

CENT = 0.01
"""USD."""
_TOKENS = 64
"""Of the answer, at most: what is asked needs three."""
_ANSWERS = {
    Ending.SAID: "it answers, in words",
    Ending.TOOL: "it answers, by a tool",
    Ending.LENGTH: "it answers, up to the limit it was given",
    Ending.REFUSAL: "it answers, by a refusal",
}
_PROMPT = "You are asked whether you can be reached."
_WORDS = "Call the tool with ok = true."
_TOOL = {"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"]}


@dataclass
class CentPurse:
    """A cent, and what of it is left. From one thread at a time: there is one question."""

    most: float = CENT
    spent: float = 0.0
    unknown: bool = False
    _reserved: dict[str, float] = field(default_factory=dict)

    def reserve(self, worst: Amounts) -> Reserved | NotReserved:
        """Fits it into what is left?"""
        if self.spent + sum(self._reserved.values()) + worst.usd > self.most:
            text = f"this question may cost {worst.usd:.4f} USD, and a check may cost {self.most:.2f}"
            return NotReserved(Ending.SPENT, text)
        key = f"check-{len(self._reserved)}"
        self._reserved[key] = worst.usd
        return Reserved(key)

    def settle(self, reserved: Reserved, cost: Amounts | None, note: str = "") -> None:  # noqa: ARG002  # a purse's shape
        """It cost this much."""
        worst = self._reserved.pop(reserved.key, 0.0)
        self.unknown = self.unknown or cost is None
        self.spent += worst if cost is None else cost.usd


@dataclass(frozen=True)
class Tried:
    """What came of it."""

    model: str
    ok: bool
    said: str
    """One sentence."""
    usd: float
    """What it cost; an upper bound where ``bound``."""
    bound: bool
    seconds: float


def try_role(policy: EffectivePolicy, role_policy: RolePolicy) -> Tried:
    """Ask the first model that may be asked once; never raises for what a provider does."""
    # Seconds of imports, for who asks.
    from adapters.agents.model_request import ask  # noqa: PLC0415

    model, purse, charter = role_policy.models[0], CentPurse(), policy.charter
    dialect = charter.providers[role_policy.provider].dialect
    # Under whatever role: the gateway asks for its models, money and key.
    as_role = charter.model_copy(update={"roles": {Role.CODING: role_policy}})
    policy = policy.model_copy(update={"charter": as_role})
    with TemporaryDirectory(prefix="gateway-") as folder:
        gateway = open_gateway(policy, Role.CODING, purse, Path(folder))
        with gateway:
            _, text = asyncio.run(ask(gateway.socket, dialect, model, _PROMPT, _WORDS, {"answer": _TOOL}, _TOKENS))
    last = gateway.exchanges[-1] if gateway.exchanges else None
    if last is None:
        return Tried(model, ok=False, said=f"nothing was asked: {text}", usd=0, bound=False, seconds=0)
    ok = last.ending in _ANSWERS and not purse.unknown
    words = f"{last.ending.value}: {last.reason}" if last.reason else _ANSWERS.get(last.ending, last.ending.value)
    if purse.unknown:
        words = "it answers, and does not say what that cost: a run would hold until a person states it"
    return Tried(model, ok=ok, said=words, usd=purse.spent, bound=last.bound or purse.unknown, seconds=last.seconds)
