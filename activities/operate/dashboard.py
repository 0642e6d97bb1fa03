"""The dashboard tickets: looked at, compared, and written only where they do not say what is true."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import quote
from zoneinfo import ZoneInfo

from temporalio import activity

from activities.after.evidence import anchor_log
from activities.api import DASHBOARD_TERMS, SHOW_DASHBOARD
from activities.control.lost_books import SETTLED
from activities.heartbeat import heartbeating
from activities.step_session import StepPorts
from activities.write.cleared_write import ClearedWrite, record_effect
from contracts.clearance import WriteAnswerKind
from contracts.control import StatusView
from contracts.dashboard import (
    DASHBOARD,
    DashboardSight,
    DashboardTerms,
    DashboardTermsInput,
    ShowInput,
    Shown,
    ShownOutcome,
    dashboard_key,
)
from contracts.modes import WriteAction, WriteClass
from contracts.pull_request import PullRequest
from contracts.report import IndexedRun
from policies.counted import shortened
from policies.settings.schema import EffectivePolicy
from policies.texts.inert_markdown import inert_line, inert_markdown, is_plain_address
from ports.forge import Forge
from ports.policy_source import PolicyError
from ports.server import LookoutBlind, ServerView
from ports.store import RunIndex

RenderDashboard = Callable[[DashboardSight], tuple[str, str]]
INCIDENT_PAGE = "post_incident_report.md"
_SHOWN = 500


@dataclass(frozen=True)
class DashboardKeeping:
    """Reads Control, the run index, the forge and the Schedule; starts none of them."""

    bench: StepPorts
    server_view: ServerView
    index: RunIndex
    render: RenderDashboard
    ui: str = ""
    """The web address of the Temporal UI for people, with its namespace; empty: none is known."""

    @activity.defn(name=DASHBOARD_TERMS.name, no_thread_cancel_exception=True)
    def dashboard_terms(self, _given: DashboardTermsInput) -> DashboardTerms:
        """Targets whose file says so; one that cannot be read keeps no other from its dashboard."""
        targets, problems, minutes = [], [], DashboardTerms().every_minutes
        for name in self.bench.policies.names():
            try:
                policy = self.bench.policies.effective(name)
            except PolicyError as problem:
                problems.append(str(problem))
                continue
            minutes = policy.autopilot.dashboard.every_minutes
            if policy.target.dashboard:
                targets.append(name)
        return DashboardTerms(
            targets=tuple(targets), every_minutes=minutes, problem=shortened("; ".join(problems), _SHOWN)
        )

    @activity.defn(name=SHOW_DASHBOARD.name, no_thread_cancel_exception=True)
    def show_dashboard(self, request: ShowInput) -> Shown:
        """Compare the ticket with what is true; what could not be found out is raised, and tried again."""
        with heartbeating():
            try:
                policy = self.bench.policies.effective(request.target)
            except PolicyError as problem:
                return Shown(outcome=ShownOutcome.FAILED, reason=shortened(str(problem), _SHOWN))
            if not policy.target.dashboard:
                return Shown(outcome=ShownOutcome.OFF)
            status = self.server_view.status(request.target)
            if status is None:
                # Writing would start one: a mere look opens no target.
                return Shown(
                    outcome=ShownOutcome.NOT_STARTED, reason="no Control of it is open: its first run opens it"
                )
            return self._show(request, policy, status)

    def _show(self, request: ShowInput, policy: EffectivePolicy, status: StatusView) -> Shown:
        forge = self.bench.forges(policy.target)
        sight = self._sight(policy, status, forge)
        title, body = self.render(sight)
        addresses = tuple(address for _, address in sight.links)
        # What the forge would keep of it: else the two could never be equal.
        title, body = inert_line(title), inert_markdown(body, addresses=addresses)
        ticket = ticket_of(forge, request.target)
        if ticket is not None and ticket.title == title and shown_body(ticket) == body.strip():
            return Shown(outcome=ShownOutcome.UNCHANGED, ticket=str(ticket.number))
        effect = record_effect(
            policy,
            WriteAction.UPDATE_TICKET,
            request.key,
            DASHBOARD,
            record_key=dashboard_key(request.target),
            # Without its mark a ticket is found by nobody: by the number we kept, it gets the mark back.
            number=0 if ticket else self._kept_number(request.target),
            title=title,
            body=body,
            addresses=addresses,
        )
        done = ClearedWrite(self.bench).around(policy, effect, WriteClass.RECORD, policy.digest)
        if head := self.bench.audit.head(f"run/{DASHBOARD}"):
            # Shared by all targets: each mirror holds the head as of that target's latest write.
            anchor_log(self.bench, request.target, DASHBOARD, head)
        if done.answer.answer is WriteAnswerKind.SETTLED:
            return Shown(outcome=ShownOutcome.WRITTEN, ticket=done.answer.result, reason="by an earlier attempt")
        if done.result is None or not done.result.done:
            refused = done.result.refused if done.result else done.answer.verdict.reason
            return Shown(outcome=ShownOutcome.FAILED, reason=shortened(refused, _SHOWN))
        return Shown(outcome=ShownOutcome.WRITTEN, ticket=done.result.result)

    def _kept_number(self, target: str) -> int:
        """The ticket that was written last, as the target's log has it; 0: none was."""
        numbers = [
            str(record.facts.get("result", ""))
            for record in self.bench.audit.records(f"target/{target}")
            if record.event == SETTLED and str(record.facts.get("key", "")).startswith(f"{DASHBOARD}/")
        ]
        return next((int(number) for number in reversed(numbers) if number.isdecimal()), 0)

    def _sight(self, policy: EffectivePolicy, status: StatusView, forge: Forge) -> DashboardSight:
        target = policy.target.name
        pulls = tuple(pull for pull in forge.pull_requests() if pull.state == "open")
        last = next(iter(self.index.latest(1, target)), None)
        return DashboardSight(
            target=target,
            status=status,
            pulls=pulls,
            schedule=self.server_view.schedule(target),
            last=last,
            waits=tuple(self._waits(status)),
            asked=tuple(self._asked(pulls)),
            today=activity.info().started_time.astimezone(ZoneInfo(policy.target.time_zone)).date().isoformat(),
            links=tuple(self._links(status, pulls, last)),
        )

    def _links(
        self, status: StatusView, pulls: tuple[PullRequest, ...], last: IndexedRun | None
    ) -> Iterator[tuple[str, str]]:
        """Where people can open what the dashboard names; only what is served on the web."""
        store, named = self.bench.store, {f"#{pull.number}": pull.url for pull in pulls}
        if self.ui:
            open_runs = (*status.active, *status.queued)
            named |= {run.run_id: f"{self.ui.rstrip('/')}/workflows/{quote(run.workflow_id, '')}" for run in open_runs}
        named |= {last.run_id: store.web(last.run_id)} if last and not last.refused else {}
        named |= {each.incident: store.web(each.incident, INCIDENT_PAGE) for each in status.incidents}
        yield from ((name, address) for name, address in named.items() if is_plain_address(address))

    def _asked(self, pulls: tuple[PullRequest, ...]) -> Iterator[tuple[int, str]]:
        """As its follow-up saw it last."""
        outcomes = self.index.outcomes({pull.run_id for pull in pulls}) if pulls else {}
        for pull in pulls:
            if became := outcomes.get(pull.run_id, ""):
                yield pull.number, became

    def _waits(self, status: StatusView) -> Iterator[tuple[str, str]]:
        for run in status.active:
            # One run that nobody can ask takes no dashboard away.
            with suppress(LookoutBlind):
                view = self.server_view.run(run.workflow_id)
                if view is not None and view.awaits:
                    yield run.run_id, view.awaits


def ticket_of(forge: Forge, target: str) -> PullRequest | None:
    """The target's dashboard ticket, in whatever state; the oldest, should there be more."""
    key = dashboard_key(target)
    return next((ticket for ticket in reversed(forge.tickets()) if ticket.run_key == key), None)


def shown_body(ticket: PullRequest) -> str:
    """What people read of it: without the line that says whose it is, whatever line ends the forge keeps."""
    lines = ticket.body.replace("\r\n", "\n").rstrip().split("\n")
    if lines and lines[-1].startswith("<!--"):
        lines = lines[:-1]
    return "\n".join(lines).strip()
