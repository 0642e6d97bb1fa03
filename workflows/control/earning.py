"""Whether a kind of task merges by itself: earned, or by a person's override, for as long as either holds.

What was earned comes with each admission, from the audit log that these books wrote. What happened since counts at
once: these books know it first.
"""

from datetime import datetime, timedelta

from contracts.alert import AlertKind
from contracts.control import ModeOverride, ModeRequest
from contracts.incident import CRITICAL
from contracts.modes import Mode
from contracts.verdict import Decision, Verdict
from workflows.control import budget_book
from workflows.control.state import ControlState, clock

RANK = {Mode.DRY_RUN: 0, Mode.PR_ONLY: 1, Mode.SELECTIVE_AUTO: 2}
COOLDOWN = timedelta(days=30)
"""So long nothing counts as earned after a critical incident; the criteria look back as far."""
_NOTHING = "no run of this kind of task has ended yet"


def override_of(request: ModeRequest, now: datetime) -> ModeOverride | None:
    """What a person's command means; None: only what has been earned merges by itself."""
    if request.mode is not Mode.SELECTIVE_AUTO or not request.override_days:
        return None
    return ModeOverride(
        actor=request.actor,
        reason=request.reason,
        at=now,
        until=now + timedelta(days=request.override_days),
        task_types=request.override_types,
    )


def ceiling(state: ControlState, maximum: Mode, now: datetime) -> tuple[Mode, str]:
    """The most a new run may do, and why not more; empty: it is the mode or the policy."""
    mode = min(state.mode, maximum, key=RANK.__getitem__)
    earned = state.terms.earned
    if mode is not Mode.SELECTIVE_AUTO or earned is None or _override(state, now):
        return mode, ""
    lost = _lost(state, now)
    if not lost and "" in earned.values():
        return mode, ""
    return Mode.PR_ONLY, lost or "no kind of task has earned SELECTIVE_AUTO; `mode --why` shows what is missing"


def merges_alone(state: ControlState, task_type: str, now: datetime) -> Verdict:
    """Rules, in order: the mode · a person's override in force for it · nothing was lost since · it has been earned."""

    def answer(decision: Decision, reason: str) -> Verdict:
        rule = f"{task_type or 'a task of no known kind'} merges by itself"
        return Verdict(rule=rule, decision=decision, reason=reason, facts={"mode": state.mode})

    earned, override = state.terms.earned, _override(state, now)
    if state.mode is not Mode.SELECTIVE_AUTO:
        return answer(Decision.DENY, f"the target's mode was lowered to {state.mode}")
    if earned is None:
        return answer(Decision.ALLOW, "the mode is a person's, and nobody has looked at what was earned")
    if override and (not override.task_types or task_type in override.task_types):
        return answer(Decision.ALLOW, f"by {override.actor}'s override until {clock(override.until)}")
    if lost := _lost(state, now):
        return answer(Decision.DENY, lost)
    if missing := earned.get(task_type, _NOTHING):
        return answer(Decision.DENY, f"{task_type or 'it'} has not earned SELECTIVE_AUTO: {missing}")
    return answer(Decision.ALLOW, "earned")


def note_losses(state: ControlState, now: datetime) -> None:
    """An earned mode that is lost is told, once for each change: in the log, and by an alert.

    Of a target whose mode a person lowered there is nothing to tell: nothing merged by itself any more.
    """
    earned, lost = state.terms.earned, _lost(state, now)
    if not state.tells_losses or earned is None:
        return
    alone = state.mode is Mode.SELECTIVE_AUTO
    holds = [] if lost else sorted(kind for kind, missing in earned.items() if not missing)
    gone = [kind for kind in state.standing if kind not in holds] if alone or lost else []
    state.standing = holds if alone else []
    if not gone:
        return
    because = lost or "; ".join(sorted({earned.get(kind, _NOTHING) for kind in gone}))
    kinds, override = ", ".join(gone), _override(state, now)
    state.log("earned mode lost", kinds=kinds, because=because)
    stays = f"{override.actor}'s override stands until {clock(override.until)}" if override else "a person merges them"
    summary = f"{kinds} merges by itself no more: {because}. {stays}; see: starter.py mode {state.target} --why"
    state.alert(AlertKind.MODE_LOST, f"mode_lost/{state.target}/{now.isoformat()}", summary, kinds=kinds)


def _override(state: ControlState, now: datetime) -> ModeOverride | None:
    """In force. One that was given before the mode was lowered ended with that: raising it again states a new one."""
    override = state.override
    return override if override and state.mode is Mode.SELECTIVE_AUTO and now < override.until else None


def _lost(state: ControlState, now: datetime) -> str:
    """What these books know and the latest look at what was earned may not: empty, nothing."""
    for record in state.incidents.values():
        if record.trigger in CRITICAL and now - record.opened_at < COOLDOWN:
            return (
                f"{record.incident} was opened on {record.opened_at:%Y-%m-%d}: earned anew {COOLDOWN.days} days later"
            )
    for line in budget_book.lines(state.budget):
        if line.spent > line.cap and not line.period.startswith("run/"):
            return f"{line.measure} of {line.period} are beyond their cap"
    return ""
