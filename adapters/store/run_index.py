"""One line per ended run, so that a list of runs opens no report."""

import json
import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import ValidationError

from adapters.store.durable_files import locked_lines, settled_size
from contracts.modes import WriteAction
from contracts.report import Became, IndexedRun, RunReport
from ports.store import StoreError

BLOCK = 64 * 1024
_ABOUT = re.compile(rb'\{"runId":"([\w.-]+)"')
"""Whose answer a line is, as every line is written; of another line that is only known when it is parsed."""


class RunIndex:
    """``runs/index.jsonl`` below the store's folder, newest last; beside it what became of runs' pull requests."""

    def __init__(self, root: Path) -> None:
        self._path = root.absolute() / "runs" / "index.jsonl"
        self._since = self._path.with_name("became.jsonl")

    def add(self, report: RunReport) -> None:
        """Note an ended run; noting it again is harmless, the last note counts."""
        closed = [
            write.planned.of_run
            for write in report.writes
            if write.done and write.planned.action is WriteAction.CLOSE_PULL_REQUEST
        ]
        entry = IndexedRun(
            run_id=report.run.run_id,
            target=report.run.target,
            kind=report.run.kind,
            mode=report.run.mode,
            date=report.run.date,
            status=report.status,
            outcome=report.outcome,
            task_id=report.task_id,
            pull_request=report.pull_request.number if report.pull_request else None,
            closed_by_us="" in closed,
            idea=report.idea,
            judged=report.judged,
            closed_for=tuple(run for run in closed if run),
            ended_at=report.ended_at,
        )
        self.note(entry)

    def note(self, entry: IndexedRun) -> None:
        """The same of what has no report."""
        _append(self._path, entry.model_dump_json())

    def became(self, run_id: str, became: str) -> None:
        """What a person made of its pull request: in a file of its own, as runs are listed in the order they ended."""
        _append(self._since, Became(run_id=run_id, became=became).model_dump_json())

    def latest(self, count: int, target: str | None = None, *, refused: bool = False) -> tuple[IndexedRun, ...]:
        """The newest runs first, read from the end of the file."""
        runs: dict[str, IndexedRun] = {}
        with _readable(self._path):
            for line in _lines_backwards(self._path):
                if len(runs) >= count:
                    break
                if target is not None and _of(target) not in line:
                    # Others' lines are many where a target runs seldom: looked at, not parsed.
                    continue
                run = IndexedRun.model_validate_json(line)
                if target in {None, run.target} and (refused or not run.refused):
                    runs.setdefault(run.run_id, run)
        since = self.outcomes(runs) if runs else {}
        return tuple(run.model_copy(update={"became": since.get(run.run_id, "")}) for run in runs.values())

    def outcomes(self, runs: Collection[str] | None = None) -> dict[str, str]:
        """One short line for each pull request that a person answered; with ``runs``, of these: no other is parsed."""
        noted: dict[str, str] = {}
        with _readable(self._since):
            for line in _lines_backwards(self._since):
                about = _ABOUT.match(line)
                if runs is None or about is None or about[1].decode() in runs:
                    note = Became.model_validate_json(line)
                    noted.setdefault(note.run_id, note.became)
        return noted


def _of(target: str) -> bytes:
    """What a line of this target's holds, as every line is written; others may hold it, too."""
    return b'"target":' + json.dumps(target, ensure_ascii=False).encode()


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """A file that is not there yet has no lines."""
    try:
        yield
    except FileNotFoundError:
        return
    except ValidationError as error:
        raise StoreError(f"the run index {path} has a damaged line: remove that line") from error
    except OSError as error:
        raise StoreError(f"cannot read the run index {path}: {error.strerror or error}") from error


def _append(path: Path, line: str) -> None:
    try:
        with locked_lines(path) as file:
            file.append((line.encode() + b"\n",))
    except OSError as error:
        raise StoreError(f"cannot append to the run index {path}: {error.strerror or error}") from error


def _lines_backwards(path: Path) -> Iterator[bytes]:
    """Whole lines, last first; what an interrupted append left behind them is passed over."""
    end = settled_size(path)
    with path.open("rb") as file:
        rest = b""
        while end > 0:
            begin = max(0, end - BLOCK)
            file.seek(begin)
            lines = (file.read(end - begin) + rest).splitlines(keepends=True)
            # A block's first line may begin in the block before it.
            rest = lines.pop(0) if begin else b""
            yield from (line for line in reversed(lines) if line.endswith(b"\n"))
            end = begin
