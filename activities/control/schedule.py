"""Control's word to the target's Schedule (runbook §7)."""

from dataclasses import dataclass

from temporalio import activity

from activities.api import SYNC_SCHEDULE, ScheduleSynced, SyncScheduleInput
from activities.heartbeat import heartbeating
from activities.step_session import StepPorts
from ports.crashpoints import crashpoint


@dataclass(frozen=True)
class Scheduling:
    """Idempotent: a second time finds it done."""

    bench: StepPorts

    @activity.defn(name=SYNC_SCHEDULE.name, no_thread_cancel_exception=True)
    def sync_schedule(self, given: SyncScheduleInput) -> ScheduleSynced:
        """Pause it, or let it go on."""
        with heartbeating():
            crashpoint("mind_schedule.before_effect")
            done = self.bench.control.sync_schedule(given.target, paused=given.paused, reason=given.reason)
            crashpoint("mind_schedule.after_effect")
        activity.logger.info("schedule of %s: %s", given.target, done)
        return ScheduleSynced(done=done)
