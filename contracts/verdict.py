"""A verdict is its own explanation: rule, decision, reason, facts, children (promise P12)."""

from __future__ import annotations

from enum import StrEnum

from contracts.artifact import Contract

Fact = str | int | float | bool | None


class Decision(StrEnum):
    """What a rule concluded. There is no "unknown": not finding out is DENY or HOLD, never ALLOW (P13)."""

    ALLOW = "allow"
    ASK = "ask"
    """A person must decide."""
    HOLD = "hold"
    """Wait: the facts may change by themselves or by a person (policy changed, paused)."""
    DENY = "deny"
    ESCALATE = "escalate"
    """A policy violation (runbook §6.1): pause everything."""


class Verdict(Contract):
    """The answer of one rule, with the facts it used and the answers of the rules below it."""

    rule: str
    """Completes "allowed if …", for example ``diff is within budget``."""
    decision: Decision
    reason: str
    facts: dict[str, Fact] = {}
    children: tuple[Verdict, ...] = ()

    @property
    def allowed(self) -> bool:
        """Whether the rule said yes."""
        return self.decision is Decision.ALLOW
