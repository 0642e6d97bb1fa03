"""What a rollback leaves in Control's books (runbook §8): the idea in quarantine, a hardening task."""

from __future__ import annotations

from datetime import datetime, timedelta

from contracts.rollback import HardeningTask, Idea, MergeRecord, Quarantined, RollbackResult
from policies.counted import shortened
from workflows.control_state import ControlState, clock

KEPT_TASKS = 40
"""Of each list."""


def leave(state: ControlState, known: MergeRecord, said: RollbackResult, now: datetime) -> None:
    """The idea goes into quarantine, the hardening task onto the list, however the rollback ended."""
    # One that was terminated, or never came to a plan, says nothing of the idea; its task's id is known.
    task = known.merged.task_id
    idea = said.idea or Idea(task_id=task, title=task, tool="", rule="", paths=())
    until = now + state.rollback_caps.quarantine_days * timedelta(days=1)
    reason = shortened(f"rolled back: {known.reason}", 300)
    state.quarantined[idea.task_id] = Quarantined(idea=idea, reason=reason, until=until)
    state.hardening[said.incident] = HardeningTask(
        incident=said.incident,
        run_id=said.run_id,
        title=shortened(f"Harden: a check that would have caught {said.run_id} ({known.reason})", 200),
        idea=idea,
        at=now,
    )
    state.log("idea quarantined", task=idea.task_id, until=clock(until), reason=reason)
    state.log("hardening task queued", incident=said.incident, runId=said.run_id)
    _bound(state, now)


def _bound(state: ControlState, now: datetime) -> None:
    """Expired quarantines go; of both lists the oldest beyond what the books can carry."""
    live = {name: one for name, one in state.quarantined.items() if one.until > now}
    state.quarantined = dict(sorted(live.items(), key=lambda item: item[1].until)[-KEPT_TASKS:])
    state.hardening = dict(sorted(state.hardening.items(), key=lambda item: item[1].at)[-KEPT_TASKS:])
