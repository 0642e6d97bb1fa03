"""``alerts``: every alert of the installation, from being raised to its receipts (runbook §9). One per installation.

Handlers are synchronous and issue no command. One loop does everything that takes time, one thing after the other, so
its commands have one order however a replay groups updates and results.
"""

import asyncio
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from activities import api as steps
    from contracts.alert import (
        Alert,
        AlertRecord,
        AlertsView,
        LiftRequest,
        RaiseAnswer,
        SilenceRequest,
        Undelivered,
    )
    from contracts.control import Answer
    from workflows import api
    from workflows.installation import alert_rules
    from workflows.installation.alert_rules import AlertsState
    from workflows.messages.statements import require_statement

_AT_ONCE = 10
"""Alerts in one delivery."""
_QUIET, _WAITING = "DELIVERED", "UNDELIVERED"
_DESCRIPTION = "an operator command; answered with accepted or refused and the reason"


@workflow.defn(name=api.ALERTS)
class Alerts:
    """Keeps each alert until every channel took it, and looks for what nobody would tell."""

    @workflow.init
    def __init__(self, state: AlertsState) -> None:
        self._state = state
        self._leaving = False
        self._shown = ""

    @workflow.run
    async def run(self, state: AlertsState) -> None:  # noqa: ARG002  # as `__init__`
        """Deliver and watch until the history is long, then hand the books to a new run."""
        loop = asyncio.create_task(self._loop())
        while not self._long():
            try:
                await workflow.wait_condition(self._long)
            except asyncio.CancelledError:
                # Nobody would be told of anything any more: it goes on.
                workflow.logger.warning("cancelled by hand; alerts go on")
        self._leaving = True
        await loop
        await workflow.wait_condition(workflow.all_handlers_finished)
        workflow.continue_as_new(self._state)

    @workflow.update(name=api.RAISE, description="an alert; answered with what becomes of it")
    def raise_alert(self, alert: Alert) -> RaiseAnswer:
        """Queued, or kept back with the reason."""
        answer = alert_rules.take(self._state, alert, workflow.now())
        self._details()
        return answer

    @workflow.update(name=api.SILENCE, description=_DESCRIPTION)
    def silence(self, request: SilenceRequest) -> Answer:
        """Silence a kind for a while."""
        answer = alert_rules.silence(self._state, request, workflow.now())
        self._details()
        return answer

    @silence.validator
    def _silence_is_stated(self, request: SilenceRequest) -> None:
        require_statement(request)

    @workflow.update(name=api.LIFT, description=_DESCRIPTION)
    def lift(self, request: LiftRequest) -> Answer:
        """End a silence early."""
        answer = alert_rules.lift(self._state, request, workflow.now())
        self._details()
        return answer

    @lift.validator
    def _lift_is_stated(self, request: LiftRequest) -> None:
        require_statement(request)

    @workflow.query(name=api.ALERTS_VIEW, description="recent alerts with receipts, what is undelivered, silences")
    def alerts(self) -> AlertsView:
        """What ``starter.py alerts`` shows."""
        return self._state.view()

    async def _loop(self) -> None:
        while not self._leaving:
            self._publish()
            if self._state.due(workflow.now()):
                await self._deliver()
            elif self._look_due():
                await self._look()
            else:
                await self._wait()

    async def _wait(self) -> None:
        """Until a new alert comes, or something is due."""
        moments = [record.next_try_at for record in self._state.waiting() if record.next_try_at]
        soonest = min([*moments, self._state.look_at or workflow.now()])
        known = self._state.serial
        pause = max(soonest - workflow.now(), timedelta(milliseconds=1))
        try:
            await workflow.wait_condition(
                lambda: self._leaving or self._state.serial != known,
                timeout=pause,
                timeout_summary="until the next delivery or look",
            )
        except TimeoutError:
            return

    async def _deliver(self) -> None:
        now = workflow.now()
        due = self._state.due(now)[:_AT_ONCE]
        request = steps.DeliverInput(alerts=tuple(_undelivered(record) for record in due))
        try:
            result = await steps.DELIVER(request, f"deliver {len(due)}: {due[0].alert.kind} {due[0].alert.target}")
        except ActivityError as failure:
            workflow.logger.warning("delivery: %s", failure)
            for record in due:
                alert_rules.postpone(self._state, record.id, workflow.now())
            return
        for outcome in result.delivered:
            alert_rules.delivered(self._state, outcome, workflow.now())

    def _look_due(self) -> bool:
        return self._state.look_at is None or self._state.look_at <= workflow.now()

    async def _look(self) -> None:
        """Read the settings again, then watch for runs that are missing or stuck."""
        state = self._state
        try:
            state.settings = await steps.ALERT_SETTINGS(steps.AlertSettingsInput(), "read alerts.toml")
            request = steps.WatchInput(now=workflow.now(), watched_at=state.watched_at, progress=tuple(state.progress))
            seen = await steps.WATCH(request, "look for missing and stuck runs")
        except ActivityError as failure:
            workflow.logger.warning("watch: %s", failure)
        else:
            state.watched_at, state.progress = request.now, list(seen.progress)
            for alert in seen.alerts:
                alert_rules.take(state, alert, workflow.now())
        state.look_at = workflow.now() + timedelta(minutes=state.known().watch_minutes)

    def _long(self) -> bool:
        return workflow.info().is_continue_as_new_suggested()

    def _details(self) -> None:
        workflow.set_current_details(self._state.details())

    def _publish(self) -> None:
        """The same in the Temporal UI as in the query. A command: for the loop only."""
        self._details()
        shown = _WAITING if self._state.waiting() else _QUIET
        if shown != self._shown:
            self._shown = shown
            workflow.upsert_search_attributes([api.STATUS_ATTRIBUTE.value_set(shown)])


def _undelivered(record: AlertRecord) -> Undelivered:
    have = tuple(receipt.channel for receipt in record.receipts if receipt.delivered)
    return Undelivered(id=record.id, alert=record.alert, delivered=have)
