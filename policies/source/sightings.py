"""A record of a source for candidates (runbook §5): which file it is about, how bad it is, in one line of words."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from contracts.source import Record
from contracts.task import TaskType
from policies.counted import shortened
from policies.paths.canonical import hostile_name, readable
from policies.paths.rules import protection
from policies.settings.schema import EffectivePolicy
from policies.settings.sources import CandidatesPurpose
from policies.source.records import NotReadable, searched

WHOLE = "."
"""Of a finding that is about no single file."""
REFUSED = "refused"
"""How bad a record is that is no finding: nobody knows."""
SEVERITIES = {"critical": 1.0, "high": 0.5, "medium": 0.2, "unknown": 0.1, "low": 0.05, REFUSED: 0.01}
"""What one of them less is worth; two hundred of the least do not come before one of the worst."""
_WORDS = {
    "error": "high",
    "important": "high",
    "major": "high",
    "moderate": "medium",
    "warning": "medium",
    "minor": "low",
    "info": "low",
    "note": "low",
    "none": "low",
}
_CVSS = ((9, "critical"), (7, "high"), (4, "medium"), (0, "low"))


@dataclass(frozen=True)
class Report:
    """What a record says; ``severity`` is ``refused`` where it cannot be taken for a finding, and the message why."""

    key: str
    path: str
    line: int
    severity: str
    message: str


def report_of(record: Record, purpose: CandidatesPurpose, files: Collection[str], policy: EffectivePolicy) -> Report:
    """A record as a finding.

    Refused, in order: what is wrong is not said, or not to be read · its path leaves the tree or is hostile · is not
    among ``files`` · is protected.
    """
    try:
        path, line, severity, message = (
            searched(expression, record.payload, f"{what} of candidates") if expression else None
            for what, expression in (
                ("path", purpose.path),
                ("line", purpose.line),
                ("severity", purpose.severity),
                ("message", purpose.message),
            )
        )
    except NotReadable as problem:
        return _refused(record, str(problem))
    if not isinstance(message, str) or not message.strip():
        return _refused(record, "it does not say what is wrong")
    if purpose.path and (wrong := _no_place(path, files, policy)):
        return _refused(record, f"{wrong}: {in_a_line(message)}")
    place = str(path) if purpose.path else WHOLE
    return Report(record.key, place, _line(line), _how_bad(severity), in_a_line(message))


def in_a_line(text: str) -> str:
    """Without what hides, turns or breaks the words around it."""
    return shortened(readable(" ".join(text[:4000].split())), 300)


def _refused(record: Record, why: str) -> Report:
    return Report(record.key, WHOLE, 1, REFUSED, shortened(f"{in_a_line(record.key)}: {why}", 300))


def _no_place(path: Any, files: Collection[str], policy: EffectivePolicy) -> str:
    if not isinstance(path, str) or not path:
        return "it names no path"
    shown = shortened(readable(path), 100)
    if hostile := hostile_name(path):
        return f"{shown} is refused: {hostile}"
    if path not in files:
        return f"{shown} is not in the tree, or is no ordinary file of the project's own"
    if rule := protection(path, policy, TaskType.CODE_IMPROVEMENT):
        return f"{shown} is protected: {rule.reason}"
    return ""


def _line(value: Any) -> int:
    if isinstance(value, str):
        return int(value) if re.fullmatch(r"[0-9]{1,7}", value) and int(value) else 1
    return value if isinstance(value, int) and 0 < value < 10_000_000 else 1  # noqa: PLR2004


def _how_bad(value: Any) -> str:
    if isinstance(value, str):
        word = value.strip().lower()
        if word in SEVERITIES:
            return word if word != REFUSED else "unknown"
        if word in _WORDS:
            return _WORDS[word]
        try:
            value = float(word)
        except ValueError:
            return "unknown"
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 10:  # noqa: PLR2004
        return "unknown"
    return next(word for least, word in _CVSS if value >= least)
