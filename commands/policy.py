"""``policy``: what is in force, where each value came from, and what another policy would have decided."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from commands.exit_statuses import Exit
from commands.failures import CommandFailed
from commands.terminal import AsJson, emit, guarded, out, say, show
from composition import compose
from contracts.release import WhatIf
from policies.counted import counted
from ports.policy_source import PolicyError
from reporting.wording import visible
from settings import Settings

app = typer.Typer(help="What policy says, and what another would have decided.", no_args_is_help=True)
_SHARED = ("autopilot.toml", "protected_paths.toml", "charter.toml", "alerts.toml", "sources.toml")
_LEFT_OUT = 5
"""Runs that are named where a decision could not be made again; --json has all."""


@app.command()
@guarded
def explain(
    target: Annotated[str, typer.Argument(help="The target.")],
    key: Annotated[str, typer.Argument(help="Only keys that contain this, for example diff_budget.")] = "",
    as_json: AsJson = False,
) -> int:
    """Every effective value of a target, the file and line it came from, and what it means."""
    policies = compose(Settings()).policies
    digest = policies.effective(target).digest
    found = [one for one in policies.explain(target) if key in one.key]
    if not found:
        raise CommandFailed(Exit.USAGE, f"no key of {target}'s policy contains {key!r}; without one, all are shown")
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


@app.command("what-if")
@guarded
def what_if(
    other: Annotated[
        Path,
        typer.Argument(help="A policy file under its own name (autopilot.toml, <target>.toml), or a folder of them."),
    ],
    target: Annotated[str | None, typer.Option(help="Only decisions on this target; default: all.")] = None,
    since: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Only runs that ended since.")] = None,
    as_json: AsJson = False,
) -> int:
    """Make every past release decision again, as if these files stood in the policy folder. Changes nothing.

    Decisions are made again from the facts that were kept with them; what a policy decides before a release (which task
    is chosen, what it may cost) is not asked again.
    """
    # Only this command needs the steps' side.
    from activities.governance.past_decisions import PastDecisions  # noqa: PLC0415

    adapters = compose(Settings())
    if target:
        adapters.policies.effective(target)
    past = PastDecisions(adapters.store, adapters.index)
    policies = adapters.policies.instead(_files(adapters.settings.policies, other))
    found = past.under(policies.effective, target, since.astimezone(UTC) if since else None)
    if as_json:
        emit(found)
    else:
        _show_what_if(found)
    return Exit.OK


def _files(folder: Path, other: Path) -> dict[str, bytes]:
    """What to read instead, by the names that they have in the policy folder."""
    if other.is_dir():
        files = [path for path in other.rglob("*.toml") if path.relative_to(other).parts[:-1] in {(), ("targets",)}]
    else:
        files = [other] if other.is_file() else []
    if not files:
        raise CommandFailed(Exit.USAGE, f"{other} is no policy file and no folder of them")
    found = {}
    for path in files:
        known = path.name if path.name in _SHARED else f"targets/{path.name}"
        if known not in _SHARED and not (folder / known).exists():
            names = ", ".join((*_SHARED, "targets/<target>.toml"))
            raise CommandFailed(
                Exit.USAGE, f"{path} would replace nothing: name it as the file it stands for ({names})"
            )
        found[known] = path.read_bytes()
    return found


def _show_what_if(found: WhatIf) -> None:
    if not found.decisions:
        say("no past release decision can be made again yet: each run keeps its own from now on")
    else:
        said = counted(len(found.others), "would change", "would change")
        show(f"of {counted(found.decisions, 'decision')}, {said}")
    table = Table(box=None, padding=(0, 2, 0, 0))
    for title in ("run", "was", "would be", "because", "became"):
        table.add_column(title, overflow="fold")
    for one in found.others:
        cells = (one.run_id, one.decided, one.would_be, one.because, one.became)
        table.add_row(*(Text(visible(cell)) for cell in cells))
    if found.others:
        out.print(table)
    for run_id, reason in list(found.left_out.items())[:_LEFT_OUT]:
        say(f"left out {run_id}: {reason}")
    if (more := len(found.left_out) - _LEFT_OUT) > 0:
        say(f"left out {counted(more, 'more run')}: --json names them")
