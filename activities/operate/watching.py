"""The watch: what nobody would tell is looked for (runbook §9; a dead-man's switch)."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from temporalio import activity

from activities.api import WATCH, WatchInput, WatchOutput
from activities.heartbeat import heartbeating
from activities.step_session import StepPorts
from contracts.alert import Alert
from contracts.control import StatusView
from contracts.watching import TargetSight
from policies.counted import shortened
from policies.run.dead_man import missed_deadline
from policies.run.stuck import progress, stuck
from policies.settings.alerts import AlertPolicy, WatchPolicy
from ports.policy_source import PolicyError
from ports.server import LookoutBlind, ServerView

_GAP = 3
"""Looks that must have been left out before it is said that nobody looked."""


@dataclass(frozen=True)
class Watching:
    """Looks through every target and every open workflow."""

    bench: StepPorts
    server_view: ServerView

    @activity.defn(name=WATCH.name, no_thread_cancel_exception=True)
    def watch(self, request: WatchInput) -> WatchOutput:
        """Alerts for what is missing or stuck; seen again, they have the same fingerprint."""
        with heartbeating():
            watch = self._policy().watch
            found = list(self._missed(request, watch))
            seen = self.server_view.open_workflows()
            going = progress(seen, request.progress, request.now)
            found += stuck(seen, going, request.now, timedelta(minutes=watch.stuck_minutes))
            return WatchOutput(alerts=tuple(found), progress=going)

    def _policy(self) -> AlertPolicy:
        try:
            return self.bench.policies.alerts()
        except PolicyError:
            # `alert_settings` says what is wrong with the file.
            return AlertPolicy()

    def _missed(self, request: WatchInput, watch: WatchPolicy) -> list[Alert]:
        if not watch.daily_by:
            return []
        gap = timedelta(minutes=_GAP * watch.every_minutes)
        unseen = request.watched_at if request.watched_at and request.now - request.watched_at > gap else None
        registered = self.server_view.registered()
        found = []
        for target in self.bench.policies.names():
            zone, broken = self._zone(target)
            today, deadline = deadline_of(request.now, zone, watch.daily_by)
            if request.now < deadline:
                continue
            known = {"date": today.isoformat(), "deadline": deadline, "registered_at": registered.get(target)}
            sight = TargetSight(target=target, unseen_since=unseen, problem=broken, **known)
            alert = missed_deadline(self._look(sight), request.now)
            if alert is not None:
                found.append(alert)
        return found

    def _zone(self, target: str) -> tuple[ZoneInfo, str]:
        try:
            return ZoneInfo(self.bench.policies.effective(target).target.time_zone), ""
        except PolicyError as problem:
            return ZoneInfo("UTC"), f"its policy cannot be used: {problem}"

    def _look(self, sight: TargetSight) -> TargetSight:
        """Ask around; what cannot be found out is said in the alert."""
        try:
            status = self.server_view.status(sight.target)
            more: dict[str, object] = {"schedule": self.server_view.schedule(sight.target), "status": status}
            if status is not None:
                more["blocked"] = self.server_view.blocked(sight.target)
                still = _still_open(sight, status)
                more["run"] = self.server_view.run(still) if still else None
        except LookoutBlind as blind:
            return sight.model_copy(update={"problem": shortened(str(blind), 500)})
        return sight.model_copy(update=more)


def deadline_of(now: datetime, zone: ZoneInfo, daily_by: str) -> tuple[date, datetime]:
    """Today in a time zone, and the moment of that day by which the run should have ended."""
    today = now.astimezone(zone).date()
    return today, datetime.combine(today, time.fromisoformat(daily_by), zone)


def _still_open(sight: TargetSight, status: StatusView) -> str:
    books = sight.model_copy(update={"status": status})
    return next((run.workflow_id for run in books.today() if run.closed_at is None), "")
