"""``control/<target>``: the one serial place of a target's status, mode, epoch, queue and writes in flight.

Handlers are synchronous and answer at once. Everything that takes time (telling runs, logging, reaping) is done
by ``run``'s own loops from what the state says is due, so a crash or a continue-as-new loses none of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta

from temporalio import workflow
from temporalio.common import RawValue
from temporalio.exceptions import ActivityError, ApplicationError, FailureError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from activities.api import CHECK_UP, LOG_TARGET, REGISTER, RegisterInput, TargetLogInput
    from contracts.admission import AdmitAnswer, AdmitRequest, FinishRequest, RunRecord, RunRequest, RunResult
    from contracts.clearance import SettleRequest, WriteAnswer, WriteRequest
    from contracts.control import (
        Answer,
        IncidentReport,
        InstallationNotice,
        Ladder,
        ModeRequest,
        PauseRecord,
        ResumeRequest,
        StatusView,
    )
    from contracts.modes import Mode, PauseStyle, RunKind
    from contracts.verdict import Verdict
    from workflows import admission, api, clearances, pausing, reaping, signals
    from workflows.control_state import ControlInput, ControlState
    from workflows.epochs import epoch_at
    from workflows.resets import when_reset

_DESCRIPTION = "an operator command; answered with accepted or refused and the reason"


@workflow.defn(name=api.CONTROL)
class Control:
    """One target's Control. Blank, it starts PAUSED: terminating a paused Control must not unpause it."""

    @workflow.init
    def __init__(self, given: ControlInput) -> None:
        birth = epoch_at(workflow.now())
        self._state = given.state or ControlState(target=given.target, epoch=birth)
        self._leaving = False
        self._published: tuple[str, str, int] | None = None
        # A reset rewinds the books; the brake is the only safe place to wake up in.
        when_reset(lambda: self._pause_itself("reset by hand"))

    @workflow.run
    async def run(self, given: ControlInput) -> None:
        """Run the loops until the history is long, then hand the books to a new run."""
        loops = [
            asyncio.create_task(loop())
            for loop in (self._register, self._tell_runs, self._write_log, self._check_up, self._start_smoke)
        ]
        self._publish()
        while not self._may_leave():
            try:
                await workflow.wait_condition(self._may_leave)
            except asyncio.CancelledError:
                # A cancelled Control would leave its runs without a brake: it pauses instead of ending.
                self._pause_itself("cancelled by hand")
        self._leaving = True
        await asyncio.gather(*loops)
        await workflow.wait_condition(workflow.all_handlers_finished)
        workflow.continue_as_new(ControlInput(target=given.target, state=self._state))

    def _may_leave(self) -> bool:
        # Only the run of Control that started a ladder's smoke hears how it ended.
        climbing = self._state.ladder is not None
        return workflow.info().is_continue_as_new_suggested() and self._state.registered and not climbing

    # The brake

    @workflow.signal(dynamic=True)
    def any_signal(self, name: str, args: Sequence[RawValue]) -> None:
        """``pause`` with any payload; other names are recorded and ignored."""
        if signals.is_pause(name):
            pausing.pause(self._state, signals.read_pause(args, "target", workflow.now()))
            self._publish()
        else:
            self._state.log("unknown signal ignored", name=name[:80])

    @workflow.signal(name=api.INSTALLATION_NOTICE)
    def installation(self, told: InstallationNotice) -> None:
        """The Installation paused or resumed everybody."""
        pausing.notice(self._state, told, workflow.now())
        self._publish()

    def _pause_itself(self, reason: str) -> None:
        record = PauseRecord(
            scope="start", style=PauseStyle.CHECKPOINT, reason=reason, actor="control", at=workflow.now(), epoch=0
        )
        pausing.pause(self._state, record)
        self._publish()

    # What operators ask

    @workflow.update(name=api.RESUME, description=_DESCRIPTION)
    def resume(self, asked: ResumeRequest) -> Answer:
        """A person names cause and evidence; the ladder begins."""
        answer = pausing.resume(self._state, asked, workflow.now())
        self._publish()
        return answer

    @workflow.update(name=api.SET_MODE, description=_DESCRIPTION)
    def set_mode(self, asked: ModeRequest) -> Answer:
        """Lower or raise the mode."""
        answer = pausing.set_mode(self._state, asked)
        self._publish()
        return answer

    # What runs ask

    @workflow.update(name=api.ADMIT_RUN)
    def admit(self, asked: AdmitRequest) -> AdmitAnswer:
        """Admitted, queued, refused or already ran; at once."""
        self._state.max_active = asked.max_active
        return admission.admit(self._state, asked, workflow.now())

    @admit.validator
    def _admit_is_for_this_target(self, asked: AdmitRequest) -> None:
        if asked.request.target != self._state.target:
            raise ApplicationError(f"this is Control of {self._state.target}, not of {asked.request.target}")

    @workflow.update(name=api.BEGIN_WRITE)
    def begin_write(self, asked: WriteRequest) -> WriteAnswer:
        """A clearance, or why not."""
        return clearances.begin(self._state, asked, workflow.now())

    @begin_write.validator
    def _key_is_the_runs(self, asked: WriteRequest) -> None:
        if not asked.key.startswith(f"{asked.run_id}/"):
            raise ApplicationError("key must be run_id/step")

    @workflow.update(name=api.SETTLE_WRITE)
    def settle_write(self, said: SettleRequest) -> Answer:
        """How a write ended."""
        return clearances.settle(self._state, said, workflow.now())

    @workflow.update(name=api.FINISH_RUN)
    def finish(self, said: FinishRequest) -> Answer:
        """How a run ended; its slot goes to the queue."""
        now = workflow.now()
        news = admission.finish(self._state, said, now)
        if news:
            pausing.smoke_ended(self._state, said, now)
            admission.promote(self._state, self._state.max_active)
            self._publish()
        return admission.heard(self._state, news=news)

    @workflow.update(name=api.REPORT)
    def report(self, said: IncidentReport) -> Answer:
        """An incident trigger."""
        return pausing.open_incident(self._state, said, workflow.now())

    # What anybody may look at

    @workflow.query(name=api.STATUS, description="status, mode, epoch, writes in flight, runs, pauses")
    def status(self) -> StatusView:
        """Everything ``pause --wait`` needs, in one answer."""
        return self._state.view()

    @workflow.query(name=api.WHY, description="why this target works, or does not")
    def why(self) -> Verdict:
        """The verdict tree."""
        return self._state.why()

    @workflow.query(name=api.QUEUE, description="queued runs, first come first served")
    def queue(self) -> list[RunRecord]:
        """Queued runs."""
        return [self._state.runs[run_id] for run_id in self._state.queue]

    # The loops

    async def _register(self) -> None:
        if self._state.registered:
            return
        # Of this run, not of the chain: a Control that was reset to its beginning is a new one.
        given = RegisterInput(target=self._state.target, chain=workflow.info().run_id)
        facts = await REGISTER(given, "register with the Installation")
        pausing.register(self._state, facts, workflow.now())
        admission.promote(self._state, self._state.max_active)
        self._publish()

    async def _until(self, due: Callable[[], bool], wait: timedelta | None = None) -> bool:
        """Wait for work; False when this run of Control is about to hand over."""
        try:
            await workflow.wait_condition(lambda: self._leaving or due(), timeout=wait)
        except TimeoutError:
            return not self._leaving
        return not self._leaving

    async def _tell_runs(self) -> None:
        while await self._until(lambda: bool(self._state.to_tell)):
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
        # Orders first: a replay may group updates and results otherwise. Unregistered, a log would age the target.
        while await self._until(
            lambda: self._state.registered and bool(self._state.to_log) and not self._state.to_tell
        ):
            events = tuple(self._state.to_log[:100])
            given = TargetLogInput(target=self._state.target, events=events, now=workflow.now())
            try:
                head = await LOG_TARGET(given, f"log {events[-1].event}")
            except ActivityError as failure:
                workflow.logger.warning("target log: %s", failure)
                continue
            self._state.log_head = head.head
            self._state.to_log = self._state.to_log[len(events) :]

    async def _check_up(self) -> None:
        """Find runs that closed without saying so, and writes nobody settled."""
        while True:
            if not await self._until(lambda: bool(self._state.active() or self._state.open_writes())):
                return
            if not await self._until(lambda: False, timedelta(seconds=self._state.reap_seconds)):
                return
            given = reaping.due(self._state, workflow.now())
            if not given.runs and not given.writes:
                continue
            try:
                found = await CHECK_UP(given, f"look at {len(given.runs)} runs, {len(given.writes)} late writes")
            except ActivityError as failure:
                workflow.logger.warning("check-up: %s", failure)
                continue
            reaping.apply(self._state, found, workflow.now())
            admission.promote(self._state, self._state.max_active)
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
            self._pause_itself(f"the smoke run could not be started: {failure}")
            return
        await workflow.wait_condition(lambda: smoke.done() or self._state.ladder is not ladder)
        if self._state.ladder is ladder:
            # A smoke that was admitted says so before it ends: this one never got that far.
            self._pause_itself(f"the smoke run ended unheard: {_why_it_ended(smoke)}")

    def _publish(self) -> None:
        """Show the same in the Temporal UI as in ``status`` (search attributes, Markdown details)."""
        state = self._state
        shown = (state.status.value, state.mode.value, state.epoch)
        workflow.set_current_details(state.details())
        if shown == self._published:
            return
        self._published = shown
        workflow.upsert_search_attributes(
            [
                api.TARGET_ATTRIBUTE.value_set(state.target),
                api.STATUS_ATTRIBUTE.value_set(state.status.value),
                api.MODE_ATTRIBUTE.value_set(state.mode.value),
                api.EPOCH_ATTRIBUTE.value_set(state.epoch),
            ]
        )


def _why_it_ended(smoke: asyncio.Task[RunResult]) -> str:
    failure: BaseException | None = smoke.exception()
    if failure is None:
        return f"{smoke.result().status}: {smoke.result().reason}"
    while failure.__cause__ is not None:
        failure = failure.__cause__
    return str(failure)
