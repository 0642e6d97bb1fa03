"""A list of ended runs: status and memory come from here, not from opening every report."""

from collections.abc import Collection
from typing import Protocol

from contracts.report import IndexedRun, RunReport


class RunIndex(Protocol):
    """Append-only."""

    def add(self, report: RunReport) -> None:
        """Note an ended run; noting it again is harmless, the last note counts."""

    def note(self, entry: IndexedRun) -> None:
        """The same of what has no report: an attempt that was not allowed to start."""

    def became(self, run_id: str, became: str) -> None:
        """Note what a person made of a run's pull request; the last note counts."""

    def outcomes(self, runs: Collection[str] | None = None) -> dict[str, str]:
        """What is noted so, by run id; with ``runs``, of these alone.

        Raises:
            StoreError: it cannot be read.
        """

    def latest(self, count: int, target: str | None = None, *, refused: bool = False) -> tuple[IndexedRun, ...]:
        """The newest runs first; with ``refused`` also attempts that were not allowed to start."""
