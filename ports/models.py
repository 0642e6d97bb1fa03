"""Asking a model: only through a gateway of ours, which holds the key, reserves, records and types (P8, P9)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, Self

from contracts.budget import Amounts
from contracts.exchange import Ending

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from contracts.exchange import Exchange
    from contracts.modes import Role
    from policies.settings.schema import EffectivePolicy


@dataclass(frozen=True)
class Reserved:
    """An exchange may go up; it is settled by the same key."""

    key: str


@dataclass(frozen=True)
class NotReserved:
    """Why it may not."""

    ending: Ending
    """PAUSED, OVER_BUDGET, SPENT (the role's own money) or UNPRICED (an earlier cost is unknown)."""
    reason: str


class Purse(Protocol):
    """The money of one attempt of one step: Control's, and never beyond what the charter gives the role."""

    def reserve(self, worst: Amounts) -> Reserved | NotReserved:
        """May one exchange cost up to this much? From several threads at once.

        Raises:
            ports.control_desk.ControlUnavailable: could not be asked; nothing may go up.
        """

    def settle(self, reserved: Reserved, cost: Amounts | None, note: str = "") -> None:
        """What it cost; None: unknown, which holds the target until a person states it.

        Raises:
            ports.control_desk.ControlUnavailable: it could not be told. Then it is booked at the worst case, by the
                next attempt or the run's end.
        """


class ModelGateway(Protocol):
    """Open while it is entered: a unix socket that speaks HTTP to the agent's side."""

    @property
    def socket(self) -> Path:
        """To be shown in the sandbox, or connected to by us."""

    @property
    def exchanges(self) -> Sequence[Exchange]:
        """What went through so far, and what did not."""

    @property
    def under_way(self) -> int:
        """Exchanges that have begun, and not ended: whoever waits for a model is not idle."""

    @property
    def transcript(self) -> bytes:
        """Every exchange, one JSON object a line: capped, without secrets. No agent can write to it."""

    def __enter__(self) -> Self:
        """Listen."""

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let nothing more through; what is under way is cut and settled."""


FirstExchange = Callable[["EffectivePolicy", "Role"], "Amounts | None"]
"""What the first exchange of a role may cost at worst; None: it asks no model, or its price is not known."""
OpenGateway = Callable[["EffectivePolicy", "Role", Purse, Path], ModelGateway]
"""The gateway of one attempt of one role: the charter's models, prices and key; its socket in the given folder."""
