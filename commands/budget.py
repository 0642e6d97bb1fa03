"""``budget``: what was spent and reserved, a cap for the present period, and the cost nobody reported (P9)."""

import asyncio
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text
from temporalio.client import Client
from typer.core import TyperGroup

from commands.conversations import ask, command, known_target
from commands.exit_statuses import Exit
from commands.failures import CommandFailed
from commands.home import client_of
from commands.terminal import AsJson, TargetName, answered, emit, guarded, operator_name, out, say, show
from composition import Adapters, compose
from contracts.budget import Amounts, BudgetLine, BudgetView, CapsRequest, CostStatement, Measure, Period
from settings import Settings
from workflows import api

_SHOW = "show"


class ShowsByDefault(TyperGroup):
    """``budget`` and ``budget demo`` mean ``budget show …``: looking is what it is mostly used for."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Insert the default command before arguments that name none."""
        named = bool(args) and (args[0] in self.commands or args[0] in ctx.help_option_names)
        return list(super().parse_args(ctx, args if named else [_SHOW, *args]))


app = typer.Typer(
    cls=ShowsByDefault,
    help="Spent, reserved and capped: `budget [TARGET]`; `budget set`; `budget state-cost`.",
    epilog="Example: `starter.py budget set demo --period day --measure usd --cap 30 --reason 'release week'`",
)


@app.command(_SHOW)
@guarded
async def ledger(
    target: Annotated[str | None, typer.Argument(help="One target; default: all.")] = None, as_json: AsJson = False
) -> int:
    """What was spent and reserved in the present day, week and month, and what blocks new runs."""
    adapters = compose(Settings())
    client = await client_of(adapters.settings)
    names = [target] if target else sorted(adapters.policies.names())
    views = dict(zip(names, await asyncio.gather(*(_ledger(client, name) for name in names)), strict=True))
    if target and views[target] is None:
        known_target(adapters, target)
    if as_json:
        shown = {name: view.model_dump(mode="json", by_alias=True) if view else None for name, view in views.items()}
        emit({"targets": shown})
        return Exit.OK
    for name, view in views.items():
        _show(name, view)
    return Exit.OK


@app.command("set")
@guarded
async def set_cap(
    target: TargetName,
    period: Annotated[Period, typer.Option(help="Which cap to change.")],
    measure: Annotated[Measure, typer.Option(help="What it limits.")],
    cap: Annotated[
        float, typer.Option(min=0, help="The new value: USD, tokens, minutes or runs, for the current period only.")
    ],
    reason: Annotated[str, typer.Option(help="Why; kept for the record.")],
    run_id: Annotated[str, typer.Option("--run", help="With --period run: the run whose cap it is.")] = "",
    expected_epoch: Annotated[int | None, typer.Option(help="The epoch you saw; default: the current one.")] = None,
    as_json: AsJson = False,
) -> int:
    """Change a cap until its period ends. Lowering always works; raising wakes the runs that wait for money."""
    client, view = await _open_ledger(target)
    request = CapsRequest(
        expected_epoch=expected_epoch if expected_epoch is not None else view.epoch,
        period=period,
        measure=measure,
        cap=cap,
        run_id=run_id,
        reason=reason,
        actor=operator_name(),
    )
    return answered(await command(client, api.control_id(target), api.SET_CAPS, request), as_json)


@app.command("state-cost")
@guarded
async def state_cost(
    target: TargetName,
    key: Annotated[str, typer.Argument(help="The key that `budget` shows, for example demo-2026-11-23-pr-1/code.")],
    usd: Annotated[float, typer.Option(min=0, help="What it cost in USD, from the provider's bill.")],
    tokens: Annotated[int, typer.Option(min=0, help="The tokens it used.")],
    evidence: Annotated[str, typer.Option(help="Where the figure comes from; kept for the record.")],
    as_json: AsJson = False,
) -> int:
    """State what a step cost when its backend did not say; until then, nothing more is spent on the target."""
    client, _ = await _open_ledger(target)
    cost = Amounts(usd=usd, tokens=tokens)
    request = CostStatement(key=key, cost=cost, evidence=evidence, actor=operator_name())
    return answered(await command(client, api.control_id(target), api.STATE_COST, request), as_json)


async def _ledger(client: Client, target: str) -> BudgetView | None:
    """A target's ledger; None: no Control of it is open."""
    return await ask(client, api.control_id(target), api.BUDGET, BudgetView)


async def _open_ledger(target: str) -> tuple[Client, BudgetView]:
    adapters: Adapters = compose(Settings())
    client = await client_of(adapters.settings)
    view = await _ledger(client, target)
    if view is None:
        known_target(adapters, target)
        raise CommandFailed(Exit.REFUSED, f"{target} is not open yet: its first run opens its ledger")
    return client, view


def _show(name: str, view: BudgetView | None) -> None:
    if view is None:
        show(f"{name}  not started: its first run opens its ledger")
        return
    if view.blocked.allowed:
        show(f"{name}  new runs may start: {view.blocked.reason}", "bold")
    else:
        show(f"{name}  no new run may start", "bold")
        for child in view.blocked.children:
            show(f"  {child.reason}", "yellow")
    table = Table(box=None, padding=(0, 2, 0, 2))
    for title in ("period", "measure", "spent", "reserved", "cap", "used", "until"):
        table.add_column(title, justify="left" if title in {"period", "measure", "until"} else "right")
    for line in view.lines:
        table.add_row(*(Text(cell) for cell in cells(line)))
    if view.lines:
        out.print(table)
    for each in view.reservations:
        state = "cost UNKNOWN" if each.unknown else "reserved"
        worst = f"{each.worst.usd:.2f} USD, {each.worst.tokens} tokens, {each.worst.agent_minutes:.1f} min"
        show(
            f"  {state}: {each.key} since {each.at:%Y-%m-%d %H:%M:%S}: {worst}{' · ' + each.note if each.note else ''}"
        )
    for run in view.runs:
        total = run.total
        show(f"  run {run.run_id}: {total.usd:.2f} USD, {total.tokens} tokens, {total.agent_minutes:.1f} agent minutes")
    for report in view.reports:
        show(f"  exhausted: {report.period} {report.measure}: {report.address}")
    if not view.lines:
        say(f"{name} has spent nothing yet")


def cells(line: BudgetLine) -> tuple[str, ...]:
    """A row of the table: period, measure, spent, reserved, cap, share used, until when."""
    used = f"{(line.spent + line.reserved) / line.cap:.0%}" if line.cap else "-"
    by_hand = " (set)" if line.set_by_hand else ""
    until = f"{line.ends_at:%Y-%m-%d %H:%M %Z}" if line.ends_at else "its end"
    # Minutes are measured to the microsecond, which nobody reads; of money none is lost.
    digits = 1 if line.measure is Measure.AGENT_MINUTES else 6
    spent, reserved = (f"{amount:.{digits}f}".rstrip("0").rstrip(".") for amount in (line.spent, line.reserved))
    numbers = (spent, reserved, f"{line.cap:.10g}{by_hand}")
    return (line.period, line.measure, *numbers, used, until)
