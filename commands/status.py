"""``status``, ``watch``, ``why``, ``queue``: what the installation, a target or a run is doing."""

from datetime import UTC, date, datetime
from typing import Annotated, Any

import typer
from pydantic import BaseModel
from rich.table import Table
from rich.text import Text
from temporalio.client import Client, WorkflowHandle

from commands.conversations import (
    RUN_ID,
    find_run,
    installation_status,
    run_view,
    target_backlog,
    target_queue,
    target_status,
    target_why,
)
from commands.ended_by_force import ended_by_force
from commands.exit_statuses import Exit
from commands.failures import CommandFailed, NoAnswer, NoWorker
from commands.following import follow, show_result, show_verdicts
from commands.home import client_of
from commands.incident import INCIDENT, show_incident
from commands.kept_runs import ENDED, kept_verdicts, said_so, sentence_of
from commands.review_dates import review_words, today_of, with_reviews
from commands.rollback import follow_up_verdict, rollback_verdict, show_rollbacks
from commands.sights import (
    InstallationSight,
    Sight,
    TargetSight,
    ended,
    open_controls,
    registered,
    sight_installation,
    sight_targets,
)
from commands.terminal import AsJson, emit, guarded, out, say, show
from commands.waiting import waiting_runs
from composition import Adapters, ServerUnavailable, compose
from contracts.control import StatusView
from contracts.modes import TargetStatus
from contracts.rollback import ROLLED_BACK
from contracts.verdict import Verdict
from policies.counted import counted, shortened
from policies.verdicts import allow, hold
from settings import Settings

_WHAT_FOLLOWS = (
    "Control finds that within control.reap_seconds: it books the run as LOST, makes its report, looks for its open "
    "write on the remote, and follows its pull request if there is one"
)
_LISTED = 1000
_WAITING = "waiting for"
TargetOrRun = Annotated[str, typer.Argument(help="A target's name, or a run id such as demo-2026-11-23-pr-1.")]
Explained = Annotated[
    str, typer.Argument(help="A target's name, a run id such as demo-2026-11-23-pr-1, or an incident's id.")
]


@guarded
async def status(
    target: Annotated[str | None, typer.Argument(help="One target; default: all.")] = None, as_json: AsJson = False
) -> int:
    """The global status, and each target's: mode, epoch, writes in flight, runs, pauses."""
    adapters = compose(Settings())
    client = await client_of(adapters.settings)
    installation = await sight_installation(client)
    if isinstance(installation.problem, NoWorker):
        raise installation.problem
    names = [target] if target else await _all_names(adapters, client, installation)
    seen = await sight_targets(client, names, registered(installation))
    if target and seen[target] == Sight():
        known_target(adapters, target)
    waits = {name: await waiting_runs(client, one.view) for name, one in seen.items() if one.view is not None}
    answered = adapters.index.outcomes()
    unseen = installation.problem or any(one.problem for one in seen.values())
    if as_json:
        emit(_as_json(installation, seen) | {"waiting": {name: found for name, found in waits.items() if found}})
        return Exit.TROUBLE if unseen else Exit.OK
    if installation.problem is not None:
        show(f"installation  not seen: {installation.problem}", "red")
    elif installation.view is None:
        show(f"installation  {installation.ended.sentence() if installation.ended else 'nothing has run here yet'}")
    else:
        view = installation.view
        late = review_words(view.pause, today_of(adapters, None)) if view.pause else ""
        show(f"installation  {view.status}, epoch {view.epoch}: {view.why.reason}{late}", "bold")
    for name, one in seen.items():
        if one.view is not None:
            _show_target(name, one.view, today_of(adapters, name), answered)
            for run_id, reason in waits[name].items():
                show(f"  {run_id} {reason}", "yellow")
        elif one.problem is not None:
            show(f"{name}  not seen: {one.problem}", "red")
        else:
            gone = f"its Control {one.ended.sentence()}" if one.ended else "not started: its first run opens it"
            show(f"{name}  {gone}")
    return Exit.TROUBLE if unseen else Exit.OK


@guarded
async def watch(
    what: TargetOrRun,
    within: Annotated[float | None, typer.Option("--timeout", help="Stop watching after so many seconds.")] = None,
    as_json: AsJson = False,
) -> int:
    """Follow a run until it ends; of a target, the one that runs or waits now."""
    adapters = compose(Settings())
    client = await client_of(adapters.settings)
    handle = await (run_handle(client, what) if RUN_ID.fullmatch(what) else _current(adapters, client, what))
    if handle is None:
        say(f"no run of {what} is active; the newest: starter.py runs {what}")
        return Exit.OK
    result, ended = await follow(client, handle, within)
    show_result(result, ended, as_json, sentence_of(adapters, result.run_id))
    return ended


