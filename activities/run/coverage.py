"""Which lines the target's own checks ran, where one of them writes it down, beside the lines of recent commits.

What a check leaves is the repository's word: it is listed for a person, and no rule reads it that lets anything go.
"""

import os
import stat
from collections.abc import Iterator
from difflib import SequenceMatcher
from pathlib import Path

from pydantic import ValidationError

from activities.step_session import StepSession
from contracts.evidence import ChecksReport
from contracts.governance import CoverageLook
from ports.repository import Repository
from ports.store import RunIndex, StoreError

WRITTEN = (
    "coverage.xml", "cobertura.xml", "coverage/cobertura-coverage.xml", "lcov.info", "coverage/lcov.info",
    "coverage.out", "cover.out", "coverage.txt",
)  # fmt: skip
"""Where coverage.py, jest, c8, cargo-llvm-cov and ``go test -coverprofile`` are told to write it."""
KEPT = "-coverage.txt"
REPORT = "lookups/coverage_report.txt"
_LARGEST = 8_000_000
_LONGEST = 5_000
"""Lines of a file that are compared."""
_RUNS = 20
_COMMITS = 20
_PATHS = 200


def left_by(tree: Path, since: frozenset[str]) -> bytes:
    """The report that a check wrote, not one of ``since``, which were there before; empty: it wrote none."""
    for name in WRITTEN:
        if name not in since and (body := _plain(tree / name)):
            return body
    return b""


def there(tree: Path) -> frozenset[str]:
    """Which of these the repository itself holds: they say nothing of this run."""
    return frozenset(name for name in WRITTEN if os.path.lexists(tree / name))


def _plain(path: Path) -> bytes:
    try:
        if path.parent.is_symlink():
            return b""
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return b""
        with os.fdopen(os.dup(descriptor), "rb") as file:
            body = file.read(_LARGEST + 1)
    finally:
        os.close(descriptor)
    return body if len(body) <= _LARGEST else b""


def covered(session: StepSession, index: RunIndex) -> tuple[CoverageLook, bytes] | None:
    """The last report that a check of this target left, and lines of recent commits that it speaks of; None: none."""
    store = session.bench.store
    for run in index.latest(_RUNS, session.run.target):
        reports = sorted(name for name in store.names(run.run_id) if name.startswith("checks/") and name.endswith(KEPT))
        checks = store.find(run.run_id, "checks/checks.json")
        kept = store.find(run.run_id, reports[0]) if reports else None
        if checks is None or kept is None:
            continue
        try:
            tested = ChecksReport.model_validate_json(store.get(checks)).commit_sha
            body = store.get(kept)
        except (StoreError, ValidationError):
            # An older one may do; none at all is said as such.
            continue
        before = session.repository.line(session.given.base_sha, _COMMITS + 1)
        check = reports[0].removeprefix("checks/").removesuffix(KEPT)
        added = dict(_added(session.repository, before[-1], session.given.base_sha, tested)) if len(before) > 1 else {}
        return CoverageLook(check=check, run_id=run.run_id, commits=len(before) - 1, added=added), body
    return None


def _added(repository: Repository, before: str, base: str, tested: str) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Of files that are in the base as they were tested: the lines that were not there before."""
    for changed in repository.changed_paths(before, base)[:_PATHS]:
        now = repository.read(base, changed.path) if changed.status in "AM" else None
        if now is None or b"\0" in now or now != repository.read(tested, changed.path):
            continue
        new = now.splitlines()
        old = (repository.read(before, changed.path) or b"").splitlines()
        if max(len(new), len(old)) > _LONGEST:
            continue
        blocks = SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
        lines = tuple(line + 1 for kind, _, _, start, end in blocks if kind != "equal" for line in range(start, end))
        if lines and changed.path.isprintable():
            yield changed.path, lines
