"""Control's word to the target's Schedule (runbook §7)."""

from __future__ import annotations

from dataclasses import dataclass

from temporalio import activity

from activities.api import MIND_SCHEDULE, MindScheduleInput, ScheduleMinded
from activities.heartbeat import heartbeating
from activities.workbench import Workbench
from ports.crashpoints import crashpoint


@dataclass(frozen=True)
class Scheduling:
    """Idempotent: a second time finds it done."""

    bench: Workbench

    @activity.defn(name=MIND_SCHEDULE.name, no_thread_cancel_exception=True)
    def mind_schedule(self, given: MindScheduleInput) -> ScheduleMinded:
        """Pause it, or let it go on."""
        with heartbeating():
            crashpoint("mind_schedule.before_effect")
            done = self.bench.control.mind_schedule(given.target, paused=given.paused, reason=given.reason)
            crashpoint("mind_schedule.after_effect")
        activity.logger.info("schedule of %s: %s", given.target, done)
        return ScheduleMinded(done=done)