@guarded
async def why(
    what: Explained,
    full: Annotated[bool, typer.Option("--full", help="The whole tree: every rule, also below a yes.")] = False,
    as_json: AsJson = False,
) -> int:
    """Why a target works, or does not; why a run went as it did; what an incident is: with the facts they used.

    In short: a line for each step, and below it what said no. `--full` prints all of it.
    """
    adapters = compose(Settings())
    if INCIDENT.fullmatch(what):
        return await show_incident(adapters, what, as_json)
    is_run = RUN_ID.fullmatch(what) is not None
    verdicts = await (_why_run(adapters, what) if is_run else _why_target(adapters, what))
    if as_json:
        emit({name: verdict.model_dump(mode="json", by_alias=True) for name, verdict in verdicts.items()})
        return Exit.OK
    if is_run and (said := sentence_of(adapters, what)):
        show(said, "bold")
    show_verdicts(verdicts, full=full)
    return Exit.OK


@guarded
async def queue(target: Annotated[str, typer.Argument(help="The target.")], as_json: AsJson = False) -> int:
    """Runs that wait for a slot, first come first served; and failed changes that are to be remedied."""
    adapters = compose(Settings())
    client = await client_of(adapters.settings)
    queued, backlog = await target_queue(client, target), await target_backlog(client, target)
    if queued is None:
        known_target(adapters, target)
    remediations = [one for one in backlog or () if one.ended is None]
    if as_json:
        emit(
            {
                "target": target,
                "queued": [run.model_dump(mode="json", by_alias=True) for run in queued or ()],
                "remediations": [one.model_dump(mode="json", by_alias=True) for one in remediations],
            }
        )
        return Exit.OK
    for number, run in enumerate(queued or (), 1):
        show(f"{number}  {run.run_id}  {run.mode}  by {run.actor}  since {run.admitted_at:%Y-%m-%d %H:%M:%S}")
    if not queued:
        say(f"nothing waits for {target}")
    for one in remediations:
        attempts = f"{one.attempts} of {counted(one.most_attempts, 'attempt')}"
        show(f"{one.remediating_task}  {attempts}, of {one.task_id} in {one.run_id}")
        for note in one.failed:
            show(f"  {note.check} {note.status}: {note.detail}")
    return Exit.OK


async def run_handle(client: Client, run_id: str) -> WorkflowHandle[Any, Any]:
    """A run's workflow.

    Raises:
        CommandFailed: there is none under this id.
    """
    handle = await find_run(client, run_id)
    if handle is None:
        raise CommandFailed(
            Exit.USAGE, f"no run {run_id} is known to the server: `starter.py runs` lists the kept ones"
        )
    return handle


def known_target(adapters: Adapters, target: str) -> None:
    """Refuse a name that is no target, with the nearest one."""
    if target not in adapters.policies.names():
        adapters.policies.effective(target)


async def _all_names(adapters: Adapters, client: Client, installation: InstallationSight) -> list[str]:
    known = registered(installation) if installation.view else await open_controls(client)
    return sorted(known.union(adapters.policies.names()))


def _as_json(installation: InstallationSight, seen: dict[str, TargetSight]) -> dict[str, Any]:
    """Each target's view, or null; why there is none stands beside them."""
    problems = {"installation": installation.problem} | {name: one.problem for name, one in seen.items()}
    gone = {"installation": installation.ended} | {name: one.ended for name, one in seen.items()}
    return {
        "installation": _dumped(installation.view),
        "targets": {name: _dumped(one.view) for name, one in seen.items()},
        "unseen": {name: str(problem) for name, problem in problems.items() if problem},
        "ended": {
            name: {"how": end.how, "at": end.at, "wakesUp": TargetStatus.PAUSED} for name, end in gone.items() if end
        },
    }


def _dumped(view: BaseModel | None) -> dict[str, Any] | None:
    return view.model_dump(mode="json", by_alias=True) if view else None


async def _current(adapters: Adapters, client: Client, target: str) -> WorkflowHandle[Any, Any] | None:
    view = await target_status(client, target)
    if view is None:
        known_target(adapters, target)
        return None
    waiting = (*view.active, *view.queued)
    if not waiting:
        return None
    newest = max(waiting, key=lambda run: run.admitted_at)
    return client.get_workflow_handle(newest.workflow_id, run_id=newest.workflow_run_id)


