"""``alerts``: what was raised, what became of it, and a test of every channel."""

import asyncio
import time
import uuid
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text
from temporalio.client import Client

from commands.conversations import ask
from commands.exit_statuses import Exit
from commands.failures import CommandFailed
from commands.home import client_of
from commands.terminal import AsJson, emit, guarded, operator_name, out, say, show
from composition import raise_alert
from contracts.alert import Alert, AlertKind, AlertRecord, AlertSettings, AlertsView
from reporting.wording import visible
from settings import Settings
from workflows import api

app = typer.Typer(help="What was raised, what became of it, and a test of every channel.")
_LOOK_EVERY = 0.3
_SHOWN = 15


@app.callback(invoke_without_command=True)
def alerts(
    context: typer.Context,
    everything: Annotated[
        bool, typer.Option("--all", help="Include silenced and inhibited alerts, and older ones.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Recent and undelivered alerts with their receipts, and the silences in force.

    Exit status 11 when an alert waits for a channel that does not take it. `alerts.jsonl` in AUTONOMY_HOME has all.
    """
    if context.invoked_subcommand is None:
        _listed(everything=everything, as_json=as_json)


@guarded
async def _listed(everything: bool, as_json: bool) -> int:
    view = await _view(await client_of(Settings(), asking=True))
    if as_json:
        emit(view)
    else:
        _show(view, everything)
    late = [record for record in view.undelivered if record.attempts]
    return Exit.REFUSED if late else Exit.OK


@app.command("test")
@guarded
async def try_channels(
    within: Annotated[float, typer.Option("--timeout", min=0, help="Seconds to wait for the receipts.")] = 90,
    as_json: AsJson = False,
) -> int:
    """Send a test through every channel, as the worker would, and print the receipts.

    Exit status 11 when a channel did not take it.
    """
    client = await client_of(Settings())
    await _view(client, absent_is_fine=True)
    alert = Alert(
        kind=AlertKind.TEST,
        summary=f"a test of every channel, by {operator_name()}",
        fingerprint=f"{AlertKind.TEST}/{uuid.uuid4().hex}",
    )
    answer = await raise_alert(client, alert)
    if not answer.taken:
        raise CommandFailed(Exit.REFUSED, f"refused: {answer.reason}")
    record = await _tried(client, answer.id, within)
    if as_json:
        emit(record)
    elif not record.receipts:
        say(f"{record.id}: {record.fate} {record.reason}")
    else:
        _receipts(record)
    bad = not record.receipts or any(not receipt.delivered for receipt in record.receipts)
    return Exit.REFUSED if bad else Exit.OK


async def alerts_view(client: Client) -> AlertsView | None:
    """Alerts, receipts, silences; None: the workflow does not run."""
    return await ask(client, api.ALERTS_ID, api.ALERTS_VIEW, AlertsView)


async def _view(client: Client, *, absent_is_fine: bool = False) -> AlertsView:
    view = await alerts_view(client)
    if view is None:
        if not absent_is_fine:
            raise CommandFailed(Exit.REFUSED, "no alerts yet: the first worker starts recording them (`starter.py up`)")
        return AlertsView(recent=(), undelivered=(), silences=(), settings=AlertSettings(), watched_at=None)
    return view


async def _tried(client: Client, alert_id: str, within: float) -> AlertRecord:
    """The record as soon as every channel was tried once."""
    end = time.monotonic() + within
    while time.monotonic() < end:
        view = await _view(client)
        for record in (*view.recent, *view.undelivered):
            if record.id == alert_id and (record.next_try_at is None or record.attempts):
                return record
        await asyncio.sleep(_LOOK_EVERY)
    raise CommandFailed(
        Exit.WAITING, f"{alert_id} was not tried within {within:g} s; `starter.py alerts` shows it later"
    )


def _show(view: AlertsView, everything: bool) -> None:
    if view.settings.problem:
        say(f"alerts.toml cannot be used: {view.settings.problem}", "red")
    waiting = {record.id for record in view.undelivered}
    recent = [record for record in view.recent if record.id not in waiting]
    if not everything:
        recent = [record for record in recent if record.fate not in {"silenced", "inhibited"}][:_SHOWN]
    for title, records in (("Undelivered", view.undelivered), ("Recent", tuple(recent))):
        if records:
            show(title, "bold")
            out.print(_table(records))
    for silence in view.silences:
        about = silence.target or "every target"
        show(f"{silence.id}  {silence.kind} of {about} is silent until {silence.expires_at:%Y-%m-%d %H:%M} UTC")
    if not view.recent and not view.undelivered:
        say("no alert was raised")


def _table(records: tuple[AlertRecord, ...]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    for title in ("id", "at (UTC)", "kind", "fate", "said", "receipts"):
        table.add_column(title, overflow="fold")
    for record in records:
        times = f" ({record.times} times)" if record.times > 1 else ""
        cells = (
            record.id,
            f"{record.raised_at:%m-%d %H:%M:%S}",
            record.alert.kind.value,
            f"{record.fate}{times}{': ' + record.reason if record.reason else ''}",
            record.alert.summary,
            "; ".join(_receipt(receipt.channel, receipt.delivered, receipt.detail) for receipt in record.receipts),
        )
        table.add_row(*(Text(visible(cell)) for cell in cells))
    return table


def _receipts(record: AlertRecord) -> None:
    for receipt in record.receipts:
        line = _receipt(receipt.channel, receipt.delivered, receipt.detail)
        show(line, "" if receipt.delivered else "red")


def _receipt(channel: str, delivered: bool, detail: str) -> str:
    return f"{channel} {'took it' if delivered else 'did not take it: ' + detail}"
