"""The words, tones and shown forms that the page and the terminal share."""

import unicodedata
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from contracts.evidence import CheckStatus, FailedCheck
from contracts.exchange import AgentProgress
from contracts.forge_facts import CheckState
from contracts.handover import COULD_NOT_LOOK, NOTHING_WORTH_DOING, RunRef
from contracts.later_review import Fate, LaterReview
from contracts.modes import (
    GREEN_STATUSES,
    LIVE_STATUSES,
    MERGE_STEPS,
    SOURCE_STEPS,
    STEPS_OF_A_ROUND,
    Mode,
    RiskLevel,
    RunKind,
    RunStatus,
    StepName,
)
from contracts.verdict import Decision
from policies.agents.outcome import not_done
from policies.counted import counted, in_rounds, shortened

INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
KILO = 1000


class Tone(StrEnum):
    """How something should feel at a glance."""

    GOOD = "good"
    CARE = "care"
    BAD = "bad"
    QUIET = "quiet"


def doing_words(doing: AgentProgress, now: datetime) -> str:
    """In a line: `codex 0.169.0: 3 exchanges, 4800 tokens, 0.018 USD, last tool bash, 9 s ago`."""
    text = f"{counted(doing.exchanges, 'exchange')}, {counted(doing.tokens, 'token')}, {doing.usd:.4g} USD"
    tool = f", last tool {shortened(doing.tool, 40)}" if doing.tool else ""
    seconds = max(0, int((now - doing.since).total_seconds()))
    when = f", {seconds} s ago" if doing.exchanges else f", for {seconds} s"
    return f"{shortened(doing.agent, 60)}: {text}{tool}{when}"


def in_one_sentence(
    status: RunStatus, title: str, reason: str, pull_request: int = 0, became: str = "", *, trial: bool = False
) -> str:
    """What a person would say of a run.

    ``title``: of its task, empty if it got to none. ``became``: what came of its pull request since, as the lists say.
    ``trial``: it is a source's, whose reason begins with the trial's name.
    """
    if trial and title and status in {RunStatus.DRY_RUN_COMPLETE, RunStatus.REJECTED}:
        return f"The trial {reason.rstrip('.')}."
    what, _, rest = became.partition(" by ")
    then = f"since then it is {what.lower()}{f' by {rest}' if rest else ''}" if became else "it waits for a person"
    named = f"“{title}”" if title else "its change"
    why = f": {reason.rstrip('.')}" if reason else ""
    number = f" #{pull_request}" if pull_request else ""
    sentences = {
        RunStatus.PR_OPENED: f"Opened pull request{number}, {named}; {then}.",
        RunStatus.MERGED: f"Merged pull request{number} by itself: {named}{f'; {then}' if became else ''}.",
        RunStatus.DRY_RUN_COMPLETE: f"Tried {named} from end to end; nothing was written to the repository.",
        RunStatus.NOTHING_TO_DO: _nothing(reason),
        RunStatus.REJECTED: not_done(title, reason) or f"Did not release {named}{why}.",
        RunStatus.REFUSED: f"Was not allowed to start{why}.",
        RunStatus.ESCALATED: f"Stopped itself over {named}{why}; a person must look at it.",
        RunStatus.FAILED: f"Could not be carried out{why}.",
        RunStatus.ALREADY_RAN: "This day's run had been made before.",
        RunStatus.PAUSED: "The run ended before it was done: a pause, or no money in time. Its artifacts are kept.",
        RunStatus.CANCELLED: "The run was cancelled; its artifacts are kept.",
        RunStatus.LOST: "The run was closed by hand without saying how it ended.",
    }
    return sentences.get(status, "The run has not ended yet.")


def _nothing(reason: str) -> str:
    """A day on which something could not be looked at is no good day, whatever was found."""
    lost, _ = _lost(reason)
    if not lost:
        told = reason.startswith(f"{NOTHING_WORTH_DOING}: ")
        return f"Looked today, and found {reason}." if told else f"Looked, and found {NOTHING_WORTH_DOING} today."
    return f"Found nothing worth doing, but could not look everywhere: {lost}."


