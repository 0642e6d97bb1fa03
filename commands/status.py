"""``status`` and ``queue``: what the installation and its targets are doing."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from functools import partial
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer
from pydantic import BaseModel
from rich.table import Table
from rich.text import Text
from temporalio.client import Client

from commands.conversations import agents_at_work, ask, known_target, waiting_runs
from commands.exit_statuses import Exit
from commands.failures import NoAnswer, NoWorker
from commands.home import client_of
from commands.mode import override_words
from commands.sights import (
    InstallationSight,
    Sight,
    TargetSight,
    open_controls,
    registered,
    sight_installation,
    sight_targets,
)
from commands.terminal import AsJson, TargetName, emit, guarded, out, say, show
from composition import Adapters, compose
from contracts.admission import RunRecord
from contracts.control import PauseRecord, StatusView, overdue
from contracts.modes import TargetStatus
from contracts.remediation import Remediation
from contracts.rollback import ROLLED_BACK
from contracts.source import Grade, SourceBook
from policies.counted import counted, shortened
from ports.policy_source import PolicyError
from reporting.wording import doing_words, unsaid
from settings import Settings
from workflows import api

_RECENT = 5


@guarded
async def status(
    target: Annotated[str | None, typer.Argument(help="One target; default: all.")] = None, as_json: AsJson = False
) -> int:
    """The global status, and each target's: mode, epoch, writes in flight, runs, pauses."""
    adapters = compose(Settings())
    client = await client_of(adapters.settings, asking=True)
    installation = await sight_installation(client)
    if isinstance(installation.problem, NoWorker):
        raise installation.problem
    names = [target] if target else await _all_names(adapters, client, installation)
    seen = await sight_targets(client, names, registered(installation))
    if target and seen[target] == Sight():
        known_target(adapters, target)
    waits = {name: await waiting_runs(client, one.view) for name, one in seen.items() if one.view is not None}
    sources = {name: await _poor_sources(client, name) for name, one in seen.items() if one.view is not None}
    answered = adapters.index.outcomes({run.run_id for one in seen.values() for run in _listed(one.view)})
    agents = {name: await agents_at_work(client, one.view) for name, one in seen.items() if one.view is not None}
    unseen = installation.problem or any(one.problem for one in seen.values())
    if as_json:
        more = {"waiting": waits, "sources": sources}
        at_work = {
            run: each.model_dump(mode="json", by_alias=True) for runs in agents.values() for run, each in runs.items()
        }
        shown = {key: _that_say_something(each) for key, each in more.items()}
        emit(_as_json(installation, seen) | shown | {"agents": at_work})
        return Exit.TROUBLE if unseen else Exit.OK
    if installation.problem is not None:
        show(f"installation  not seen: {installation.problem}", "red")
    elif installation.view is None:
        show(f"installation  {installation.ended.sentence() if installation.ended else 'nothing has run here yet'}")
    else:
        view = installation.view
        late = review_words(view.pause, partial(today_of, adapters, None)) if view.pause else ""
        show(f"installation  {view.status}, epoch {view.epoch}: {view.why.reason}{late}", "bold")
    for name, one in seen.items():
        if one.view is not None:
            _show_target(name, one.view, partial(today_of, adapters, name), answered)
            for run_id, reason in waits[name].items():
                show(f"  {run_id} {reason}", "yellow")
            for run_id, doing in agents[name].items():
                show(f"  {run_id} {doing_words(doing, datetime.now(UTC))}")
            for source, how in sources[name].items():
                show(f"  source {source} {how}; see: starter.py sources show {name} {source}", "yellow")
        elif one.problem is not None:
            show(f"{name}  not seen: {one.problem}", "red")
        else:
            gone = f"its Control {one.ended.sentence()}" if one.ended else "not started: its first run opens it"
            show(f"{name}  {gone}")
    return Exit.TROUBLE if unseen else Exit.OK


@guarded
async def queue(target: TargetName, as_json: AsJson = False) -> int:
    """Runs that wait for a slot, first come first served, and failed changes that are to be tried again."""
    adapters = compose(Settings())
    client = await client_of(adapters.settings, asking=True)
    control = api.control_id(target)
    queued = await ask(client, control, api.QUEUE, list[RunRecord])
    backlog = await ask(client, control, api.BACKLOG, list[Remediation])
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


