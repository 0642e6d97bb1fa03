"""Settings → adapters → activities. The only module that knows which adapter stands behind which port."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from temporalio.client import Client
from temporalio.worker import Worker

from activities.admitting import Admitting
from activities.auditing import Auditing
from activities.check_room import CheckRoom
from activities.check_step import CheckStep
from activities.coding import Coding
from activities.escalating import Escalating
from activities.planning import Planning
from activities.preflight import Preflight
from activities.releasing import Releasing
from activities.reviewing import Reviewing
from activities.sensing import Sensing
from activities.triaging import Triaging
from activities.workbench import Workbench
from activities.writing import Writing
from adapters.agents.tools_backend import ToolsBackend
from adapters.alert_files import AlertFile
from adapters.chained_log import ChainedLog
from adapters.check_environments.wheels import WheelEnvironments
from adapters.effects.runner import EffectRunner
from adapters.git.default_branch import default_branch
from adapters.git.mirror import Mirror, open_mirror
from adapters.local_forge import open_local_forge
from adapters.local_store import LocalStore
from adapters.policy_files import PolicyFiles
from adapters.run_index import RunIndex
from adapters.sandbox.bubblewrap import BubblewrapSandbox
from adapters.surveyor import Survey, survey
from adapters.target_file import render_target
from adapters.temporal.connection import ServerUnavailable, connect, prepare_namespace, retention
from adapters.temporal.control_desk import TemporalControlDesk, pause_installation, pause_target
from adapters.temporal.embedded_server import EmbeddedServer
from adapters.temporal.embedded_server import start as start_embedded_server
from contracts.modes import Role
from policies.schema import EffectivePolicy, Target
from ports.agents import Agent
from ports.control_desk import ControlDesk
from reporting.run_report_html import render_html
from settings import Settings
from workflows.api import TASK_QUEUE
from workflows.control import Control
from workflows.daily_run import DailyRun
from workflows.installation import Installation

WORKFLOWS: tuple[type, ...] = (Installation, Control, DailyRun)


@dataclass(frozen=True)
class Adapters:
    """Every adapter of one process, for the steps and for the operator's commands."""

    policies: PolicyFiles
    store: LocalStore
    audit: ChainedLog
    index: RunIndex
    sandbox: BubblewrapSandbox
    environments: WheelEnvironments
    alerts: AlertFile
    settings: Settings


def compose(settings: Settings) -> Adapters:
    """Build the adapters; touches no disk yet."""
    sandbox = BubblewrapSandbox()
    return Adapters(
        policies=PolicyFiles(settings.policies),
        store=LocalStore(settings.artifacts),
        audit=ChainedLog(settings.artifacts),
        index=RunIndex(settings.artifacts),
        sandbox=sandbox,
        environments=WheelEnvironments(settings.home / "environments", sandbox),
        alerts=AlertFile(settings.home / "alerts.jsonl"),
        settings=settings,
    )


def open_repository(settings: Settings, target: Target) -> Mirror:
    """A target's mirror, the same one that runs use."""
    return open_mirror(settings.mirrors)(target)


def workbench(adapters: Adapters, control: ControlDesk) -> Workbench:
    """Fill the ports."""
    settings = adapters.settings
    tools = ToolsBackend(adapters.sandbox)

    def agent_for(_policy: EffectivePolicy, _role: Role) -> Agent:
        # The charter's only backend so far (`backend = "tools"`).
        return tools

    return Workbench(
        policies=adapters.policies,
        repositories=open_mirror(settings.mirrors),
        forges=open_local_forge(settings.home, settings.mirrors),
        effects=EffectRunner(settings.mirrors, settings.home),
        store=adapters.store,
        audit=adapters.audit,
        agents=agent_for,
        sandbox=adapters.sandbox,
        environments=adapters.environments,
        control=control,
        alerts=adapters.alerts,
        scratch=settings.scratch,
    )


def activities(adapters: Adapters, bench: Workbench) -> Sequence[Callable[..., Any]]:
    """Every activity a worker registers."""
    room = CheckRoom(adapters.environments, adapters.sandbox)
    admitting = Admitting(bench)
    return (
        admitting.admit,
        admitting.finish,
        admitting.register,
        admitting.known_targets,
        admitting.log_target,
        admitting.check_up,
        Preflight(bench, room).preflight,
        Sensing(bench).sense,
        Triaging(bench, adapters.index).triage,
        Planning(bench).plan,
        Coding(bench).code,
        Reviewing(bench).review,
        CheckStep(bench, room).check,
        Releasing(bench, adapters.index).release,
        Writing(bench).write,
        Escalating(bench).escalate,
        Auditing(bench, adapters.index, render_html).audit,
    )


def build_worker(client: Client, settings: Settings, bench: Workbench | None = None, **options: Any) -> Worker:
    """A worker with everything registered; run it with ``async with``.

    Args:
        client: connected with the project's plugins, which the worker inherits.
        settings: where things are.
        bench: another workbench than the default composition's.
        options: passed on to ``temporalio.worker.Worker``.
    """
    adapters = compose(settings)
    if bench is None:
        bench = workbench(adapters, TemporalControlDesk(client, asyncio.get_running_loop()))
    slots = settings.concurrent_steps
    chosen: dict[str, Any] = {
        "task_queue": TASK_QUEUE,
        "workflows": WORKFLOWS,
        "activities": activities(adapters, bench),
        # As many threads as slots: a queued thread would burn its step's time.
        "activity_executor": ThreadPoolExecutor(slots, thread_name_prefix="step"),
        "max_concurrent_activities": slots,
        "graceful_shutdown_timeout": timedelta(seconds=5),
        # A killed worker's run goes on after one second instead of ten.
        "sticky_queue_schedule_to_start_timeout": timedelta(seconds=1),
        # Heartbeats are how steps learn of a cancel: pass them on at once.
        "max_heartbeat_throttle_interval": timedelta(seconds=2),
        "default_heartbeat_throttle_interval": timedelta(seconds=2),
    }
    return Worker(client, **(chosen | options))


__all__ = [
    "Adapters",
    "EmbeddedServer",
    "PolicyFiles",
    "ServerUnavailable",
    "Survey",
    "activities",
    "build_worker",
    "compose",
    "connect",
    "default_branch",
    "open_repository",
    "pause_installation",
    "pause_target",
    "prepare_namespace",
    "render_target",
    "retention",
    "start_embedded_server",
    "survey",
    "workbench",
]
