"""``agents``: coding agents of others' making: which there are, what each was seen to do, and how they did here."""

import asyncio
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from commands.exit_statuses import Exit
from commands.failures import CommandFailed
from commands.terminal import AsJson, emit, guarded, out, say, show
from composition import RECIPES, compose, recipe_of
from policies.counted import counted
from reporting.wording import visible
from settings import Settings

app = typer.Typer(
    help="Coding agents of others' making: which there are, installing them, how they did here.",
    no_args_is_help=True,
)


@app.command("list")
@guarded
def list_agents(as_json: AsJson = False) -> int:
    """Each recipe: version, how it asks a model, whether it is installed, and what that version was seen to do."""
    here = compose(Settings()).installer.installed()
    found = {name: recipe_of(name) for name in sorted(RECIPES)}
    if as_json:
        emit(
            {
                "agents": [
                    {
                        "name": name,
                        "title": each.title,
                        "registry": each.registry.value,
                        "package": each.package,
                        "version": each.version,
                        "dialect": each.dialect,
                        "installed": here.get(name),
                        "seen": list(each.seen),
                    }
                    for name, each in found.items()
                ]
            }
        )
        return Exit.OK
    table = Table(box=None, padding=(0, 2, 0, 0))
    for title in ("agent", "version", "asks by", "from", "installed"):
        table.add_column(title)
    for name, each in found.items():
        wanted = f"{each.package} {each.version}"
        state = "no" if name not in here else "yes" if here[name] == wanted else f"another: {here[name]}"
        table.add_row(name, each.version, each.dialect, f"{each.registry.value} {each.package}", state)
    out.print(table)
    for name, each in found.items():
        show(f"\n{each.title} ({name})")
        for sentence in each.seen:
            show(f"- {sentence}")
    say("\nAny other program: argv in charter.toml.")
    return Exit.OK


@app.command()
@guarded
async def install(
    names: Annotated[list[str], typer.Argument(help="Agents, as `agents list` names them.")],
) -> int:
    """Install agents at the versions of their recipes, by npm or uv, into folders of their own below the home."""
    installer = compose(Settings()).installer
    if unknown := [name for name in names if name not in RECIPES]:
        raise CommandFailed(Exit.USAGE, f"no recipe is named {unknown[0]!r}; known: {', '.join(sorted(RECIPES))}")
    for name in names:
        say(f"installing {name} …")
        wanted = await asyncio.to_thread(installer.install, name, lambda: None)
        show(f"{name}: {wanted} in {installer.folder / name}", "green")
    return Exit.OK


@app.command()
@guarded
def compare(
    target: Annotated[str | None, typer.Argument(help="Only runs of this target; default: of all.")] = None,
    as_json: AsJson = False,
) -> int:
    """Who coded in past runs, side by side: what was accepted, what was not, what it cost.

    Accepted: merged, and not undone since. Rejected: by a gate of ours, closed by people, or undone. Waiting: pull
    requests nobody has answered. Dry runs: came to a change, and nobody was asked. No result: neither.
    """
    # Only this command needs the steps' side.
    from activities.governance.comparing import ComparedAgents  # noqa: PLC0415

    adapters = compose(Settings())
    if target:
        adapters.policies.effective(target)
    past = ComparedAgents(adapters.store, adapters.index)
    found = past.standings(target)
    if as_json:
        rows = [
            each.model_dump(mode="json", by_alias=True) | {"usdPerAccepted": each.usd_per_accepted} for each in found
        ]
        emit({"agents": rows, "leftOut": past.left_out})
        return Exit.OK
    table = Table(box=None, padding=(0, 2, 0, 0))
    for title in (
        "coder",
        "runs",
        "accepted",
        "rejected",
        "waiting",
        "dry runs",
        "no result",
        "spent",
        "per accepted change",
    ):
        table.add_column(title, overflow="fold")
    for each in found:
        tried = f"{each.tried} of {each.tried + each.tried_in_vain}" if each.tried_in_vain else each.tried
        counts = (each.runs, each.accepted, each.rejected, each.waiting, tried, each.nothing)
        cost = each.usd_per_accepted
        spent = f"{each.usd:.2f} USD" + f", {each.unknown} unknown" * bool(each.unknown)
        cells = (each.who, *map(str, counts), spent, "-" if cost is None else f"{cost:.2f} USD")
        table.add_row(*(Text(visible(cell)) for cell in cells))
    if found:
        out.print(table)
    else:
        say(f"no run{f' of {target}' if target else ''} with a task has ended yet")
    if past.left_out:
        say(f"left out: {counted(len(past.left_out), 'run')} whose artifacts cannot be read; --json names them")
    return Exit.OK
