"""``policy``: what is in force, and where each value came from."""

from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from commands.exit_statuses import Exit
from commands.failures import CommandFailed
from commands.terminal import AsJson, emit, guarded, out, say, show
from composition import compose
from ports.policy_source import PolicyError
from reporting.wording import visible
from settings import Settings

app = typer.Typer(help="What policy says, and where each value came from.", no_args_is_help=True)


@app.command()
@guarded
def explain(
    target: Annotated[str, typer.Argument(help="The target.")],
    key: Annotated[str, typer.Argument(help="Only keys that hold this, for example diff_budget.")] = "",
    as_json: AsJson = False,
) -> int:
    """Every effective value of a target, the file and line it came from, and what it means."""
    policies = compose(Settings()).policies
    digest = policies.effective(target).digest
    found = [one for one in policies.explain(target) if key in one.key]
    if not found:
        raise CommandFailed(Exit.USAGE, f"no key of {target}'s policy holds {key!r}; without one, all are shown")
    if as_json:
        emit({"target": target, "digest": digest, "values": [vars(one) for one in found]})
        return Exit.OK
    table = Table(box=None, padding=(0, 2, 0, 0))
    for title in ("key", "value", "from", "meaning"):
        table.add_column(title, overflow="fold")
    for one in found:
        table.add_row(*(Text(visible(cell)) for cell in (one.key, one.value, one.source, one.meaning)))
    out.print(table)
    show(f"digest {digest}")
    return Exit.OK


@app.command()
@guarded
def check(as_json: AsJson = False) -> int:
    """Read every target's policy as a run would; says file, line and the nearest key of what is wrong."""
    adapters = compose(Settings())
    wrong: dict[str, str] = {}
    good: dict[str, str] = {}
    for name in adapters.policies.names():
        try:
            good[name] = adapters.policies.effective(name).digest
        except PolicyError as problem:
            wrong[name] = str(problem)
    try:
        adapters.policies.alerts()
    except PolicyError as problem:
        wrong["alerts.toml"] = str(problem)
    if as_json:
        emit({"ok": good, "wrong": wrong})
    else:
        for name, digest in good.items():
            show(f"ok      {name}  {digest[:12]}")
        for name, complaint in wrong.items():
            show(f"not ok  {name}", "red")
            show(complaint)
    if not good and not wrong:
        say(f"{adapters.settings.policies} has no targets; make one: starter.py init <path-or-url>")
    return Exit.BAD_POLICY if wrong else Exit.OK