async def _poor_sources(client: Client, target: str) -> dict[str, str]:
    """By name, how each is that is lowered, or was not good when it was used last; none where Control does not say."""
    try:
        book = await ask(client, api.control_id(target), api.SOURCES, SourceBook)
    except NoAnswer:
        return {}
    found = {}
    for each in book.sources if book else ():
        if each.lowered is not None:
            since = f" since {each.since:%Y-%m-%d}" if each.since else ""
            found[each.source] = f"is {each.lowered}{since} by {each.by}: {each.reason}"
        elif each.grade is not Grade.GOOD:
            found[each.source] = f"is {'poor' if each.grade is Grade.WARN else 'not usable'}, as {each.run_id} found"
    return found


def _that_say_something(by_target: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
    return {name: found for name, found in by_target.items() if found}


async def _all_names(adapters: Adapters, client: Client, installation: InstallationSight) -> list[str]:
    known = registered(installation) if installation.view else await open_controls(client)
    return sorted(known.union(adapters.policies.names()))


def _as_json(installation: InstallationSight, seen: dict[str, TargetSight]) -> dict[str, Any]:
    """Each target's view, or null with the reason given separately."""
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


def _listed(view: StatusView | None) -> tuple[RunRecord, ...]:
    """The runs of a target that are shown."""
    return (*view.active, *view.queued, *view.recent[:_RECENT]) if view else ()


def _show_target(name: str, view: StatusView, today: Callable[[], date], answered: dict[str, str]) -> None:
    quiet = ", quiescent" if view.quiescent else ""
    writes = counted(view.writes_in_flight, "write")
    show(
        f"{name}  {view.status}, mode {view.mode}, epoch {view.epoch}, {writes} in flight{quiet}",
        "bold",
    )
    if view.override is not None:
        show(f"  {override_words(view.override)}", "yellow")
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
    _show_rollbacks(view)
    if view.budget is not None and not view.budget.blocked.allowed:
        show(f"  budget: {view.budget.blocked.reason}", "yellow")
    for grant in view.grants:
        if grant.expires_at > datetime.now(UTC):
            paths = ", ".join(grant.paths)
            show(f"  grant for {grant.run_id} by {grant.actor} until {grant.expires_at:%Y-%m-%d %H:%M}: {paths}")
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 2))
    for run in _listed(view):
        outcome = answered.get(run.run_id, "")
        status = outcome if outcome == ROLLED_BACK else run.became or outcome or run.status
        # What a run that has ended was told last, and what its status says already, is no news.
        order, reason = "" if run.closed_at else run.order.state, shortened(unsaid(run.reason, ""), 100)
        table.add_row(*(Text(str(cell)) for cell in (run.run_id, status, order, reason)))
    if table.row_count:
        out.print(table)


def _show_rollbacks(view: StatusView) -> None:
    """Lines of ``status``: rollbacks that are due or running, and the review that is due."""
    for one in view.rollbacks:
        by = f" by {one.commanded_by}" if one.commanded_by else ""
        show(f"  rollback of {one.merged.run.run_id} is {one.stage}{by} ({one.incident}): {shortened(one.reason, 200)}")
    if view.review_due:
        show(f"  review due: {view.review_due}; `starter.py resume {view.target}` names cause and evidence", "bold")


def today_of(adapters: Adapters, target: str | None) -> date:
    """Today in the target's time zone; in UTC for the installation and for a target that cannot be read.

    By this machine's clock: a query would see the time of Control's last workflow task, which may be weeks old.
    """
    if target is not None:
        try:
            return datetime.now(ZoneInfo(adapters.policies.effective(target).target.time_zone)).date()
        except PolicyError:
            pass
    return datetime.now(UTC).date()


def review_words(pause: PauseRecord, today: Callable[[], date]) -> str:
    """For example ``, review on 2026-12-01 OVERDUE``; empty without a date, and then nobody is asked for today's."""
    if pause.review_on is None:
        return ""
    return f", review on {pause.review_on}{' OVERDUE' if overdue(pause.review_on, today()) else ''}"
