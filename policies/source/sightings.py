"""Records of a source that is for candidates (runbook §5): which file each is about, how bad it is, in what words."""

from collections.abc import Iterable
from typing import NamedTuple

from contracts.source import Record
from policies.counted import shortened
from policies.paths.rules import hostile_name
from policies.settings.sources import CandidatesPurpose
from policies.source.records import NotReadable, searched

SEVERITIES = {"critical": 1.0, "high": 0.8, "medium": 0.5, "low": 0.25}
"""What one finding less is worth beside a tool's."""
USUAL = "medium"


class Report(NamedTuple):
    """What one record says."""

    key: str
    path: str
    line: int
    severity: str
    message: str


def reports(records: Iterable[Record], purpose: CandidatesPurpose) -> tuple[list[Report], dict[str, str]]:
    """What they say, and of each that says nothing usable, by its key, why."""
    found, refused = [], {}
    for record in records:
        try:
            path = searched(purpose.path, record.payload, "path")
            message = searched(purpose.message, record.payload, "message")
            severity = searched(purpose.severity, record.payload, "severity") if purpose.severity else ""
            line = searched(purpose.line, record.payload, "line") if purpose.line else 1
        except NotReadable as problem:
            refused[record.key] = str(problem)
            continue
        if not isinstance(path, str) or not path:
            refused[record.key] = "it names no file"
        elif hostile_name(path) is not None or path.startswith("/"):
            refused[record.key] = "it names a file that no repository path can be"
        else:
            word = str(severity).strip().lower()
            number = line if isinstance(line, int) and not isinstance(line, bool) and line > 0 else 1
            words = shortened(" ".join(str(message or record.key).split()), 300)
            found.append(Report(record.key, path, number, word if word in SEVERITIES else USUAL, words))
    return found, refused
