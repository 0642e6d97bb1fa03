"""What each kind of task lacks to merge by itself, for every admission: what was read once is not read again."""

from dataclasses import dataclass, field
from datetime import datetime
from threading import Lock

from activities.governance.gathering import Gathering, Target, Told
from contracts.audit import GENESIS
from contracts.governance import ReviewFacts, RunFacts
from contracts.verdict import Verdict
from policies.governance.earned import BEGINNING, earned


@dataclass
class _Heard:
    """A log as far as this process has read it."""

    target: Target
    at: datetime = BEGINNING
    seq: int = 0
    head: str = GENESIS


@dataclass(frozen=True)
class Earning(Gathering):
    """Facts of one target, from everything it ever did; a process keeps what it has read of logs and of ended runs."""

    _logs: dict[str, _Heard] = field(default_factory=dict)
    _runs_kept: dict[str, RunFacts | None] = field(default_factory=dict)
    _one: Lock = field(default_factory=Lock)

    def lacks(self, target: str, now: datetime) -> dict[str, str]:
        """Kind of task to what is missing first; empty: nothing. What cannot be read counts for nothing.

        Raises:
            StoreError: the logs cannot be listed.
        """
        with self._one:
            facts = self.facts(BEGINNING, now, target)
        verdicts = verdicts_of(facts, target)
        return {kind: "" if verdict.allowed else verdict.reason for kind, verdict in verdicts.items()}

    def told(self, log: str, until: datetime) -> Target:  # noqa: ARG002  # it is this moment, by another clock
        """All that the log says by now; a broken chain says nothing."""
        heard = self._logs.pop(log, None)
        if heard is None or not self._goes_on(log, heard):
            heard = _Heard(Target(log.removeprefix("target/")))
            if not self._goes_on(log, heard):
                raise ValueError("its records do not follow each other: run `audit verify`")
        self._logs[log] = heard
        return heard.target

    def run(self, run_id: str, told: Told, until: datetime, unreadable: dict[str, str]) -> RunFacts | None:
        """What a run left when it ended does not change; what the log says of it since does."""
        if run_id not in self._runs_kept:
            problems: dict[str, str] = {}
            found = super().run(run_id, told, until, problems)
            unreadable |= problems
            if problems:
                return found
            self._runs_kept[run_id] = found
        kept = self._runs_kept[run_id]
        return kept and kept.model_copy(update=told.facts())

    def _goes_on(self, log: str, heard: _Heard) -> bool:
        """Hear what came since; False: this is another log than the one that was read."""
        found = heard.seq == 0
        if not found and self.audit.head(log) == heard.head:
            return True
        for record in self.audit.records(log, None if found else heard.at):
            if record.seq == heard.seq:
                found = record.hash == heard.head
            if record.seq <= heard.seq:
                continue
            if not found or record.previous != heard.head:
                return False
            heard.target.hear(record)
            heard.at, heard.seq, heard.head = record.at, record.seq, record.hash
        return found


def verdicts_of(facts: ReviewFacts, target: str) -> dict[str, Verdict]:
    """Of every kind of task that a run of the target has come to."""
    return {kind: earned(facts, target, kind) for kind in sorted({run.task_type for run in facts.runs} - {""})}
