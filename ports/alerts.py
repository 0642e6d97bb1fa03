"""Alerts go out at least once, carrying their fingerprint (P7, runbook §9)."""

from __future__ import annotations

from typing import Protocol

from contracts.artifact import Contract
from contracts.verdict import Fact


class Alert(Contract):
    """One alert."""

    kind: str
    """``run_failed``, ``policy_violation``, ``protected_path_touched``, ``required_check_failed`` …"""
    target: str
    run_id: str
    summary: str
    facts: dict[str, Fact] = {}
    fingerprint: str


class AlertSink(Protocol):
    """A place alerts go to."""

    def send(self, alert: Alert) -> None:
        """Deliver or raise."""
