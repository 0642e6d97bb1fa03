"""``agents``: coding agents of others' making: which there are, what each was seen to do, and installing one."""

import asyncio
from typing import Annotated

import typer
from rich.table import Table

from commands.exit_statuses import Exit
from commands.failures import CommandFailed
from commands.terminal import AsJson, emit, guarded, out, say, show
from composition import RECIPES, compose, recipe_of
from settings import Settings

app = typer.Typer(help="Coding agents of others' making: which there are, and installing them.", no_args_is_help=True)


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
    say("\nAny other program: argv in charter.toml. Not Gemini CLI: the gateway does not speak its generateContent.")
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
