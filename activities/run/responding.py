"""Walks a row of the incident matrix for a run whose verdict escalated (runbook §6.1; policy, "escalate on")."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.api import RESPOND
from activities.heartbeat import heartbeating
from activities.step_session import StepPorts, written
from contracts import messages
from contracts.alert import Alert, AlertKind
from contracts.audit import AuditEvent
from contracts.control import PauseRequest
from contracts.incident import IncidentReport, RespondInput, RespondOutput, Response, Trigger, incident_id
from contracts.modes import PauseStyle, Role, TargetStatus
from contracts.verdict import Fact
from policies.after.incident import MATRIX, trigger_of
from policies.counted import shortened
from ports.control_desk import ControlUnavailable
from ports.crashpoints import crashpoint

_IN_FORCE_SECONDS = 30


class Escalation(NamedTuple):
    """What a run said, and what it is about."""

    given: RespondInput
    report: IncidentReport


def escalated(request: RespondInput) -> IncidentReport:
    """The incident's id follows from run and trigger, so a retry opens the same one."""
    run_id, trigger = request.run.run_id, trigger_of(request.verdict)
    return IncidentReport(
        incident=incident_id(run_id, trigger), run_id=run_id, trigger=trigger, reason=request.verdict.reason
    )


@dataclass(frozen=True)
class Responding:
    """Each response finds what an earlier attempt did. The change stays with the run's artifacts (quarantine)."""

    bench: StepPorts

    @activity.defn(name=RESPOND.name, no_thread_cancel_exception=True)
    def respond(self, request: RespondInput) -> RespondOutput:
        """Every response of the trigger's row, in its order: where the row pauses, that comes first."""
        with heartbeating():
            crashpoint("respond.before_effect")
            case = Escalation(request, request.report or escalated(request))
            responses: Mapping[Response, Callable[[Escalation], None]] = {
                Response.PAUSE_ALL: partial(self._pause, everybody=True),
                Response.PAUSE_TARGET: partial(self._pause, everybody=False),
                Response.OPEN_INCIDENT: self._open,
                Response.ALERT: self._alert,
                Response.MARK_ESCALATED: self._mark,
            }
            row = MATRIX[case.report.trigger]
            if unknown := [response.value for response in row.responses if response not in responses]:
                message = f"{case.report.trigger} is answered elsewhere: {', '.join(unknown)}"
                raise ApplicationError(message, type="NotAnEscalation", non_retryable=True)
            for response in row.responses:
                responses[response](case)
            crashpoint("respond.after_effect")
            head = self.bench.audit.head(f"run/{request.run.run_id}") or ""
            return RespondOutput(given=tuple(response.value for response in row.responses), audit_head=head)

    def _pause(self, case: Escalation, *, everybody: bool) -> None:
        control, target, report = self.bench.control, case.given.run.target, case.report
        request = PauseRequest(
            style=PauseStyle.CHECKPOINT, reason=f"{report.trigger}: {report.reason}", actor=report.run_id
        )
        pull = partial(control.pause, request, "" if everybody else target)
        try:
            # In the books means: paused then. A retry must not pull the brake again after a person resumed.
            paused_before = self._knows(target, report.incident)
        except ControlUnavailable as blind:
            paused_before = False
            self._pull_blindly(case, pull, str(blind))
        else:
            if not paused_before:
                pull()
        if not paused_before:
            # A signal's acknowledgement means "recorded": the books open only once nothing can begin any more.
            self._until_in_force(target)
        crashpoint("respond.after_pause")

    def _pull_blindly(self, case: Escalation, pull: Callable[[], None], unseen: str) -> None:
        """A Control that cannot be asked keeps no brake back (P1): pulled once, and the run's log says so."""
        key = f"brake/{case.report.incident}"
        if any(record.key == key for record in self.bench.audit.records(f"run/{case.given.run.run_id}")):
            return
        pull()
        facts: dict[str, Fact] = {"incident": case.report.incident, "unseen": shortened(unseen, 500)}
        event = AuditEvent(key=key, role=Role.GATEKEEPER, event="brake pulled blindly", facts=facts)
        self.bench.record(case.given.run.run_id, (event,), activity.info().started_time)

    def _knows(self, target: str, incident: str) -> bool:
        """Whether it is in the books of an open Control, or was and is done with: one that is gone has forgotten."""
        view = self.bench.control.query(target, messages.STATUS)
        known = (*view.incidents_done, *(each.incident for each in view.incidents)) if view else ()
        return incident in known

    def _is_paused(self, target: str) -> bool:
        """PAUSED, or gone: then it comes back paused."""
        view = self.bench.control.query(target, messages.STATUS)
        return view is None or view.status is TargetStatus.PAUSED

    def _until_in_force(self, target: str) -> None:
        end = time.monotonic() + _IN_FORCE_SECONDS
        while not self._is_paused(target):
            if time.monotonic() > end:
                raise ApplicationError(f"the pause of {target} is not in force yet", type="PauseNotInForce")
            time.sleep(0.2)

    def _open(self, case: Escalation) -> None:
        # Before the books, because they start the workflow that collects it.
        self.bench.store.put(case.given.run.run_id, "verdicts/escalated.json", written(case.given.verdict))
        self.bench.control.ask(case.given.run.target, messages.REPORT, case.report)
        crashpoint("respond.after_report")

    def _alert(self, case: Escalation) -> None:
        kinds = [AlertKind.POLICY_VIOLATION]
        if case.report.trigger is Trigger.POLICY_VIOLATION:
            kinds.append(AlertKind.PROTECTED_PATH_TOUCHED)
        for kind in kinds:
            self.bench.alerts.send(
                Alert(
                    kind=kind,
                    target=case.given.run.target,
                    run_id=case.given.run.run_id,
                    summary=shortened(f"{case.report.trigger}: {case.report.reason}", 2000),
                    facts={"incident": case.report.incident},
                    fingerprint=f"{kind}/{case.given.run.run_id}",
                )
            )
        crashpoint("respond.after_alert")

    def _mark(self, case: Escalation) -> None:
        event = AuditEvent(
            key="escalate",
            role=Role.GATEKEEPER,
            event="run escalated",
            facts={
                "incident": case.report.incident,
                "trigger": case.report.trigger,
                "reason": shortened(case.report.reason, 2000),
            },
            artifacts=tuple(ref.sha256 for ref in case.given.artifacts),
        )
        self.bench.record(case.given.run.run_id, (event,), activity.info().started_time)
