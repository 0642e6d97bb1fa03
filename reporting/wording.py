"""The words, tones and shown forms that the page and the terminal share."""

from __future__ import annotations

import unicodedata
from datetime import datetime, timedelta
from enum import StrEnum

from contracts.evidence import CheckStatus
from contracts.modes import GREEN_STATUSES, LIVE_STATUSES, RiskLevel, RunStatus, StepName
from contracts.verdict import Decision

INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
KILO = 1000


class Tone(StrEnum):
    """How something should feel at a glance."""

    GOOD = "good"
    CARE = "care"
    BAD = "bad"
    QUIET = "quiet"


MEANING = {
    RunStatus.PR_OPENED: "A pull request waits for a person.",
    RunStatus.DRY_RUN_COMPLETE: "Everything was tried, nothing was written to the repository.",
    RunStatus.NOTHING_TO_DO: "Nothing worth doing was found today.",
    RunStatus.ALREADY_RAN: "This day's run had been made before.",
    RunStatus.REJECTED: "The change did not pass and was not released.",
    RunStatus.REFUSED: "The run was not allowed to start.",
    RunStatus.ESCALATED: "The run stopped itself: a person must look at it before anything goes on.",
    RunStatus.PAUSED: "A pause ended the run; its artifacts are kept.",
    RunStatus.CANCELLED: "The run was cancelled; its artifacts are kept.",
    RunStatus.FAILED: "The run failed: a step could not be carried out.",
    RunStatus.LOST: "The run was closed by hand without saying how it ended.",
}
"""What each end state means, in one sentence."""

DECISION_TONES = {
    Decision.ALLOW: Tone.GOOD,
    Decision.ASK: Tone.CARE,
    Decision.HOLD: Tone.CARE,
    Decision.DENY: Tone.BAD,
    Decision.ESCALATE: Tone.BAD,
}
DECISION_MARKS = {
    Decision.ALLOW: "✓",
    Decision.ASK: "?",
    Decision.HOLD: "…",
    Decision.DENY: "✗",
    Decision.ESCALATE: "!",
}
CHECK_TONES = {
    CheckStatus.GREEN: Tone.GOOD,
    CheckStatus.RED: Tone.BAD,
    CheckStatus.FLAKY: Tone.CARE,
    CheckStatus.TIMEOUT: Tone.BAD,
    CheckStatus.INFRASTRUCTURE: Tone.CARE,
}
RISK_TONES = {
    RiskLevel.LOW: Tone.GOOD,
    RiskLevel.MEDIUM: Tone.CARE,
    RiskLevel.HIGH: Tone.BAD,
    RiskLevel.CRITICAL: Tone.BAD,
}


def status_tone(status: RunStatus) -> Tone:
    """Whether a run's end is good news."""
    if status in GREEN_STATUSES:
        return Tone.GOOD
    if status in LIVE_STATUSES | {RunStatus.PAUSED, RunStatus.CANCELLED}:
        return Tone.CARE
    return Tone.BAD


def missing_step(step: StepName) -> str:
    """What to say of a step the report has no record of; the audit step is the one that writes the report."""
    return "wrote this report" if step is StepName.AUDIT else "not reached"


def visible(text: str) -> str:
    """The text with every character that could hide or reorder others shown as its code.

    Agents and repositories choose much of what a report says: a terminal escape or a right-to-left
    override must be seen, not obeyed.
    """
    return "".join(
        f"\\u{{{ord(character):x}}}"
        if character not in "\n\t" and unicodedata.category(character) in INVISIBLE
        else character
        for character in text
    )


def duration(begin: datetime, end: datetime) -> str:
    """For example ``1 m 12 s``."""
    took = end - begin
    if took < timedelta(seconds=10):
        return f"{took.total_seconds():.1f} s"
    minutes, seconds = divmod(round(took.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02} m"
    return f"{minutes} m {seconds:02} s" if minutes else f"{seconds} s"


def size(count: int) -> str:
    """For example ``12.3 kB``."""
    if count < KILO:
        return f"{count} B"
    if count < KILO * KILO:
        return f"{count / KILO:.1f} kB"
    return f"{count / KILO / KILO:.1f} MB"