async def _why_target(adapters: Adapters, target: str) -> dict[str, Verdict]:
    client = await client_of(adapters.settings)
    installation = await installation_status(client)
    verdicts = {"installation": with_reviews(installation.why, today_of(adapters, None))} if installation else {}
    mine = await target_why(client, target)
    if mine is None:
        gone = await ended(
            client, target, installation is not None and any(seen.name == target for seen in installation.targets)
        )
        if gone is not None:
            raise CommandFailed(Exit.TROUBLE, f"{target}: its Control {gone.sentence()}")
        known_target(adapters, target)
        raise CommandFailed(Exit.TROUBLE, f"{target} has no open Control: its first run or command starts one")
    view = await target_status(client, target)
    waits = {run_id: _waits(reason) for run_id, reason in (await waiting_runs(client, view) if view else {}).items()}
    listed = adapters.index.latest(_LISTED, target)
    asked = {run.run_id: _answered(run.became) for run in listed if run.became.startswith(_WAITING)}
    return {**verdicts, target: with_reviews(mine, today_of(adapters, target)), **asked, **waits}


async def _why_run(adapters: Adapters, run_id: str) -> dict[str, Verdict]:
    kept = kept_verdicts(adapters, run_id)
    if kept:
        return kept | _became(adapters, run_id) | await _followed(adapters, run_id)
    try:
        client = await client_of(adapters.settings)
        handle = await run_handle(client, run_id)
        view, forced = await run_view(handle), await ended_by_force(client, handle)
    except (ServerUnavailable, NoAnswer) as absent:
        message = f"{run_id} has no report in {adapters.settings.artifacts}, and it cannot be asked: {absent}"
        raise CommandFailed(Exit.NO_SERVER, message) from absent
    verdicts = {step.value: verdict for step, verdict in zip(view.steps, view.verdicts, strict=False)}
    if forced:
        return {ENDED: said_so(f"{forced}, in step {view.step or 'admission'}. {_WHAT_FOLLOWS}")} | verdicts
    say(f"{run_id} is {view.status} in step {view.step or 'admission'}: {view.reason or 'working'}")
    return verdicts | ({"now": _waits(view.reason)} if view.awaits else {})


def _became(adapters: Adapters, run_id: str) -> dict[str, Verdict]:
    """What a person made of its pull request since, as the lists have it."""
    said = adapters.index.outcomes().get(run_id, "")
    # What was rolled back, its rollback tells.
    return {"pull request": _answered(said)} if said not in {"", ROLLED_BACK} else {}


def _answered(report: str) -> Verdict:
    return (hold if report.startswith(_WAITING) else allow)("a person has answered its pull request", report)


def _waits(reason: str) -> Verdict:
    return hold("the run goes on", reason)


async def _followed(adapters: Adapters, run_id: str) -> dict[str, Verdict]:
    try:
        client = await client_of(adapters.settings)
        verdicts = {"follow-up": await follow_up_verdict(client, run_id)}
        verdicts["rollback"] = await rollback_verdict(client, run_id)
    except (CommandFailed, ServerUnavailable, NoAnswer):
        # The report is here; what became of it later can only the server tell.
        say(f"what became of {run_id} since cannot be asked: no server or no worker answers")
        return {}
    return {name: verdict for name, verdict in verdicts.items() if verdict}


def _show_target(name: str, view: StatusView, today: date, answered: dict[str, str]) -> None:
    quiet = ", quiescent" if view.quiescent else ""
    writes = counted(view.writes_in_flight, "write")
    show(
        f"{name}  {view.status}, mode {view.mode}, epoch {view.epoch}, {writes} in flight{quiet}",
        "bold",
    )
    for pause in view.pauses:
        since = f"at {pause.at:%Y-%m-%d %H:%M:%S}{review_words(pause, today)}"
        show(f"  {pause.scope} pause ({pause.style}) by {pause.actor} {since}: {pause.reason or 'no reason given'}")
    for incident in view.incidents:
        due = (
            f", prevention {'OVERDUE since' if incident.overdue else 'due on'} {incident.due_on}"
            if incident.due_on
            else ""
        )
        show(f"  incident {incident.incident} {incident.state} since {incident.opened_at:%Y-%m-%d %H:%M}{due}")
        show(f"    {incident.reason}")
        if (done := incident.rollback) is not None:
            show(f"    rollback {done.outcome} in {done.seconds:.0f} s: {done.impact}")
    show_rollbacks(view)
    if view.budget is not None and not view.budget.blocked.allowed:
        show(f"  budget: {view.budget.blocked.reason}", "yellow")
    for grant in view.grants:
        if grant.expires_at > datetime.now(UTC):
            paths = ", ".join(grant.paths)
            show(f"  grant for {grant.run_id} by {grant.actor} until {grant.expires_at:%Y-%m-%d %H:%M}: {paths}")
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 2))
    for run in (*view.active, *view.queued, *view.recent[:5]):
        said = answered.get(run.run_id, "")
        status = said if said == ROLLED_BACK else run.became or said or run.status
        table.add_row(*(Text(str(cell)) for cell in (run.run_id, status, run.order.state, shortened(run.reason, 100))))
    if table.row_count:
        out.print(table)
