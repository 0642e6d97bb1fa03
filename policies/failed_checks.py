"""What a report says of checks that are not green (runbook §6.2), and what of it makes two failures the same."""

from __future__ import annotations

import re
from collections.abc import Callable

from contracts.artifact import ArtifactRef
from contracts.evidence import CheckResult, ChecksReport, CheckStatus, FailedCheck
from contracts.modes import RunStatus

_FIRST, _LAST, _WIDTH = 5, 15, 300
_SIGNIFICANT = 20
_COMPLAINT = re.compile(
    r"\b(fail(ed|ure|ures)?|errors?|exception|assert\w*|traceback|expected)\b|\w(Error|Exception)\b", re.IGNORECASE
)
# In this order: what a later pattern would take apart goes first.
_PASSING = (
    (re.compile(r"\x1b\[[0-9;]*[A-Za-z]"), ""),
    (re.compile(r"(/private)?(/var)?/(tmp|dev/shm|var/folders)/[^\s:'\"]*"), "<folder>"),
    (re.compile(r"\b0x[0-9a-f]+\b", re.IGNORECASE), "<address>"),
    (re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", re.IGNORECASE), "<id>"),
    (re.compile(r"\b(?=[0-9a-f]*\d)[0-9a-f]{12,}\b", re.IGNORECASE), "<digest>"),
    (re.compile(r"\b\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d)?\S*)?"), "<time>"),
    (re.compile(r"\b\d\d:\d\d(:\d\d)?([.,]\d+)?\b"), "<time>"),
    (re.compile(r"\b\d+([.,]\d+)?(?=\s?(s|ms|us|ns|m|h|min|sec(onds?)?|minutes?|hours?)?\b)"), "<number>"),
    (re.compile(r"[=\-_.*]{3,}"), ""),
    (re.compile(r"\s+"), " "),
)

ReadOutput = Callable[[ArtifactRef], bytes | None]
"""An attempt's output; None when it cannot be read any more."""


def failed_checks(
    status: RunStatus, merged: ChecksReport | None, base: ChecksReport | None, read: ReadOutput
) -> tuple[FailedCheck, ...]:
    """Every check of the merge result that is not green; of the base, the required ones that refused the run."""
    if merged is not None:
        return tuple(_shown(result, "merge", read) for result in merged.results if _failed(result))
    if base is None or status is not RunStatus.REFUSED:
        return ()
    return tuple(_shown(result, "base", read) for result in base.results if result.required and _failed(result))


def complaints(output: bytes) -> tuple[str, ...]:
    """The lines of an output that tell this failure from others: no times, folders, addresses, numbers.

    Without a line that reads like a complaint, the last ones. Sorted, each once: order and number may vary.
    """
    lines = [passing(line) for line in _lines(output)]
    lines = [line for line in lines if line]
    chosen = [line for line in lines if _COMPLAINT.search(line)] or lines[-_LAST:]
    return tuple(sorted(set(chosen))[:_SIGNIFICANT])


def passing(line: str) -> str:
    """A line without what differs between two runs of the same failure."""
    for pattern, instead in _PASSING:
        line = pattern.sub(instead, line)
    return line.strip()


def first_complaint(output: bytes) -> str:
    """The first line that reads like a complaint, else the last line there is."""
    lines = [line.strip() for line in _lines(output) if line.strip()]
    return next((line for line in lines if _COMPLAINT.search(line)), lines[-1] if lines else "")


def _failed(result: CheckResult) -> bool:
    return result.status is not CheckStatus.GREEN


def _shown(result: CheckResult, tree: str, read: ReadOutput) -> FailedCheck:
    last = result.attempts[-1] if result.attempts else None
    # A flaky check ends green: what it said when it was red is what is of interest.
    told = next((each for each in reversed(result.attempts) if each.status is not CheckStatus.GREEN), last)
    ref = told.output if told else None
    body = read(ref) if ref else b""
    lines = ["(its output cannot be read any more)"] if body is None else _lines(body)
    lines = [line[:_WIDTH] for line in lines]
    return FailedCheck.model_validate(
        {
            "name": result.name,
            "kind": result.kind,
            "tree": tree,
            "required": result.required,
            "status": result.status,
            "exit_code": told.exit_code if told else None,
            "seconds": told.seconds if told else 0.0,
            "attempts": len(result.attempts),
            "detail": told.detail if told else "it did not run",
            "first_lines": lines[:_FIRST],
            "last_lines": lines[_FIRST:][-_LAST:],
            "output": ref.name if ref else "",
        }
    )


def _lines(output: bytes) -> list[str]:
    text = output.decode("utf-8", "backslashreplace").replace("\x00", "\\x00")
    return [line.rstrip() for line in text.splitlines() if line.strip()]
