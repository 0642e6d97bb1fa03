"""Which lines the target's own checks ran, where one of them writes it down, beside the lines of recent commits.

What a check leaves is the repository's word: it is listed for a person, and measures tasks that a person merges. No
rule reads it that lets anything merge by itself.
"""

import os
import stat
from collections.abc import Iterator
from difflib import SequenceMatcher
from pathlib import Path

from activities.step_session import StepSession
from contracts.evidence import ChecksReport
from contracts.governance import CoverageLook
from ports.repository import Repository

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


def covered(session: StepSession) -> tuple[CoverageLook, bytes] | None:
    """The report that a check of this base left, and the lines of recent commits; None: none left any."""
    results = session.load("checks/base.json", ChecksReport).results
    left = ((each.name, attempt.coverage) for each in results for attempt in each.attempts if attempt.coverage)
    check, kept = next(left, ("", None))
    if kept is None:
        return None
    base = session.input.base_sha
    before = session.repository.line(base, _COMMITS + 1)
    added = dict(_added(session.repository, before[-1], base)) if len(before) > 1 else {}
    look = CoverageLook(check=check, run_id=session.run.run_id, commits=len(before) - 1, added=added)
    return look, session.load_bytes(kept.name)


def _added(repository: Repository, before: str, base: str) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Of text files of the base: the lines that were not there before."""
    for changed in repository.changed_paths(before, base)[:_PATHS]:
        now = repository.read(base, changed.path) if changed.status in "AM" else None
        if now is None or b"\0" in now:
            continue
        new = now.splitlines()
        old = (repository.read(before, changed.path) or b"").splitlines()
        if max(len(new), len(old)) > _LONGEST:
            continue
        blocks = SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
        lines = tuple(line + 1 for kind, _, _, start, end in blocks if kind != "equal" for line in range(start, end))
        if lines and changed.path.isprintable():
            yield changed.path, lines
