"""What the parent tells the child, once, on standard input."""

from __future__ import annotations

from contracts.artifact import Contract
from contracts.clearance import Clearance
from contracts.effect import Effect


class EffectOrder(Contract):
    """One effect with its permission and its end."""

    effect: Effect
    clearance: Clearance
    kill_at: float
    """``time.monotonic()``, one clock for the whole machine."""
    look_only: bool
    remote: str
    mirror: str
    """Git folder that holds the commit to push."""
    records: str
    """Folder of the local forge's pull requests and tickets."""
