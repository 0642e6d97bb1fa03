"""``incident list | show | edit | close | prevented``: post-incident work (runbook §12)."""

import asyncio
import contextlib
import re
from typing import Annotated

import typer
from pydantic import BaseModel, ValidationError
from rich.table import Table
from rich.text import Text
from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.service import RPCError, RPCStatusCode

from commands.conversations import RUN_ID, command, installation_status, target_status
from commands.exit_statuses import Exit
from commands.failures import CommandFailed, NoAnswer, NoWorker
from commands.home import client_of
from commands.terminal import AsJson, answered, emit, guarded, operator_name, out, say, show
from composition import Adapters, ServerUnavailable, compose
from contracts.control import Answer
from contracts.incident import (
    CloseRequest,
    HumanFacts,
    IncidentRecord,
    IncidentStart,
    IncidentView,
    PostIncidentReport,
    Trigger,
)
from ports.store import StoreError
from reporting.incident_markdown import render_incident
from settings import Settings
from workflows import api

INCIDENTS = "INC-"
"""How an incident's id begins, and no target's name."""
INCIDENT = re.compile(rf"{INCIDENTS}(?P<run>.+)-({'|'.join(trigger.value.replace('_', '-') for trigger in Trigger)})")
_OF_INCIDENT = "INC-demo-2026-11-23-pr-1-policy-violation"

app = typer.Typer(
    help="Incidents: what happened, what people know about it, what is still due.",
    no_args_is_help=True,
)

Which = Annotated[str, typer.Argument(metavar="INCIDENT", help=f"Its id, for example {_OF_INCIDENT}.")]


@app.command(name="list")
@guarded
async def list_(
    target: Annotated[str | None, typer.Argument(help="Only this target's.")] = None, as_json: AsJson = False
) -> int:
    """Every incident, newest first: those in the books, and the kept reports of those that are done."""
    adapters = compose(Settings())
    records = await _records(adapters)
    known = {record.incident for _, record in records}
    kept_names = (log.removeprefix("run/") for log in adapters.audit.logs(begins="run/INC-"))
    reports = {
        name: found for name in kept_names if name not in known and (found := kept_report(adapters, name)) is not None
    }
    rows = [
        (record.opened_at, record.incident, of, _state(record), record.owner, record.due_on)
        for of, record in records
        if target in {None, of}
    ]
    rows += [
        (kept.opened_at, name, kept.target, "done" if kept.prevention_done_by else kept.state, kept.owner, kept.due_on)
        for name, kept in reports.items()
        if target in {None, kept.target}
    ]
    if target and not rows:
        # A target whose file is gone keeps its incidents; one that never was has neither.
        adapters.policies.effective(target)
    rows.sort(key=lambda row: row[:2], reverse=True)
    names = ("openedAt", "incident", "target", "state", "owner", "dueOn")
    if as_json:
        emit({"incidents": [dict(zip(names, (row[0].isoformat(), *row[1:]), strict=True)) for row in rows]})
        return Exit.OK
    table = Table(box=None, padding=(0, 2, 0, 0))
    for title in ("opened", "incident", "target", "state", "owner", "due"):
        table.add_column(title)
    for row in rows:
        table.add_row(f"{row[0]:%Y-%m-%d %H:%M}", *(Text(str(cell)) for cell in row[1:]))
    if rows:
        out.print(table)
    else:
        say(f"no incidents{f' of {target}' if target else ''}: nothing has gone wrong yet")
    return Exit.OK


@app.command(name="show")
@guarded
async def show_(incident: Which, as_json: AsJson = False) -> int:
    """The post-incident report as it is now: the seven parts, timeline, evidence, what is missing."""
    return await show_incident(compose(Settings()), incident, as_json)


@app.command()
@guarded
async def edit(
    incident: Which,
    impact: Annotated[str | None, typer.Option(help="Who was affected, and how.")] = None,
    root_cause: Annotated[str | None, typer.Option(help="Why it happened, as a person found.")] = None,
    remediation: Annotated[str | None, typer.Option(help="What was done immediately.")] = None,
    prevention: Annotated[str | None, typer.Option(help="What will keep it from happening again.")] = None,
    owner: Annotated[str | None, typer.Option(help="Who is responsible for the prevention.")] = None,
    due: Annotated[str | None, typer.Option(help="YYYY-MM-DD: when the prevention is due.")] = None,
    as_json: AsJson = False,
) -> int:
    """State what only a person knows; whatever is left out stays as it is."""
    facts = HumanFacts(
        actor=operator_name(),
        impact=impact,
        root_cause=root_cause,
        remediation=remediation,
        prevention=prevention,
        owner=owner,
        due_on=due,
    )
    return await _told(incident, api.EDIT, facts, as_json)


@app.command()
@guarded
async def close(
    incident: Which,
    reason: Annotated[str, typer.Option(help="Why it is closed; kept for the record.")],
    as_json: AsJson = False,
) -> int:
    """Close a complete report; a half-filled one is refused with what is missing."""
    return await _told(incident, api.CLOSE, CloseRequest(actor=operator_name(), reason=reason), as_json)


@app.command()
@guarded
async def prevented(
    incident: Which,
    reason: Annotated[str, typer.Option(help="What was done, and where it can be seen.")],
    as_json: AsJson = False,
) -> int:
    """The long-term prevention is done: the incident ends, its report and evidence stay."""
    return await _told(incident, api.PREVENTED, CloseRequest(actor=operator_name(), reason=reason), as_json)


