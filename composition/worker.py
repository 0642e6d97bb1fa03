"""A worker: every workflow and activity, with the adapters behind their ports."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import cache, partial
from hashlib import sha256
from typing import Any

from temporalio.client import Client
from temporalio.worker import Worker

from activities.after.evidence import Collecting
from activities.after.incident import IncidentKeeping
from activities.after.later_reviews import LaterReviews
from activities.after.observing import Observing
from activities.after.outcomes import Outcomes
from activities.after.probing import ProbeRunner
from activities.after.reverting import Reverting
from activities.api import CONTROL_QUEUE
from activities.control.admitting import Admitting
from activities.control.telling import Telling
from activities.governance.earning import Earning
from activities.governance.reviewing import GovernanceReviewing
from activities.operate.alerting import Alerting
from activities.operate.dashboard import DashboardKeeping
from activities.operate.watching import Watching
from activities.run.auditing import Auditing
from activities.run.checking import CheckRunner, CheckStep
from activities.run.ci import LookingAtCi
from activities.run.coding import Coding
from activities.run.merging import Canary, MergeCheck, MergeRelease
from activities.run.planning import Planning
from activities.run.preflight import Preflight
from activities.run.releasing import Releasing
from activities.run.responding import Responding
from activities.run.reviewing import Reviewing
from activities.run.sensing import Sensing
from activities.run.triaging import Triaging
from activities.source.scouting import Scouting
from activities.source.trying import Trying
from activities.step_session import StepPorts
from activities.write.writing import Writing
from adapters.agents.backends import Means, open_agents
from adapters.agents.first_exchange import first_exchange
from adapters.alerts.apprise_channel import AppriseChannel
from adapters.alerts.built_in import AlertFile, Terminal
from adapters.effects.runner import EffectRunner
from adapters.forges.http.tokens import reading_environment, writing_environment
from adapters.forges.kinds import open_forges
from adapters.git.mirror import open_mirror
from adapters.git.upkeep import looked_after
from adapters.models.gateway import open_gateway
from adapters.probes.url import ChildUrlProbes
from adapters.sources.connectors import connectors
from adapters.sources.replaying import SandboxReplay
from adapters.store.private_home import home_mark
from adapters.temporal.alert_sink import TemporalAlertSink, start_alerts
from adapters.temporal.control_desk import TemporalControlDesk
from adapters.temporal.crew import Crew
from adapters.temporal.installation import start_dashboards
from adapters.temporal.schedules import schedule_expansions, schedule_reviews
from adapters.temporal.server_view import TemporalServerView
from adapters.tools.measures import ToolMeasures
from composition.adapters import Adapters, compose, expanding
from policies.settings.alerts import AlertPolicy
from ports.alerts import AlertSink, Channel
from ports.control_desk import ControlDesk
from ports.server import ServerView
from reporting.dashboard_markdown import render_dashboard
from reporting.governance_html import render_review
from reporting.incident_markdown import render_incident
from reporting.run_report_html import render_html
from reporting.source_trial_html import render_trial
from settings import ROOT, Settings
from workflows.after.follow_up import FollowUp
from workflows.after.incident import Incident
from workflows.after.rollback import Rollback
from workflows.api import TASK_QUEUE
from workflows.control.control import Control
from workflows.installation.alerts import Alerts
from workflows.installation.dashboards import Dashboards
from workflows.installation.governance_review import GovernanceReview
from workflows.installation.installation import Installation
from workflows.run.daily_run import DailyRun
from workflows.run.source_expansion import SourceExpansion

_CONTROL_SLOTS = 8
"""Control's own steps are short, or wait for a forge; there are a few for each target."""
_REPLAYED = ("contracts", "workflows")
"""What a history depends on, and so what tells one worker's code from another's."""
WORKFLOWS: tuple[type, ...] = (
    *(
        Installation,
        Control,
        DailyRun,
        Incident,
        Alerts,
        Dashboards,
        FollowUp,
        Rollback,
        GovernanceReview,
        SourceExpansion,
    ),
)


def channels(settings: Settings, policy: AlertPolicy) -> tuple[Channel, ...]:
    """Every way an alert goes, the built-in ones first."""
    terminal: tuple[Channel, ...] = (Terminal(),) if policy.delivery.terminal else ()
    named = (AppriseChannel(channel) for channel in policy.channels)
    return (AlertFile(settings.home / "alerts.jsonl"), *terminal, *named)


def workbench(adapters: Adapters, control: ControlDesk, alerts: AlertSink) -> StepPorts:
    """Fill the ports."""
    settings = adapters.settings
    forges = open_forges(settings.home, settings.mirrors)
    return StepPorts(
        policies=adapters.policies,
        repositories=open_mirror(settings.mirrors, reading_environment),
        forges=forges,
        effects=EffectRunner(settings.mirrors, settings.home, writing_environment, reading_environment),
        store=adapters.store,
        audit=adapters.audit,
        agents=open_agents(Means(adapters.sandbox, open_gateway, settings.agents)),
        first_exchange=first_exchange,
        sandbox=adapters.sandbox,
        environments=adapters.environments,
        control=control,
        alerts=alerts,
        connectors=connectors(adapters.sandbox, adapters.environments, forges),
        measures=ToolMeasures(adapters.sandbox),
        index=adapters.index,
        scratch=settings.scratch,
    )


def connected_workbench(client: Client, settings: Settings) -> StepPorts:
    """The default workbench, talking to Control and to the alerts over ``client`` on the running loop."""
    loop = asyncio.get_running_loop()
    return workbench(compose(settings), TemporalControlDesk(client, loop), TemporalAlertSink(client, loop))


