"""Artifacts, audit logs and the list of ended runs: content-addressed, atomic, never half written."""

from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Protocol

from contracts.artifact import ArtifactRef
from contracts.audit import AuditEvent, AuditRecord, AuditVerification
from contracts.report import IndexedRun, RunReport


class StoreError(Exception):
    """The store could not be written or read (disk full, damaged object). Nothing may go on without it."""


class ArtifactStore(Protocol):
    """Bodies by digest, names by run."""

    def put(self, run_id: str, name: str, body: bytes, media_type: str = "application/json") -> ArtifactRef:
        """Write atomically (temp, fsync, rename, fsync folder) and show it as ``runs/<run_id>/<name>``.

        The same bytes again are harmless; other bytes under the same name replace the name, never the object.
        """

    def get(self, ref: ArtifactRef) -> bytes:
        """The bytes, verified against the digest.

        Raises:
            StoreError: missing or not what the digest says.
        """

    def find(self, run_id: str, name: str) -> ArtifactRef | None:
        """The reference shown under a run's name, or None."""

    def names(self, run_id: str) -> tuple[str, ...]:
        """Everything shown for a run."""

    def remove(self, run_id: str, name: str) -> None:
        """Show it no more; the bytes go with it where nothing else shows them. What is not there is removed already.

        Raises:
            StoreError: it cannot be removed.
        """

    def address(self, run_id: str) -> str:
        """Where a person finds the run's artifacts on this machine."""

    def web(self, run_id: str, name: str = "run_report.html") -> str:
        """The web address at which people open one of them; empty where they are not served."""


class AuditLog(Protocol):
    """Hash-chained logs (P10): ``run/<runId>`` and ``target/<name>``."""

    def append(self, log: str, events: tuple[AuditEvent, ...], at: datetime) -> str:
        """Append under a lock, fsync once, return the head's hash. Keys already in the log are skipped.

        Raises:
            StoreError: could not be written durably; then nothing may write to a repository.
        """

    def head(self, log: str) -> str | None:
        """Hash of the last record, or None for no log."""

    def records(self, log: str, since: datetime | None = None) -> Iterator[AuditRecord]:
        """Stream the log, unverified; with a moment, without most of what is older."""

    def verify(self, log: str, anchors: dict[str, str], past: dict[str, str] | None = None) -> AuditVerification:
        """Recompute the chain and compare with heads kept elsewhere; names the first bad record.

        ``anchors`` say where the log ends now; ``past``, head to where it is kept, what it must hold somewhere.
        """

    def logs(
        self, written_since: datetime | None = None, begins: str = "", among: Collection[str] | None = None
    ) -> tuple[str, ...]:
        """Names of all logs that begin so, or of those of them that somebody wrote to since a moment.

        ``among``: only these are looked for, whatever else is there.
        """


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
