"""A target's Schedule is paused while the target is, and goes on with it (runbook §7).

Convenience, never the brake: a Schedule that is triggered by hand starts a run, and admission refuses it.
"""

from activities.api import SyncScheduleInput
from contracts.modes import TargetStatus
from policies.counted import shortened
from workflows.control.state import ControlState

_LONGEST = 500


def due(state: ControlState) -> SyncScheduleInput | None:
    """What the Schedule must be told now, or None.

    Rules, in order: not before the target is registered · PAUSED under an epoch the Schedule's note is not of: pause
    it · ACTIVE again after that: let it go on · RESUMING: it stays as it is.
    """
    if not state.registered:
        return None
    if state.status is TargetStatus.PAUSED and not (state.schedule_paused and state.schedule_epoch == state.epoch):
        return SyncScheduleInput(target=state.target, paused=True, reason=_reason(state))
    if state.status is TargetStatus.ACTIVE and state.schedule_paused:
        return SyncScheduleInput(target=state.target, paused=False, reason=f"resumed, epoch {state.epoch}")
    return None


def begun(state: ControlState, told: SyncScheduleInput) -> None:
    """It is being told: from now on it may be paused by us, whatever becomes of the answer."""
    state.schedule_paused = state.schedule_paused or told.paused


def minded(state: ControlState, told: SyncScheduleInput, epoch: int) -> None:
    """It was told; what changed meanwhile is due again."""
    state.schedule_paused = told.paused
    state.schedule_epoch = epoch


def _reason(state: ControlState) -> str:
    said = "; ".join(
        f"{pause.scope} pause by {pause.actor}: {pause.reason or 'no reason given'}" for pause in state.pauses
    )
    return shortened(f"{said or 'paused'} (epoch {state.epoch})", _LONGEST)