def activities(adapters: Adapters, bench: StepPorts, server_view: ServerView) -> Sequence[Callable[..., Any]]:
    """Every activity a worker registers."""
    room = CheckRunner(adapters.environments, adapters.sandbox)
    probes = ProbeRunner(bench, adapters.environments, adapters.sandbox, ChildUrlProbes())
    auditing = Auditing(bench, adapters.index, partial(render_html, ui=adapters.settings.ui))
    admitting = Admitting(bench, auditing.end_lost, adapters.index, Earning(bench.store, bench.audit))
    later = LaterReviews(
        bench.store,
        bench.policies,
        bench.repositories,
        bench.forges,
        bench.measures,
        bench.scratch,
        auditing.show_later,
    )
    observing = Observing(bench, room, probes, adapters.index)
    reverting = Reverting(bench)
    alerting = Alerting(bench, partial(channels, adapters.settings))
    scouting, trying = Scouting(bench), Trying(bench, SandboxReplay(adapters.sandbox), render_trial)
    keeping = IncidentKeeping(bench, render_incident)
    dashboards = DashboardKeeping(bench, server_view, adapters.index, render_dashboard, adapters.settings.ui)
    return (
        admitting.admit,
        admitting.finish,
        admitting.register,
        admitting.known_targets,
        admitting.log_target,
        admitting.check_up,
        Preflight(bench, room).preflight,
        Sensing(bench, adapters.index).sense,
        Triaging(bench, adapters.index).triage,
        Planning(bench).plan,
        Coding(bench, room).code,
        Reviewing(bench).review,
        CheckStep(bench, room).check,
        Releasing(bench, adapters.index).release,
        MergeCheck(bench, room).merge_check,
        Canary(bench, probes).probe_canary,
        MergeRelease(bench, adapters.index).merge_release,
        scouting.scout,
        scouting.plan_trial,
        trying.fetch_trial,
        trying.judge_trial,
        Writing(bench).write,
        LookingAtCi(bench).look_at_ci,
        alerting.raise_alerts,
        alerting.alert_settings,
        alerting.deliver,
        Watching(bench, server_view).watch,
        GovernanceReviewing(bench.store, bench.audit, adapters.index, bench.policies, render_review, later).review,
        dashboards.dashboard_terms,
        dashboards.show_dashboard,
        Responding(bench).respond,
        Collecting(bench).collect,
        keeping.open_ticket,
        keeping.close_ticket,
        keeping.write_report,
        keeping.judge_statement,
        observing.terms,
        observing.sight,
        observing.observe,
        observing.attribute,
        observing.look_at_pull,
        later.review,
        reverting.prepare,
        reverting.repair,
        reverting.note,
        Outcomes(bench).say,
        *Telling(bench, adapters.index).steps(),
        admitting.sync_schedule,
        admitting.report_budget,
        auditing.audit,
    )


def build_worker(client: Client, settings: Settings, bench: StepPorts | None = None, **options: Any) -> Crew:
    """A worker with everything registered; run it with ``async with``.

    Control's own steps have a queue, slots and threads of their own: sixty runs must not keep them waiting.

    Args:
        client: connected with the project's plugins, which the worker inherits.
        settings: where things are.
        bench: another workbench than the default composition's.
        options: passed on to ``temporalio.worker.Worker``, the one that does runs' steps.
    """
    adapters = compose(settings)
    loop = asyncio.get_running_loop()
    if bench is None:
        bench = connected_workbench(client, settings)
    steps = activities(adapters, bench, TemporalServerView(client, loop))
    chosen: dict[str, Any] = {
        "task_queue": TASK_QUEUE,
        "workflows": WORKFLOWS,
        # A killed worker's run goes on after one second instead of ten.
        "sticky_queue_schedule_to_start_timeout": timedelta(seconds=1),
    }

    def workers() -> tuple[Worker, ...]:
        of_runs = Worker(client, **(chosen | _doing(steps, settings.concurrent_steps, "step") | options))
        of_control = Worker(client, task_queue=CONTROL_QUEUE, **_doing(steps, _CONTROL_SLOTS, "control"))
        # The last one ends first: Control's own steps end while the workflows they ask still answer.
        return of_runs, of_control

    return Crew(client, home_mark(settings.home), workers, looked_after(settings.mirrors))


@cache
def _build_id() -> str:
    """What the UI calls this worker's code. The SDK's own is a digest of every module: half of a worker's start."""
    digest = sha256()
    for folder in _REPLAYED:
        for file in sorted((ROOT / folder).rglob("*.py")):
            digest.update(file.read_bytes())
    return digest.hexdigest()[:32]


def _doing(steps: Sequence[Callable[..., Any]], slots: int, name: str) -> dict[str, Any]:
    return {
        "activities": steps,
        "build_id": _build_id(),
        # As many threads as slots: a queued thread would burn its step's time.
        "activity_executor": ThreadPoolExecutor(slots, thread_name_prefix=name),
        "max_concurrent_activities": slots,
        "graceful_shutdown_timeout": timedelta(seconds=5),
        # Heartbeats are how steps learn of a cancel: pass them on at once.
        "max_heartbeat_throttle_interval": timedelta(seconds=1),
        "default_heartbeat_throttle_interval": timedelta(seconds=1),
    }


async def begin_standing(client: Client, settings: Settings) -> None:
    """What is there as long as a worker is: alerts, dashboards, and the Schedules of reviews and expansions."""
    await asyncio.gather(
        start_alerts(client),
        start_dashboards(client),
        schedule_reviews(client),
        schedule_expansions(client, expanding(compose(settings))),
    )
