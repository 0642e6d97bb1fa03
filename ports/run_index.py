"""A list of ended runs: status and memory come from here, not from opening every report."""

from __future__ import annotations

from typing import Protocol

from contracts.report import IndexedRun, RunReport


class RunIndex(Protocol):
    """Append-only."""

    def add(self, report: RunReport) -> None:
        """Note an ended run; noting it again is harmless, the last note counts."""

    def latest(self, count: int, target: str | None = None) -> tuple[IndexedRun, ...]:
        """The newest runs first."""
