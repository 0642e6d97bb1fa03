"""``dashboard``: what a target's dashboard ticket says, and how its latest look went."""

import asyncio
import time
from datetime import timedelta
from typing import Annotated

import typer
from temporalio.client import Client

from activities.operate.dashboard import shown_body, ticket_of
from activities.step_session import StepPorts
from commands.conversations import ask
from commands.exit_statuses import Exit
from commands.failures import CommandFailed
from commands.home import client_of
from commands.terminal import AsJson, TargetName, emit, guarded, say, show
from composition import connected_workbench, refresh_dashboards
from contracts.dashboard import DashboardLook, DashboardsView, ShownOutcome
from contracts.pull_request import PullRequest
from settings import Settings
from workflows import api

_LOOK_EVERY = 0.3


@guarded
async def dashboard(
    target: TargetName,
    refresh: Annotated[bool, typer.Option("--refresh", help="Update it now, and wait until that is done.")] = False,
    within: Annotated[float, typer.Option("--timeout", min=0, help="Seconds to wait for the update.")] = 120,
    as_json: AsJson = False,
) -> int:
    """The target's dashboard ticket, as the forge shows it.

    A worker compares it with what is true every `dashboard.every_minutes` and edits it where it differs. Exit status
    15 when the latest look failed, 18 when a refresh took too long.
    """
    settings = Settings()
    client = await client_of(settings)
    bench = connected_workbench(client, settings)
    policy = await asyncio.to_thread(bench.policies.effective, target)
    look = await _refreshed(client, target, within) if refresh else await _latest(client, target)
    ticket = await asyncio.to_thread(_ticket, bench, target) if policy.target.dashboard else None
    if as_json:
        emit(
            {
                "target": target,
                "on": policy.target.dashboard,
                "ticket": ticket.model_dump(mode="json", by_alias=True) if ticket else None,
                "look": look.model_dump(mode="json", by_alias=True) if look else None,
            }
        )
    else:
        _show(target, ticket, look, on=policy.target.dashboard)
    failed = look is not None and look.shown.outcome is ShownOutcome.FAILED
    return Exit.FAILED if failed else Exit.OK


def _ticket(bench: StepPorts, target: str) -> PullRequest | None:
    return ticket_of(bench.forges(bench.policies.effective(target).target), target)


def _show(target: str, ticket: PullRequest | None, look: DashboardLook | None, *, on: bool) -> None:
    if not on:
        say(f"the dashboard of {target} is off: `dashboard = false` in targets/{target}.toml")
        return
    if ticket is not None:
        show(ticket.title, "bold")
        show(f"ticket {ticket.number}, {ticket.state}, {ticket.url}")
        show("")
        show(shown_body(ticket))
    else:
        say(f"{target} has no dashboard ticket yet; `starter.py dashboard {target} --refresh` looks now")
    if look is None:
        say("no look was made yet: a worker does that (`starter.py up`)")
        return
    written = f", last written {look.written_at:%Y-%m-%d %H:%M:%S} UTC" if look.written_at else ""
    reason = f": {look.shown.reason}" if look.shown.reason else ""
    style = "red" if look.shown.outcome is ShownOutcome.FAILED else ""
    say(f"looked at {look.at:%Y-%m-%d %H:%M:%S} UTC, {look.shown.outcome.replace('_', ' ')}{reason}{written}", style)


async def _view(client: Client) -> DashboardsView | None:
    """The latest look at each ticket; None: the workflow does not run."""
    return await ask(client, api.DASHBOARDS_ID, api.DASHBOARDS_VIEW, DashboardsView)


async def _latest(client: Client, target: str) -> DashboardLook | None:
    view = await _view(client)
    return next((look for look in view.looks if look.target == target), None) if view else None


async def _refreshed(client: Client, target: str, within: float) -> DashboardLook | None:
    before = await _latest(client, target)
    await refresh_dashboards(client, target)
    end = time.monotonic() + within
    while time.monotonic() < end:
        look = await _latest(client, target)
        if look is not None and (before is None or look.at > before.at):
            return look
        view = await _view(client)
        if view is not None and view.next_at is not None and target not in view.terms.targets:
            # Off, or its file cannot be read: nobody will look.
            return look
        await asyncio.sleep(_LOOK_EVERY)
    waited = timedelta(seconds=round(within))
    raise CommandFailed(Exit.WAITING, f"{target} was not looked at within {waited}; is a worker running? (`doctor`)")