def _lost(reason: str) -> tuple[str, str]:
    """What could not be looked at, and what a run's reason says beside it."""
    if not reason.startswith(COULD_NOT_LOOK):
        return "", reason
    lost, parted, rest = reason.removeprefix(COULD_NOT_LOOK).partition(f"; {NOTHING_WORTH_DOING}")
    return lost, f"{NOTHING_WORTH_DOING}{rest}" if parted else ""


def became_since(later: LaterReview | None) -> str:
    """What a person made of the pull request, as ``in_one_sentence`` takes it; empty: nothing, or not known."""
    act = later.ended.partition(";")[0] if later else ""
    return act if " by " in act else ""


_OPENED = "pull request opened, outcome "


def unsaid(reason: str, sentence: str) -> str:
    """A run's reason, or what of it the sentence before it does not say."""
    lost, rest = _lost(reason)
    reason = rest if lost and lost in sentence else reason
    told = reason.startswith(_OPENED) or (sentence and reason.rstrip(".") in sentence) or not_done("", reason)
    return "" if told else reason


def untold(cautions: Sequence[str], sentence: str) -> tuple[str, ...]:
    """Those that the sentence beside them does not say."""
    return tuple(one for one in cautions if one.removeprefix(COULD_NOT_LOOK.capitalize()).rstrip(".") not in sentence)


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
CI_TONES = {
    CheckState.GREEN: Tone.GOOD,
    CheckState.RED: Tone.BAD,
    CheckState.PENDING: Tone.CARE,
    CheckState.MISSING: Tone.CARE,
}
FATE_TONES = {
    Fate.NOT_YET: Tone.QUIET,
    Fate.KEPT: Tone.GOOD,
    Fate.REWRITTEN: Tone.CARE,
    Fate.REVERTED: Tone.BAD,
    Fate.UNKNOWN: Tone.QUIET,
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


def steps_of(run: RunRef) -> tuple[StepName, ...]:
    """The steps that a run must reach; where there is no CI, nobody waits for it."""
    if run.kind is RunKind.SOURCE:
        return (*SOURCE_STEPS, StepName.AUDIT)
    merging = frozenset() if run.mode is Mode.SELECTIVE_AUTO else MERGE_STEPS
    left_out = {StepName.CI, *SOURCE_STEPS} | merging
    return tuple(step for step in StepName if step not in left_out)


def named_steps(steps: Iterable[StepName]) -> list[str]:
    """What a run's steps are called, in order: ``code``, ``merge check``; in a later round ``code, round 2``."""
    return [name.replace("_", " ") for name in in_rounds(steps, STEPS_OF_A_ROUND)]


def missing_step(step: StepName) -> str:
    """What to say of a step the report has no record of; the audit step is the one that writes the report."""
    return "wrote this report" if step is StepName.AUDIT else "not reached"


def failed_check_facts(check: FailedCheck) -> list[str]:
    """A failing check in short facts, for example ``tests``, ``exit status 1``, ``1.2 s``."""
    if check.tree == "ci":
        return ["in the forge's CI", *filter(None, (check.detail, check.link))]
    facts = [check.kind, "on the base" if check.tree == "base" else "on the merge result"]
    if not check.required:
        facts.append("not required")
    if check.exit_code is not None:
        facts.append(f"exit status {check.exit_code}")
    facts.append(f"{check.seconds:.1f} s")
    if check.attempts > 1:
        facts.append(f"{check.attempts} attempts")
    return facts + [fact for fact in (check.detail, check.output) if fact]


def visible(text: str) -> str:
    """The text with every character that could hide or reorder others shown as its code.

    Agents and repositories choose much of what a report says: a terminal escape or a right-to-left
    override must be seen, not obeyed.
    """
    if text.isascii() and text.isprintable():
        return text
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
