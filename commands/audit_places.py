"""Which audit logs must exist, and which heads they must hold, by everything on this disk that names them (P10).

A log that was deleted is not there to be looked at: what names it is. Whoever rewrites one must rewrite all of this.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator

from pydantic import ValidationError

from commands.conversations import RUN_ID
from commands.terminal import say
from composition import Adapters, open_repository
from contracts.audit import AuditRecord
from contracts.dashboard import DASHBOARD
from contracts.report import IndexedRun, RunReport
from ports.policy_source import PolicyError
from ports.repository import RepositoryError
from ports.store import StoreError

_EVERY_RUN = 1_000_000
_REPORT = "run_report.json"


class Places:
    """The files and the mirrors of one home."""

    def __init__(self, adapters: Adapters) -> None:
        self._adapters = adapters
        self.there = frozenset(adapters.audit.logs())
        self.anchors: dict[str, dict[str, str]] = defaultdict(dict)
        """Log to mirror to the head it keeps."""
        self.past: dict[str, dict[str, str]] = defaultdict(dict)
        """Log to head to where that is kept."""
        named = {*self._in_mirrors(), *self._in_index()}
        for log in sorted(self.there):
            named.update(self._in_log(log))
        self.expected = tuple(sorted(self.there | named))

    def head(self, log: str) -> str | None:
        """Of the file as it is; None for none, or a damaged one."""
        try:
            return self._adapters.audit.head(log)
        except StoreError:
            return None

    def _in_mirrors(self) -> Iterator[str]:
        for name in self._adapters.policies.names():
            try:
                policy = self._adapters.policies.effective(name)
                kept = open_repository(self._adapters.settings, policy.target).anchors()
            except (PolicyError, RepositoryError) as problem:
                say(f"{name}: the mirror cannot be asked: {problem}")
                continue
            for log, head in kept.items():
                self.anchors[log][name] = head
                yield log

    def _in_index(self) -> Iterator[str]:
        for run in self._ended():
            log = f"run/{run.run_id}"
            yield log
            for head in self._in_report(run):
                self.past[log][head] = f"the report of {run.run_id}"

    def _ended(self) -> tuple[IndexedRun, ...]:
        try:
            return self._adapters.index.latest(_EVERY_RUN)
        except StoreError as problem:
            say(f"what the index of runs names is not known: {problem}")
            return ()

    def _in_report(self, run: IndexedRun) -> Iterable[str]:
        ref = self._adapters.store.find(run.run_id, _REPORT)
        if ref is None:
            return ()
        try:
            report = RunReport.model_validate_json(self._adapters.store.get(ref))
        except (StoreError, ValidationError) as problem:
            say(f"{_REPORT} of {run.run_id} cannot be read: {problem}")
            return ()
        heads = [report.audit_head, *(step.audit_head for step in report.steps)]
        return [head for head in (*heads, *(write.audit_head for write in report.writes)) if head]

    def _in_log(self, log: str) -> Iterator[str]:
        """A target's log names its runs with their heads, and a run's log the head of its target's."""
        kind, _, name = log.partition("/")
        try:
            for record in self._adapters.audit.records(log):
                yield from self._named(record) if kind == "target" else ()
                run = RUN_ID.fullmatch(name) if kind == "run" and record.event == "run issued" else None
                if run and (head := record.facts.get("targetHead")):
                    target = f"target/{run['target']}"
                    self.past[target][str(head)] = f"the log of {name}"
                    yield target
        except StoreError:
            # A damaged one is named when it is verified.
            return

    def _named(self, record: AuditRecord) -> Iterator[str]:
        run_id, head = record.facts.get("runId"), record.facts.get("audit_head")
        if record.event == "run closed" and run_id and head:
            self.past[f"run/{run_id}"][str(head)] = f"the log {record.log}"
            yield f"run/{run_id}"


def shared_head(places: Places) -> tuple[dict[str, str], dict[str, str]]:
    """The dashboard's log is every target's: the mirror with its end, and the heads of the others, which are past."""
    log = f"run/{DASHBOARD}"
    kept, end = places.anchors.get(log, {}), places.head(log)
    latest = {f"mirror ref of {name}": head for name, head in kept.items() if head == end}
    past = {head: f"the mirror of {name}" for name, head in kept.items() if head != end}
    # None of them is its end: then all of them say so.
    return (latest, past) if latest else ({f"mirror ref of {name}": head for name, head in kept.items()}, {})