async def show_incident(adapters: Adapters, incident: str, as_json: bool) -> int:
    """Print an incident: as its workflow says, else from the kept report."""
    view = await _live(adapters, incident)
    if view is None:
        kept = kept_report(adapters, incident)
        if kept is None:
            raise CommandFailed(Exit.USAGE, f"no incident {incident}: `starter.py incident list` names them all")
        address = adapters.store.address(incident)
        view = IncidentView(report=kept, missing=kept.empty_parts, overdue=False, address=address)
    view = await _up_to_date(adapters, view)
    if as_json:
        emit(view)
        return Exit.OK
    show(render_incident(view.report, view.missing).rstrip())
    show(f"\nkept in {view.address}" + (", OVERDUE" if view.overdue else ""))
    if view.waiting_for:
        say(f"not recorded yet, still being tried: {view.waiting_for}")
    return Exit.OK


async def _up_to_date(adapters: Adapters, view: IncidentView) -> IncidentView:
    """With all that the logs say by now; the workflow writes its report anew, where that is more than it had."""
    # Imported here: `status` shows incidents without it, and it is a tenth of what that loads.
    from activities.after.evidence import facts_now  # noqa: PLC0415

    report = view.report
    try:
        timeline = facts_now(adapters.audit, adapters.store, report)
    except (StoreError, ValidationError) as problem:
        say(f"the timeline is shown as it was kept: {problem}")
        return view
    if timeline == report.timeline:
        return view
    with contextlib.suppress(ServerUnavailable, NoAnswer, RPCError):
        client = await client_of(adapters.settings)
        await client.get_workflow_handle(api.incident_id(report.target, report.incident)).signal(api.REFRESH)
    return view.model_copy(update={"report": report.model_copy(update={"timeline": timeline})})


def kept_report(adapters: Adapters, incident: str) -> PostIncidentReport | None:
    """The report an incident left in the artifact store."""
    if not INCIDENT.fullmatch(incident):
        return None
    ref = adapters.store.find(incident, "post_incident_report.json")
    return None if ref is None else PostIncidentReport.model_validate_json(adapters.store.get(ref))


def target_of(incident: str) -> str:
    """The target in an incident's id.

    Raises:
        CommandFailed: it is no such id.
    """
    match = INCIDENT.fullmatch(incident)
    run = RUN_ID.fullmatch(match["run"]) if match else None
    if run is None:
        raise CommandFailed(Exit.USAGE, f"{incident!r} is not an incident's id; one looks like {_OF_INCIDENT}")
    return run["target"]


async def incident_view(client: Client, target: str, incident: str) -> IncidentView | None:
    """What its workflow says, also after its end; None: the server knows none.

    Raises:
        NoWorker: nobody answers.
    """
    handle = client.get_workflow_handle(api.incident_id(target, incident))
    try:
        view: IncidentView = await handle.query(api.VIEW, result_type=IncidentView)
    except RPCError as problem:
        if problem.status is RPCStatusCode.NOT_FOUND:
            return None
        if problem.status in {RPCStatusCode.DEADLINE_EXCEEDED, RPCStatusCode.FAILED_PRECONDITION}:
            raise NoWorker from problem
        raise
    return view


async def _told(incident: str, update: str, request: BaseModel, as_json: bool) -> int:
    target = target_of(incident)
    client = await client_of(compose(Settings()).settings)
    try:
        answer = await command(client, api.incident_id(target, incident), update, request)
    except RPCError as problem:
        if problem.status is not RPCStatusCode.NOT_FOUND:
            raise
        answer = await _restarted(client, target, incident, update, request)
    return answered(answer, as_json)


async def _restarted(client: Client, target: str, incident: str, update: str, request: BaseModel) -> Answer:
    """Restart an incident that is in the books but has no workflow (it was terminated by hand) from its kept report."""
    view = await target_status(client, target)
    record = next((record for record in view.incidents if record.incident == incident), None) if view else None
    if record is None:
        raise CommandFailed(
            Exit.REFUSED, f"refused: {incident} is unknown, or closed: `starter.py incident show` tells which"
        )
    workflow_id = api.incident_id(target, incident)
    await client.start_workflow(
        api.INCIDENT,
        IncidentStart(target=target, record=record),
        id=workflow_id,
        task_queue=api.TASK_QUEUE,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
    )
    view_now = await _recovered(client, target, incident)
    say(f"{incident} had been terminated by hand and is running again, revision {view_now.report.revision}")
    return await command(client, workflow_id, update, request)


async def _recovered(client: Client, target: str, incident: str) -> IncidentView:
    """Wait until it has taken over its kept report, so that the command is judged with what was stated before."""
    for _ in range(100):
        view = await incident_view(client, target, incident)
        if view is not None and view.report.evidence is not None:
            return view
        await asyncio.sleep(0.1)
    raise CommandFailed(Exit.WAITING, "it is running again, but has not found its evidence yet: try once more")


async def _live(adapters: Adapters, incident: str) -> IncidentView | None:
    target = target_of(incident)
    try:
        return await incident_view(await client_of(adapters.settings), target, incident)
    except (ServerUnavailable, NoAnswer) as absent:
        say(f"shown as it was last kept: {absent}")
        return None


async def _records(adapters: Adapters) -> list[tuple[str, IncidentRecord]]:
    """Target and record of each incident in the targets' books; empty, with a message, when nobody answers."""
    try:
        client = await client_of(adapters.settings)
        installation = await installation_status(client)
        registered = {view.name for view in installation.targets} if installation else set()
        names = sorted(registered.union(adapters.policies.names()))
        views = await asyncio.gather(*(target_status(client, name) for name in names))
    except (ServerUnavailable, NoAnswer) as absent:
        say(f"only incidents with a kept report are listed: {absent}")
        return []
    pairs = zip(names, views, strict=True)
    return [(name, record) for name, view in pairs if view is not None for record in view.incidents]


def _state(record: IncidentRecord) -> str:
    return "overdue" if record.overdue else record.state.value
