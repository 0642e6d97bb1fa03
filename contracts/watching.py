"""What the watch sees (runbook §9: a run that is missing, a run that does not get on)."""

from pydantic import AwareDatetime

from contracts.admission import RunRecord, RunView
from contracts.artifact import Contract
from contracts.control import StatusView
from contracts.verdict import Verdict


class ScheduleSight(Contract):
    """The Schedule of a target."""

    paused: bool
    note: str = ""
    next_at: AwareDatetime | None = None
    last_at: AwareDatetime | None = None
    """When it last started something."""


class TargetSight(Contract):
    """One target, whose daily run should have ended by now."""

    target: str
    date: str
    """Today in its time zone."""
    deadline: AwareDatetime
    registered_at: AwareDatetime | None = None
    """When the Installation came to know it; None: never."""
    status: StatusView | None = None
    """None: no Control of it is open, or nobody could be asked."""
    schedule: ScheduleSight | None = None
    run: RunView | None = None
    """Today's open run, in its own words."""
    blocked: Verdict | None = None
    """The budget's word on new runs."""
    unseen_since: AwareDatetime | None = None
    """The watch, which needs a worker, did not look between this and now."""
    problem: str = ""
    """What could not be found out."""

    def today(self) -> tuple[RunRecord, ...]:
        """Today's daily runs in Control's books, open ones first."""
        if self.status is None:
            return ()
        runs = (*self.status.active, *self.status.queued, *self.status.recent)
        return tuple(run for run in runs if run.date == self.date and run.kind == "daily")


class StepSight(Contract):
    """One activity that a workflow waits for."""

    name: str
    attempt: int
    failure: str = ""
    """How its last attempt failed."""


class WorkflowSight(Contract):
    """One open workflow."""

    workflow_id: str
    workflow_run_id: str
    kind: str
    """``DailyRun``, ``Control``, ``Incident`` …"""
    target: str = ""
    run_id: str = ""
    status: str = ""
    """As its search attribute says: ``RUNNING``, ``HELD`` …"""
    events: int
    """Length of its history."""
    task_attempt: int = 0
    """Attempts of the workflow task in progress; more than one: it keeps failing."""
    steps: tuple[StepSight, ...] = ()
