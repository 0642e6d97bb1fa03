"""``run``: one run of one target, now."""

import asyncio
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import typer
from temporalio.client import Client, WorkflowHandle
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.exceptions import WorkflowAlreadyStartedError

from commands.conversations import RUN_ID
from commands.exit_statuses import Exit
from commands.failures import CommandFailed
from commands.home import client_of, embedded
from commands.report import kept_verdicts, sentence_of, show_verdicts, since_then, with_kept
from commands.terminal import AsJson, Detach, Embedded, Within, emit, guarded, operator_name, say
from commands.watch import follow, show_result
from composition import ServerUnavailable, compose
from contracts.admission import RunRequest
from contracts.modes import Mode
from settings import Settings
from workflows import api

EPILOG = (
    "Examples: `starter.py run demo` · `starter.py run demo --mode DRY_RUN --embedded` · `… run demo --again --json`"
)


@guarded
async def run(
    target: Annotated[str, typer.Argument(help="A target of the policy folder; `policy check` lists them.")],
    mode: Annotated[Mode | None, typer.Option(help="At most the target's mode, which is the default.")] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Make a new attempt, even if today's run has been made.")
    ] = False,
    attempt: Annotated[int, typer.Option(min=1, max=99, help="Which attempt of the day this is, for a rerun.")] = 1,
    date: Annotated[str | None, typer.Option(help="YYYY-MM-DD; default: today in the target's time zone.")] = None,
    grant: Annotated[
        str,
        typer.Option("--grant", metavar="RUN", help="Use the granted change of this escalated run, in a new attempt."),
    ] = "",
    in_process: Embedded = False,
    within: Within = None,
    full: Annotated[bool, typer.Option("--full", help="At the end, print every verdict in full as well.")] = False,
    detach: Detach = False,
    as_json: AsJson = False,
) -> int:
    """Start a run, show its progress, print how it ended.

    Exit status 0: pull request opened or merged, dry run complete, nothing to do.

    A run of the same target, mode, day and attempt is never made twice: typed again, this watches the one that runs,
    or says how it ended.
    """
    settings = Settings()
    if grant and not RUN_ID.fullmatch(grant):
        raise CommandFailed(Exit.USAGE, f"--grant {grant!r} is no run id; `starter.py runs` lists them")
    if date is not None and not _is_day(date):
        raise CommandFailed(Exit.USAGE, f"--date {date!r} is no day: write it as YYYY-MM-DD")
    request = RunRequest(
        target=known_target_name(settings, target),
        mode=mode,
        # A granted run is always a new attempt: the day's own run is the one that was escalated.
        again=again or bool(grant),
        attempt=attempt,
        date=date,
        actor=operator_name(),
        grant=grant,
    )
    return await carry_out(settings, request, within, as_json, in_process=in_process, full=full, detach=detach)


async def carry_out(
    settings: Settings,
    request: RunRequest,
    within: float | None,
    as_json: bool,
    *,
    in_process: bool,
    full: bool = False,
    detach: bool = False,
) -> int:
    """Start it, and unless ``detach`` stay until it ends; the exit status says how."""
    label = _label(settings, request)
    if in_process:
        try:
            client = await client_of(settings)
            say("a server is running already: using it and its workers")
        except ServerUnavailable:
            if detach:
                raise CommandFailed(
                    Exit.USAGE, "--detach and --embedded exclude each other: no worker would be left"
                ) from None
            async with embedded(settings) as running:
                return await _run(running.client, label, request, within, as_json, in_process=True, full=full)
    else:
        client = await client_of(settings)
    if detach:
        handle = await start(client, label, request)
        say(f"started {handle.id}; watch it: starter.py watch {request.target}")
        if as_json:
            emit({"workflowId": handle.id, "target": request.target, "status": "STARTED"})
        return Exit.OK
    return await _run(client, label, request, within, as_json, in_process=False, full=full)


async def start(client: Client, label: str, request: RunRequest) -> WorkflowHandle[Any, Any]:
    """Start ``DailyRun``, or take hold of the one that runs under this label."""
    try:
        return await client.start_workflow(
            api.DAILY_RUN,
            request.model_dump(mode="json", exclude_none=True, exclude_defaults=True),
            id=label,
            task_queue=api.TASK_QUEUE,
            id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
            static_summary=f"run of {request.target} by {request.actor}",
        )
    except WorkflowAlreadyStartedError:
        say(f"{label} is running already: watching it")
        return client.get_workflow_handle(label)


async def _run(
    client: Client,
    label: str,
    request: RunRequest,
    within: float | None,
    as_json: bool,
    *,
    in_process: bool,
    full: bool,
) -> int:
    handle = await start(client, label, request)
    say(f"{handle.id}")
    try:
        result, status = await follow(client, handle, within)
    except asyncio.CancelledError:
        if in_process:
            say("stopped with its server; the run continues when this home's server is up again: starter.py up")
        else:
            say(
                f"the run continues. Watch it: starter.py watch {request.target} · "
                f"stop it: starter.py pause {request.target} --style abort --reason …"
            )
        return Exit.INTERRUPTED
    adapters = compose(Settings())
    result = with_kept(result, adapters)
    later = since_then(adapters, result.run_id)
    sentence = " ".join(filter(None, (sentence_of(adapters, result.run_id), later.sentence if later else "")))
    show_result(result.model_copy(update={"target": result.target or request.target}), status, as_json, sentence)
    if full and not as_json and result.run_id:
        show_verdicts(kept_verdicts(adapters, result.run_id), full=True)
    return status


def known_target_name(settings: Settings, target: str) -> str:
    """Refuse an unknown target or a broken policy here, before anything starts."""
    return compose(settings).policies.effective(target).target.name


def _is_day(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).strftime("%Y-%m-%d") == text
    except ValueError:
        return False


def _label(settings: Settings, request: RunRequest) -> str:
    """A readable workflow id; Control identifies runs by what they are, not by this id."""
    zone = ZoneInfo(compose(settings).policies.effective(request.target).target.time_zone)
    date = request.date or datetime.now(UTC).astimezone(zone).date().isoformat()
    label = f"{api.schedule_id(request.target)}/{date}/{request.mode or 'default'}-{request.attempt}"
    return f"{label}-{uuid4().hex[:8]}" if request.again else label
