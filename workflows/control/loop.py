"""What takes Control time: registering, telling runs, logging, reaping, the ladder's smoke.

Each chore is a loop over what the books say is due, so a crash or a continue-as-new loses none of it.
"""

import asyncio
from collections.abc import Callable
from datetime import timedelta

from temporalio import workflow
from temporalio.common import WorkflowIDReusePolicy
from temporalio.exceptions import ActivityError, FailureError, WorkflowAlreadyStartedError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from activities import api as steps
    from contracts.admission import RunRecord, RunRequest, RunResult
    from contracts.control import Ladder
    from contracts.incident import IncidentRecord
    from contracts.modes import Mode, RunKind
    from policies.counted import counted
    from workflows import api
    from workflows.control import admission, budget, incident_records, pausing, reaping
    from workflows.control.after_runs import AfterRunsLoop
    from workflows.control.state import LOG_BATCH, ControlState


_SELDOM = 15
"""Follow-ups alone last for weeks: they are looked at every so many ``reap_seconds``, and with whatever else is."""


class ControlLoop:
    """Control's loops over its books.

    Args:
        state: the books.
        publish: shows them in the Temporal UI.
        pause: Control pauses itself, with a reason.
    """

    def __init__(self, state: ControlState, publish: Callable[[], None], pause: Callable[[str], None]) -> None:
        self._state = state
        self._publish = publish
        self._pause = pause
        self._leaving = False
        self._resets = 0
        self._after_runs = AfterRunsLoop(state, self._until, publish)

    def begin(self) -> list[asyncio.Task[None]]:
        """Start every loop. Their order is the order of their commands: never change it for open Controls."""
        loops = (
            self._register,
            self._tell_runs,
            self._write_log,
            self._check_up,
            self._start_smoke,
            self._alert,
            self._start_incidents,
            self._sync_schedule,
            self._report_budget,
            self._turn_periods,
            self._after_runs.follow,
            self._after_runs.roll_back,
            self._after_runs.tag,
        )
        return [asyncio.create_task(loop()) for loop in loops]

    def leave(self) -> None:
        """Let every loop end after what it is doing now."""
        self._leaving = True

    def register_again(self) -> None:
        """A reset rewound the books: until the Installation and the audit logs were asked again, they claim nothing."""
        self._resets += 1
        self._state.registered, self._state.rewound = False, True

    async def _register(self) -> None:
        while not self._leaving:
            if self._state.registered:
                await workflow.wait_condition(lambda: self._leaving or not self._state.registered)
                continue
            resets = self._resets
            # Of this run, not of the chain: a Control that was reset to its beginning is a new one.
            request = steps.RegisterInput(target=self._state.target, chain=workflow.info().run_id)
            facts = await steps.REGISTER(request, "register with the Installation")
            pausing.register(self._state, facts, workflow.now(), again=resets > 0)
            # An answer from before a reset does not know what began after it.
            self._state.registered = resets == self._resets
            self._state.rewound = not self._state.registered
            admission.promote(self._state)
            self._publish()

    async def _until(self, due: Callable[[], bool], wait: timedelta | None = None) -> bool:
        """Wait for work; False when this run of Control is about to hand over.

        Orders go before everything else, so the commands have one order: a replay may group the messages of
        two workflow tasks into one, and loops that raced would then race another way.
        """
        try:
            await workflow.wait_condition(lambda: self._leaving or (due() and not self._state.to_tell), timeout=wait)
        except TimeoutError:
            return not self._leaving
        return not self._leaving

    async def _tell_runs(self) -> None:
        while not self._leaving:
            await workflow.wait_condition(lambda: self._leaving or bool(self._state.to_tell))
            telling = [self._state.runs[run_id] for run_id in self._state.to_tell if run_id in self._state.runs]
            await asyncio.gather(*(self._tell(run) for run in telling))
            self._state.told(telling)

    async def _tell(self, run: RunRecord) -> None:
        try:
            await workflow.get_external_workflow_handle(run.workflow_id).signal(api.ORDER, run.order)
        except FailureError as gone:
            # A run that is gone is no error: the check-up closes its record.
            workflow.logger.info("run %s could not be told: %s", run.run_id, gone)

    async def _write_log(self) -> None:
        # Unregistered, a log would age the target.
        while await self._until(lambda: self._state.registered and bool(self._state.to_log)):
            events = tuple(self._state.to_log[:LOG_BATCH])
            running = tuple(record for record in self._state.incidents.values() if record.started)
            request = steps.TargetLogInput(
                target=self._state.target, events=events, now=workflow.now(), incidents=running
            )
            try:
                head = await steps.LOG_TARGET(request, f"log {events[-1].event}")
            except ActivityError as failure:
                workflow.logger.warning("target log: %s", failure)
                continue
            self._state.log_head = head.head
            self._state.to_log = self._state.to_log[len(events) :]

    async def _check_up(self) -> None:
        """Find runs that closed without saying so, and writes nobody settled."""
        while True:
            if not await self._until(lambda: self._is_busy() or bool(self._state.followed)):
                return
            seconds = self._state.terms.reap_seconds
            if not self._is_busy() and not await self._until(self._is_busy, timedelta(seconds=_SELDOM * seconds)):
                return
            if self._is_busy() and not await self._until(lambda: False, timedelta(seconds=seconds)):
                return
            self._state.log_mentions()
            request = reaping.due(self._state, workflow.now())
            if not request.runs and not request.writes and not request.followed:
                continue
            looks = f"{counted(len(request.runs), 'run')}, {counted(len(request.writes), 'late write')}"
            looks += f", {counted(len(request.followed), 'follow-up')}"
            try:
                found = await steps.CHECK_UP(request, f"look at {looks}")
            except ActivityError as failure:
                workflow.logger.warning("check-up: %s", failure)
                continue
            reaping.apply(self._state, found, workflow.now())
            admission.promote(self._state)
            self._publish()

    def _is_busy(self) -> bool:
        return bool(self._state.active() or self._state.open_writes())

    async def _alert(self) -> None:
        while await self._until(lambda: bool(self._state.to_alert)):
            alerts = tuple(self._state.to_alert[:20])
            try:
                await steps.RAISE_ALERTS(steps.RaiseAlertsInput(alerts=alerts), f"alert: {alerts[0].kind}")
            except ActivityError as failure:
                workflow.logger.warning("alerts: %s", failure)
                continue
            self._state.to_alert = self._state.to_alert[len(alerts) :]

    async def _start_incidents(self) -> None:
        while await self._until(lambda: bool(incident_records.to_start(self._state))):
            # Evidence is best once the run has ended and everything is logged; a run that hangs is not waited for.
            if not await self._until(lambda: incident_records.evidence_is_complete(self._state), timedelta(minutes=1)):
                return
            for record in incident_records.to_start(self._state):
                await self._start_incident(record)
            self._publish()

    async def _start_incident(self, record: IncidentRecord) -> None:
        try:
            incident = await workflow.start_child_workflow(
                api.INCIDENT,
                incident_records.start_of(self._state, record),
                id=api.incident_id(self._state.target, record.incident),
                parent_close_policy=workflow.ParentClosePolicy.ABANDON,
                id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
                static_summary=f"{record.trigger} of {record.run_id}",
            )
        except WorkflowAlreadyStartedError:
            workflow.logger.info("%s runs already", record.incident)
        except FailureError as failure:
            if is_cancelled_exception(failure):
                raise
            workflow.logger.warning("%s could not be started: %s", record.incident, failure)
            await self._until(lambda: False, timedelta(seconds=10))
            return
        else:
            # It outlives us, and how it ends it tells itself; asyncio wants the end looked at all the same.
            incident.add_done_callback(lambda done: None if done.cancelled() else done.exception())
        incident_records.started(self._state, record.incident)

    async def _sync_schedule(self) -> None:
        # After the log: two loops that become due at once would have their order from chance.
        while await self._until(lambda: not self._state.to_log and pausing.schedule_due(self._state) is not None):
            request = pausing.schedule_due(self._state)
            if request is None:
                continue
            epoch = self._state.epoch
            pausing.schedule_begun(self._state, request)
            try:
                await steps.SYNC_SCHEDULE(request, "pause the Schedule" if request.paused else "let the Schedule go on")
            except ActivityError as failure:
                workflow.logger.warning("schedule: %s", failure)
                continue
            pausing.schedule_synced(self._state, request, epoch)

    def _nothing_to_say(self) -> bool:
        # Two loops that become due at once would have their order from chance.
        return not self._state.to_log and not self._state.to_alert

    async def _report_budget(self) -> None:
        while await self._until(lambda: bool(self._state.budget.to_report) and self._nothing_to_say()):
            report = self._state.budget.to_report[0]
            try:
                ref = await steps.REPORT_BUDGET(report, f"budget exhausted: {report.period} {report.measure}")
            except ActivityError as failure:
                workflow.logger.warning("budget report: %s", failure)
                continue
            del self._state.budget.to_report[0]
            self._state.budget.reports.append(ref)

    async def _turn_periods(self) -> None:
        """At the end of a day that cost something: what `status` shows, and runs that wait for the next period."""
        while await self._until(lambda: self._state.budget.counts_today() and self._nothing_to_say()):
            wait = self._state.budget.rest_of_day(workflow.now())
            if not await self._until(lambda: False, wait):
                return
            budget.roll_periods(self._state, workflow.now())
            self._publish()

    async def _start_smoke(self) -> None:
        while await self._until(lambda: self._state.smoke_due):
            self._state.smoke_due = False
            if self._state.ladder is not None:
                await self._smoke(self._state.ladder)

    async def _smoke(self, ladder: Ladder) -> None:
        request = RunRequest(
            target=self._state.target, kind=RunKind.SMOKE, mode=Mode.DRY_RUN, actor=f"resume by {ladder.actor}"
        )
        try:
            smoke = await workflow.start_child_workflow(
                api.DAILY_RUN,
                request.model_dump(mode="json", exclude_none=True),
                id=ladder.smoke_workflow_id,
                parent_close_policy=workflow.ParentClosePolicy.ABANDON,
                result_type=RunResult,
                static_summary=f"smoke run of {self._state.target}, epoch {ladder.epoch}",
            )
        except FailureError as failure:
            if is_cancelled_exception(failure):
                raise
            self._pause(f"the smoke run could not be started: {failure}")
            return
        await workflow.wait_condition(lambda: smoke.done() or self._state.ladder is not ladder)
        if self._state.ladder is ladder:
            # A smoke that was admitted says so before it ends: this one never got that far.
            self._pause(f"the smoke run ended unheard: {_why_it_ended(smoke)}")


def _why_it_ended(smoke: asyncio.Task[RunResult]) -> str:
    failure: BaseException | None = smoke.exception()
    if failure is None:
        return f"{smoke.result().status}: {smoke.result().reason}"
    while failure.__cause__ is not None:
        failure = failure.__cause__
    return str(failure)
