"""The tamper-evident audit log (P10): one file of hash-chained JSON lines per run and per target."""

import os
import re
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from adapters.store.audit_chain import key_needle, line_of, next_record, parse_record, seal, sealed_record
from adapters.store.durable_files import MAX_LINE, LineFile, locked_lines, read_lines, settled_size
from contracts.audit import GENESIS, AuditEvent, AuditProblem, AuditRecord, AuditVerification
from policies.counted import counted
from ports.store import StoreError

LOG_FILE = "audit_log.jsonl"
_NEAR_ENOUGH = 64 * 1024
TORN_FILE = f"{LOG_FILE}.torn"
LOG_NAME = re.compile(r"(run|target)/([A-Za-z0-9][A-Za-z0-9._-]{0,199})")


class ChainedLog:
    """Logs below a folder: ``runs/<runId>/audit_log.jsonl`` and ``targets/<name>/audit_log.jsonl``.

    The chain shows any change inside a log. That its end was cut, or the whole file replaced by an older
    or a forged one, shows only against heads kept elsewhere: ``verify`` takes them as anchors.
    """

    def __init__(self, root: Path) -> None:
        self._root = root.absolute()

    def append(self, log: str, events: tuple[AuditEvent, ...], at: datetime) -> str:
        """Append what is new, sync once, return the head."""
        path = self._path(log)
        try:
            with locked_lines(path) as file:
                last, known = _survey(file, log, {event.key for event in events})
                seq, head = (last.seq, last.hash) if last else (0, GENESIS)
                lines: list[bytes] = []
                for event in events:
                    if event.key in known:
                        continue
                    known.add(event.key)
                    seq += 1
                    record = seal(event, log, seq, at, head)
                    head = record.hash
                    lines.append(line_of(record))
                if lines:
                    file.append(lines)
                return head
        except OSError as error:
            raise StoreError(
                f"cannot append to the audit log {path}: {error.strerror or error}. Nothing may be written to a "
                "repository until it can: free space or repair the disk, then try again"
            ) from error

    def head(self, log: str) -> str | None:
        """Hash of the last record."""
        if not (line := self._last_line(log)):
            return None
        record = parse_record(line)
        if isinstance(record, str):
            raise StoreError(f"the audit log {self._path(log)} is damaged ({record}): run `audit verify`")
        return record.hash

    def records(self, log: str, since: datetime | None = None) -> Iterator[AuditRecord]:
        """Stream the log; an append that a crash interrupted is not part of it."""
        for line in self._lines(log, since):
            if line.endswith(b"\n"):
                record = parse_record(line)
                if isinstance(record, str):
                    raise StoreError(f"the audit log {self._path(log)} is damaged ({record}): run `audit verify`")
                yield record

    def verify(self, log: str, anchors: dict[str, str], past: dict[str, str] | None = None) -> AuditVerification:
        """Recompute the chain; every anchor must be its head, and every head of ``past`` in it."""
        missed = dict(past or {})
        seq, head = 0, GENESIS
        found_at = {anchor: 0 for anchor, kept in anchors.items() if kept == GENESIS}
        bad = None if self._path(log).exists() else AuditProblem(log=log, seq=1, problem="there is no such log")
        for line in self._lines(log):
            record = next_record(line, log, seq + 1, head)
            if isinstance(record, str):
                bad = AuditProblem(log=log, seq=seq + 1, problem=record)
                break
            seq, head = record.seq, record.hash
            missed.pop(head, None)
            found_at |= dict.fromkeys((anchor for anchor, kept in anchors.items() if kept == head), seq)
        return AuditVerification(
            log=log,
            records=seq,
            head=head,
            anchors=anchors,
            problem=bad or _anchor_problem(log, anchors, found_at, seq) or _rewritten(log, missed, seq),
        )

    def logs(
        self, written_since: datetime | None = None, begins: str = "", among: Collection[str] | None = None
    ) -> tuple[str, ...]:
        """Names of all logs, sorted; with a moment, of those that were written to since."""
        since = written_since.timestamp() if written_since else 0.0
        return tuple(sorted(log for kind in ("run", "target") for log in self._logs(kind, since, begins, among)))

    def _logs(self, kind: str, since: float, begins: str, among: Collection[str] | None) -> Iterator[str]:
        prefix = f"{kind}/"
        if not (begins.startswith(prefix) or prefix.startswith(begins)):
            return
        try:
            folder = os.open(self._root / f"{kind}s", os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:
            return
        try:
            # Names first, and each from its folder: there is one for every run that ever was.
            asked = [log for log in among if LOG_NAME.fullmatch(log)] if among is not None else None
            names = [prefix + name for name in os.listdir(folder)] if asked is None else asked  # noqa: PTH208
            for log in names:
                if log.startswith(begins) and log.startswith(prefix):
                    with suppress(FileNotFoundError, NotADirectoryError):
                        if os.stat(f"{log[len(prefix) :]}/{LOG_FILE}", dir_fd=folder).st_mtime >= since:
                            yield log
        finally:
            os.close(folder)

    def _path(self, log: str) -> Path:
        match = LOG_NAME.fullmatch(log)
        if not match:
            raise StoreError(f"{log!r} is no audit log: use run/<runId> or target/<name>")
        return self._root / f"{match[1]}s" / match[2] / LOG_FILE

    def _last_line(self, log: str) -> bytes:
        """The last whole one, read from the end; empty where there is none."""
        path, reach = self._path(log), _NEAR_ENOUGH
        try:
            size = settled_size(path)
            with path.open("rb") as file:
                while True:
                    begin = max(0, size - reach)
                    file.seek(begin)
                    # What stands before the first newline may be a part of a line, what follows the last one is torn.
                    lines = file.read(size - begin).split(b"\n")[1 if begin else 0 : -1]
                    if lines or not begin:
                        return lines[-1] + b"\n" if lines else b""
                    reach *= 8
        except FileNotFoundError:
            return b""
        except OSError as error:
            raise StoreError(f"cannot read the audit log {path}: {error.strerror or error}") from error

    def _lines(self, log: str, since: datetime | None = None) -> Iterator[bytes]:
        path = self._path(log)
        try:
            size = settled_size(path)
            yield from read_lines(path, size, _first_since(path, size, since) if since else 0)
        except FileNotFoundError:
            return
        except OSError as error:
            raise StoreError(f"cannot read the audit log {path}: {error.strerror or error}") from error


@dataclass
class _Survey:
    """What this process read of a log when it last appended to it: a target's log only ever grows."""

    inode: int
    size: int = 0
    last: bytes = b""
    keys: set[int] = field(default_factory=set)
    """Hashes of whatever may be a record's key; 60 bytes each."""


_surveys: dict[Path, _Survey] = {}
_SURVEYED = 64
_KEY = re.compile(rb'"key":"(?:[^"\\]|\\.)*"')


def _survey(file: LineFile, log: str, keys: set[str]) -> tuple[AuditRecord | None, set[str]]:
    """The last record, and which keys are there already."""
    seen = _surveys.pop(file.path, None)
    if seen is None or seen.inode != file.inode or not file.holds(seen.last, seen.size):
        seen = _Survey(file.inode)
    for line in file.lines(seen.size):
        seen.keys.update(map(hash, _KEY.findall(line)))
        seen.size, seen.last = seen.size + len(line), line
    _surveys[file.path] = seen
    if len(_surveys) > _SURVEYED:
        _surveys.pop(next(iter(_surveys)), None)
    known = _known(file, keys) if any(hash(key_needle(key)) in seen.keys for key in keys) else set[str]()
    if not seen.last:
        return None, known
    record = sealed_record(seen.last, log)
    if isinstance(record, str):
        raise StoreError(f"the last record of the audit log {log} is damaged ({record}): run `audit verify`")
    return record, known


def _known(file: LineFile, keys: set[str]) -> set[str]:
    """Which are the keys of records, by every line."""
    needles = {key: key_needle(key) for key in keys}
    known: set[str] = set()
    for line in file.lines():
        # The needle may also stand among a record's facts: parsing the few lines that hold it decides.
        held = {key for key, needle in needles.items() if needle in line}
        if held:
            record = parse_record(line)
            known |= {key for key in held if isinstance(record, AuditRecord) and record.key == key}
    return known


def _first_since(path: Path, size: int, since: datetime) -> int:
    """The first byte of a line before which every record is older; records stand in the order of their time."""
    low, high = 0, size
    with path.open("rb") as file:
        while high - low > _NEAR_ENOUGH:
            middle = (low + high) // 2
            file.seek(middle)
            begin = middle + len(file.readline(MAX_LINE))
            record = parse_record(file.readline(MAX_LINE)) if begin < high else ""
            if begin < high and isinstance(record, str):
                # Damaged: whoever reads on is told so.
                return low
            if isinstance(record, AuditRecord) and record.at < since:
                low = begin
            else:
                high = middle
    return low


def _anchor_problem(log: str, anchors: dict[str, str], found_at: dict[str, int], last: int) -> AuditProblem | None:
    for anchor, kept in anchors.items():
        if anchor not in found_at:
            problem = f"tail cut or file replaced: the head {kept} kept in {anchor} is nowhere in the chain"
            return AuditProblem(log=log, seq=last + 1, problem=problem)
    for anchor, seq in found_at.items():
        if seq != last:
            more = counted(last - seq, "record follows", "records follow")
            problem = f"{more} the head kept in {anchor}: appended behind its back"
            return AuditProblem(log=log, seq=seq + 1, problem=problem)
    return None


def _rewritten(log: str, missed: dict[str, str], last: int) -> AuditProblem | None:
    for head, place in missed.items():
        problem = f"rewritten: {place} names the head {head}, which is nowhere in the chain"
        return AuditProblem(log=log, seq=last + 1, problem=problem)
    return None
